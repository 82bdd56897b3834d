"""The native tests of the CPU engine, compiled as it ships: kernels in every instruction set, no allocation in step."""

from pathlib import Path

import pytest
from engine_cases import write_model
from native_build import build, run
from small_models import small_config


@pytest.fixture(scope="module")
def program(native_folder: Path) -> Path:
    return build(native_folder, "engine_test", "scheduler_test") / "engine_test"


def test_kernels_in_every_instruction_set(program: Path) -> None:
    tested = run(program, "kernels").split()
    assert tested[:2] == ["plain", "base"]


def test_turns_of_several_sessions_in_one_step(program: Path, tmp_path: Path) -> None:
    config = small_config(denoise_target="residual", sampler="dpm2m")
    run(program, "sessions", write_model(tmp_path / "m.gguf", config))


def test_a_scheduler_of_many_sessions(program: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.gguf", small_config(denoise_target="residual", sampler="dpm2m"))
    assert run(program.with_name("scheduler_test"), model) == "ok\n"


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
