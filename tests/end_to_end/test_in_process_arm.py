"""The in-process runtime for 64-bit ARM, cross-compiled, on an emulated Cortex-A72: kernels, a stage, golden turns."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from native_client import run

import visavis

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
TOOLS = "aarch64-linux-gnu-"
DEFAULT = Path(visavis.__file__).parent / "assets" / "default.gguf"
SECONDS = 6
TILE = re.compile(r"tile_column<(\d+), float>\([^\n]*>:\n(.*?)(?=\n\n|\Z)", re.DOTALL)
VECTOR_FMA = re.compile(r"\tfmla\tv\d+\.4s")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with libvisavis, the native tests of its engine and golden_turns."""
    folder = tmp_path_factory.mktemp("arm")
    options = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DVISAVIS_CURVE=OFF"]
    options += [f"-DCMAKE_C_COMPILER={TOOLS}gcc", f"-DCMAKE_CXX_COMPILER={TOOLS}g++"]
    run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", *options, "-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON")
    run("cmake", "--build", folder, "--target", "visavis", "engine_test", "stage_test", "-j2")
    source, library = ROOT / "tests" / "native" / "golden_turns.c", folder / "csrc" / "libvisavis.so"
    flags = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc' / 'include'}")
    run(f"{TOOLS}gcc", *flags, source, library, f"-Wl,-rpath,{library.parent}", "-o", folder / "golden_turns")
    return folder


def emulated(program: Path, *arguments: str | Path, isa: str | None = None) -> str:
    """What the program prints.  A Cortex-A72 has NEON and no later extension."""
    variable = [] if isa is None else ["-E", f"VISAVIS_ISA={isa}"]
    emulator = ["qemu-aarch64", "-cpu", "cortex-a72", "-L", "/usr/aarch64-linux-gnu", *variable]
    command = [*emulator, str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_products_are_vectors_of_fused_multiply_adds(build: Path) -> None:
    """A tile of n rows and two vectors of columns multiplies and adds 2 n times in its loop."""
    code = build / "csrc" / "CMakeFiles" / "visavis_objects.dir" / "engines" / "cpu" / "isa" / "neon.cpp.o"
    text = run(f"{TOOLS}objdump", "--disassemble", "--demangle", "--no-show-raw-insn", code)
    tiles = TILE.findall(text)
    found = {int(rows): len(VECTOR_FMA.findall(body)) for rows, body in tiles}
    assert found == {rows: 2 * rows for rows in range(1, 11)}


def test_kernels(build: Path) -> None:
    assert emulated(build / "tests" / "native" / "engine_test", "kernels").split() == ["plain", "base", "neon"]


def test_a_stage_in_virtual_time(build: Path, model_file: Path) -> None:
    assert emulated(build / "tests" / "native" / "stage_test", model_file) == "ok\n"


@pytest.fixture(scope="module")
def voices() -> dict[str, np.ndarray]:
    return {who: soundfile.read(DEFAULT.parent / f"demo_{who}.flac", frames=SECONDS * 16000, dtype="float32")[0]
            for who in ("agent", "user")}  # fmt: skip


@pytest.fixture(scope="module")
def golden(voices: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The default model's frames by the reference engine (torch), and by the native one on this computer."""
    both = [(voice, 16000) for voice in voices.values()]
    return {engine: visavis.animate(*both, engine=engine, seed=7).values for engine in ("torch", "cpu")}


@pytest.mark.parametrize("isa", ["neon", "base"])
def test_golden_turns(
    build: Path, tmp_path: Path, voices: dict[str, np.ndarray], golden: dict[str, np.ndarray], isa: str
) -> None:
    for who, samples in voices.items():
        samples.tofile(tmp_path / f"{who}.f32")
    files = [tmp_path / f"{name}.f32" for name in ("agent", "user", "frames")]
    assert emulated(build / "golden_turns", DEFAULT, *files, "offline", isa=isa).split() == ["ok"]
    found = np.fromfile(files[2], np.float32).reshape(-1, 55)
    for frames in golden.values():
        assert found.shape == frames.shape == (25 * SECONDS, 55)
        np.testing.assert_allclose(found, frames, atol=1e-4)
