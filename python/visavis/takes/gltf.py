"""glTF 2.0 (.glb) of ARKit motion: a node `head` that turns, and a mesh whose 52 morph targets have the shapes' names.

The mesh is a panel of 52 bars, each as high as its shape's weight: something to look at, and a source from which the
animation is copied to a character's mesh by the targets' names.  glTF's axes are those of the angles: y up, z out of
the face; rotation = yaw about y, then pitch about x, then roll about z.
"""

import json
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from visavis.motion_file import MotionLike
from visavis.motion_space import ARKIT55, ARKIT_SHAPES

N_SHAPES = len(ARKIT_SHAPES)
COLUMNS, BAR_WIDTH, BAR_HEIGHT, GAP = 13, 0.015, 0.03, 0.005  # metres
FLOAT, USHORT = 5126, 5123
ARRAY, ELEMENTS = 34962, 34963  # what a buffer view is for


class _Buffer:
    """The binary part, with a view and an accessor for each array."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], kind: str, target: int | None = None, *, bounds: bool = False) -> int:
        """The number of the new accessor."""
        view = {"buffer": 0, "byteOffset": len(self.bytes), "byteLength": array.nbytes}
        self.views.append(view if target is None else {**view, "target": target})
        self.bytes += array.tobytes() + b"\0" * (-array.nbytes % 4)
        component = USHORT if array.dtype == np.uint16 else FLOAT
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(array), "type": kind}
        if bounds:
            rows = array.reshape(len(array), -1)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(file: IO[bytes], motion: MotionLike) -> None:
    """Write arkit55 motion; its times are counted from the session's 0, which is the animation's."""
    buffer = _Buffer()
    positions, indices = _panel()
    primitive = {
        "attributes": {"POSITION": buffer.add(positions, "VEC3", ARRAY, bounds=True)},
        "indices": buffer.add(indices, "SCALAR", ELEMENTS),
        "targets": [{"POSITION": buffer.add(_target(shape), "VEC3", ARRAY, bounds=True)} for shape in range(N_SHAPES)],
    }
    times = buffer.add((motion.time_ns / 1e9).astype("<f4"), "SCALAR", bounds=True)
    weights = buffer.add(np.ascontiguousarray(motion.values[:, :N_SHAPES], "<f4").reshape(-1), "SCALAR")
    turns = buffer.add(quaternions(motion.values[:, N_SHAPES : N_SHAPES + 3]), "VEC4")
    document = {
        "asset": {"version": "2.0", "generator": "Visavis"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [
            {
                "name": "face",
                "primitives": [primitive],
                "weights": [0.0] * N_SHAPES,
                "extras": {"targetNames": list(ARKIT55.channels[:N_SHAPES])},
            }
        ],
        "animations": [
            {
                "name": "take",
                "samplers": [
                    {"input": times, "output": weights, "interpolation": "LINEAR"},
                    {"input": times, "output": turns, "interpolation": "LINEAR"},
                ],
                "channels": [
                    {"sampler": 0, "target": {"node": 0, "path": "weights"}},
                    {"sampler": 1, "target": {"node": 0, "path": "rotation"}},
                ],
            }
        ],
        "buffers": [{"byteLength": len(buffer.bytes)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(buffer.bytes)
    file.write(struct.pack("<4sII", b"glTF", 2, size))
    file.write(struct.pack("<I4s", len(text), b"JSON") + text)
    file.write(struct.pack("<I4s", len(buffer.bytes), b"BIN\0") + buffer.bytes)


def quaternions(angles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Yaw, pitch, roll (n, 3) in radians as x, y, z, w (n, 4): about y, then x, then z."""
    yaw, pitch, roll = (angles.astype(np.float64) / 2).T
    (sy, sp, sr), (cy, cp, cr) = np.sin([yaw, pitch, roll]), np.cos([yaw, pitch, roll])
    parts = (
        cy * sp * cr + sy * cp * sr,
        sy * cp * cr - cy * sp * sr,
        cy * cp * sr - sy * sp * cr,
        cy * cp * cr + sy * sp * sr,
    )
    return np.stack(parts, 1).astype("<f4")


def _panel() -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Four corners a bar (208, 3), two triangles (312,); bars without height lie as thin lines."""
    corners, rows = [], -(-N_SHAPES // COLUMNS)
    for shape in range(N_SHAPES):
        row, column = divmod(shape, COLUMNS)
        x = (column - COLUMNS / 2) * (BAR_WIDTH + GAP)
        y = (rows / 2 - 1 - row) * (BAR_HEIGHT + GAP)
        corners += [(x, y, 0), (x + BAR_WIDTH, y, 0), (x + BAR_WIDTH, y + 0.001, 0), (x, y + 0.001, 0)]
    first = np.arange(N_SHAPES, dtype="<u2")[:, None] * 4
    return np.array(corners, "<f4"), (first + np.array([0, 1, 2, 0, 2, 3], "<u2")).reshape(-1).astype("<u2")


def _target(shape: int) -> NDArray[np.float32]:
    """How far each corner moves at weight 1 (208, 3): the bar's upper ones go up."""
    moves = np.zeros((4 * N_SHAPES, 3), "<f4")
    moves[4 * shape + 2 : 4 * shape + 4, 1] = BAR_HEIGHT
    return moves
