"""A part of the head while it is made: triangles with texture positions, shapes and joints' weights."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass
class Part:
    """Vertices are split where texture positions are; `weld` says which of them are one point of the surface."""

    name: str
    positions: Floats  # (V, 3) metres
    uvs: Floats  # (V, 2), v downwards
    triangles: Indices  # (T, 3)
    weld: Indices  # (V,)
    deltas: dict[str, Floats] = field(default_factory=dict)  # ARKit shape -> (V, 3) metres
    joints: Floats = field(default_factory=lambda: np.zeros((0, 3)))  # (V, 3) weights of bust, neck, head

    def normals(self, shape: str | None = None) -> Floats:
        """Unit normals (V, 3), smooth over the seams; of the part with one shape at 1."""
        positions = self.positions + (self.deltas[shape] if shape else 0)
        return smooth_normals(positions, self.triangles, self.weld)


def smooth_normals(positions: Floats, triangles: Indices, weld: Indices) -> Floats:
    """Unit normals (V, 3): the faces round each welded point, by area."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    of_face = np.cross(b - a, c - a)
    n_points = int(weld.max()) + 1
    total = np.zeros((n_points, 3))
    for corner in range(3):
        points = weld[triangles[:, corner]]
        for axis in range(3):
            total[:, axis] += np.bincount(points, of_face[:, axis], n_points)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: Floats = (total / np.maximum(length, 1e-20))[weld]
    return unit


def joined(name: str, parts: list[Part]) -> Part:
    """Several parts as one; shapes that a part does not have leave it alone."""
    vertex_starts = np.cumsum([0] + [len(part.positions) for part in parts])
    weld_starts = np.cumsum([0] + [int(part.weld.max()) + 1 for part in parts])
    names = list(dict.fromkeys(shape for part in parts for shape in part.deltas))
    return Part(
        name,
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.uvs for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, vertex_starts, strict=False)]),
        np.concatenate([part.weld + start for part, start in zip(parts, weld_starts, strict=False)]),
        {
            shape: np.concatenate([part.deltas.get(shape, np.zeros_like(part.positions)) for part in parts])
            for shape in names
        },
        np.concatenate([part.joints for part in parts]),
    )


def step(low: float, high: float, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    smooth: Floats = t * t * (3 - 2 * t)
    return smooth
