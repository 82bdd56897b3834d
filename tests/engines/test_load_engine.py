from pathlib import Path

import numpy as np
import pytest

import visavis
from visavis.engine import model_info
from visavis.errors import FileError, InvalidArgument
from visavis.model.config import live_config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "gpu"}, "engine is 'gpu'; expected one of cpu, cuda, tensorrt, torch, onnx, auto"),
        ({"engine": None}, "engine is None; expected one of cpu, cuda, tensorrt, torch, onnx, auto"),
        ({"window": "endless"}, "window is 'endless'; expected one of exact, amortised, ring"),
        ({"history": "all"}, "history is 'all'; expected one of masked, fed, lagged"),
        ({"sampler": "euler"}, "sampler is 'euler'; expected one of ancestral, dpm2m"),
        ({"steps": 0}, "steps is 0; expected a whole number of at least 1"),
        ({"steps": 2.5}, "steps is 2.5; expected a whole number of at least 1"),
        ({"precision": "f64"}, "precision is 'f64'; expected one of auto, f32, bf16, f16, int8"),
        ({"threads": 0}, "threads is 0; expected a whole number of at least 1"),
        ({"passes": None}, "passes is None; expected a whole number of at least 1"),
    ],
)
def test_wrong_options_name_the_value_and_the_choices(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        visavis.load_engine("model.gguf", **options)
    assert str(caught.value) == message


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.gguf does not exist"):
        visavis.load_engine(tmp_path / "nowhere.gguf")


def test_model_info_is_the_part_of_the_configuration_that_sessions_read() -> None:
    info = model_info(live_config(steps=3, noise_coherence=0.25), "a model")
    assert (info.turn_frames, info.user_lag_frames, info.agent_lookahead_frames) == (5, 7, 2)
    assert (info.name, info.context_turns, info.steps, info.noise_coherence) == ("a model", 40, 3, 0.25)
    assert len(info.channels) == len(info.units) == 55


def test_turn_input_defaults_are_absent_streams_and_plain_sampling() -> None:
    turn = visavis.TurnInput(3, user_audio=np.zeros(3200, np.float32))
    assert turn.slot == 3 and turn.agent_audio is None and turn.user_motion is None and turn.noise is None
    assert (turn.seed, turn.temperature, turn.guidance, turn.turn, turn.steps) == (0, 1.0, 1.0, None, None)
