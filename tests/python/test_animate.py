"""Whole files at once: animate, and what it refuses."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recording_engine import CHANNELS, RecordingEngine

from visavis import animate, load
from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import MotionData, write_motion
from visavis.session import Model


def noise(seconds: float, rate: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


def test_arrays_of_two_rates(engine: RecordingEngine) -> None:
    motion = animate(agent=(noise(25.3, 16000), 16000), user=(noise(25.3, 44100), 44100), model=Model(engine), seed=3)
    assert motion.values.shape == (633, 6) and motion.values.dtype == np.float32
    assert motion.channels == CHANNELS and motion.fps == 25.0
    np.testing.assert_array_equal(motion.time_ns, np.arange(633) * 40_000_000)
    np.testing.assert_array_equal(motion.values[:, 0], np.arange(633) // 5)
    assert engine.open_slots == {} and engine.turns[0].seed == 3
    assert engine.agent_audio()[: 253 * 1600].tobytes() == noise(25.3, 16000).tobytes()


def test_files_as_arrays(engine: RecordingEngine, tmp_path: Path) -> None:
    agent, user = noise(2.0, 22050), noise(2.0, 48000, seed=2)
    soundfile.write(tmp_path / "agent.wav", agent, 22050, subtype="FLOAT")
    soundfile.write(tmp_path / "user.wav", user, 48000, subtype="FLOAT")
    from_files = animate(tmp_path / "agent.wav", str(tmp_path / "user.wav"), model=Model(engine))
    from_arrays = animate((agent, 22050), (user, 48000), model=Model(engine))
    assert from_files.values.tobytes() == from_arrays.values.tobytes()


def test_the_shorter_voice_is_padded_and_that_is_said(engine: RecordingEngine) -> None:
    with pytest.warns(UserWarning, match=r"agent 1.00 s, user 12.00 s\): agent is padded with silence"):
        motion = animate((noise(1.0, 16000), 16000), (noise(12.0, 16000), 16000), model=Model(engine))
    assert len(motion.values) == 300
    assert not engine.agent_audio()[16000:].any()


@pytest.mark.parametrize("voice", ["agent", "user"])
def test_either_voice_may_be_absent(engine: RecordingEngine, voice: str) -> None:
    samples = noise(31.0, 16000)
    motion = animate(**{voice: (samples, 16000)}, model=Model(engine))  # type: ignore[arg-type]
    assert len(motion.values) == 775
    absent = "user_audio" if voice == "agent" else "agent_audio"
    assert all(getattr(turn, absent) is None for turn in engine.turns)
    heard = engine.agent_audio() if voice == "agent" else engine.user_audio()[7 * 640 :]
    assert heard[: 750 * 640].tobytes() == samples[: 750 * 640].tobytes()


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_user_motion_from_arrays_and_files(engine: RecordingEngine, tmp_path: Path, fps: float) -> None:
    values = np.linspace(0, 1, 50 * 6, dtype=np.float32).reshape(50, 6)[:: 1 if fps == 50 else 2]
    order = (3, 1, 2, 0, 5, 4)  # a file may hold the channels in another order
    names = tuple(CHANNELS[i] for i in order)
    time_ns = (np.arange(len(values)) * 1e9 / fps).astype(np.int64)
    write_motion(tmp_path / "face.npz", MotionData(values[:, order], names, fps, time_ns))
    animate((noise(1.0, 16000), 16000), user_motion=tmp_path / "face.npz", model=Model(engine))
    seen = np.concatenate([t.user_motion for t in engine.turns if t.user_motion is not None])
    expected = values if fps == 25 else values[::2]
    np.testing.assert_allclose(seen[2:], expected[: len(seen) - 2], atol=1e-6)  # turn 1 begins two frames early


BAD: list[tuple[dict[str, object], str]] = [
    ({}, "neither agent nor user"),
    ({"agent": (np.zeros(0, np.float32), 16000)}, "agent audio has no samples"),
    ({"agent": np.zeros(5, np.float32)}, r"agent is a ndarray; expected a path or a tuple \(samples, rate\)"),
    ({"agent": (np.zeros((5, 2), np.float32), 16000)}, "expected mono"),
    ({"user": (np.full(500, np.nan, np.float32), 16000)}, "user audio: sample 0 of 500 is nan"),
    ({"user": (np.zeros(500, np.float32), 7000)}, "sample rate is 7000; expected a whole number from 8000 to 192000"),
    ({"agent": (np.zeros(500, np.float32), 16000), "user_motion": np.zeros((5, 7))}, r"expected numbers \(n, 6\)"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_refused(engine: RecordingEngine, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        animate(**arguments, model=Model(engine))  # type: ignore[arg-type]
    assert engine.open_slots == {}


def test_files_that_do_not_fit_are_refused(engine: RecordingEngine, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.wav: not found"):
        animate(agent=tmp_path / "nowhere.wav", model=Model(engine))
    with pytest.raises(FileError, match=r"nowhere\.gguf does not exist"):
        load(tmp_path / "nowhere.gguf")
    face = MotionData(np.zeros((5, 2), np.float32), ("exp0", "tailWag"), 25.0, np.arange(5) * 40_000_000)
    write_motion(tmp_path / "face.npz", face)
    with pytest.raises(InvalidArgument, match="lacks 5 of the model's 6 channels, such as exp1"):
        animate((noise(1.0, 16000), 16000), user_motion=tmp_path / "face.npz", model=Model(engine))


def test_sessions_in_threads_take_turns_at_the_engine(engine: RecordingEngine) -> None:
    model = Model(engine)
    alone = animate((noise(5.0, 16000), 16000), model=model)
    found: list[bytes] = []

    def run() -> None:
        found.append(animate((noise(5.0, 16000), 16000), model=model).values.tobytes())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone.values.tobytes()] * 4
