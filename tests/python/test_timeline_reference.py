"""The native timeline against a slow clear one, on random pushes, clocks and cancels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_engine import RecordingEngine

from visavis.session import FrameState, Model

SAMPLE_NS = 62_500
TURN = 5 * 640


class PlainTimeline:
    """The agent's voice at 16 kHz, sample by sample, by the rules of csrc/session/audio_stream.h."""

    def __init__(self) -> None:
        self.samples: dict[int, float] = {}
        self.queued = 0  # where the last push ended
        self.used = 0  # samples before are over
        self.running = False  # a push may continue the last one
        self.late = 0

    def push(self, values: np.ndarray, start: int | None, now: int) -> int:
        n_rest = TURN - len(values)
        if start is None and self.queued <= self.used and n_rest > 0 and self.used - 640 - now < 640 + n_rest // 4:
            start = self.used + n_rest  # the turn is due too soon for the rest of the burst to come
        elif start is None:
            start = max(self.queued, self.used)
        elif self.running and abs(start - self.queued) <= 16:
            start = self.queued
        elif start + len(values) <= self.used:
            self.late += len(values)
            return start
        for sample in [k for k in self.samples if k >= max(start, self.used)]:
            del self.samples[sample]
        for k, value in enumerate(values):
            if start + k >= self.used:
                self.samples[start + k] = float(value)
            else:
                self.late += 1
        self.queued, self.running = start + len(values), True
        return start

    def cancel(self, start: int) -> None:
        start = max(start, self.used)
        if self.queued > start:
            self.samples = {k: v for k, v in self.samples.items() if k < start}
            self.queued, self.running = start, False

    def turn(self) -> np.ndarray:
        heard = [self.samples.pop(k, 0.0) for k in range(self.used, self.used + TURN)]
        self.used += TURN
        return np.array(heard, np.float32)


PUSH = st.tuples(st.just("push"), st.integers(1, 4000), st.none() | st.integers(-2000, 30000))
NEAR = st.tuples(st.just("near"), st.integers(1, 4000), st.integers(-40, 40))
CLOCK = st.tuples(st.just("clock"), st.integers(0, 9000), st.just(0))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 30000), st.just(0))


@settings(max_examples=150, deadline=None)
@given(st.lists(PUSH | NEAR | CLOCK | CANCEL, max_size=25))
def test_the_native_timeline_equals_the_plain_one(actions: list[tuple[str, int, int | None]]) -> None:
    engine = RecordingEngine()
    session, plain = Model(engine).session(voices="agent", clock=lambda: 0), PlainTimeline()
    shown: dict[int, FrameState] = {}
    heard, now = [], -2000
    session.advance(now * SAMPLE_NS)
    for number, (action, size, at) in enumerate(actions):
        if action == "clock":
            for step in range(0, size, 640):  # no turn is late
                session.advance((now + step) * SAMPLE_NS)
            now += size
            session.advance(now * SAMPLE_NS)
            while plain.used - 640 <= now:
                heard.append(plain.turn())
        elif action == "cancel":
            n = session.cancel(size * SAMPLE_NS)
            plain.cancel(size)
            assert n >= sum(k * 640 >= size and not s & FrameState.WITHDRAWN for k, s in shown.items())
        else:
            start = plain.queued + (at or 0) if action == "near" else at
            values = np.random.default_rng(number).uniform(0.1, 0.5, size).astype(np.float32)
            found = session.push_agent_audio(values, 16000, None if start is None else start * SAMPLE_NS)
            assert found == plain.push(values, start, now) * SAMPLE_NS
        for frame in session.poll():
            assert frame.index not in shown or (frame.state | shown[frame.index]) & FrameState.WITHDRAWN
            shown[frame.index] = frame.state
    assert list(shown) == list(range(len(heard) * 5))
    assert [turn.agent_audio[:TURN].tobytes() for turn in engine.turns if turn.agent_audio is not None] == [
        turn.tobytes() for turn in heard
    ]
    assert session.stats["agent"]["late"] == plain.late
