"""What arrived of one head: frames, gaps, lag and jitter.  Fed with decoded messages; knows no sockets."""

from collections import Counter, deque
from typing import Any

import numpy as np

from visavis.bridge.wire import END, SPEAKING, Message
from visavis.constants import FRAME_NS

REMEMBERED = 5_000  # lags kept for percentiles: 200 s at 25 frames a second
RATE_WINDOW_NS = 4_000_000_000
JITTER_WEIGHT = 1 / 16  # of the newest difference, as RTP's interarrival jitter (RFC 3550)


class Track:
    """Counters and clocks of one head, as a receiver sees them."""

    def __init__(self, head: str) -> None:
        self.head = head
        self.epoch = 0
        self.closed = False
        self.counts: Counter[str] = Counter()  # frames, voice, cuts, lost, repeated, jumps, restarts
        self.description: dict[str, Any] = {}
        self.newest: Message | None = None
        self.lags_ms: deque[float] = deque(maxlen=REMEMBERED)  # publish to arrival
        self.spare_ms: deque[float] = deque(maxlen=REMEMBERED)  # arrival to presentation: how early frames come
        self.jitter_ms = 0.0
        self._arrivals_ns: deque[int] = deque(maxlen=REMEMBERED)
        self._expected: dict[str, int] = {}
        self._session_start_ns: int | None = None  # on the server's clock

    def take(self, message: Message, arrived_ns: int) -> bool:
        """Count one message of this head; `arrived_ns` is on the server's clock.  False for a repeated one."""
        if message.epoch != self.epoch:
            self._restart(message.epoch)
        expected = self._expected.get(message.magic, message.sequence)
        if message.sequence < expected:
            self.counts["repeated"] += 1
            return False
        self.counts["lost"] += message.sequence - expected
        self._expected[message.magic] = message.sequence + 1
        if message.magic == "VVD1":
            self.description = message.description()
            self._session_start_ns = message.publish_ns - message.presentation_ns
        elif message.magic == "VVM1":
            self._take_motion(message, arrived_ns)
        elif message.magic in ("VVA1", "VVC1"):
            self.counts["voice" if message.magic == "VVA1" else "cuts"] += 1
        return True

    def _restart(self, epoch: int) -> None:
        if self.epoch:
            self.counts["restarts"] += 1
        self.epoch, self.closed, self.newest, self._session_start_ns = epoch, False, None, None
        self._expected.clear()
        self._arrivals_ns.clear()

    def _take_motion(self, message: Message, arrived_ns: int) -> None:
        self.closed = bool(message.flags & END)
        if self.closed:
            return
        if self.newest is not None and message.frame > self.newest.frame + 1:
            self.counts["jumps"] += 1
        lag_ms = (arrived_ns - message.publish_ns) / 1e6
        if self.lags_ms:
            self.jitter_ms += (abs(lag_ms - self.lags_ms[-1]) - self.jitter_ms) * JITTER_WEIGHT
        self.lags_ms.append(lag_ms)
        if self._session_start_ns is not None:
            self.spare_ms.append((self._session_start_ns + message.presentation_ns - arrived_ns) / 1e6)
        self.counts["frames"] += 1
        self._arrivals_ns.append(arrived_ns)
        self.newest = message

    @property
    def newest_ns(self) -> int:
        """When the newest frame arrived, server's clock; 0 before the first."""
        return self._arrivals_ns[-1] if self._arrivals_ns else 0

    def rate_hz(self, now_ns: int) -> float:
        """Frames a second over the last seconds."""
        while self._arrivals_ns and self._arrivals_ns[0] < now_ns - RATE_WINDOW_NS:
            self._arrivals_ns.popleft()
        if len(self._arrivals_ns) < 2:
            return 0.0
        # Frames come a turn at a time: what they span is until the next turn, not until the last arrival.
        turn_frames = int(self.description.get("turn_frames", 1))
        span_ns = self._arrivals_ns[-1] - self._arrivals_ns[0] + turn_frames * FRAME_NS
        return len(self._arrivals_ns) / span_ns * 1e9

    def report(self, now_ns: int) -> dict[str, Any]:
        """The numbers for people and scripts; times in milliseconds, null where there is nothing to measure."""
        lag, spare = percentiles(self.lags_ms, (50, 99)), percentiles(self.spare_ms, (50, 1))
        return {
            "head": self.head,
            "frames": self.counts["frames"],
            "rate_hz": round(self.rate_hz(now_ns), 2),
            "lag_ms_p50": lag[0],
            "lag_ms_p99": lag[1],
            "spare_ms_p50": spare[0],
            "spare_ms_p1": spare[1],
            "jitter_ms": round(self.jitter_ms, 3),
            "lost": self.counts["lost"],
            "jumps": self.counts["jumps"],
            "repeated": self.counts["repeated"],
            "restarts": self.counts["restarts"],
            "voice_messages": self.counts["voice"],
            "cuts": self.counts["cuts"],
            "speaking": bool(self.newest and self.newest.state & SPEAKING),
            "closed": self.closed,
            "server": self.description.get("counters", {}),
        }


def percentiles(values: deque[float], ranks: tuple[int, ...]) -> list[float | None]:
    """Percentiles of what was remembered, or None each."""
    if not values:
        return [None] * len(ranks)
    ordered = np.sort(np.fromiter(values, float))
    places = np.array(ranks) / 100 * (len(ordered) - 1)
    return [round(float(value), 3) for value in np.interp(places, np.arange(len(ordered)), ordered)]
