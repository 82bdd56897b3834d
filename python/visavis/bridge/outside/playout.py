"""The frames of one head, at any time of its session clock: what a receiver that shows faces at once must be sent.

Between frames: linear.  A frame that is missing: the last one is held, then eased to the neutral face.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS

HELD_NS = 400_000_000  # after the last frame: two live turns
EASE_NS = 400_000_000
MOST_FRAMES = 256


class Playout:
    """Push frames in order, `cut` what was withdrawn, read `at` times that only grow."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=MOST_FRAMES)

    def push(self, time_ns: int, values: NDArray[np.float32]) -> None:
        """A frame (C,) and when it is to be seen; one that is not later than its predecessor replaces it."""
        self.cut(time_ns)
        self._frames.append((time_ns, values))

    def cut(self, from_ns: int) -> None:
        """Forget the frames from a time on."""
        while self._frames and self._frames[-1][0] >= from_ns:
            self._frames.pop()

    def at(self, time_ns: int) -> NDArray[np.float32] | None:
        """The face (C,) at a time; None before the first frame."""
        frames = self._frames
        while len(frames) > 1 and frames[1][0] <= time_ns:
            frames.popleft()
        if not frames or frames[0][0] > time_ns:
            return None
        shown_ns, values = frames[0]
        left = 1 - (time_ns - shown_ns - HELD_NS) / EASE_NS
        shown: NDArray[np.float32] = values * np.float32(min(max(left, 0.0), 1.0))
        if len(frames) > 1:
            next_ns, following = frames[1]
            begin_ns = max(shown_ns, next_ns - FRAME_NS)  # behind a gap: the way there begins one frame before it
            shown += np.float32(max(0.0, (time_ns - begin_ns) / (next_ns - begin_ns))) * (following - shown)
        return shown
