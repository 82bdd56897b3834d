"""Sessions in the push drive, chunking, timeline rules, errors."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_engine import RecordingEngine

import visavis
from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument, StateError
from visavis.session import FrameState, Model, Session

F = 5
SECOND = 10**9
RATES = (8000, 16000, 22050, 44100, 48000)


def noise(seconds: float, rate: int = 16000, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)


def tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


def session_of(engine: RecordingEngine, **options: object) -> Session:
    return Model(engine).session(**options)  # type: ignore[arg-type]


def test_push_drive_waits_for_lookahead_and_lagged_user(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_agent_audio(noise(7 * 0.04 - 1 / 16000), 16000)
    assert session.poll() == []  # a sample of lookahead is missing; of the user nothing is needed yet
    session.push_agent_audio(noise(1 / 16000), 16000)
    assert [frame.index for frame in session.poll()] == [0, 1, 2, 3, 4]
    session.push_agent_audio(noise(1.0), 16000)
    assert session.poll() == []
    session.push_user_audio(noise(3 * 0.04), 16000)  # (t+1)F - lag = 3 frames
    assert [frame.time_ns for frame in session.poll()] == [k * FRAME_NS for k in range(5, 10)]
    assert engine.turns[1].agent_audio is not None and len(engine.turns[1].agent_audio) == 7 * 640


def test_engine_sees_the_audio_at_its_place(engine: RecordingEngine) -> None:
    agent, user = noise(2.0, seed=1), noise(2.0, seed=2)
    with session_of(engine, seed=99, temperature=0.5, guidance=2.0, steps=3) as session:
        session.push_agent_audio(agent, 16000)
        session.push_user_audio(user, 16000)
        session.end()
        frames = session.poll()
    assert [frame.index for frame in frames] == list(range(50))
    assert engine.agent_audio().tobytes() == agent.tobytes()
    lag = np.zeros(7 * 640, np.float32)
    assert engine.user_audio().tobytes() == np.concatenate([lag, user])[: len(agent)].tobytes()
    for t, turn in enumerate(engine.turns):
        ahead = np.concatenate([agent, np.zeros(1280, np.float32)])[t * F * 640 :][: 7 * 640]
        assert turn.agent_audio is not None and turn.agent_audio.tobytes() == ahead.tobytes()
        assert (turn.turn, turn.seed, turn.temperature, turn.guidance, turn.steps) == (t, 99, 0.5, 2.0, 3)
    assert engine.open_slots == {}


@pytest.mark.parametrize("agent_rate", RATES)
@pytest.mark.parametrize("user_rate", RATES)
def test_rates(agent_rate: int, user_rate: int) -> None:
    engine = RecordingEngine()
    session = session_of(engine)
    session.push_agent_audio(tone(1.0, agent_rate), agent_rate)
    session.push_user_audio(tone(1.0, user_rate), user_rate)
    session.end()
    assert len(session.poll()) == 25
    expected = tone(1.0, 16000)
    np.testing.assert_allclose(engine.agent_audio()[400:-400], expected[400:-400], atol=1e-3)
    np.testing.assert_allclose(engine.user_audio()[4880:-400], expected[400:-4880], atol=1e-3)


def play(chunks: list[tuple[str, np.ndarray]], rates: dict[str, int], polls: set[int]) -> tuple[bytes, list[bytes]]:
    """Frames and engine inputs as bytes after pushing chunks in order, polling after some of them."""
    engine = RecordingEngine()
    session = session_of(engine)
    frames = []
    for i, (stream, chunk) in enumerate(chunks):
        if stream == "motion":
            session.push_user_motion(chunk)
        else:
            (session.push_agent_audio if stream == "agent" else session.push_user_audio)(chunk, rates[stream])
        if i in polls:
            frames += session.poll()
    session.end()
    frames += session.poll()
    heard = [engine.agent_audio().tobytes(), engine.user_audio().tobytes()]
    assert session.stats["agent"]["late"] == session.stats["user"]["late"] == 0
    return b"".join(frame.values.tobytes() + bytes([frame.index % 256, frame.state]) for frame in frames), heard


@settings(max_examples=40, deadline=None)
@given(data=st.data(), agent_rate=st.sampled_from(RATES), user_rate=st.sampled_from([*RATES, 12345]))
def test_chunks_of_any_size_are_the_whole_file(data: st.DataObject, agent_rate: int, user_rate: int) -> None:
    rates = {"agent": agent_rate, "user": user_rate}
    seconds = {name: data.draw(st.floats(0.01, 1.5), label=name) for name in rates}
    whole = {name: noise(max(seconds[name], 1e-3), rates[name], seed=i) for i, name in enumerate(rates)}
    chunks: list[tuple[str, np.ndarray]] = []
    for name, samples in whole.items():
        cuts = sorted(data.draw(st.lists(st.integers(1, len(samples) - 1), max_size=8, unique=True), label="cuts"))
        chunks += [(name, part) for part in np.split(samples, cuts)]
    order = data.draw(st.permutations(range(len(chunks))), label="order")
    streams = [chunks[i][0] for i in order]  # mixed, each stream in its own order
    left = {name: iter([part for n, part in chunks if n == name]) for name in rates}
    mixed = [(name, next(left[name])) for name in streams]
    polls = data.draw(st.sets(st.integers(0, len(mixed) - 1)), label="polls")
    assert play(mixed, rates, polls) == play(list(whole.items()), rates, set())


def test_no_frames_beyond_the_end_of_the_longer_voice(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_agent_audio(noise(0.5), 16000)
    session.push_user_audio(noise(1.01), 16000)
    session.end()
    assert [frame.index for frame in session.poll()] == list(range(26))  # ceil(1.01 / 0.04)
    assert session.stats["turns"] == 6
    session.end()
    assert session.poll() == []


def test_a_voice_never_pushed_is_absent(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_agent_audio(noise(2.0), 16000)
    session.end()
    assert len(session.poll()) == 50
    assert all(turn.user_audio is None and turn.user_motion is None for turn in engine.turns)


@pytest.mark.parametrize("voice", ["agent", "user"])
def test_one_voice_alone_does_not_wait_for_the_other(engine: RecordingEngine, voice: str) -> None:
    session = session_of(engine, voices=voice)
    push = session.push_agent_audio if voice == "agent" else session.push_user_audio
    push(noise(2.0), 16000)
    n = len(session.poll())
    assert n == (45 if voice == "agent" else 50)
    session.end()
    assert n + len(session.poll()) == 50
    other = session.push_user_audio if voice == "agent" else session.push_agent_audio
    with pytest.raises(StateError):
        other(noise(0.1), 16000)


def test_user_motion_is_lagged_and_marked(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    motion = np.arange(12 * 6, dtype=np.float32).reshape(12, 6)
    assert session.push_user_motion(motion[:4]) == 0
    assert session.push_user_motion(motion[4:6]) == 4 * FRAME_NS
    assert session.push_user_motion(motion[8:], time_ns=8 * FRAME_NS + 3) == 8 * FRAME_NS
    session.push_agent_audio(noise(1.0), 16000)
    session.end()
    session.poll()
    assert engine.turns[0].user_motion is None
    shown = {}
    for t, turn in enumerate(engine.turns):
        for f in range(F):
            if turn.user_motion is not None and turn.user_motion_present is not None and turn.user_motion_present[f]:
                shown[t * F + f - 7] = turn.user_motion[f].tobytes()
    assert shown == {k: motion[k].tobytes() for k in (*range(6), *range(8, 12))}
    assert engine.turns[4].user_motion is None


def test_gaps_are_silence_and_bursts_queue_up(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    first, second, third = noise(0.4, seed=1), noise(0.4, seed=2), noise(0.4, seed=3)
    assert session.push_agent_audio(first, 16000) == 0
    assert session.push_agent_audio(second, 16000) == 400_000_000
    assert session.push_agent_audio(third, 16000, time_ns=SECOND) == SECOND
    session.end()
    assert len(session.poll()) == 35
    expected = np.concatenate([first, second, np.zeros(3200, np.float32), third])
    assert engine.agent_audio().tobytes() == expected.tobytes()
    assert session.stats["agent"]["gap"] == 3200


def test_rounded_times_make_no_seam(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    samples = tone(3.0, 44100)
    for start in range(0, len(samples), 3001):
        session.push_agent_audio(samples[start : start + 3001], 44100, round(start / 44.1) * 1_000_000)
    stats = session.stats["agent"]
    assert stats["gap"] == stats["replaced"] == 0


def test_an_overlap_replaces_what_was_queued(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    first, second = noise(1.0, seed=1), noise(0.5, seed=2)
    session.push_agent_audio(first, 16000)
    assert session.push_agent_audio(second, 16000, time_ns=SECOND // 4) == SECOND // 4
    session.end()
    session.poll()
    assert engine.agent_audio()[:12000].tobytes() == np.concatenate([first[:4000], second]).tobytes()
    assert session.stats["agent"]["replaced"] == 12000


def test_late_audio_is_dropped_and_counted(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    session.push_agent_audio(noise(1.0), 16000)
    assert len(session.poll()) == 20  # the turns before 0.8 s
    late = noise(0.5, seed=5)
    session.push_agent_audio(late, 16000, time_ns=SECOND // 10)  # ends at 0.6 s: all of it is over
    assert session.stats["agent"]["late"] == 8000 and session.stats["agent"]["replaced"] == 0
    session.push_agent_audio(late, 16000, time_ns=6 * SECOND // 10)  # 0.2 s of it is over
    assert session.stats["agent"]["late"] == 8000 + 3200
    session.end()
    session.poll()
    assert engine.agent_audio()[12800:17600].tobytes() == late[3200:].tobytes()


def microphone(session: Session, seconds: int, ppm: float) -> None:
    """Pushes 10 ms chunks of a 48 kHz microphone whose clock is off by `ppm`, as it would stamp them."""
    chunk = tone(0.01, 48000)
    for i in range(seconds * 100):
        session.push_user_audio(chunk, 48000, time_ns=round(i * 0.01 * SECOND * (1 + ppm * 1e-6)))
        if i % 100 == 99:
            session.poll()


@pytest.mark.parametrize(("ppm", "counter", "other"), [(2000, "inserted", "dropped"), (-2000, "dropped", "inserted")])
def test_microphone_drift_is_corrected_in_steps(engine: RecordingEngine, ppm: int, counter: str, other: str) -> None:
    session = session_of(engine, voices="user")
    microphone(session, 60, ppm)  # 120 ms in a minute: at least 80 ms are corrected
    stats = session.stats["user"]
    assert 1280 <= stats[counter] <= 1600 and stats[other] == 0
    assert stats["gap"] == stats["replaced"] == stats["late"] == 0


def test_microphone_jitter_makes_no_seam(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="user")
    rng = np.random.default_rng(0)
    samples = noise(2.0)
    for i, start in enumerate(range(0, len(samples), 320)):
        jitter = int(rng.integers(-20_000_000, 20_000_000)) if i else 0
        session.push_user_audio(samples[start : start + 320], 16000, time_ns=i * 20_000_000 + jitter)
    session.end()
    session.poll()
    assert engine.user_audio()[7 * 640 :].tobytes() == samples[: -7 * 640].tobytes()


def test_speaking_needs_a_voice_and_hangs_on(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    level = 10 ** (-45 / 20)
    loud = np.full(640 * 5, 1.1 * level, np.float32)
    quiet = np.full(640 * 15, 0.9 * level, np.float32)
    session.push_agent_audio(np.concatenate([quiet, loud, quiet]), 16000)
    session.end()
    speaking = [frame.index for frame in session.poll() if frame.state == FrameState.SPEAKING]
    assert speaking == list(range(15, 25))  # five loud frames and 200 ms


def test_frames_stay_in_their_ranges(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    session.push_agent_audio(noise(0.4), 16000)
    values = np.stack([frame.values for frame in session.poll()])
    np.testing.assert_allclose(values[:, 4], np.clip(np.linspace(-1, 2, 5), 0, 1))  # jawOpen
    np.testing.assert_allclose(values[:, 5], np.pi / 2)  # headYaw
    assert values.dtype == np.float32


def test_poll_takes_as_many_frames_as_asked(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    session.push_agent_audio(noise(30.0), 16000)
    assert session.poll(0) == []
    assert [frame.index for frame in session.poll(3)] == [0, 1, 2]
    assert [frame.index for frame in session.poll(4)] == [3, 4, 5, 6]
    assert len(engine.turns) == 2  # nothing is generated before it is asked for
    session.end()
    assert len(session.poll()) == 750 - 7


def test_sessions_share_an_engine_and_free_their_slots(engine: RecordingEngine) -> None:
    model = Model(engine)
    with model.session(voices="agent") as one, model.session(voices="agent", seed=2) as two:
        for session in (one, two, one):
            session.push_agent_audio(noise(0.4), 16000)
            session.poll()
        assert engine.open_slots == {0: 3, 1: 1}
    assert engine.open_slots == {}
    one.close()
    with pytest.raises(StateError, match="closed"):
        one.poll()


def test_an_engine_that_fails_loses_no_turn(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    session.push_agent_audio(noise(1.0), 16000)
    engine.n_failures = 1
    with pytest.raises(RuntimeError, match="out of order"):
        session.poll()
    assert [frame.index for frame in session.poll()] == list(range(20))


BAD_AUDIO: list[tuple[object, object, str]] = [
    (np.zeros(0, np.float32), 16000, "no samples"),
    (np.zeros((2, 100), np.float32), 16000, r"shape \(2, 100\); expected mono"),
    (np.zeros(100, np.int16), 16000, "int16"),
    (np.array([0, np.nan], np.float32), 16000, "sample 1 of 2 is nan"),
    (np.array([np.inf, 0], np.float32), 16000, "sample 0 of 2 is inf"),
    (np.zeros(100, np.float32), 4000, "sample rate is 4000"),
    (np.zeros(100, np.float32), 400_000, "sample rate is 400000"),
    (np.zeros(100, np.float32), 44100.5, "sample rate is 44100.5"),
    (np.zeros(100, np.float32), "fast", "sample rate is 'fast'"),
    (np.zeros(601 * 16000, np.float32), 16000, "at most 600.0 s"),
]


@pytest.mark.parametrize(("samples", "rate", "message"), BAD_AUDIO)
@pytest.mark.parametrize("push", [Session.push_agent_audio, Session.push_user_audio])
def test_bad_audio_is_refused_and_the_session_lives_on(
    engine: RecordingEngine, push: Callable[..., int], samples: object, rate: object, message: str
) -> None:
    session = session_of(engine)
    with pytest.raises(InvalidArgument, match=message):
        push(session, samples, rate)
    assert push(session, noise(0.1), 16000) == 0
    with pytest.raises(InvalidArgument, match="at most 600"):
        push(session, noise(0.1), 16000, time_ns=601 * SECOND)
    with pytest.raises(InvalidArgument, match="time_ns"):
        push(session, noise(0.1), 16000, time_ns=2**63)


def test_bad_motion_is_refused(engine: RecordingEngine) -> None:
    session = session_of(engine)
    for bad in (np.zeros((3, 5), np.float32), np.zeros(6, np.float32), np.array([["a"] * 6])):
        with pytest.raises(InvalidArgument, match=r"expected numbers \(n, 6\)"):
            session.push_user_motion(bad)
    values = np.zeros((3, 6), np.float32)
    values[1, 4] = np.nan
    with pytest.raises(InvalidArgument, match="frame 1, channel 4 is nan"):
        session.push_user_motion(values)
    with pytest.raises(InvalidArgument, match="0 values"):
        session.push_user_motion(values[:0])
    with pytest.raises(InvalidArgument, match="at most 15000"):
        session.push_user_motion(values[:1], time_ns=601 * SECOND)


BAD_OPTIONS: list[tuple[dict[str, object], str]] = [
    ({"temperature": -1.0}, "temperature is -1"),
    ({"temperature": float("nan")}, "temperature is nan"),
    ({"guidance": 11.0}, "guidance is 11"),
    ({"seed": -1}, "seed is -1"),
    ({"steps": 0}, "steps is 0"),
    ({"agent_audio": "behind"}, 'agent_audio is "behind"; expected one of ahead, live'),
    ({"voices": "none"}, 'voices is "none"; expected one of both, agent, user'),
    ({"lead_ns": -5}, "lead_ns is -5"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_are_refused(engine: RecordingEngine, options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        session_of(engine, **options)
    assert engine.open_slots == {}


def test_nothing_may_be_pushed_after_the_end(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.end()
    assert session.poll() == []
    with pytest.raises(StateError, match="after end"):
        session.push_agent_audio(noise(0.1), 16000)
    session.push_user_motion(np.zeros((1, 6), np.float32))  # but a face that the rest can see


def test_everything_is_reachable_from_the_package() -> None:
    assert visavis.Session is Session and visavis.FrameState is FrameState
