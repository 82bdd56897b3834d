"""The models inside the package: found by name, as large as they may be, moved by a voice."""

from pathlib import Path

import numpy as np
import pytest

import visavis
from visavis.audio import read_audio
from visavis.engine import DEFAULT_MODEL, PACKAGED, model_path
from visavis.errors import FileError
from visavis.motion_space import ARKIT55

MOST_BYTES = {"default": 12_000_000, "tiny": 3_400_000}
JAW = ARKIT55.index("jawOpen")


def test_a_name_is_a_packaged_model_and_none_the_default() -> None:
    assert model_path() == model_path("default") == DEFAULT_MODEL
    assert model_path("tiny") == model_path(Path("tiny")) == PACKAGED["tiny"]
    with pytest.raises(FileError, match=r"model file huge does not exist; packaged ones are called default and tiny"):
        model_path("huge")


def test_a_file_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_bytes(b"mine")
    assert model_path("tiny") == Path("tiny")


@pytest.mark.parametrize("name", PACKAGED)
def test_it_talks_listens_and_has_styles(name: str) -> None:
    assert PACKAGED[name].stat().st_size <= MOST_BYTES[name]
    model = visavis.load(name)
    assert model.styles == ("talkative", "nods", "expressiveness", "gaze")
    samples, rate = read_audio(DEFAULT_MODEL.with_name("demo_agent.flac"))
    voice = np.asarray(samples[11 * rate : 18 * rate], np.float32)
    speaks, listens = (visavis.animate(agent=(a, rate), user=(u, rate), model=model).values[:, JAW]
                       for a, u in ((voice, 0 * voice), (0 * voice, voice)))  # fmt: skip
    assert speaks.max() > 0.25 and speaks.std() > 5 * listens.std()
