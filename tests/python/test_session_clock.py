"""Sessions in the clock drive: due times, missing and late audio, barge-in, live agents, an hour of it."""

import gc

import numpy as np
import psutil
import pytest
from recording_engine import RecordingEngine

from visavis.constants import FRAME_NS
from visavis.engine import TurnInput, TurnOutput
from visavis.errors import InvalidArgument
from visavis.session import Frame, FrameState, Model, Session
from visavis.turn_report import LateAction

F = 5
MS = 1_000_000
SECOND = 10**9


def noise(seconds: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * 16000)).astype(np.float32)


def session_of(engine: RecordingEngine, **options: object) -> Session:
    """A session whose engine takes no time."""
    return Model(engine).session(**{"clock": lambda: 0, **options})  # type: ignore[arg-type]


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


def test_a_turn_is_due_its_lead_before_its_first_frame(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.advance(0)
    assert [frame.index for frame in session.poll()] == [0, 1, 2, 3, 4]
    session.advance(160 * MS - 1)
    assert session.poll() == []
    session.advance(160 * MS)
    assert [frame.index for frame in session.poll()] == [5, 6, 7, 8, 9]
    early = session_of(engine, lead_ns=120 * MS)
    early.advance(0)
    early.advance(80 * MS)
    assert len(early.poll()) == 10


def test_missing_voices_are_silence_or_absent_and_counted(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_user_audio(noise(0.4), 16000)
    for now in range(0, SECOND, 10 * MS):
        session.advance(now)
    states = {frame.state for frame in session.poll()}
    assert states == {FrameState.LISTENING}
    assert all(turn.agent_audio is not None and not turn.agent_audio.any() for turn in engine.turns)
    assert [turn.user_audio is None for turn in engine.turns] == [False, False, False, False, True, True]
    stats = session.stats
    assert stats["agent"]["missing"] == 6 * F * 640
    assert stats["user"]["missing"] == (30 - 7) * 640 - 6400
    assert stats["late_frames"] == 0


def live_talk(session: Session, agent: np.ndarray, user: np.ndarray, mic_delay_ms: int) -> list[Frame]:
    """A TTS that sends 3 s in 300 ms and a microphone that stamps 10 ms chunks, both 16 kHz, on a 10 ms tick."""
    frames = []
    for now in range(0, len(user) // 16 - 10, 10):
        if now % 3000 == 0:
            bursts = np.array_split(agent[now * 16 : (now + 3000) * 16], 30)
        if now % 3000 < 300:
            session.push_agent_audio(bursts[now % 3000 // 10], 16000)
        if now >= mic_delay_ms:
            start = now - mic_delay_ms
            session.push_user_audio(user[start * 16 : (start + 10) * 16], 16000, time_ns=(start - start % 10) * MS)
        session.advance(now * MS)
        frames += session.poll()
    return frames


@pytest.mark.parametrize("mic_delay_ms", [10, 30, 40])
def test_live_talk_loses_nothing(engine: RecordingEngine, mic_delay_ms: int) -> None:
    session = session_of(engine)
    agent, user = noise(12.0, seed=1), noise(12.0, seed=2)
    frames = live_talk(session, agent, user, mic_delay_ms)
    assert [frame.index for frame in frames] == list(range(305))  # the turn due at 11.96 s is the last
    heard = engine.agent_audio()  # a burst that had not come when its turn was due begins a turn later
    spoken = heard[heard != 0]
    assert spoken.tobytes() == agent[: len(spoken)].tobytes()
    assert session.stats["agent"]["missing"] == len(heard) - len(spoken) <= 4 * 3200
    lagged = engine.user_audio()[7 * 640 :]
    assert lagged.tobytes() == user[: len(lagged)].tobytes()
    assert session.stats["user"]["missing"] == 0


def test_a_late_microphone_is_counted(engine: RecordingEngine) -> None:
    session = session_of(engine)
    live_talk(session, noise(4.0), noise(4.0, seed=2), 130)
    stats = session.stats["user"]
    assert stats["missing"] > 0 and stats["late"] > 0
    assert stats["replaced"] == stats["gap"] == 0


def test_frames_made_after_their_time_are_late_or_dropped(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.advance(0)
    session.advance(500 * MS)  # the caller slept: turns 1 and 2 are over, half of turn 2 as well
    frames = session.poll()
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 12, 13, 14]
    assert [frame.index for frame in frames if FrameState.LATE in frame.state] == [12]
    stats = session.stats
    assert (stats["dropped_frames"], stats["late_frames"], stats["late_turns"], stats["skipped_turns"]) == (7, 1, 2, 0)
    assert [turn.turn for turn in engine.turns] == [0, 1, 2]  # each enters the history
    reports = session.poll_turns()
    assert [(r.turn, r.action, r.dropped_frames, r.steps) for r in reports] == [
        (0, LateAction.IN_TIME, 0, 5), (1, LateAction.HELD, 5, 5), (2, LateAction.HELD, 2, 5)
    ]  # fmt: skip
    assert [r.due_ns for r in reports] == [-40 * MS, 160 * MS, 360 * MS] and session.poll_turns() == []
    with pytest.raises(InvalidArgument, match="never goes back"):
        session.advance(500 * MS - 1)


@pytest.mark.parametrize("lead_ms", [0, 40, 1000])
def test_far_behind_goes_on_with_the_newest_turn(engine: RecordingEngine, lead_ms: int) -> None:
    session = session_of(engine, lead_ns=lead_ms * MS)
    session.advance(0)
    n_before = len(session.poll())
    session.push_user_audio(noise(3.0), 16000, time_ns=2 * SECOND)
    session.advance(3 * SECOND)
    frames = session.poll()
    assert frames[0].index == 75 and not any(FrameState.LATE in frame.state for frame in frames)
    stats, report = session.stats, session.poll_turns()[-len(frames) // F]
    assert stats["skipped_turns"] == report.skipped_turns == (75 - n_before) // F
    assert stats["dropped_frames"] == stats["late_frames"] == 0
    heard, lag = engine.turns[n_before // F].user_audio, session.user_lag_frames
    spoken = np.concatenate([np.zeros(50 * 640, np.float32), noise(3.0)])[(75 - lag) * 640 :][:3200]
    assert lag == {0: 7, 40: 7, 1000: 31}[lead_ms]
    assert heard is not None and heard.tobytes() == spoken.tobytes()


def test_frames_wait_in_a_bounded_queue(engine: RecordingEngine) -> None:
    session = session_of(engine)
    for now in range(0, 60 * SECOND, 200 * MS):
        session.advance(now)
    assert len(engine.turns) * F <= 256  # nobody polls: nothing is made beyond the queue
    assert [frame.index for frame in session.poll()] == list(range(255))
    session.advance(60 * SECOND)
    assert [frame.index for frame in session.poll()] == list(range(1500, 1505))
    assert session.stats["skipped_turns"] == 300 - 51


def test_audio_without_a_time_goes_where_the_session_is(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.advance(SECOND)
    assert session.push_agent_audio(noise(1.0), 16000) == 1200 * MS  # the next ungenerated turn
    assert session.push_user_audio(noise(1.0), 16000) == (30 - 7) * 40 * MS  # what the next turn will hear of the user
    assert session.push_agent_audio(noise(1.0), 16000) == 2200 * MS


@pytest.mark.parametrize("first_ms", [0, 50, 110, 130, 150])
def test_a_burst_in_small_pushes_is_not_torn(engine: RecordingEngine, first_ms: int) -> None:
    """Chunks of 40 ms every 10 ms, beginning at any time: one run of speech, however near the next turn is."""
    session = session_of(engine)
    voice = noise(1.0)
    session.advance(0)
    starts = []
    for now in range(10, 1500, 10):
        if 0 <= (k := now // 10 - 1 - first_ms // 10) < 25:
            chunk = voice[k * 640 : (k + 1) * 640]
            starts.append(session.push_agent_audio(chunk, 16000))
        session.advance(now * MS)
    assert np.diff(starts).tolist() == [40 * MS] * 24
    assert starts[0] <= 400 * MS
    heard = engine.agent_audio()[starts[0] * 16 // MS :]
    assert heard[: len(voice)].tobytes() == voice.tobytes()


def test_barge_in_withdraws_voice_and_frames(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_agent_audio(noise(5.0), 16000)
    for now in range(0, 1000, 10):
        session.advance(now * MS)
    polled = session.poll(22)
    assert all(frame.state == FrameState.SPEAKING for frame in polled)
    n = session.cancel(800 * MS)
    withdrawn = session.poll(10)
    assert n == len(withdrawn) == session.stats["withdrawn_frames"] == 10  # two were polled already
    assert [frame.index for frame in withdrawn] == list(range(20, 30))
    assert all(frame.state == FrameState.SPEAKING | FrameState.WITHDRAWN for frame in withdrawn)
    others = session.poll()  # in their place, but for those whose time is over
    assert [frame.index for frame in others] == list(range(24, 30)) and session.stats["replaced_frames"] == 6
    assert [frame.state & ~FrameState.LATE for frame in others] == [FrameState.LISTENING] * 6
    assert session.stats["agent"]["cancelled"] == 5 * 16000 - 30 * 640
    for now in range(1000, 1501, 10):
        session.advance(now * MS)
    after = session.poll()
    assert [frame.index for frame in after] == list(range(30, 40))
    assert all(FrameState.LISTENING in frame.state for frame in after)
    assert not engine.agent_audio()[30 * 640 :].any()
    assert session.push_agent_audio(noise(1.0), 16000) == 1600 * MS
    assert session.cancel(1700 * MS) == 0 and session.stats["agent"]["cancelled"] == 5 * 16000 - 30 * 640 + 14400
    for now in range(1500, 2501, 10):
        session.advance(now * MS)
    frames = session.poll()
    assert [frame.index for frame in frames] == list(range(40, 65))
    assert engine.agent_audio()[25600 : 25600 + 1600].any() and not engine.agent_audio()[27200:].any()


def test_cancel_of_what_was_not_made_yet(engine: RecordingEngine) -> None:
    session = session_of(engine, voices="agent")
    session.push_agent_audio(noise(2.0), 16000)
    assert session.cancel(SECOND) == 0
    session.end()
    assert len(session.poll()) == 25
    with pytest.raises(InvalidArgument, match="from_ns is None"):
        session.cancel(None)  # type: ignore[arg-type]
    assert session.cancel(0) == 25 and session.cancel(0) == 0
    frames = session.poll()
    assert [frame.index for frame in frames] == [*range(25), *range(25)]
    assert [frame.state for frame in frames[25:]] == [FrameState.LISTENING] * 25
    assert all(FrameState.WITHDRAWN in frame.state for frame in frames[:25])


def test_an_actor_and_his_face_go_out_later(engine: RecordingEngine) -> None:
    session = session_of(engine, agent_audio="live")
    assert session.delay_ns == 7 * FRAME_NS
    voice = noise(3.0)
    frames = []
    for now in range(0, 2500, 10):
        if now >= 20:  # 10 ms chunks, 10 ms under way
            session.push_agent_audio(voice[(now - 20) * 16 : (now - 10) * 16], 16000, time_ns=(now - 20) * MS)
        session.advance(now * MS)
        frames += session.poll()
    assert frames[0].time_ns == 7 * FRAME_NS
    assert all(frame.time_ns == (frame.index + 7) * FRAME_NS for frame in frames)
    assert session.stats["agent"]["missing"] == session.stats["late_frames"] == 0
    assert all(turn.agent_audio is not None and len(turn.agent_audio) == F * 640 for turn in engine.turns)
    assert engine.agent_audio().tobytes() == voice[: len(engine.turns) * F * 640].tobytes()
    assert session.cancel(frames[-5].time_ns) == 5


def test_the_end_flushes_what_is_queued(engine: RecordingEngine) -> None:
    session = session_of(engine)
    session.push_agent_audio(noise(1.0), 16000)
    session.advance(0)
    session.end()
    assert [frame.index for frame in session.poll()] == list(range(25))


class ForgetfulEngine(RecordingEngine):
    """Answers without writing anything down."""

    def _turn(self, turn: TurnInput) -> TurnOutput:
        return TurnOutput(np.zeros((F, 6), np.float32), {}, 5)


@pytest.mark.parametrize("clock", [False, True], ids=["push", "clock"])
def test_an_hour_needs_no_more_memory_than_a_minute(clock: bool) -> None:
    session = session_of(ForgetfulEngine())
    agent, user = noise(1.0), np.repeat(noise(1.0, seed=2), 1)[:8000]
    motion = np.zeros((25, 6), np.float32)
    process = psutil.Process()
    n_frames = resident = 0
    for second in range(3600):
        session.push_agent_audio(agent, 16000)
        session.push_user_audio(user, 8000)
        session.push_user_motion(motion)
        for now in range(5 * clock):
            session.advance(second * SECOND + now * SECOND // 5)
        n_frames += len(session._poll_arrays(None)[0])
        if second == 120:
            gc.collect()
            resident = process.memory_info().rss
    assert process.memory_info().rss - resident < 2 << 20
    assert 90_000 - 50 < n_frames <= 90_000
    stats = session.stats
    for stream in ("agent", "user"):
        assert stats[stream]["late"] == stats[stream]["missing"] == stats[stream]["gap"] == 0
    assert stats["user_motion"]["late"] == 0
