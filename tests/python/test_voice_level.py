"""Live voices for models that expect zero mean and unit variance: what sessions do, and what it costs."""

from pathlib import Path

import numpy as np
import pytest
from recording_engine import RecordingEngine

import visavis
from visavis import _core
from visavis.audio import read_audio
from visavis.session import Model
from visavis.takes.file import load_take
from visavis.takes.replay import replay

ASSETS = Path(visavis.__file__).parent / "assets"
TURN = 3200


def voice(seed: int, turns: int, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(turns * TURN) + 0.01).astype(np.float32)


def expected(samples: np.ndarray) -> np.ndarray:
    """Mean and variance of everything up to the end of each turn and of one second at rms 0.05."""
    turns = samples.astype(np.float64).reshape(-1, TURN)
    counts = np.arange(1, len(turns) + 1) * TURN + 16000
    means = turns.sum(1).cumsum() / counts
    variances = ((turns**2).sum(1).cumsum() + 16000 * 0.05**2) / counts - means**2
    return ((turns - means[:, None]) / np.sqrt(variances + 1e-7)[:, None]).ravel()


def run(engine: RecordingEngine, agent: np.ndarray, user: np.ndarray, **options: object) -> None:
    with Model(engine).session(**options) as session:  # type: ignore[arg-type]
        session.push_agent_audio(agent, 16000)
        session.push_user_audio(user, 16000)
        session.end()
        while session.poll():
            pass


def test_a_session_normalises_each_voice_by_what_was_heard_so_far() -> None:
    engine = RecordingEngine(lag=0, lookahead=0, normalised=True)
    agent, user = voice(1, 6), voice(2, 6, level=0.02)
    run(engine, agent, user)
    for name, samples in (("agent_audio", agent), ("user_audio", user)):
        found = np.concatenate([getattr(turn, name) for turn in engine.turns])
        np.testing.assert_allclose(found, expected(samples), rtol=0, atol=1e-5)


def test_other_models_get_voices_as_they_are() -> None:
    engine = RecordingEngine(lag=0, lookahead=0)
    agent = voice(1, 3)
    run(engine, agent, agent)
    np.testing.assert_array_equal(np.concatenate([turn.agent_audio for turn in engine.turns]), agent)


def test_a_turn_that_failed_does_not_count_twice() -> None:
    engine = RecordingEngine(lag=0, lookahead=0, normalised=True)
    agent = voice(1, 2)
    with Model(engine).session(voices="agent") as session:
        session.push_agent_audio(agent, 16000)
        engine.n_failures = 2
        for _ in range(2):
            with pytest.raises(Exception, match="out of order"):
                session.poll()
        session.end()
        session.poll()
    found = np.concatenate([turn.agent_audio for turn in engine.turns])
    np.testing.assert_allclose(found, expected(agent), rtol=0, atol=1e-5)


def test_a_take_keeps_the_voice_and_its_replay_hears_what_the_session_heard(tmp_path: Path) -> None:
    engine = RecordingEngine(lag=0, lookahead=0, normalised=True)
    agent, user = voice(1, 5), voice(2, 5)
    run(engine, agent, user, take=tmp_path / "t.npz")
    take = load_take(tmp_path / "t.npz")
    np.testing.assert_array_equal(np.concatenate([take.agent_slice(row) for row in range(5)]), agent)
    heard = [turn.agent_audio for turn in engine.turns]
    again = RecordingEngine(lag=0, lookahead=0, normalised=True)
    assert replay(take, Model(again)).largest_before_rig == 0
    np.testing.assert_array_equal(np.concatenate([turn.agent_audio for turn in again.turns]), np.concatenate(heard))


@pytest.mark.parametrize("name", ["demo_agent.flac", "demo_user.flac"])
def test_after_eight_seconds_it_is_near_the_whole_clip(name: str) -> None:
    """How far the gain of loud turns of a second is from the gain that the whole clip would get, in dB."""
    samples, _ = read_audio(ASSETS / name)
    seconds = samples[: len(samples) // 16000 * 16000].reshape(-1, 16000)
    level, whole = _core.VoiceLevel(), 1 / np.sqrt(seconds.var() + 1e-7)
    ranges = np.array([(np.ptp(level.normalise(turn)), np.ptp(turn)) for turn in seconds])
    gains = np.where(ranges[:, 1] > 0, ranges[:, 0] / np.maximum(ranges[:, 1], 1e-9), whole)  # pure silence has none
    loud = np.sqrt((seconds**2).mean(1)) > 10 ** (-45 / 20)
    off = np.abs(20 * np.log10(gains / whole))
    assert off[8:][loud[8:]].mean() < 0.7
    assert off.max() < 12  # silence before the first word too: without the assumed second it would be 46
