"""Sessions on the real engines: chunks change no byte, the session hands over what the engine contract says."""

from pathlib import Path

import numpy as np
import pytest
from small_models import randomised, small_config

import visavis
from visavis import _core
from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar

F, LAG, LOOKAHEAD = 5, 7, 2
MODEL_EYES = {"eyes.layer": 0.0}  # so that a session shows what the engine gave


def voice(seconds: float, rate: int, hz: float) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hz * t) * np.sin(2 * np.pi * 0.9 * t)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "small.gguf"
    save_gguf(file, randomised(Timar(small_config())), name="small", dtype="f32")
    return file


def frames(model: visavis.Model, agent: np.ndarray, user: np.ndarray, chunk: int, rate: int) -> bytes:
    with model.session(seed=5) as session:
        polled = []
        for start in range(0, len(agent), chunk):
            session.push_agent_audio(agent[start : start + chunk], rate)
            session.push_user_audio(user[start : start + chunk], rate)
            polled += session.poll()
        session.end()
        polled += session.poll()
    assert len(polled) == 75
    return b"".join(frame.values.tobytes() for frame in polled)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_chunks_change_no_byte_on_the_cpu_engine(path: Path, rate: int) -> None:
    model = visavis.load(path)
    agent, user = voice(3, rate, 210), voice(3, rate, 130)
    whole = frames(model, agent, user, len(agent), rate)
    other = model.session(seed=6)  # a session in the middle of its turns changes nothing for another
    other.push_agent_audio(agent, rate)
    other.poll()
    for chunk in (rate // 100, 1021):
        assert frames(model, agent, user, chunk, rate) == whole


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_a_session_is_the_engine_stepped_by_hand(path: Path, engine: str) -> None:
    seconds = 1.2
    agent, user = voice(seconds, 16000, 210), voice(seconds, 16000, 130)
    face = np.random.default_rng(0).uniform(0, 1, (20, 55)).astype(np.float32)
    found = visavis.animate(
        (agent, 16000), (user, 16000), face, path, engine, seed=11, temperature=0.7, dials=MODEL_EYES
    )
    stepped = visavis.load_engine(path, engine)
    slot = stepped.open()
    agent = np.concatenate([agent, np.zeros(LOOKAHEAD * 640, np.float32)])
    user = np.concatenate([np.zeros(LAG * 640, np.float32), user])
    join = _core.TurnJoin(stepped.info.channels, F, stepped.info.turn_join)
    motions = []
    for t in range(6):
        shown = np.arange(t * F - LAG, (t + 1) * F - LAG)
        present = (shown >= 0) & (shown < len(face))
        turn = visavis.TurnInput(
            slot,
            user_audio=user[t * F * 640 : (t + 1) * F * 640],
            agent_audio=agent[t * F * 640 : ((t + 1) * F + LOOKAHEAD) * 640],
            user_motion=np.where(present[:, None], face[np.clip(shown, 0, 19)], 0).astype(np.float32),
            user_motion_present=present,
            seed=11,
            temperature=0.7,
        )
        motions.append(join.apply(t, stepped.step([turn])[0].motion))
    expected = np.concatenate(motions)
    expected[:, :52] = np.clip(expected[:, :52], 0, 1)
    expected[:, 52:] = np.clip(expected[:, 52:], -np.pi / 2, np.pi / 2)
    np.testing.assert_array_equal(found.values, expected)


def test_cpu_and_torch_give_one_motion(path: Path) -> None:
    agent, user = (voice(1.6, 22050, 210), 22050), (voice(1.6, 48000, 130), 48000)
    cpu, torch = (visavis.animate(agent, user, model=path, engine=name, seed=2).values for name in ("cpu", "torch"))
    np.testing.assert_allclose(cpu, torch, atol=2e-4)  # eight turns: a random model doubles differences each turn
