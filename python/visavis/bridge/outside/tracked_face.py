"""A tracker's frames, of any rate and jitter, as the session takes them: one frame for each 40 ms of its clock."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS
from visavis.timecode import SECOND_NS

LONGEST_GAP_NS = 200_000_000  # between two frames; beyond it the face was lost and is absent meanwhile
RESTART_NS = 1_000_000_000  # a sender's clock that jumps further is a new one
WINDOW_NS = 5_000_000_000


@dataclass
class SenderClock:
    """Tells new frames from old ones; puts a sender's times on our clock: its own spacing, the least delay of late.

    Some senders stamp nonsense, such as a time that stands still.  A second that does not pass on the sender's clock as
    it does on ours makes the next one go by arrival; nothing counts as old then.
    """

    trusted: bool = True
    _newest_ns: int | None = None  # sender's time
    _least_ns: list[int] = field(default_factory=list)  # of arrival - sender's time: the last window's, this one's
    _window_ns: int = 0
    _second: tuple[int, int] | None = None  # sender's time and arrival at its beginning
    _n_old: int = 0  # in that second
    _n_new: int = 0

    def at(self, sender_ns: int, arrived_ns: int) -> int | None:
        """When a frame of that sender's time was seen, not later than it arrived; None: it is not newer than others."""
        newest_ns = self._newest_ns
        is_new = newest_ns is None or not newest_ns - RESTART_NS < sender_ns <= newest_ns
        self._n_new += is_new
        self._n_old += not is_new
        if is_new:
            self._newest_ns = sender_ns
        self._judge(sender_ns, arrived_ns)
        if not self.trusted:
            return arrived_ns
        return self._placed(sender_ns, arrived_ns) if is_new else None

    def _judge(self, sender_ns: int, arrived_ns: int) -> None:
        """At the end of a second: does the sender's clock run?"""
        if self._second is not None:
            sent_ns, here_ns = sender_ns - self._second[0], arrived_ns - self._second[1]
            if abs(here_ns) < SECOND_NS:
                return
            self.trusted = here_ns // 2 <= sent_ns <= 2 * here_ns and self._n_old <= self._n_new
        self._second, self._n_old, self._n_new = (sender_ns, arrived_ns), 0, 0

    def _placed(self, sender_ns: int, arrived_ns: int) -> int:
        delay_ns = arrived_ns - sender_ns
        if self._least_ns and abs(delay_ns - min(self._least_ns)) > RESTART_NS:
            self._least_ns.clear()
        if not self._least_ns or arrived_ns >= self._window_ns:
            self._least_ns = [*self._least_ns[-1:], delay_ns]
            self._window_ns = arrived_ns + WINDOW_NS
        self._least_ns[-1] = min(self._least_ns[-1], delay_ns)
        return sender_ns + min(self._least_ns)


class TrackedFace:
    """Resamples linearly.  `take` gives the frames that a new one completes."""

    def __init__(self) -> None:
        self._last: tuple[int, NDArray[np.float32]] | None = None

    def take(self, time_ns: int, values: NDArray[np.float32]) -> list[tuple[int, NDArray[np.float32]]]:
        """(session time, values (C,)) of each frame since the last one.

        A time that is a little behind the last one, as when a quicker way was found meanwhile, counts as just after it.
        """
        last, completed = self._last, list[tuple[int, NDArray[np.float32]]]()
        if last is not None and last[0] - RESTART_NS < time_ns <= last[0]:
            time_ns = last[0] + 1
        self._last = (time_ns, values)
        if last is None or not 0 < time_ns - last[0] <= LONGEST_GAP_NS:
            return completed
        for number in range(last[0] // FRAME_NS + 1, time_ns // FRAME_NS + 1):
            share = np.float32((number * FRAME_NS - last[0]) / (time_ns - last[0]))
            completed.append((number * FRAME_NS, last[1] + share * (values - last[1])))
        return completed
