"""The rig inside a session: eyes of the layer, dials while it runs, the same bytes from the same seed."""

from collections.abc import Sequence

import numpy as np
import pytest

from visavis import animate
from visavis.engine import ModelInfo, TurnInput, TurnOutput
from visavis.errors import InvalidArgument, StateError
from visavis.model.config import ModelConfig
from visavis.motion_space import ARKIT55
from visavis.rig import Rig
from visavis.session import FrameState, Model, Session

AT = ARKIT55.index
EYES = list(ARKIT55.eye_layer)
FACE = [c for c in range(55) if c not in EYES]
VOICE = np.where(np.arange(64000) % 32000 < 16000, 0.3, 0.0).astype(np.float32)  # 4 s: on, off, on, off


class StillEngine:
    """Every channel at 0.3, the eyes' at 0 as a model leaves them to the layer."""

    def __init__(self, eye_layer: bool = True) -> None:
        self.config = ModelConfig()
        self.info = ModelInfo("still", ARKIT55.channels, ARKIT55.units, 5, 7, 2, 40, 5, 0.0, eye_layer)
        self.frame = np.full(55, 0.3, np.float32)
        self.frame[EYES] = 0

    def open(self) -> int:
        return 0

    def close(self, slot: int) -> None:
        pass

    def reset(self, slot: int) -> None:
        pass

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        return [TurnOutput(np.tile(self.frame, (5, 1)), {}, 5) for _ in inputs]


def session(eye_layer: bool = True, seed: int = 7) -> Session:
    return Model(StillEngine(eye_layer)).session(seed=seed)


def run(opened: Session, first: int = 0, last: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Values and speaking of the next frames."""
    for push in (opened.push_agent_audio, opened.push_user_audio):
        push(VOICE[first * 640 : last * 640], 16000)
    if last == 100:
        opened.end()
    frames = opened.poll()
    return np.array([f.values for f in frames]), np.array([FrameState.SPEAKING in f.state for f in frames])


def test_a_model_that_leaves_the_eyes_gets_them_from_the_layer() -> None:
    engine = StillEngine()
    values, speaking = run(Model(engine).session(seed=7))
    np.testing.assert_array_equal(values[:, FACE], np.tile(engine.frame[FACE], (100, 1)))
    assert values[:, EYES].any(axis=0).sum() >= 6
    np.testing.assert_array_equal(values, Rig(seed=7).process(np.tile(engine.frame, (100, 1)), speaking))
    assert speaking[2] and not speaking[45]


def test_a_model_with_eyes_of_its_own_keeps_them() -> None:
    opened = session(eye_layer=False)
    assert opened.dial("eyes.layer") == 0
    values, _ = run(opened)
    np.testing.assert_array_equal(values, np.tile(StillEngine().frame, (100, 1)))


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second, other = (run(session(seed=seed))[0].tobytes() for seed in (1, 1, 2))
    assert first == second != other


def test_a_dial_acts_from_the_next_turn_on_without_a_jump() -> None:
    opened = session()
    before, _ = run(opened, 0, 50)
    opened.set_dial("emotion.joy", 1)
    after, _ = run(opened, 50, 100)
    smile = np.concatenate([before, after])[:, AT("mouthSmileLeft")]
    n_before = len(before)
    assert (smile[:n_before] == np.float32(0.3)).all() and smile[n_before] > 0.3
    assert smile[-1] == pytest.approx(0.8) and np.abs(np.diff(smile)).max() <= 0.1 + 1e-6
    assert opened.dial("emotion.joy") == 1
    names = [dial.name for dial in opened.dials()]
    assert names == [dial.name for dial in Rig().dials()]


def test_animate_takes_dials() -> None:
    motion = animate(agent=(VOICE, 16000), model=Model(StillEngine()), dials={"jawOpen.gain": 0, "eyes.layer": 0})
    np.testing.assert_array_equal(motion.values[:, AT("jawOpen")], 0)
    np.testing.assert_array_equal(motion.values[:, EYES], 0)
    with pytest.raises(InvalidArgument, match='"jaw" is unknown; known: speaking.mouth'):
        animate(agent=(VOICE, 16000), model=Model(StillEngine()), dials={"jaw": 0})


def test_several_dials_are_set_or_none() -> None:
    opened = session()
    opened.set_dials({"jawOpen.max": 0.4, "jawOpen.min": 0.3, "emotion.fear": 0.5})
    with pytest.raises(InvalidArgument, match="emotion.fear is 2; expected 0 to 1"):
        opened.set_dials({"jawOpen.min": 0.1, "jawOpen.max": 0.2, "emotion.fear": 2})
    assert [opened.dial(name) for name in ("jawOpen.min", "jawOpen.max", "emotion.fear")] == [0.3, 0.4, 0.5]


def test_wrong_dials_are_refused_and_the_session_lives_on() -> None:
    opened = session()
    for name, value in (("nope", 1.0), ("emotion.joy", 2.0), ("emotion.joy", np.nan), ("emotion.joy", "1")):
        with pytest.raises(InvalidArgument, match="dial"):
            opened.set_dial(name, value)  # type: ignore[arg-type]
    assert len(run(opened)[0]) == 100
    opened.close()
    with pytest.raises(StateError):
        opened.set_dial("emotion.joy", 1)
