"""Eyeballs: the front of a sphere with a cornea, turned exactly by the eyeLook shapes."""

import numpy as np

from visavis.head.anatomy import Person
from visavis.head.part import Floats, Part, joined

N_ROUND, N_RINGS = 28, 13
EDGE = np.radians(105)  # the back of the eye is never seen
SHRINK = 0.985  # so that the lids stand clear of the eye
LOOK_UP, LOOK_DOWN, LOOK_SIDE = (float(np.radians(degrees)) for degrees in (22, 25, 28))  # at weight 1


def eyes(person: Person) -> Part:
    """Both eyes; the texture is a disc with the pupil in its middle."""
    return joined("eyes", [_eye(person, "Left"), _eye(person, "Right")])


def eye_sphere(person: Person, side: str) -> tuple[Floats, float]:
    """Middle (3,) and radius of the sphere that fits the base mesh's eye best."""
    points = person.positions[person.source.vertices(f"helper-{side[0].lower()}-eye")]
    rows = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    solution = np.linalg.lstsq(rows, (points**2).sum(1), rcond=None)[0]
    middle: Floats = solution[:3]
    return middle, float(np.sqrt(solution[3] + middle @ middle))


def _eye(person: Person, side: str) -> Part:
    middle, radius = eye_sphere(person, side)
    ring, spoke = np.meshgrid(np.arange(N_RINGS + 1), np.arange(N_ROUND + 1), indexing="ij")
    # Rings lie closer round the pupil, where the cornea bends.
    theta, phi = EDGE * (ring / N_RINGS) ** 1.3, 2 * np.pi * spoke / N_ROUND
    bulge = 1 + 0.055 * np.exp(-((theta / 0.40) ** 4))
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1).reshape(-1, 3)
    offsets = unit * bulge.reshape(-1, 1) * radius * SHRINK
    share = (theta / EDGE).reshape(-1) * 0.498
    uvs = np.stack([0.5 + share * np.cos(phi).reshape(-1), 0.5 - share * np.sin(phi).reshape(-1)], 1)
    inner, outer = (ring * (N_ROUND + 1) + spoke)[:-1, :-1], (ring * (N_ROUND + 1) + spoke)[1:, :-1]
    triangles = np.stack([inner, outer, outer + 1, inner, outer + 1, inner + 1], -1).reshape(-1, 3)
    points = (ring * N_ROUND + spoke % N_ROUND) * (ring > 0)
    triangles = triangles[points.reshape(-1)[triangles[:, 0]] != points.reshape(-1)[triangles[:, 2]]]
    outwards = 1.0 if side == "Left" else -1.0
    turns = {
        f"eyeLookUp{side}": turn_x(-LOOK_UP),
        f"eyeLookDown{side}": turn_x(LOOK_DOWN),
        f"eyeLookOut{side}": turn_y(outwards * LOOK_SIDE),
        f"eyeLookIn{side}": turn_y(-outwards * LOOK_SIDE),
    }
    deltas = {shape: offsets @ turn.T - offsets for shape, turn in turns.items()}
    joints = np.tile([0.0, 0.0, 1.0], (len(offsets), 1))
    weld = np.unique(points.reshape(-1), return_inverse=True)[1].reshape(-1)
    return Part("eyes", middle + offsets, uvs, triangles, weld, deltas, joints)


def turn_x(angle: float) -> Floats:
    """Rotation about x: positive moves the front downwards."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(angle: float) -> Floats:
    """Rotation about y: positive moves the front to the person's left."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
