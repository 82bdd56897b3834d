"""A face as the outside protocols name it: 52 weights, and the angles of head and eyes.

Axes are those of the house: x to the person's left, y up, z out of the face, right-handed; yaw about y (positive: to
the person's left), pitch about x (positive: down), roll about z; YXZ; radians.  Unity's axes are made here alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.motion_space import ARKIT55, ARKIT_SHAPES

N_SHAPES = len(ARKIT_SHAPES)
EYE_SIDE, EYE_UP, EYE_DOWN = (math.radians(degrees) for degrees in (40, 30, 35))  # at weight 1, as in csrc/rig
Angles = tuple[float, float, float]  # yaw, pitch, roll
Quaternion = tuple[float, float, float, float]  # x, y, z, w


@dataclass(frozen=True)
class Face:
    """One moment of a face."""

    weights: NDArray[np.float32]  # (52,) in ARKit's order
    head: Angles = (0.0, 0.0, 0.0)
    left_eye: Angles = (0.0, 0.0, 0.0)
    right_eye: Angles = (0.0, 0.0, 0.0)

    def motion(self) -> NDArray[np.float32]:
        """As a motion vector of arkit55."""
        return np.concatenate([self.weights, np.asarray(self.head, np.float32)]).astype(np.float32)  # (55,)


NEUTRAL = Face(np.zeros(N_SHAPES, np.float32))


def face_of(motion: NDArray[np.float32]) -> Face:
    """The face of an arkit55 vector (55,); the angles of the eyes follow from their look shapes."""
    down, turn_in, out, up = (float(motion[ARKIT55.index(f"eyeLook{way}Left")]) for way in ("Down", "In", "Out", "Up"))
    left = (EYE_SIDE * (out - turn_in), EYE_DOWN * down - EYE_UP * up, 0.0)
    down, turn_in, out, up = (float(motion[ARKIT55.index(f"eyeLook{way}Right")]) for way in ("Down", "In", "Out", "Up"))
    right = (EYE_SIDE * (turn_in - out), EYE_DOWN * down - EYE_UP * up, 0.0)
    yaw, pitch, roll = (float(angle) for angle in motion[N_SHAPES : N_SHAPES + 3])
    return Face(motion[:N_SHAPES], (yaw, pitch, roll), left, right)


def unity_quaternion(angles: Angles) -> Quaternion:
    """The rotation in Unity's axes (left-handed, x to the person's right as the face looks along +z): x mirrored."""
    (sy, sx, sz), (cy, cx, cz) = ([f(angle / 2) for angle in angles] for f in (math.sin, math.cos))
    x, y = cy * sx * cz + sy * cx * sz, sy * cx * cz - cy * sx * sz
    z, w = cy * cx * sz - sy * sx * cz, cy * cx * cz + sy * sx * sz
    return x, -y, -z, w


def unity_angles(quaternion: Quaternion) -> Angles:
    """What `unity_quaternion` undoes, for any length of quaternion but 0; raises ValueError for that."""
    x, y, z, w = quaternion[0], -quaternion[1], -quaternion[2], quaternion[3]
    squared = x * x + y * y + z * z + w * w
    if not 1e-12 < squared < 1e12:
        raise ValueError(f"quaternion {quaternion}; expected a length other than 0")
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * x - y * z) / squared)))
    yaw = math.atan2(2 * (x * z + w * y), w * w - x * x - y * y + z * z)
    return yaw, pitch, math.atan2(2 * (x * y + w * z), w * w - x * x + y * y - z * z)
