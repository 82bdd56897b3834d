"""Teeth one by one along the arches of the base mesh, and their gums."""

from itertools import pairwise

import numpy as np

from visavis.head.anatomy import Person
from visavis.head.part import Floats, Indices, Part, joined

# Widths of the teeth from the middle to one side, relative (textbook proportions, millimetres).
UPPER_WIDTHS = (8.5, 6.8, 7.6, 7.0, 6.8, 10.0, 9.5)
LOWER_WIDTHS = (5.6, 6.0, 6.9, 7.0, 7.2, 10.5, 10.0)
HEIGHT, DEPTH = 0.0125, 0.0075  # metres, root end hidden in the gum
WIDER, NEARER = 1.12, 0.005  # of the arch; metres
N_ROUND, N_RINGS = 10, 6


def teeth(person: Person) -> Part:
    """All teeth; the lower ones follow the jaw."""
    return joined("teeth", _row(person, "upper") + _row(person, "lower"))


def gums(person: Person) -> Part:
    """Both gums."""
    return joined("gums", [_gum(person, "upper"), _gum(person, "lower")])


def _arch(person: Person, which: str) -> tuple[Floats, Floats]:
    """Lowest and highest corner (3,) of the arch, half an ellipse in this box: that of the base mesh's teeth, but wider
    and nearer to the lips, which else hide them."""
    points = person.positions[person.source.vertices(f"helper-{which}-teeth")]
    low, high = points.min(0), points.max(0)
    return low * [WIDER, 1, 1], high * [WIDER, 1, 1] + [0, 0, NEARER]


def _at(low: Floats, high: Floats, angle: Floats, inset: float) -> Floats:
    """Points (N, 2) in x and z of the arch at angles from its middle."""
    half_width, length = high[0] - inset, high[2] - low[2] - inset
    return np.stack([half_width * np.sin(angle), low[2] + length * np.cos(angle)], -1)


def _row(person: Person, which: str) -> list[Part]:
    low, high = _arch(person, which)
    upper = which == "upper"
    widths = UPPER_WIDTHS if upper else LOWER_WIDTHS
    angles = np.linspace(0, np.radians(84), 400)
    inset = 0.0020 if upper else 0.0036
    path = _at(low, high, angles, inset)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    edges = np.concatenate([[0], np.cumsum(widths)]) / sum(widths) * along[-1]
    row = []
    for number, (start, end) in enumerate(pairwise(edges.tolist())):
        angle = float(np.interp((start + end) / 2, along, angles))
        shorter = (0, 0.0008, 0.0001, 0.0008, 0.0014, 0.0018, 0.0020)[number] if upper else 0.0004 * abs(number - 2)
        edge = low[1] - 0.0050 + shorter if upper else high[1] - 0.0062 - shorter
        row += [_tooth(person, which, side * angle, end - start, edge, inset, number) for side in (1, -1)]
    return row


def _tooth(person: Person, which: str, angle: float, width: float, edge: float, inset: float, number: int) -> Part:
    """A rounded block: flat and sharp-edged in front, blunt at the back of the arch."""
    up = 1 if which == "upper" else -1
    low, high = _arch(person, which)
    ring, spoke = np.meshgrid(np.arange(N_RINGS + 1), np.arange(N_ROUND), indexing="ij")
    latitude, longitude = np.pi * (ring / N_RINGS - 0.5), 2 * np.pi * spoke / N_ROUND
    thin = 0.45 + 0.55 * (ring / N_RINGS) if number < 3 else np.ones(ring.shape)  # incisors end in an edge
    taper = 0.985 - 0.14 * (ring / N_RINGS)  # narrower at the gum
    x = _rounded(np.cos(latitude), 0.35) * _rounded(np.cos(longitude), 0.4) * width / 2 * 1.05 * taper
    z = _rounded(np.cos(latitude), 0.35) * _rounded(np.sin(longitude), 0.45) * DEPTH / 2 * thin
    y = (_rounded(np.sin(latitude), 0.7) + 1) / 2 * HEIGHT
    middle = _at(low, high, np.array([angle]), inset + DEPTH / 2)[0]
    a, b = _at(low, high, np.array([angle - 0.01, angle + 0.01]), inset + DEPTH / 2)
    tangent = (b - a) / np.linalg.norm(b - a)
    outwards = np.array([-tangent[1], tangent[0]])
    z = z + 0.0016 * (1 - y / HEIGHT) * (1 if number < 3 else 0) * up  # upper incisors lean outwards
    positions = np.stack(
        [middle[0] + x * tangent[0] + z * outwards[0], edge + up * y, middle[1] + x * tangent[1] + z * outwards[1]], -1
    ).reshape(-1, 3)
    share = np.broadcast_to(ring / N_RINGS, ring.shape).reshape(-1)
    uvs = np.stack([spoke.reshape(-1) / N_ROUND, share], 1)
    triangles = _tube(N_RINGS, N_ROUND, flip=up < 0)
    return _finish(person, which, "teeth", positions, uvs, triangles)


