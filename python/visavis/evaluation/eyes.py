"""Blinks and gaze of a face, read from its eyeBlink and eyeLook channels (a rig's eye layer's or a performer's)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.data.corpus.eyes import FULL_DEG
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.floating[Any]]
AWAY_DEG = (
    4.5  # gaze further to a side than this is off the partner: looks between their eyes stay below, averted ones above
)
SHUT = 0.5  # closure of a blink at its deepest; what the lid follows a look down stays below


def gaze_yaw(motion: Floats) -> Floats:
    """Where the eyes look in the world, degrees to the person's left, 0 at the partner, (T,)."""
    look = {name: motion[:, ARKIT55.index(f"eyeLook{name}")].astype(np.float64) for name in
            ("OutLeft", "InLeft", "InRight", "OutRight")}  # fmt: skip
    left = look["OutLeft"] * FULL_DEG["out"] - look["InLeft"] * FULL_DEG["in"]
    right = look["InRight"] * FULL_DEG["in"] - look["OutRight"] * FULL_DEG["out"]
    head = np.degrees(motion[:, ARKIT55.index("headYaw")].astype(np.float64))
    return np.asarray((left + right) / 2 + head)


def away(motion: Floats) -> npt.NDArray[np.bool_]:
    """Frames in which the gaze is off the partner, (T,)."""
    return np.asarray(np.abs(gaze_yaw(motion)) > AWAY_DEG)


def blink_frames(motion: Floats) -> npt.NDArray[np.int64]:
    """The frames at which blinks are deepest."""
    lid = motion[:, ARKIT55.index("eyeBlinkLeft")].astype(np.float64)
    peaks = (lid[1:-1] > SHUT) & (lid[1:-1] > lid[:-2]) & (lid[1:-1] >= lid[2:])
    return np.flatnonzero(peaks) + 1


def spells(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Lengths of the runs of True in frames, those at the ends left out."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8))) + 1
    lengths = np.diff(edges)
    return np.asarray(lengths[flags[edges[:-1]]], np.int64)
