"""How far bf16 and int8 motion is from float32 motion with the packaged models, over a minute of its demo voices.

Free running, each hears itself, and the smallest difference grows: the model's own past is part of its input.  So they
are given the past that float32 made, turn by turn, and what is compared is what a turn makes of the same past.
"""

from pathlib import Path

import numpy as np
import pytest

from visavis import _core
from visavis.audio import read_audio
from visavis.engine import DEFAULT_MODEL, PACKAGED, TurnInput
from visavis.errors import Unsupported

SECONDS = 60


def demo_voice(name: str) -> np.ndarray:
    """A minute at 16 kHz, the recording over and over."""
    samples, rate = read_audio(DEFAULT_MODEL.parent / name)
    times = np.arange(SECONDS * 16000) / 16000 % (len(samples) / rate)
    return np.interp(times, np.arange(len(samples)) / rate, samples).astype(np.float32)


def fast_engine(model: Path, precision: str) -> _core.CpuEngine:
    """In `precision`, or, where this processor has no 8-bit products, in what it has."""
    try:
        return _core.CpuEngine(model, precision=precision)
    except Unsupported as error:
        assert precision == "int8" and "needs a processor and a build with AVX-512-VNNI" in str(error)
        return _core.CpuEngine(model, precision="auto")


@pytest.mark.parametrize(("precision", "limit"), [("auto", 0.01), ("int8", 0.03)])
@pytest.mark.parametrize("model", PACKAGED.values(), ids=PACKAGED)
def test_motion_is_within_a_share_of_float32s(model: Path, precision: str, limit: float) -> None:
    exact, fast = _core.CpuEngine(model), fast_engine(model, precision)
    config, slots = exact.config, [exact.open(), fast.open()]
    assert slots == [0, 0]
    size, ahead, lag = config.turn_samples, config.agent_lookahead_frames * 640, config.user_lag_frames * 640
    agent = np.append(demo_voice("demo_agent.flac"), np.zeros(ahead, np.float32))
    user = np.append(np.zeros(lag, np.float32), demo_voice("demo_user.flac"))
    motions = []
    for t in range(SECONDS * 25 // config.turn_frames):
        at = t * size
        turn = TurnInput(0, user_audio=user[at : at + size], agent_audio=agent[at : at + size + ahead], seed=3)
        motion, other = exact.step([turn])[0].motion, fast.step([turn])[0].motion
        motions.append((motion, other))
        fast.set_own_motion(0, motion)
    motion, other = (np.concatenate(side) for side in zip(*motions, strict=True))
    std = np.maximum(motion.std(axis=0), _core.ModelFile(model).floats("motion_std"))  # of the training
    moving = motion.std(axis=0) > 0
    assert moving.sum() > 30 and not other[:, ~moving].any()
    share = np.abs(motion - other).mean(axis=0)[moving] / std[moving]
    names = np.array(exact.info.channels)[moving]
    worst = share.argmax()
    print(f"{fast.isa}, {fast.precision}: mean {share.mean():.3%}, worst {share[worst]:.3%} of std ({names[worst]})")
    assert share[worst] <= limit, f"{names[worst]}: mean difference {share[worst]:.2%} of its standard deviation"
    assert fast.precision == "f32" or share.mean() > 1e-5  # it is another arithmetic
