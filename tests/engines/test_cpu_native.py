"""The native tests of the CPU engine, compiled as it ships: kernels in every instruction set, no allocation in step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine_cases import write_model
from small_models import small_config

ROOT = Path(__file__).parents[2]


def run(*command: str | Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which(command[0], path=path)
    assert program, f"{command[0]} is not installed: pip install {command[0]}"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("native")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON")
    run("cmake", "--build", build, "--target", "engine_test")
    return build / "tests" / "native" / "engine_test"


def test_kernels_in_every_instruction_set(program: Path) -> None:
    tested = run(program, "kernels").split()
    assert tested[:2] == ["plain", "base"]


def test_step_does_not_allocate_after_warm_up(program: Path, tmp_path: Path) -> None:
    absolute = {"positions": "absolute", "denoise_unit": "frame", "layout": "markers", "own_past": "fed"}
    variants = [
        {"noise_coherence": 0.5},
        {"own_past": "fed", "denoise_target": "residual", "sampler": "dpm2m"},
        {**absolute, "window": "exact"},
        {**absolute, "window": "amortised"},
    ]
    models = [write_model(tmp_path / f"{i}.gguf", small_config(**switches)) for i, switches in enumerate(variants)]
    run(program, "allocations", *models)
