"""A head: one character on a server.  Its session in the server's runtime, the voice that goes out with its motion, its
counters, and the messages that all this makes (docs/protocol.md).  One caller at a time.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from visavis import _core
from visavis.bridge.audio_queue import AudioQueue, Chunk
from visavis.bridge.dials import HeadDials, temperature_of
from visavis.bridge.track import percentiles
from visavis.bridge.wire import END, LATE, TIMED, WITHDRAWN
from visavis.constants import FRAME_NS, FRAME_RATE
from visavis.errors import InvalidArgument
from visavis.session import Frame, frames_of

if TYPE_CHECKING:
    from visavis.pairing import Link
    from visavis.runtime import Runtime
    from visavis.session import AgentAudio, Late
    from visavis.trace import HeadTrace, Trace

STAGES = ("speech", "backbone", "denoise")
DTYPES = ("f32", "norm16")
VOICE_COUNTERS = ("pushed", "missing", "late")
SESSION_COUNTERS = (
    "turns", "late_frames", "dropped_frames", "withdrawn_frames", "replaced_frames", "idle_frames", "late_turns",
    "fewer_steps_turns", "idle_turns", "skipped_turns",
)  # fmt: skip
REMEMBERED_TURNS = 500  # stage times kept for percentiles
LEAD_NS = FRAME_NS  # frames are made this long before their time
DRY_NS = 3 * FRAME_NS  # the user's voice without times: queue this far behind its arrival means a fresh start


@dataclass(frozen=True)
class HeadOptions:
    """How a head is opened: the members of the control request `open`.  Raises InvalidArgument."""

    seed: int = 0
    agent_audio: str = "ahead"  # or "live"
    dtype: str = "f32"  # or "norm16"
    late: str = "hold"  # or "fewer_steps", "idle" (docs/clock.md)
    dials: dict[str, float] = field(default_factory=dict)  # docs/rig.md, and temperature

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InvalidArgument(f"dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}")
        if self.agent_audio not in ("ahead", "live"):
            raise InvalidArgument(f"agent_audio is {self.agent_audio!r}; expected ahead or live")
        if self.late not in ("hold", "fewer_steps", "idle"):
            raise InvalidArgument(f"late is {self.late!r}; expected hold, fewer_steps or idle")
        temperature_of(self.dials)


class Head:
    """Voices and faces go in at any time; `messages` gives what is due, once the runtime has advanced the session.

    Create, use, `close`.
    """

    def __init__(
        self,
        name: str,
        runtime: "Runtime",
        options: HeadOptions,
        epoch: int,
        take: Path | None = None,
        trace: "Trace | None" = None,
    ) -> None:
        """Raises InvalidArgument, and FullError where the runtime has no room."""
        model = runtime.model
        self.name, self.epoch, self.options, self.model = name, epoch, options, model
        if options.dtype == "norm16" and model.engine.config.motion_space == "flame56":
            raise InvalidArgument("dtype is norm16; expected f32: the weights of flame56 leave [0, 1]")
        self._clock = runtime.clock
        self._units = model.units if options.dtype == "norm16" else ()
        self.schema_hash = _core.wire.schema_hash(model.channels, model.units)
        self._sequences: Counter[str] = Counter()
        self._message("VVC1")  # raises for a name that no message can carry
        self._sequences.clear()
        self.session = runtime.session(
            seed=options.seed,
            agent_audio=cast("AgentAudio", options.agent_audio),
            temperature=temperature_of(options.dials),
            lead_ns=LEAD_NS,
            late=cast("Late", options.late),
            take=take,
        )
        self.write_take: Callable[[], None] | None = None  # of a closed head; may be called in another thread
        try:
            self.dials = HeadDials(self.session, options.dials)
        except InvalidArgument:
            self.session.close()
            raise
        self.start_ns = self.session.origin_ns  # server's clock, when the session's shows 0
        self._trace: HeadTrace | None = None
        if trace is not None:
            facts = {"delay_ns": self.session.delay_ns, "user_lag_frames": self.session.user_lag_frames}
            self._trace = trace.head(name, turn_frames=model.turn_frames, start_ns=self.start_ns, **facts)
        self._voice = AudioQueue()
        self._voice_end_ns: int | None = None  # of the user's voice as pushed
        self._n_voice_samples = 0
        self.newest: Frame | None = None
        self.spoken_to_ns: int | None = None  # session clock: when a sender's voice of the user came last
        self.partner: str | None = None  # the head that is this one's user
        self._link: Link | None = None  # what this head does reaches its partner
        self._sums = dict.fromkeys(("turns", *(f"{stage}_ns" for stage in STAGES)), 0)
        self.counters = Counter(frames=0, dropped_inputs=0)
        self.stage_ms: dict[str, deque[float]] = {stage: deque(maxlen=REMEMBERED_TURNS) for stage in STAGES}

    def session_ns(self, server_ns: int | None = None) -> int:
        """What the session clock shows when the server's clock shows `server_ns` (default: now).

        Below 0 for up to a turn after the head was opened.
        """
        return (self._clock() if server_ns is None else server_ns) - self.start_ns

    def pair_with(self, other: "Head", *, motion: bool) -> None:
        """From now on the other head hears this one and, with `motion`, sees it."""
        from visavis.pairing import Link

        offset_ns = self.start_ns - other.start_ns
        self._link = Link(self.session, other.session, motion=motion, offset_ns=offset_ns)
        self.partner = other.name

    def unpair(self) -> None:
        """The other head is gone."""
        self.partner = self._link = None

    def _check_alone(self) -> None:
        if self.partner is not None:
            raise InvalidArgument(f"head {self.name!r} is paired: its user is head {self.partner!r}, nobody else")

    def push_user_audio(self, samples: NDArray[np.float32], rate: int, time_ns: int | None = None) -> None:
        """The user's voice.  Without a time: behind what was pushed before, or, after a pause, as if heard just now."""
        self._check_alone()
        length_ns = round(len(samples) * 1e9 / rate)
        heard_ns = self.session_ns() - length_ns
        end_ns = self._voice_end_ns
        if time_ns is None and (end_ns is None or end_ns < heard_ns - DRY_NS or heard_ns <= 0):
            time_ns = heard_ns
        start_ns = self.session.push_user_audio(samples, rate, time_ns)
        self._voice_end_ns = start_ns + length_ns
        if self._trace is not None:
            self._trace.voice("user", self._clock(), start_ns, len(samples), rate)

    def push_agent_audio(self, samples: NDArray[np.float32], rate: int, time_ns: int | None = None) -> None:
        """The agent's voice: heard by the session at once, published with the motion that belongs to it."""
        start_ns = self.session.push_agent_audio(samples, rate, time_ns)
        self._voice.push(samples, rate, start_ns + self.session.delay_ns)
        if self._link is not None:
            self._link.voice(samples, rate, start_ns)
        if self._trace is not None:
            self._trace.voice("agent", self._clock(), start_ns, len(samples), rate)

    def queue_voice(self, samples: NDArray[np.float32], rate: int, time_ns: int) -> None:
        """A voice that goes out at that time and that the session does not hear."""
        self._voice.push(samples, rate, time_ns)

    def user_voice(self, samples: NDArray[np.float32], rate: int, time_ns: int) -> bytes:
        """The message of a piece of the user's voice, as replayed takes publish it."""
        return self._message("VVU1", values=samples, dtype="f32", presentation_ns=time_ns, rate=rate)

    def push_user_motion(self, values: NDArray[np.float32], time_ns: int | None = None) -> None:
        """The user's face (n, C); without a time, as of now."""
        self._check_alone()
        self.session.push_user_motion(values, self.session_ns() if time_ns is None else time_ns)

    def messages(self) -> Iterator[bytes]:
        """The messages that are due: frames, each behind the voice that belongs to it.  Raises the engine's errors."""
        index, time_ns, state, values = self.session._poll_arrays(None)
        if self._trace is not None:
            self._trace.turns(self.session.poll_turns())
        if not len(index):
            return
        if self._link is not None:
            self._link.show(frames_of(index, time_ns, state, values))
        stays = (state & WITHDRAWN) == 0  # of the others the cut has told
        if not stays.all():
            index, time_ns, state, values = index[stays], time_ns[stays], state[stays], values[stays]
        times_ns = [self._clock()]
        for packet, seen_ns in zip(self._motion(index, time_ns, state, values), time_ns.tolist(), strict=True):
            yield from map(self._voice_message, self._voice.take(seen_ns + FRAME_NS))
            yield packet
            if self._trace is not None:
                times_ns.append(self._clock())
        if len(index):
            self.newest = frames_of(index[-1:], time_ns[-1:], state[-1:], values[-1:])[0]
            if self._trace is not None:
                self._trace.published(index.tolist(), times_ns, int(((state & LATE) != 0).sum()))
        self.counters["frames"] += len(index)
        self._note_stages()

    def cancel(self, from_ns: int | None) -> tuple[int, bytes]:
        """Barge-in: withdraw voice and frames from that time on; what is past stays.  The true time, and the cut."""
        now_ns = self.session_ns()
        from_ns = now_ns if from_ns is None else max(from_ns, now_ns)
        self.session.cancel(from_ns)
        self._voice.cut(from_ns)
        if self._link is not None:
            self._link.cut(from_ns)
        if self._trace is not None:
            self._trace.cut(self._clock(), from_ns)
        self.counters["cuts"] += 1
        first = max(0, -((self.session.delay_ns - from_ns) // FRAME_NS))  # rounded up
        return from_ns, self._message("VVC1", frame=first, presentation_ns=from_ns)

    def close(self) -> Iterator[bytes]:
        """End the session.  The last message holds the face for one more frame and carries END."""
        self.write_take = self.session.release()
        if self.newest is not None:
            last, state = self.newest, np.array([self.newest.state], np.uint16)
            index, time_ns = np.array([last.index + 1]), np.array([last.time_ns + FRAME_NS])
            yield from self._motion(index, time_ns, state, last.values[np.newaxis], flags=TIMED | END)

    def description(self) -> bytes:
        """The VVD1 message of now."""
        facts = self.describe()
        return self._message(
            "VVD1",
            json=json.dumps(facts),
            dtype="json",
            schema_hash=self.schema_hash,
            channels=len(self.model.channels),
            rate=FRAME_RATE,
            frame=-1 if self.newest is None else self.newest.index,
            presentation_ns=facts["session_ns"],
            publish_ns=facts["server_ns"],
        )

    def describe(self) -> dict[str, Any]:
        """The JSON object of the protocol's section 5.4."""
        info, config, server_ns = self.model.info, self.model.engine.config, self._clock()
        return {
            "protocol": 1,
            "head": self.name,
            "epoch": self.epoch,
            "running": True,
            "model": info.name,
            "engine": self.model.engine_name,
            "motion_space": config.motion_space,
            "channels": list(info.channels),
            "units": list(info.units),
            "schema_hash": f"{self.schema_hash:#018x}",
            "dtype": self.options.dtype,
            "frame_rate": FRAME_RATE,
            "turn_frames": info.turn_frames,
            "user_lag_frames": self.session.user_lag_frames,
            "agent_lookahead_frames": info.agent_lookahead_frames,
            "agent_audio": self.options.agent_audio,
            "delay_ns": self.session.delay_ns,
            "lead_ns": LEAD_NS,
            "late": self.options.late,
            "partner": self.partner,
            "session_ns": self.session_ns(server_ns),
            "server_ns": server_ns,
            "dials": self.dials.describe(),
            "counters": self.count(),
            "stage_ms": self._stage_percentiles(),
        }

    def _stage_percentiles(self) -> dict[str, dict[str, float | None]]:
        """Milliseconds that the stages of the last turns took."""
        return {
            stage: dict(zip(("p50", "p99"), percentiles(times, (50, 99)), strict=True))
            for stage, times in self.stage_ms.items()
            if times
        }

    def count(self) -> dict[str, int]:
        """All counters since the head was opened."""
        stats = self.session.stats
        ms = 16  # samples at 16 kHz in a millisecond
        voices = {f"{who}_{what}_ms": stats[who][what] // ms for who in ("user", "agent") for what in VOICE_COUNTERS}
        return {
            **self.counters,
            **{name: stats[name] for name in SESSION_COUNTERS},
            "user_motion_frames": stats["user_motion"]["pushed"],
            "agent_dropped_ms": round(self._voice.dropped_s * 1000),
            **voices,
        }

    def _note_stages(self) -> None:
        stats = self.session.stats
        if n_turns := stats["turns"] - self._sums["turns"]:
            for stage in STAGES:
                spent_ns = stats[f"{stage}_ns"] - self._sums[f"{stage}_ns"]
                self.stage_ms[stage].append(spent_ns / n_turns / 1e6)
        self._sums = {name: stats[name] for name in self._sums}

    def _motion(
        self,
        index: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        state: NDArray[np.uint16],
        values: NDArray[np.float32],
        flags: int = TIMED,
    ) -> list[bytes]:
        """A VVM1 message of each frame."""
        first = self._sequences["VVM1"]
        self._sequences["VVM1"] += len(index)
        return _core.wire.encode_motion(
            self.name,
            index,
            time_ns,
            state,
            values,
            units=self._units,
            dtype=self.options.dtype,
            flags=flags,
            schema_hash=self.schema_hash,
            sequence=first,
            publish_ns=self._clock(),
            epoch=self.epoch,
            rate=FRAME_RATE,
        )

    def _voice_message(self, chunk: Chunk) -> bytes:
        first = self._n_voice_samples
        self._n_voice_samples += len(chunk.samples)
        return self._message(
            "VVA1", values=chunk.samples, dtype="f32", frame=first, presentation_ns=chunk.time_ns, rate=chunk.rate
        )

    def _message(self, magic: str, values: Any = None, **fields: Any) -> bytes:
        sequence = self._sequences[magic]
        self._sequences[magic] += 1
        fields = {"dtype": "none", "publish_ns": self._clock(), **fields}
        return _core.wire.encode(magic, self.name, values, sequence=sequence, epoch=self.epoch, **fields)
