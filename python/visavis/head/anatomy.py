"""The person: which shapes of the base mesh it has, its skin cut to a bust, tongue and lashes, the joints' weights."""

from collections.abc import Callable

import numpy as np

from visavis.head.makehuman import Face, Floats, MakeHuman
from visavis.head.part import Indices, Part, step
from visavis.motion_space import ARKIT_SHAPES

BUST_FLOOR, BUST_HALF_WIDTH = -0.235, 0.158  # metres
COLLAR_HEIGHT, COLLAR_SLOPE = -0.138, 0.42  # metres over the head joint, metres a metre forwards
COLLAR_SIDES = 7.0  # 1 / metres: how much higher it is at the sides of the neck
UNDER_COLLAR = 0.012  # metres that the skin goes on under the shirt
SHIRT_LIFT = 0.0045  # metres from skin to shirt
Corners = tuple[tuple[int, int], ...]  # (vertex, texture vertex) of each
Blend = tuple[Indices, Indices, Floats, Indices, Indices, Indices]
METRE = 0.1  # of the base mesh's decimetres
# Body shapes and how much of each: own choice, an adult of mixed origins.
IDENTITY: dict[str, float] = {
    "macrodetails/caucasian-male-young": 0.30,
    "macrodetails/african-male-young": 0.20,
    "macrodetails/asian-male-young": 0.12,
    "macrodetails/caucasian-female-young": 0.20,
    "macrodetails/african-female-young": 0.10,
    "macrodetails/asian-female-young": 0.08,
    "macrodetails/universal-male-young-averagemuscle-averageweight": 0.62,
    "macrodetails/universal-female-young-averagemuscle-averageweight": 0.38,
}
# Of the face units, in the neutral face: the base mesh's lips are a little apart.
RESTING: dict[str, float] = {
    "mouthClose": 0.11,
    "mouthPressLeft": 0.05,
    "mouthPressRight": 0.05,
    "mouthSmileLeft": 0.07,
    "mouthSmileRight": 0.07,
}

# Face units that are faint as they come, and by how much they are made stronger: with these a broad smile shows teeth.
STRONGER: dict[str, float] = {"mouthLowerDown": 2.0, "mouthUpperUp": 1.4}


