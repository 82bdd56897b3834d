"""iFacialMocap: the text that the phone app streams (UDP 49983), one datagram a frame.

`NAME-PERCENT|...|=head#pitch,yaw,roll,x,y,z|rightEye#pitch,yaw,roll|leftEye#pitch,yaw,roll|`: whole percents, degrees;
Left and Right at a name's end are _L and _R, but for the four that move to a side.
"""

import math

from visavis.bridge.outside.face import Angles, Face
from visavis.motion_space import ARKIT_SHAPES

TO_A_SIDE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")


def name_of(shape: str) -> str:
    """What the app calls an ARKit shape."""
    if shape in TO_A_SIDE:
        return shape
    for side in ("Left", "Right"):
        if shape.endswith(side):
            return f"{shape.removesuffix(side)}_{side[0]}"
    return shape


NAMES = tuple(name_of(shape) for shape in ARKIT_SHAPES)


def encode(face: Face) -> bytes:
    """One frame."""
    weights = "|".join(f"{name}-{round(100 * w)}" for name, w in zip(NAMES, face.weights.tolist(), strict=True))
    head, right, left = (_degrees(angles) for angles in (face.head, face.right_eye, face.left_eye))
    return f"{weights}|=head#{head},0,0,0|rightEye#{right}|leftEye#{left}|".encode()


def _degrees(angles: Angles) -> str:
    yaw, pitch, roll = angles
    return ",".join(f"{math.degrees(angle):.5f}" for angle in (pitch, yaw, roll))