def _rounded(value: Floats, power: float) -> Floats:
    """A sine or cosine made boxy: the smaller the power, the sharper the corners."""
    rounded: Floats = np.sign(value) * np.abs(value) ** power
    return rounded


def _gum(person: Person, which: str) -> Part:
    """A strip with a round edge over the roots of the teeth."""
    low, high = _arch(person, which)
    up = 1 if which == "upper" else -1
    edge = low[1] + 0.0064 if up > 0 else high[1] - 0.0156
    n_along, n_across = 31, 7
    angles = np.radians(np.linspace(-86, 86, n_along))
    profile = np.array(  # inset and height from the edge, millimetres: outside, round the edge, inside
        [(-0.8, 12), (-0.5, 6), (0.2, 1.5), (2, 0), (7.5, 0.2), (9.8, 3), (10.5, 12)]
    )
    rows = []
    for inset, height in profile / 1000:
        xz = _at(low, high, angles, inset + (0.0024 if up > 0 else 0.0044))
        rows.append(np.stack([xz[:, 0], np.full(n_along, edge + up * height), xz[:, 1]], 1))
    positions = np.stack(rows, 1).reshape(-1, 3)
    along, across = np.meshgrid(np.arange(n_along), np.arange(n_across), indexing="ij")
    uvs = np.stack([along / (n_along - 1), across / (n_across - 1)], -1).reshape(-1, 2)
    a = (along * n_across + across)[:-1, :-1].reshape(-1)
    quads = np.stack([a, a + 1, a + n_across + 1, a, a + n_across + 1, a + n_across], 1).reshape(-1, 3)
    triangles = quads if up > 0 else quads[:, ::-1]
    return _finish(person, which, "gums", positions, uvs, triangles)


def _tube(n_rings: int, n_round: int, flip: bool) -> Indices:
    ring, spoke = np.meshgrid(np.arange(n_rings), np.arange(n_round), indexing="ij")
    a, b = ring * n_round + spoke, ring * n_round + (spoke + 1) % n_round
    triangles = np.stack([a, a + n_round, b + n_round, a, b + n_round, b], -1).reshape(-1, 3)
    return triangles[:, ::-1] if flip else triangles


def _finish(person: Person, which: str, name: str, positions: Floats, uvs: Floats, triangles: Indices) -> Part:
    """With the shapes of the base mesh's teeth, each fitted by one affine move."""
    vertices = person.source.vertices(f"helper-{which}-teeth")
    deltas = {}
    for shape, delta in person.deltas.items():
        if np.abs(delta[vertices]).max() > 1e-5:
            rows = np.concatenate([person.positions[vertices], np.ones((len(vertices), 1))], 1)
            move = np.linalg.lstsq(rows, delta[vertices], rcond=None)[0]
            deltas[shape] = np.concatenate([positions, np.ones((len(positions), 1))], 1) @ move
    joints = np.tile([0.0, 0.0, 1.0], (len(positions), 1))
    return Part(name, positions, uvs, triangles, np.arange(len(positions)), deltas, joints)
