"""The agent's voice on its way out: held until the motion that belongs to it is published.

So client buffers stay short however long the bursts are that a TTS delivers, and a cut rarely finds audio to withdraw.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS

LONGEST_WAIT_S = 120.0  # seconds of audio that may wait; more is dropped and counted
LARGEST_CHUNK = 12_000  # samples: 48 kB, below the protocol's 64 KiB a message


class Chunk(NamedTuple):
    """Audio of at most one frame's length, at its own rate."""

    time_ns: int  # start, session clock
    samples: NDArray[np.float32]  # (n,)
    rate: int


class AudioQueue:
    """Bounded queue of timed audio; one caller at a time."""

    def __init__(self) -> None:
        self._waiting: deque[Chunk] = deque()
        self.waiting_s = 0.0
        self.dropped_s = 0.0

    def push(self, samples: NDArray[np.float32], rate: int, start_ns: int) -> None:
        """Queue audio that starts at `start_ns`; what was queued for that time or later is replaced."""
        self.cut(start_ns)
        length_s = len(samples) / rate
        if self.waiting_s + length_s > LONGEST_WAIT_S:
            self.dropped_s += length_s
            return
        self.waiting_s += length_s
        self._waiting.extend(_frames(samples, rate, start_ns))

    def take(self, until_ns: int) -> Iterator[Chunk]:
        """Remove and give what starts before `until_ns`."""
        while self._waiting and self._waiting[0].time_ns < until_ns:
            chunk = self._waiting.popleft()
            self.waiting_s -= len(chunk.samples) / chunk.rate
            yield chunk

    def cut(self, from_ns: int) -> None:
        """Forget what starts at or after `from_ns`."""
        while self._waiting and self._waiting[-1].time_ns >= from_ns:
            chunk = self._waiting.pop()
            self.waiting_s -= len(chunk.samples) / chunk.rate


def _frames(samples: NDArray[np.float32], rate: int, start_ns: int) -> Iterator[Chunk]:
    """Cut at the borders of motion frames, to the nearest sample."""
    first = 0
    while first < len(samples):
        time_ns = start_ns + round(first * 1e9 / rate)
        border_ns = (time_ns // FRAME_NS + 1) * FRAME_NS
        last = max(first + 1, round((border_ns - start_ns) * rate / 1e9))
        last = min(last, first + LARGEST_CHUNK)
        yield Chunk(time_ns, samples[first:last], rate)
        first = last
