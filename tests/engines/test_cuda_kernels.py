"""Every kernel of the CUDA engine against its twin in plain loops, and the twins against the CPU engine's kernels.

On the emulator the threads of a block run in several orders and asynchronous copies come early or late; on a GPU once.
"""

from pathlib import Path

import pytest
from native_build import ROOT, build, run

KERNELS = {
    "gemm", "gemm keys", "gemm queries", "exact_gemm", "exact_gemm mel", "attention", "attention in a turn", "norm",
    "norm halves", "embed", "read_out", "keep_tokens", "motion_rows", "gather_tokens", "gather_tokens masked",
    "load_voices", "load_voices inputs", "save_voices", "first_convolution", "interpolate", "place_groups",
    "draw_noise", "start_sampler", "start_sampler halves", "advance_sampler", "advance_sampler before",
    "advance_sampler halves", "activate_condition", "fused_denoiser", "finish", "finish own",
}  # fmt: skip
TOLERANCE = 1e-2


def errors(text: str) -> dict[str, float]:
    """The largest relative error of each kernel, as the program prints it."""
    return {name: float(error) for name, _, error in (line.rpartition(" ") for line in text.splitlines())}


def check(text: str) -> None:
    found = errors(text)
    assert found.keys() == KERNELS and max(found.values()) <= TOLERANCE


@pytest.mark.parametrize(("capability", "order"), [(90, 0), (90, 1), (86, 4), (75, 7)])
def test_kernels_on_the_emulator(native_folder: Path, capability: int, order: int) -> None:
    program = build(native_folder, "cuda_test_emulated") / "cuda_test_emulated"
    device = {"VISAVIS_EMULATOR_CAPABILITY": str(capability), "VISAVIS_EMULATOR_ORDER": str(order)}
    check(run(program, "kernels", env=device))


def test_twins_are_the_kernels_of_the_cpu_engine(native_folder: Path) -> None:
    program = build(native_folder, "cuda_twins") / "cuda_twins"
    assert errors(run(program)).keys() == {"gemm", "exact_gemm", "norm", "attention"}


@pytest.mark.gpu
def test_kernels_on_the_gpu() -> None:
    """`benchmarks/gpu_check.sh build` has compiled them there already."""
    options = ("-DVISAVIS_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=native")
    check(run(build(ROOT / "build" / "gpu_check" / "native", "cuda_test", options=options) / "cuda_test", "kernels"))
