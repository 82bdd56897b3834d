#!/usr/bin/env bash
# Builds engine cuda on a machine with a GPU, runs every `gpu` test and the benchmarks, writes one JSON.  It needs the
# CUDA toolkit (nvcc on the PATH, in CUDA_HOME or /usr/local/cuda), Python with torch, numpy, pytest, pybind11,
# scikit-build-core, cmake and ninja, a C++ compiler, and no network.  Each part stays below ten minutes:
#
#   benchmarks/gpu_check.sh build
#   benchmarks/gpu_check.sh tests
#   benchmarks/gpu_check.sh bench                    # all of them: more than ten minutes
#   benchmarks/gpu_check.sh bench exact              # or: amortised denoiser sessions sessions-exact heads renderer
#   benchmarks/gpu_check.sh report                   # build/gpu_check/gpu_check.json
#   benchmarks/gpu_check.sh all
#
# --dry-run before them prints what would be run.  PYTHON (python3), OUT (build/gpu_check) and ARCHITECTURES (native)
# may be set; COMMIT where this folder is no checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
export OUT=${OUT:-$PWD/build/gpu_check} PYTHON=${PYTHON:-python3} PYTHONUNBUFFERED=1 ARCHITECTURES=${ARCHITECTURES:-native}
export PYTHONPATH=$OUT/site${PYTHONPATH:+:$PYTHONPATH}
readonly LIMIT_S=580
dry=""

# Runs a command, or prints it.
try() {
  printf '+ %s\n' "$*" >&2
  [ -n "$dry" ] || "$@"
}

build() {
  try mkdir -p "$OUT/site" "$OUT/bench"
  try "$PYTHON" -m pip install --no-build-isolation --no-deps --no-index --disable-pip-version-check --upgrade \
    --target "$OUT/site" -C cmake.define.VISAVIS_CUDA=ON -C "cmake.define.CMAKE_CUDA_ARCHITECTURES=$ARCHITECTURES" .
  try cmake -S . -B "$OUT/native" -G Ninja -DVISAVIS_PYTHON=OFF -DVISAVIS_TESTS=ON -DVISAVIS_CUDA=ON \
    "-DCMAKE_CUDA_ARCHITECTURES=$ARCHITECTURES"
  try cmake --build "$OUT/native" --target cuda_test
  model
  try "$PYTHON" -c "import visavis; e = visavis.load_engine(engine='cuda'); print('engine cuda runs, precision', e.precision)"
}

model() {
  [ -s "$OUT/large.gguf" ] || try "$PYTHON" benchmarks/gpu/models.py "$OUT/large.gguf"
}

tests() {
  local files=(tests/engines/test_cuda_kernels.py tests/engines/test_cuda_equals_cpu.py)
  if "$PYTHON" -c 'import tensorrt_rtx' 2>/dev/null || "$PYTHON" -c 'import tensorrt' 2>/dev/null; then
    files+=(tests/engines/test_tensorrt_engine.py)
  fi
  try timeout "$LIMIT_S" "$PYTHON" -m pytest -m gpu -p no:cacheprovider --junitxml "$OUT/tests.xml" "${files[@]}"
}

bench() {
  local name
  [ $# -gt 0 ] || set -- exact amortised denoiser sessions sessions-exact heads renderer
  model
  for name in "$@"; do
    try timeout "$LIMIT_S" "$PYTHON" benchmarks/gpu/bench.py "$name" --model "$OUT/large.gguf" --out "$OUT/bench/$name.json"
  done
}

report() {
  local driver commit
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1) || true
  commit=${COMMIT:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}
  try "$PYTHON" benchmarks/gpu/report.py "$OUT" --driver "${driver:-unknown}" --commit "$commit"
}

if [ "${1:-}" = --dry-run ]; then
  dry=yes
  shift
fi
part=${1:-}
[ $# -eq 0 ] || shift
case $part in
  build | tests | report) "$part" ;;
  bench) bench "$@" ;;
  all)
    build
    tests || echo "some tests failed" >&2
    for name in exact amortised denoiser sessions sessions-exact heads renderer; do
      bench "$name" || echo "benchmark $name failed" >&2
    done
    report
    ;;
  *)
    sed -n '2,/^set -euo/{/^set/!s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac
