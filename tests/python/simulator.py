"""A live conversation on virtual time: a caller with ticks and stalls, a TTS that speaks in bursts (or an actor), a
microphone whose clock drifts, an engine that takes its time, barge-ins.  Everything is drawn from one seed.

Voices carry their own time: a sample's value says when it was spoken, so that what the engine heard tells how far voice
and face are apart.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

import numpy as np
from recording_engine import RecordingEngine

from visavis.constants import FRAME_NS
from visavis.engine import TurnInput, TurnOutput
from visavis.session import Frame, FrameState, Model, Session
from visavis.turn_report import TurnReport

F, MS, SECOND = 5, 1_000_000, 10**9
PERIOD_NS = 2 * SECOND  # after which the code of time begins anew
TTS_RATE, MIC_RATE, CHUNK_NS = 24_000, 16_000, 20 * MS


def code(time_ns: np.ndarray) -> np.ndarray:
    """The voice at these times."""
    return (0.1 + 0.8 * (time_ns % PERIOD_NS) / PERIOD_NS).astype(np.float32)


def decode(level: float, about_ns: float) -> float:
    """The time nearest to `about_ns` at which the voice has that level."""
    time_ns = (level - 0.1) / 0.8 * PERIOD_NS
    return time_ns + PERIOD_NS * round((about_ns - time_ns) / PERIOD_NS)


@dataclass(frozen=True)
class World:
    """What happens.  Ranges are drawn from evenly."""

    seed: int = 0
    seconds: float = 20
    options: dict[str, Any] = field(default_factory=dict)  # of the session
    tick_ms: tuple[float, float] = (10, 25)
    cost_ms: Callable[[np.random.Generator, float, int], float] = lambda rng, now_s, steps: rng.uniform(3, 12)
    drift_ppm: float = 0  # of microphones
    mic_latency_ms: tuple[float, float] = (5, 30)
    stall_s: tuple[float, float] = (0, 0)  # the caller sleeps so long ...
    stall_every_s: float = 0  # ... about so often
    barge_in: float = 0  # share of utterances
    lag: int = 7


class TimedEngine(RecordingEngine):
    """Notes what it heard, frame by frame, and lets time pass."""

    def __init__(self, lag: int, spend: Callable[[int], None]) -> None:
        super().__init__(lag=lag)
        self._spend = spend
        self.numbers: list[int] = []
        self.agent: dict[int, float] = {}  # level by frame
        self.user: dict[int, float | None] = {}

    def _turn(self, turn: TurnInput) -> TurnOutput:
        steps = turn.steps or 5
        self._spend(steps)
        assert turn.turn is not None and turn.agent_audio is not None
        self.numbers.append(turn.turn)
        agent = turn.agent_audio[: F * 640].reshape(F, 640)
        motion = np.zeros((F, 6), np.float32)
        motion[:, 0] = agent.mean(axis=1)
        motion[:, 5] = 0.1
        for f in range(F):
            frame = turn.turn * F + f
            self.agent[frame] = float(motion[f, 0]) if agent[f].min() > 0.05 else 0.0
            heard = None if turn.user_audio is None else turn.user_audio.reshape(F, 640)[f]
            self.user[frame] = None if heard is None or heard.min() < 0.05 else float(heard.mean())
        return TurnOutput(motion, {}, steps)


@dataclass
class Shown:
    """A frame as the mesh gets it."""

    time_ns: int
    at_ns: int  # when it was polled
    frame: Frame
    replaced: bool


class Simulation:
    """Runs a world and keeps what came out."""

    def __init__(self, world: World) -> None:
        self.world, self.rng, self.now_ns = world, np.random.default_rng(world.seed), 0
        self.engine = TimedEngine(world.lag, self._spend)
        self.session: Session = Model(self.engine).session(clock=lambda: self.now_ns, **world.options)
        self.live = world.options.get("agent_audio") == "live"
        self.shown: dict[int, Shown] = {}
        self.newest = -1  # frame
        self.withdrawn: set[int] = set()
        self.reports: list[TurnReport] = []
        self.played: list[
            tuple[int, int, int]
        ] = []  # start, length and spoken time of the agent's voice as it is heard
        self.cuts: list[int] = []
        self._said_ns = self._mic_n = self._actor_n = 0
        self._burst: list[tuple[int, np.ndarray]] = []  # chunks on their way: when they come
        self._speaks_at_ns, self._cut_at_ns, self._stall_at_ns = 300 * MS, -1, self._next_stall()
        self._mic_at_ns = self._latency()

    def _between(self, low_high: tuple[float, float]) -> int:
        return round(self.rng.uniform(*low_high) * MS)

    def _spend(self, steps: int) -> None:
        self.now_ns += round(self.world.cost_ms(self.rng, self.now_ns / SECOND, steps) * MS)

    def _latency(self) -> int:
        return CHUNK_NS + self._between(self.world.mic_latency_ms)

    def _next_stall(self) -> int:
        every = self.world.stall_every_s
        return self.now_ns + round(every * SECOND * self.rng.uniform(0.5, 1.5)) if every else 2**62

    def run(self) -> "Simulation":
        """The whole conversation, and what can be said at once about each frame."""
        while self.now_ns < self.world.seconds * SECOND:
            self.now_ns += self._between(self.world.tick_ms)
            if self.now_ns >= self._stall_at_ns:
                self.now_ns += round(self.rng.uniform(*self.world.stall_s) * SECOND)
                self._stall_at_ns = self._next_stall()
            self._hear_user()
            self._hear_actor() if self.live else self._speak()
            self.session.advance(self.now_ns)
            for frame in self.session.poll():
                self._take(frame)
            self.reports += self.session.poll_turns()
        return self

    def _microphone(self, number: int) -> tuple[int, np.ndarray]:
        """Time and samples of a chunk: its clock is off, its time stamps are those of the machine."""
        rate = MIC_RATE * (1 + self.world.drift_ppm * 1e-6)
        n = MIC_RATE * CHUNK_NS // SECOND
        times = (number * n + np.arange(n)) / rate * SECOND
        return round(times[0]), code(times)

    def _hear_user(self) -> None:
        while self._mic_at_ns <= self.now_ns:
            start_ns, samples = self._microphone(self._mic_n)
            self.session.push_user_audio(samples, MIC_RATE, start_ns)
            self._mic_n += 1
            self._mic_at_ns = max(self._mic_at_ns, self._mic_n * CHUNK_NS + self._latency())

    def _hear_actor(self) -> None:
        while (self._actor_n + 1) * CHUNK_NS + 5 * MS <= self.now_ns:
            start_ns, samples = self._microphone(self._actor_n)
            self._play(self.session.push_agent_audio(samples, MIC_RATE, start_ns), CHUNK_NS, start_ns)
            self._actor_n += 1

    def _speak(self) -> None:
        """A TTS: three seconds of voice in 300 ms, then a pause once it was heard; now and then it is interrupted."""
        if self._cut_at_ns >= 0 and self.now_ns >= self._cut_at_ns:
            self._interrupt()
        if self.now_ns >= self._speaks_at_ns:
            length = int(self.rng.integers(5, 50))
            self._burst = [(self.now_ns + k * 10 * MS, self._chunk()) for k in range(length)]
            self._speaks_at_ns = self.now_ns + length * 100 * MS + self._between((500, 2500))
            if self.rng.uniform() < self.world.barge_in:
                self._cut_at_ns = self.now_ns + self._between((0, length * 100))
        while self._burst and self._burst[0][0] <= self.now_ns:
            _, samples = self._burst.pop(0)
            spoken = round(decode(float(samples[0]), self._said_ns))
            self._play(self.session.push_agent_audio(samples, TTS_RATE), 100 * MS, spoken)

    def _chunk(self) -> np.ndarray:
        times = self._said_ns + np.arange(TTS_RATE // 10) * SECOND / TTS_RATE
        self._said_ns += 100 * MS
        return code(times)

    def _play(self, start_ns: int, length_ns: int, spoken_ns: int) -> None:
        start_ns += self.session.delay_ns
        self._silence(start_ns)
        self.played.append((start_ns, length_ns, spoken_ns))

    def _silence(self, from_ns: int) -> None:
        """A player's queue: what comes later replaces what was to be heard then."""
        while self.played and self.played[-1][0] >= from_ns:
            self.played.pop()
        if self.played and sum(self.played[-1][:2]) > from_ns:
            start, _, spoken = self.played.pop()
            self.played.append((start, from_ns - start, spoken))

    def _interrupt(self) -> None:
        from_ns = self.now_ns + self._between((0, 60))
        n = self.session.cancel(from_ns)
        assert n == sum(frame.time_ns >= from_ns for frame in self.shown.values())
        self._silence(from_ns)
        self._burst, self._cut_at_ns = [], -1
        self._speaks_at_ns = self.now_ns + self._between((500, 2500))
        self.cuts.append(from_ns)

    def _take(self, frame: Frame) -> None:
        assert frame.time_ns == frame.index * FRAME_NS + self.session.delay_ns
        if FrameState.WITHDRAWN in frame.state:
            assert frame.time_ns >= self.cuts[-1]
            del self.shown[frame.index]
            self.withdrawn.add(frame.index)
            self.newest = max(self.shown, default=-1)
            return
        assert frame.index > self.newest, "no frame comes twice, none before another"
        assert (FrameState.SPEAKING in frame.state) != (FrameState.LISTENING in frame.state)
        replaced = frame.index in self.withdrawn
        self.withdrawn.discard(frame.index)
        self.shown[frame.index] = Shown(frame.time_ns, self.now_ns, frame, replaced)
        self.newest = frame.index

    def heard_ns(self, at_ns: float) -> float | None:
        """Which moment of the agent's voice is heard at a time; None where 20 ms around it are not one run."""
        place = bisect_right(self.played, (at_ns - 20 * MS, 2**62, 0)) - 1
        heard = None
        for before, segment in pairwise([None, *islice(self.played, max(place, 0), max(place, 0) + 9)]):
            start, length, spoken = segment
            if before and max(abs(sum(before[:2]) - start), abs(before[2] + before[1] - spoken)) > MS:
                return None  # a seam
            if not before and not start <= at_ns - 20 * MS < start + length:
                return None
            if start <= at_ns < start + length:
                heard = spoken + at_ns - start
            if at_ns + 20 * MS < start + length:
                return heard
        return None

    def offsets_ms(self) -> np.ndarray:
        """How far the face is behind the voice as both go out, for each frame of speech made by the engine."""
        offsets = []
        for index, shown in self.shown.items():
            level = 0.0 if shown.replaced else self.engine.agent.get(index, 0.0)
            at_ns = max(shown.time_ns, shown.at_ns) + FRAME_NS / 2
            heard_ns = self.heard_ns(at_ns)
            if level == 0 or heard_ns is None or abs(heard_ns % PERIOD_NS - PERIOD_NS / 2) > PERIOD_NS / 2 - 60 * MS:
                continue
            offsets.append((heard_ns - decode(level, heard_ns)) / MS)
        return np.array(offsets)

    def user_delays_ms(self) -> np.ndarray:
        """How far the user's voice, as the engine had it, is from its time, but for the lag."""
        lag_ns = self.session.user_lag_frames * FRAME_NS
        delays = []
        for index, level in self.engine.user.items():
            true_ns = index * FRAME_NS - lag_ns + FRAME_NS / 2
            if level is not None and abs(true_ns % PERIOD_NS - PERIOD_NS / 2) < PERIOD_NS / 2 - 150 * MS:
                delays.append((true_ns - decode(level, true_ns)) / MS)
        return np.array(delays)


def percentile(values: Sequence[float] | np.ndarray, rank: float) -> float:
    """Of the absolute values."""
    return float(np.percentile(np.abs(np.asarray(values)), rank))
