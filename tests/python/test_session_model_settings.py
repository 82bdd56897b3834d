"""What a session adds to a model: turns are joined in the mouth, and the model's own scale of the noise."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recording_engine import RecordingEngine
from small_models import randomised, small_config

from visavis import _core
from visavis.constants import FRAME_NS
from visavis.engine import ModelInfo, TurnInput, TurnOutput, load_engine
from visavis.errors import InvalidArgument
from visavis.evaluation.generate import EngineGenerator, Scene
from visavis.export.gguf import save_gguf
from visavis.model.config import ModelConfig
from visavis.model.timar import Timar
from visavis.motion_space import ARKIT55
from visavis.session import FrameState, Model, Session

MOUTH = [i for i, name in enumerate(ARKIT55.channels) if name.startswith(("mouth", "jaw", "tongue"))]
SHARE, TURN = 0.5, 5
VOICE = np.random.default_rng(5).normal(0, 0.05, 640 * 60).astype(np.float32)


def plainly(turns: np.ndarray, share: float = SHARE) -> np.ndarray:
    """The slow clear version: turns (n, F, C) that follow each other."""
    joined = turns.astype(np.float64)
    for before, turn, out in zip(turns, turns[1:], joined[1:], strict=False):
        mean = 0.5 * (before[-1].astype(np.float64) + turn[1])
        out[0, MOUTH] = ((1 - share) * turn[0].astype(np.float64) + share * mean)[MOUTH]
    return joined.astype(np.float32)


class Turns:
    """An engine that gives the turns it was made with."""

    config = ModelConfig()

    def __init__(self, turns: np.ndarray, share: float) -> None:
        self.turns = turns
        self.info = ModelInfo("turns", ARKIT55.channels, ARKIT55.units, TURN, 7, 2, 40, 5, 0.0, turn_join=share)

    def open(self) -> int:
        return 0

    def close(self, slot: int) -> None: ...

    def reset(self, slot: int) -> None: ...

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        return [TurnOutput(self.turns[turn.turn].copy(), {}, 5) for turn in inputs]


def shown(session: Session) -> np.ndarray:
    session.push_agent_audio(VOICE, 16000)
    session.push_user_audio(VOICE[::-1].copy(), 16000)
    session.end()
    return np.array([f.values for f in session.poll()])


def test_the_first_frame_of_a_turn_goes_towards_its_neighbours() -> None:
    turns = np.random.default_rng(0).random((4, TURN, 55)).astype(np.float32)
    join = _core.TurnJoin(ARKIT55.channels, TURN, SHARE)
    made = np.stack([join.apply(i, turn) for i, turn in enumerate(turns)])
    np.testing.assert_allclose(made, plainly(turns), atol=1e-7)
    changed = made != turns
    assert not changed[0].any() and not changed[:, 1:].any() and not np.delete(changed, MOUTH, axis=2).any()
    assert changed[1:, 0][:, MOUTH].all()
    assert (
        np.abs(np.diff(made.reshape(-1, 55), n=2, axis=0)[:, MOUTH]).mean()
        < 0.95 * np.abs(np.diff(turns.reshape(-1, 55), n=2, axis=0)[:, MOUTH]).mean()
    )


def test_turns_after_a_gap_single_frames_and_broken_values_stay_as_they_are() -> None:
    turns = np.random.default_rng(0).random((3, TURN, 55)).astype(np.float32)
    join = _core.TurnJoin(ARKIT55.channels, TURN, SHARE)
    join.apply(0, turns[0])
    np.testing.assert_array_equal(join.apply(2, turns[1]), turns[1])
    np.testing.assert_array_equal(join.apply(3, turns[2], shown=False), turns[2])
    assert (join.apply(4, turns[0]) != turns[0]).any()
    broken = turns[2].copy()
    broken[1, MOUTH[0]] = np.nan
    after = join.apply(5, broken)
    assert after[0, MOUTH[0]] == broken[0, MOUTH[0]] and after[0, MOUTH[1]] != broken[0, MOUTH[1]]
    for frames, share in ((1, SHARE), (TURN, 0.0)):
        never = _core.TurnJoin(ARKIT55.channels, frames, share)
        for i, turn in enumerate(turns):
            np.testing.assert_array_equal(never.apply(i, turn[:frames]), turn[:frames])


def test_wrong_arguments_are_refused() -> None:
    for frames, share in ((0, 0.5), (5, -0.1), (5, 1.5), (5, float("nan"))):
        with pytest.raises(InvalidArgument, match="turn join: turns of .* expected at least 1 frame and 0 to 1"):
            _core.TurnJoin(ARKIT55.channels, frames, share)
    with pytest.raises(InvalidArgument, match=r"motion of 220 values; expected \(F, C\), 275 in all"):
        _core.TurnJoin(ARKIT55.channels, TURN, SHARE).apply(0, np.zeros((4, 55), np.float32))


@pytest.mark.parametrize("share", [0.0, SHARE])
def test_a_session_joins_turns_before_the_rig(share: float) -> None:
    turns = np.random.default_rng(1).uniform(0.1, 0.9, (12, TURN, 55)).astype(np.float32)
    values = shown(Model(Turns(turns, share)).session(seed=3))
    np.testing.assert_allclose(values, plainly(turns, share).reshape(-1, 55), atol=1e-6)  # all in range: a rig at rest


def test_turns_that_begin_while_a_session_eases_after_a_cut_are_not_joined() -> None:
    turns = np.random.default_rng(2).uniform(0.1, 0.9, (20, TURN, 55)).astype(np.float32)
    shown_by: dict[float, dict[int, np.ndarray]] = {}
    for share in (0.0, SHARE):
        session, frames = Model(Turns(turns, share)).session(seed=3, clock=lambda: 0), []
        for index in range(60):
            session.advance(index * FRAME_NS)
            if index == 25:
                assert session.cancel(25 * FRAME_NS) > 0
            frames += session.poll()
        shown_by[share] = {f.index: f.values for f in frames if FrameState.WITHDRAWN not in f.state}  # the last of each
    changed = [i for i in sorted(shown_by[SHARE]) if (shown_by[SHARE][i] != shown_by[0.0][i]).any()]
    assert changed == [5, 10, 15, 20, *range(35, 61, TURN)], "the cut is at 25, the session eases from 25 to 34"


def test_the_noise_of_a_model_is_scaled_on_top_of_the_sessions_temperature() -> None:
    engine = RecordingEngine()
    engine._info = replace(engine.info, noise_scale=1.5)
    shown(Model(engine).session(seed=1, temperature=0.5))
    made = EngineGenerator(engine, seed=1, temperature=2.0)([Scene(VOICE, VOICE)])
    assert len(made) == 1 and {turn.temperature for turn in engine.turns} == {0.75, 3.0}


def test_a_generator_of_turns_joins_as_sessions_do(tmp_path: Path) -> None:
    made = {}
    for share in (0.0, SHARE):
        save_gguf(tmp_path / "m.gguf", randomised(Timar(small_config(turn_join=share)), 0), name="m", data_note="noise")
        generate = EngineGenerator(load_engine(tmp_path / "m.gguf"), seed=2)
        made[share] = generate([Scene(VOICE, VOICE[::-1].copy())])[0].reshape(-1, TURN, 55)
    np.testing.assert_allclose(made[SHARE], plainly(made[0.0]), rtol=1e-5, atol=1e-5)
    assert (made[SHARE] != made[0.0]).any()
