"""Many sessions of one engine, advanced together: the bytes of sessions alone, flat load, one head's failure, room."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from recording_engine import RecordingEngine
from take_cases import small_model, voice

import visavis
from visavis.engine import TurnInput, TurnOutput
from visavis.errors import FullError, InvalidArgument, StateError
from visavis.session import Frame, Model, Session
from visavis.takes.file import load_take
from visavis.takes.replay import replay

MS = 1_000_000
TURN_NS = 200 * MS


class Clock:
    """Goes on when told."""

    now_ns = 12_345 * MS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(frames: list[Frame]) -> list[tuple[int, int, int, bytes]]:
    return [(frame.index, frame.time_ns, int(frame.state), frame.values.tobytes()) for frame in frames]


def run(
    runtime: visavis.Runtime, clock: Clock, ms: int, feed: Callable[[int], None] | None = None
) -> dict[Session, list[Frame]]:
    """Ticks of 10 ms; the frames of each session."""
    frames: dict[Session, list[Frame]] = {session: [] for session in runtime.sessions}
    for tick in range(ms // 10):
        clock.now_ns += 10 * MS
        if feed is not None:
            feed(tick)
        for session in runtime.advance():
            frames[session] += session.poll()
    return frames


def test_frames_are_those_of_sessions_alone(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "small.gguf"
    alone_model = small_model(file)
    speech, user = voice(3, 1, 16_000), voice(3, 2, 16_000)
    with visavis.Runtime(file, threads=2, clock=clock, max_load=math.inf) as runtime:
        crowd = [runtime.session(seed=i, late=("hold", "fewer_steps")[i % 2]) for i in range(9)]
        alone = [alone_model.session(seed=i, late=("hold", "fewer_steps")[i % 2], clock=clock) for i in range(9)]
        expected: dict[Session, list[Frame]] = {session: [] for session in crowd}

        def feed(tick: int) -> None:
            if tick in (80, 81):
                clock.now_ns += 300 * MS  # hold-ups: everything is due at once
            for i, (one, other) in enumerate(zip(crowd, alone, strict=True)):
                now_ns = clock.now_ns - one.origin_ns
                for session in (one, other):
                    if tick == 20 + i:
                        session.push_agent_audio(speech, 16_000, now_ns + 300 * MS)
                    session.push_user_audio(user[tick * 160 :][:160], 16_000, now_ns)
                    if tick == 120 and i == 4:
                        session.cancel(now_ns)
                other.advance(now_ns)
                expected[one] += other.poll()

        found = run(runtime, clock, 2_000, feed)
    for i, session in enumerate(crowd):
        assert len(found[session]) > 40 and told(found[session]) == told(expected[session]), i


def test_turns_are_spread_over_time_and_steps_are_batches(clock: Clock) -> None:
    engine = RecordingEngine()
    with visavis.Runtime(Model(engine), clock=clock) as runtime:
        for i in range(40):
            session = runtime.session(seed=i)
            wait_ns = session.origin_ns - 40 * MS - clock.now_ns  # until its first turn is due
            assert 0 <= wait_ns < TURN_NS
        run(runtime, clock, 300)
        counts = []
        for _ in range(16):
            n_before = len(engine.turns)
            clock.now_ns += 12_500_000
            runtime.advance()
            counts.append(len(engine.turns) - n_before)
        assert sum(counts) == 40 and max(counts) <= 3 and min(counts) >= 2
        assert runtime.next_due_ns <= clock.now_ns + 12_500_000


def test_there_is_room_or_an_error_that_says_why_not(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    model = Model(RecordingEngine())
    with visavis.Runtime(model, clock=clock, max_load=1e-9) as runtime, caplog.at_level(logging.WARNING, "visavis"):
        with runtime.session():  # one can only be late itself
            assert "1 heads would take" in caplog.text and "turns will be late" in caplog.text
            with pytest.raises(FullError, match=r"2 heads would take .* expected at most .* \(max_load\): close one"):
                runtime.session()
        assert not runtime.sessions
        runtime.session()  # there is room again
    with visavis.Runtime(model, clock=clock) as runtime:
        for i in range(20):
            runtime.session(seed=i)
        before = runtime.load
        assert 0 < before < 0.8 and runtime.report()["heads"] == 20
        for _ in range(100):
            runtime.charge(20 * 30 * MS, 20)  # publishing takes 30 ms a turn: as much as three cores have
        assert runtime.load == pytest.approx(before + 3, abs=0.2)
        with pytest.raises(FullError):
            runtime.session()
        assert runtime.report()["turn_ms"] == pytest.approx(30, abs=2) and runtime.report()["max_load"] == 0.8
    assert not model.engine.open_slots  # type: ignore[attr-defined]


class OneFails(RecordingEngine):
    """Fails for one seed."""

    def step(self, inputs: list[TurnInput]) -> list[TurnOutput]:  # type: ignore[override]
        if any(turn.seed == 3 for turn in inputs):
            raise RuntimeError("the engine is out of order")
        return super().step(inputs)


def test_a_failure_is_told_to_its_session_alone(clock: Clock) -> None:
    with visavis.Runtime(Model(OneFails()), clock=clock, max_load=math.inf) as runtime:
        sessions = [runtime.session(seed=seed) for seed in range(5)]
        clock.now_ns += 250 * MS  # the turns of all are due, in one step
        news = runtime.advance()
        assert set(news) == set(sessions)
        for seed, session in enumerate(sessions):
            if seed == 3:
                with pytest.raises(RuntimeError, match="out of order"):
                    session.poll()
            assert bool(session.poll()) == (seed != 3)
        sessions[3].close()
        assert set(run(runtime, clock, 200)) == set(runtime.sessions) == set(sessions) - {sessions[3]}


def test_what_was_withdrawn_comes_with_the_next_advance(clock: Clock) -> None:
    with visavis.Runtime(Model(RecordingEngine()), clock=clock) as runtime:
        session = runtime.session()
        run(runtime, clock, 500)
        while not runtime.advance():
            clock.now_ns += 10 * MS
        n_withdrawn = session.cancel(clock.now_ns - session.origin_ns)
        assert n_withdrawn >= 4 and runtime.advance() == [session]
        frames = session.poll()
        assert sum(visavis.FrameState.WITHDRAWN in frame.state for frame in frames) == n_withdrawn
        assert runtime.advance() == []


def test_a_session_is_recorded(tmp_path: Path, clock: Clock) -> None:
    model = small_model(tmp_path / "small.gguf")
    with visavis.Runtime(model, clock=clock, max_load=math.inf) as runtime:
        session, _ = runtime.session(seed=4, take=tmp_path / "take.npz"), runtime.session(seed=5)
        session.push_agent_audio(voice(1, 3), 24_000)

        def feed(tick: int) -> None:
            if tick == 50:
                session.set_dial("emotion.joy", 0.5)
            if tick == 80:
                session.cancel(clock.now_ns - session.origin_ns)

        frames = run(runtime, clock, 1_500, feed)[session]
    take = load_take(tmp_path / "take.npz")
    assert len(take.frame) == len(frames) > 30 and take.event_kind.tolist() == ["dial", "cancel"]
    assert replay(take, model.path).same_bytes
    joy, cancel = take.event_time_ns.tolist()
    assert cancel - joy == 300 * MS


def test_what_cannot_be(clock: Clock) -> None:
    model = Model(RecordingEngine())
    with pytest.raises(InvalidArgument, match="max_load is -1"):
        visavis.Runtime(model, max_load=-1)
    with pytest.raises(InvalidArgument, match="threads is 3; the model was loaded with 1"):
        visavis.Runtime(model, threads=3)
    with pytest.raises(InvalidArgument, match="precision: the model is loaded"):
        visavis.Runtime(model, precision="bf16")
    runtime = visavis.Runtime(model, clock=clock)
    session = runtime.session()
    with pytest.raises(StateError, match=r"call Runtime\.advance"):
        session.advance(0)
    runtime.advance()
    with pytest.raises(InvalidArgument, match="before the last"):
        runtime.advance(clock.now_ns - 1)
    runtime.close()
    runtime.close()
    with pytest.raises(StateError, match="session is closed"):
        session.poll()
    for call in (runtime.session, runtime.advance):
        with pytest.raises(StateError, match="runtime is closed"):
            call()