class Person:
    """The base mesh in this person's shape, and everything derived from it in metres, head joint at the origin."""

    def __init__(self, source: MakeHuman) -> None:
        self.source = source
        body = source.positions.copy()
        for shape, amount in IDENTITY.items():
            body += amount * source.macro(shape)
        for shape, amount in RESTING.items():
            body += amount * source.face_unit(shape)
        origin = body[source.vertices("joint-head")].mean(0)
        self.positions: Floats = (body - origin) * METRE
        self.deltas = {
            name: source.face_unit(name) * METRE * STRONGER.get(name.removesuffix("Left").removesuffix("Right"), 1.0)
            for name in ARKIT_SHAPES
        }
        self.neck = self.centre("joint-neck")

    def centre(self, group: str) -> Floats:
        """Middle of a group's vertices, metres."""
        middle: Floats = self.positions[self.source.vertices(group)].mean(0)
        return middle

    def skin(self) -> Part:
        """Head, inner mouth, ears and neck, cut evenly under the collar."""
        return self._part("skin", self.source.faces["body"], lambda positions: UNDER_COLLAR - collar_depth(positions))

    def shirt(self) -> Part:
        """A round-necked shirt over the shoulders, cut evenly.  Texture: round the neck, below the collar."""
        shirt = self._part("shirt", self.source.faces["body"], lambda p: np.minimum(collar_depth(p), bust_height(p)))
        depth = collar_depth(shirt.positions)
        lift = SHIRT_LIFT * (0.45 + 0.55 * step(0, 0.010, depth))
        round_neck = np.arctan2(shirt.positions[:, 0], shirt.positions[:, 2] + 0.045)
        shirt.positions = shirt.positions + shirt.normals() * lift[:, None]
        shirt.uvs = np.stack([round_neck / np.pi * 4, np.minimum(depth / 0.10, 0.97)], 1)
        shirt.deltas = {}
        shirt.joints = np.tile([1.0, 0.0, 0.0], (len(depth), 1))
        return shirt

    def tongue(self) -> Part:
        """The tongue, a little smaller and further back than the base mesh's, clear of the teeth."""
        tongue = self._part("tongue", self.source.faces["helper-tongue"])
        tongue.positions = tongue.positions * [0.90, 1, 1] - [0, 0.0015, 0.0065]
        tongue.deltas["tongueOut"] = tongue.deltas["tongueOut"] * 1.5
        return tongue

    def lashes(self) -> Part:
        """Upper lashes of both eyes (the lower strips read as heavy eyeliner)."""
        faces = self.source.faces
        lashes = self._part("lashes", faces["helper-l-eyelashes-2"] + faces["helper-r-eyelashes-2"])
        side = np.where(lashes.positions[:, 0] > 0, 1, -1)
        for sign, letter in ((1, "l"), (-1, "r")):  # texture position: (along the lid, from root to tip)
            own = side == sign
            points = lashes.positions[own]
            eye = self.centre(f"helper-{letter}-eye")
            along = (np.abs(points[:, 0]) - np.abs(points[:, 0]).min()) / np.ptp(points[:, 0])
            reach = np.linalg.norm(points - eye, axis=1)
            lashes.uvs[own] = np.stack([along, (reach - reach.min()) / np.ptp(reach)], 1)
        return lashes

    def joint_weights(self, positions: Floats) -> Floats:
        """Weights (V, 3) of bust, neck and head: all of the skull turns, the collar stands still."""
        height = positions[:, 1] + 0.30 * np.minimum(positions[:, 2], 0.10)  # the nape begins higher than the chin
        head = step(-0.085, -0.005, height)
        bust = 1 - step(-0.135, -0.055, height)
        bust = np.minimum(bust, 1 - head)
        return np.stack([bust, 1 - head - bust, head], 1)

    def _part(self, name: str, faces: list[Face], height: Callable[[Floats], Floats] | None = None) -> Part:
        triangles: list[Corners] = [(face[0], face[i], face[i + 1]) for face in faces for i in range(1, len(face) - 1)]
        blends = cut(triangles, height(self.positions) if height else None)
        first, second, share, uv_first, uv_second, part_triangles = blends

        def blend(values: Floats, a: Indices, b: Indices) -> Floats:
            mixed: Floats = values[a] * (1 - share[:, None]) + values[b] * share[:, None]
            return mixed

        points = np.stack([first, second, np.round(share * 1e9).astype(np.int64)], 1)
        weld = np.unique(points, axis=0, return_inverse=True)[1].reshape(-1)
        deltas = {shape: blend(delta, first, second) for shape, delta in self.deltas.items()}
        deltas = {shape: delta for shape, delta in deltas.items() if np.abs(delta).max() > 1e-6}
        positions = blend(self.positions, first, second)
        uvs = blend(self.source.uvs, uv_first, uv_second) * [1, -1] + [0, 1]
        return Part(name, positions, uvs, part_triangles, weld, deltas, self.joint_weights(positions))


def bust_height(positions: Floats) -> Floats:
    """Metres inside the bust: above its lower plane, between its rounded sides."""
    x, y, z = positions.T
    sides = BUST_HALF_WIDTH - (np.abs(x) ** 4 + np.abs(1.15 * (z + 0.02)) ** 4) ** 0.25
    height: Floats = np.minimum(y - BUST_FLOOR, sides)
    return height


def collar_depth(positions: Floats) -> Floats:
    """Metres below the plane of the collar, which is higher at the nape than at the throat."""
    x, y, z = positions.T
    depth: Floats = COLLAR_HEIGHT - COLLAR_SLOPE * z + COLLAR_SIDES * x * x - y
    return depth


def cut(triangles: list[Corners], height: Floats | None) -> Blend:
    """Triangles above height 0, cut exactly there.

    Each vertex is a mixture of two of the mesh: (first, second, share of the second, the same two of the texture
    positions), (V,) each; and triangles (T, 3).
    """
    numbers: dict[tuple[int, int, int, int, float], int] = {}
    rows: list[list[int]] = []

    def number(a: tuple[int, int], b: tuple[int, int], share: float) -> int:
        key = (a[0], b[0], a[1], b[1], share)
        return numbers.setdefault(key, len(numbers))

    for corners in triangles:
        if height is None or all(height[v] >= 0 for v, _ in corners):
            rows.append([number(c, c, 0.0) for c in corners])
            continue
        kept: list[int] = []
        for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
            above = height[a[0]] >= 0
            if above:
                kept.append(number(a, a, 0.0))
            if above != (height[b[0]] >= 0):
                low, high = (a, b) if a[0] < b[0] else (b, a)
                kept.append(number(low, high, float(height[low[0]] / (height[low[0]] - height[high[0]]))))
        rows += [[kept[0], kept[i], kept[i + 1]] for i in range(1, len(kept) - 1)]
    keys = list(numbers)
    first, second, uv_first, uv_second = (np.array([key[i] for key in keys]) for i in range(4))
    share = np.array([key[4] for key in keys])
    return first, second, share, uv_first, uv_second, np.array(rows)
