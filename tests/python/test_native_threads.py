"""The thread rules of visavis.h and stage.h under the thread sanitizer (g++, cmake and ninja)."""

import json
from pathlib import Path

import pytest
from small_models import randomised, small_config
from test_native_abi import ROOT, run

from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sanitized programs."""
    build = tmp_path_factory.mktemp("threads")
    options = ("-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON", "-DVISAVIS_SANITIZE=thread", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *options)
    run("cmake", "--build", build, "--target", "session_threads", "stage_threads", "engine_threads")
    return build / "tests" / "native"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    save_gguf(path, randomised(Timar(small_config())), name="small", dtype="f32")
    return path


def test_callers_on_several_threads_never_race(programs: Path, model: Path) -> None:
    assert run(programs / "session_threads", model) == "ok\n"


def test_threads_that_share_an_engines_turns(programs: Path, model: Path) -> None:
    run(programs / "engine_threads", model)


def test_all_threads_of_a_game_at_a_stage(programs: Path, model: Path) -> None:
    found = json.loads(run(programs / "stage_threads", model, "3"))
    assert found["allocations"] == found["blocks_left"] == 0
    least = {"live": 50, "voiced": 1000, "sent": 50, "looked": 20, "frames": 10, "cuts": 2}
    assert all(found[what] >= n for what, n in least.items()), found
