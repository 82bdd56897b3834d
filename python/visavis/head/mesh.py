"""Reads the files that `visavis head build` writes and poses them: shapes, then the joints.

Needs numpy alone; the textures stay bytes until somebody draws them.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.audio import check_readable
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import ARKIT_SHAPES

EXPECTED = "expected a .glb that `visavis head build` wrote"
HEAD_FILE = Path(__file__).parent.parent / "assets" / "head.glb"
DTYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5126: np.float32}
LARGEST = {5120: 127, 5121: 255, 5122: 32767, 5123: 65535}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MOST_ROWS = 1 << 18  # of an accessor
NECK_SHARE = 0.3  # of a turn of the head is the neck's

Floats = NDArray[np.float32]


@dataclass
class Surface:
    """A part of the head at rest, in metres, head joint at the origin."""

    name: str
    material: dict[str, Any]  # of glTF
    positions: Floats  # (V, 3)
    uvs: Floats  # (V, 2)
    triangles: NDArray[np.uint32]  # (T, 3)
    weld: NDArray[np.int64]  # (V,) vertices that are one point of the surface
    joints: Floats  # (V, 3) weights of bust, neck, head
    shapes: tuple[int, ...]  # which of ARKIT_SHAPES move it
    deltas: Floats  # (K, V * 3) of those


class HeadMesh:
    """The reference head.  `surfaces` at rest; `pose` gives positions and normals of all of them."""

    def __init__(self, path: str | Path = HEAD_FILE) -> None:
        self.path = Path(path)
        check_readable(self.path, "head", EXPECTED)
        try:
            self._json, self._bytes = split_glb(self.path.read_bytes())
            self.joint_places = self._joint_places()
            self.surfaces = [
                self._surface(mesh, primitive) for mesh in self._json["meshes"] for primitive in mesh["primitives"]
            ]
        except (KeyError, IndexError, ValueError, TypeError, AttributeError, struct.error) as error:
            raise FileError(f"head file {self.path}: {error!r}; {EXPECTED}") from None

    def image(self, texture: int) -> bytes:
        """The encoded image of a texture."""
        view = self._json["bufferViews"][self._json["images"][self._json["textures"][texture]["source"]]["bufferView"]]
        return self._bytes[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    def pose(self, weights: NDArray[np.floating], angles: NDArray[np.floating]) -> list[tuple[Floats, Floats]]:
        """Positions and normals (V, 3) of each surface, for the 52 shapes and yaw, pitch, roll in radians."""
        if weights.shape != (len(ARKIT_SHAPES),) or angles.shape != (3,):
            raise InvalidArgument(
                f"head pose of {weights.shape} and {angles.shape}; expected (52,) weights and (3,) angles"
            )
        turns, places = self.joint_turns(*(float(angle) for angle in angles))
        posed = []
        for surface in self.surfaces:
            moved = surface.positions
            if surface.shapes:
                share = weights[list(surface.shapes)].astype(np.float32)
                moved = moved + (share @ surface.deltas).reshape(-1, 3)
            turned = np.zeros_like(moved)
            for joint, (turn, place) in enumerate(zip(turns, places, strict=True)):
                turned += surface.joints[:, joint : joint + 1] * ((moved - self.joint_places[joint]) @ turn.T + place)
            posed.append((turned, smooth_normals(turned, surface.triangles, surface.weld)))
        return posed

    def joint_turns(self, yaw: float, pitch: float, roll: float) -> tuple[Floats, Floats]:
        """Rotations (3, 3, 3) and places (3, 3) of bust, neck and head in the world."""
        head = head_rotation(yaw, pitch, roll)
        neck = power(head, NECK_SHARE)
        at = self.joint_places[1] + (self.joint_places[2] - self.joint_places[1]) @ neck.T
        turns = np.stack([np.eye(3), neck, head]).astype(np.float32)
        return turns, np.stack([self.joint_places[0], self.joint_places[1], at]).astype(np.float32)

    def _joint_places(self) -> Floats:
        joints = [self._json["nodes"][node] for node in self._json["skins"][0]["joints"]]
        return np.cumsum([joint["translation"] for joint in joints], axis=0).astype(np.float32)

    def _surface(self, mesh: dict[str, Any], primitive: dict[str, Any]) -> Surface:
        material = self._json["materials"][primitive["material"]]
        attributes = primitive["attributes"]
        scale = float(self._array(self._json["skins"][0]["inverseBindMatrices"])[0, 0])  # metres of a mesh unit
        positions = self._array(attributes["POSITION"]).astype(np.float32) * scale
        uvs = (
            self._array(attributes["TEXCOORD_0"])
            if "TEXCOORD_0" in attributes
            else np.zeros((len(positions), 2), np.float32)
        )
        joints = np.zeros((len(positions), 3), np.float32)
        for index, weight in zip(
            self._array(attributes["JOINTS_0"]).T, self._array(attributes["WEIGHTS_0"]).T, strict=True
        ):
            joints[np.arange(len(positions)), index] += weight
        accessors = [target["POSITION"] for target in primitive.get("targets", [])]
        shapes = tuple(i for i, accessor in enumerate(accessors) if "sparse" in self._json["accessors"][accessor])
        if accessors and mesh["extras"]["targetNames"] != list(ARKIT_SHAPES):
            raise ValueError("its targets are not the 52 shapes in our order")
        deltas = [self._array(accessors[shape]).astype(np.float32).reshape(-1) * scale for shape in shapes]
        weld = np.unique(positions, axis=0, return_inverse=True)[1].reshape(-1)
        triangles = self._array(primitive["indices"]).astype(np.uint32).reshape(-1, 3)
        table = np.stack(deltas) if deltas else np.zeros((0, positions.size), np.float32)
        if int(triangles.max()) >= len(positions) or not np.isfinite(positions).all() or not np.isfinite(table).all():
            raise ValueError(f"{material['name']}: corners without a vertex, or places that are not finite")
        return Surface(
            material["name"], material, positions, uvs.astype(np.float32), triangles, weld, joints, shapes, table
        )

    def _array(self, index: int) -> NDArray[Any]:
        """(n, width) of an accessor; normalised integers as floats."""
        accessor = self._json["accessors"][index]
        dtype, width, count = np.dtype(DTYPES[accessor["componentType"]]), WIDTHS[accessor["type"]], accessor["count"]
        if not 0 < count <= MOST_ROWS:
            raise ValueError(f"an accessor of {count} rows")
        values = np.zeros((count, width), dtype)
        if "bufferView" in accessor:
            view = self._json["bufferViews"][accessor["bufferView"]]
            stride = view.get("byteStride", dtype.itemsize * width)
            raw = np.frombuffer(self._bytes, np.uint8, stride * count, view["byteOffset"]).reshape(count, stride)
            values = np.ascontiguousarray(raw[:, : dtype.itemsize * width]).view(dtype)
        if "sparse" in accessor:
            n = accessor["sparse"]["count"]
            parts = accessor["sparse"]
            starts = [
                self._json["bufferViews"][parts[part]["bufferView"]]["byteOffset"] for part in ("indices", "values")
            ]
            rows = np.frombuffer(self._bytes, np.uint16, n, starts[0])
            values[rows] = np.frombuffer(self._bytes, dtype, n * width, starts[1]).reshape(n, width)
        if accessor.get("normalized"):
            return values.astype(np.float32) / float(LARGEST[accessor["componentType"]])
        return values


def split_glb(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary part of a glTF file."""
    magic, version, size = struct.unpack_from("<4sII", content)
    if magic != b"glTF" or version != 2 or size != len(content):
        raise ValueError(f"begins with {magic!r}, version {version}, {size} bytes of {len(content)}")
    length = struct.unpack_from("<I", content, 12)[0]
    description: dict[str, Any] = json.loads(content[20 : 20 + length])
    return description, content[28 + length :]


