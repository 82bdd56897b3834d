"""How much of the room each vertex sees: baked darkness of nostrils, ears, mouth and neck."""

import numpy as np

from visavis.head.part import Floats, Indices, Part

N_DIRECTIONS = 160
CELL = 0.0022  # metres of the grid that directions are seen through
SLACK = 0.0035  # metres


def openness(parts: list[Part]) -> Floats:
    """0 (closed in) to 1 (open) of each vertex of the first part, (V,), under the shadows of all parts."""
    first = parts[0]
    points = np.concatenate([spread(part) for part in parts])
    normals = first.normals()
    seen, total = np.zeros(len(normals)), np.zeros(len(normals))
    for direction in directions(N_DIRECTIONS):
        facing = normals @ direction
        right = np.cross([0.31, 0.87, 0.38], direction)
        right /= np.linalg.norm(right)
        plane = np.stack([right, np.cross(direction, right)], 1)
        cells = np.floor(points @ plane / CELL).astype(np.int64)
        low = cells.min(0) - 1
        size = cells.max(0) - low + 2
        depth = np.full(int(size[0] * size[1]), -1e9)
        np.maximum.at(depth, (cells[:, 0] - low[0]) * size[1] + cells[:, 1] - low[1], points @ direction)
        own = np.floor(first.positions @ plane / CELL).astype(np.int64) - low
        own_depth = first.positions @ direction + SLACK
        weight = np.maximum(facing, 0)
        clear = np.zeros(len(normals))
        for shift in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
            at = np.clip(own + shift, 0, size - 1)
            clear += own_depth > depth[at[:, 0] * size[1] + at[:, 1]]
        seen += weight * clear / 5
        total += weight
    share = seen / np.maximum(total, 1e-9)
    n_points = int(first.weld.max()) + 1
    mean = np.bincount(first.weld, share, n_points) / np.bincount(first.weld, minlength=n_points)
    return smooth(mean, first.weld[first.triangles], 2)[first.weld]


def smooth(values: Floats, triangles: Indices, rounds: int) -> Floats:
    """Each point's value mixed with its neighbours', some rounds."""
    for _ in range(rounds):
        total, count = np.zeros_like(values), np.zeros_like(values)
        for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
            total += np.bincount(triangles[:, a], values[triangles[:, b]], len(values))
            count += np.bincount(triangles[:, a], minlength=len(values))
        values = 0.5 * values + 0.5 * total / np.maximum(count, 1)
    return values


def spread(part: Part) -> Floats:
    """Points (n, 3) all over a part's triangles, nearer to each other than a cell of the grid."""
    corners = part.positions[part.triangles]
    side = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    points = [part.positions]
    for n in range(1, 9):
        chosen = corners[np.clip(np.ceil(side / CELL), 1, 8) == n]
        for i in range(n + 1):
            for j in range(n + 1 - i):
                points.append((chosen[:, 0] * i + chosen[:, 1] * j + chosen[:, 2] * (n - i - j)) / n)
    return np.concatenate(points)


def directions(n: int) -> Floats:
    """Unit vectors (n, 3), evenly spread by the golden angle."""
    k = np.arange(n) + 0.5
    y = 1 - 2 * k / n
    turn = k * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - y * y)
    return np.stack([radius * np.cos(turn), y, radius * np.sin(turn)], 1)
