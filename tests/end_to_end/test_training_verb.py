"""`visavis train` as its users start it: the paper's recipe on wav2vec2 features, and two processes under torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conversations import write_data_set

from visavis.export.gguf import load_gguf

WAV2VEC2 = Path(__file__).parents[1] / "data" / "timar-tiny" / "wav2vec2"
SMALL = ["width=32", "depth=1", "heads=2", "token_width=16", "head_width=24", "head_depth=1", "batch=2", "repeats=2"]
# The command line, and at exit which threads are left: gloo's, if any, would abort the process as Python ends.
VISAVIS = """
import atexit, pathlib
from visavis.cli import main
tasks = pathlib.Path("/proc/self/task")
atexit.register(lambda: print("threads:", [(task / "comm").read_text().strip() for task in tasks.iterdir()]))
main()
"""
LIVE = [*SMALL, "context_turns=4", "speech_width=16", "conv_widths=16,16,16,16", "mel_bands=16", "seconds=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=2, seconds=6)


def run(launcher: list[str], data: Path, out: Path, settings: list[str], *options: str) -> str:
    command = [*launcher, "train", "--data", data, "--out", out, "--steps", "3", "--seed", "4", *options]
    command += [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_papers_recipe_end_to_end(data: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "speech_width=32", "seconds=4", "context_turns=4"]
    one = [sys.executable, "-m", "visavis"]
    run(one, data, tmp_path / "run", settings, "--recipe", "paper", "--speech-folder", str(WAV2VEC2))
    model = load_gguf(tmp_path / "run" / "model.gguf")  # it carries its speech encoder
    assert model.speech_encoder.width == 32
    assert (model.config.layout, model.config.own_past, model.config.turn_frames) == ("markers", "masked", 25)
    assert (model.config.motion_space, model.config.speech_encoder) == ("flame56", "wav2vec2")


def test_two_processes_train_one_model(data: Path, tmp_path: Path) -> None:
    (tmp_path / "verb.py").write_text(VISAVIS)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    said = run([*torchrun, str(tmp_path / "verb.py")], data, tmp_path / "two", LIVE)
    assert said.count("threads:") == 2 and "gloo" not in said
    assert said.count("validation total") == 1, "only the first process speaks"
    run([sys.executable, "-m", "visavis"], data, tmp_path / "one", LIVE)
    two, one = ((tmp_path / name / "model.gguf").read_bytes() for name in ("two", "one"))
    assert len(two) == len(one) and two != one, "the second process's crops count"