def head_rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Ry(yaw) Rx(pitch) Rz(roll), (3, 3): yaw turns to the person's left, pitch lowers the chin."""
    (cy, cx, cz), (sy, sx, sz) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: Floats = (ry @ rx @ rz).astype(np.float32)
    return rotation


def power(rotation: Floats, share: float) -> Floats:
    """A share of a rotation of less than half a turn, about the same axis."""
    axis = (
        np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
        / 2
    )
    sine = float(np.linalg.norm(axis))
    if sine < 1e-7:
        return np.eye(3, dtype=np.float32)
    angle = float(np.arctan2(sine, (float(np.trace(rotation)) - 1) / 2)) * share
    x, y, z = axis / sine
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result: Floats = (np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)).astype(np.float32)
    return result


def smooth_normals(positions: Floats, triangles: NDArray[np.uint32], weld: NDArray[np.int64]) -> Floats:
    """Unit normals (V, 3): the faces round each welded point, by area."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    of_face = np.cross(b - a, c - a)
    n_points = int(weld.max()) + 1
    points = weld[triangles]
    total = np.stack(
        [sum(np.bincount(points[:, corner], of_face[:, axis], n_points) for corner in range(3)) for axis in range(3)], 1
    )
    unit: Floats = (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)).astype(np.float32)[weld]
    return unit
