"""Head angles to rotations in Blender: the only file that knows about axes.  Quaternions are (w, x, y, z) tuples.

Visavis has ARKit's axes: x to the person's left, y up, z out of the face; yaw about y, pitch about x, roll about z, in
the order Y X Z.  A Blender rig is one of two kinds, seen in its own (the armature's or the object's) axes:

    BLENDER   z up, the face looks along -y, x to the person's left: Blender's convention, what the glTF importer makes
    YUP       y up, the face looks along z: what some FBX rigs keep
"""

from math import acos, cos, sin

AXES = ("BLENDER", "YUP")
_TURN = 0.5**0.5
_FROM_ARKIT = {"BLENDER": (_TURN, _TURN, 0.0, 0.0), "YUP": (1.0, 0.0, 0.0, 0.0)}  # ARKit's axes to the rig's


def multiply(a, b):
    """First b, then a."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def inverse(q):
    """Of a unit quaternion."""
    return (q[0], -q[1], -q[2], -q[3])


def share(q, amount):
    """Part of a rotation of less than half a turn, about the same axis."""
    w, *axis = q if q[0] >= 0 else tuple(-value for value in q)
    half = acos(min(1.0, w))
    scale = sin(half * amount) / sin(half) if half > 1e-6 else amount
    return (cos(half * amount), *(value * scale for value in axis))


def head_rotation(yaw, pitch, roll, axes="BLENDER"):
    """The turn of the whole head, in the rig's axes."""
    y = (cos(yaw / 2), 0.0, sin(yaw / 2), 0.0)
    x = (cos(pitch / 2), sin(pitch / 2), 0.0, 0.0)
    z = (cos(roll / 2), 0.0, 0.0, sin(roll / 2))
    change = _FROM_ARKIT[axes]
    return multiply(multiply(change, multiply(y, multiply(x, z))), inverse(change))


def in_bone(turn, rest):
    """A turn in the armature's axes as a bone of that rest orientation takes it (its pose rotation)."""
    return multiply(inverse(rest), multiply(turn, rest))
