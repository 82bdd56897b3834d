"""Writes the head as binary glTF 2.0: one skinned mesh whose primitives share the 52 ARKit targets, and its clothes.

Two encodings: `float` for engines (float32, with the targets' normals), `compact` for the web
(KHR_mesh_quantization, without them).  Targets are sparse in both: most vertices stand still in most shapes.
"""

import io
import json
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.head.part import Floats, Part
from visavis.motion_space import ARKIT_SHAPES

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "f4": 5126}
WIDTHS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
UNIT = 0.30 / 32767  # metres of one step of a quantised position
LEAST_MOVE, LEAST_TURN = 3e-5, 0.02  # below, a target leaves a vertex (metres) and its normal alone
LEAST_COMPACT_MOVE = 6e-5


@dataclass
class Look:
    """A material of glTF, and its texture images (n, n, 3 or 4)."""

    name: str
    colour: tuple[float, float, float] = (1, 1, 1)  # linear
    roughness: float = 1.0
    colour_map: NDArray[np.uint8] | None = None
    surface_map: NDArray[np.uint8] | None = None  # red occlusion, green roughness
    cutoff: float = 0.0  # of the alpha; above 0: texels below are holes
    two_sided: bool = False
    extras: dict[str, float] = field(default_factory=dict)  # hints for renderers: scattering, mirror


@dataclass
class Skeleton:
    """Joints from the root outwards: names and places (metres); each is the parent of the next."""

    names: tuple[str, ...]
    places: Floats  # (J, 3)


class Writer:
    """Collects the JSON and the bytes of one file."""

    def __init__(self, compact: bool, notice: str) -> None:
        self.compact = compact
        self.bytes = bytearray()
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "visavis head build", "copyright": notice},
            "scene": 0,
            "scenes": [{"nodes": []}],
        }
        if compact:
            self.json["extensionsUsed"] = self.json["extensionsRequired"] = ["KHR_mesh_quantization"]

    def add(self, kind: str, value: dict[str, Any]) -> int:
        """Append to one of the top-level lists; its index."""
        self.json.setdefault(kind, []).append(value)
        return len(self.json[kind]) - 1

    def view(self, data: bytes, target: int | None = None, stride: int | None = None) -> int:
        """A view of bytes, aligned to 4."""
        self.bytes += bytes(-len(self.bytes) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.bytes), "byteLength": len(data)}
        if target:
            view["target"] = target
        if stride:
            view["byteStride"] = stride
        self.bytes += data
        return self.add("bufferViews", view)

    def accessor(
        self, values: NDArray[Any], target: int | None = ARRAY_BUFFER, *, bounds: bool = False, unit: bool = False
    ) -> int:
        """An accessor of (n, width); rows of vertex data are padded to 4 bytes."""
        n, width = values.shape
        stride = None
        rows = values
        if target == ARRAY_BUFFER and width * values.itemsize % 4:
            padding = (-(width * values.itemsize) % 4) // values.itemsize
            rows = np.concatenate([values, np.zeros((n, padding), values.dtype)], 1)
            stride = rows.shape[1] * rows.itemsize
        accessor = self._describe(values, WIDTHS[width], bounds, unit)
        accessor["bufferView"] = self.view(np.ascontiguousarray(rows).tobytes(), target, stride)
        return self.add("accessors", accessor)

    def sparse(self, values: NDArray[Any], moved: NDArray[np.bool_], *, unit: bool = False) -> int:
        """An accessor of (n, 3) that is zero but for some rows."""
        values = values * moved[:, None]
        accessor = self._describe(values, "VEC3", True, unit)
        rows = np.nonzero(moved)[0].astype(np.uint16)
        if len(rows):
            accessor["sparse"] = {
                "count": len(rows),
                "indices": {"bufferView": self.view(rows.tobytes()), "componentType": COMPONENTS["u2"]},
                "values": {"bufferView": self.view(np.ascontiguousarray(values[rows]).tobytes())},
            }
        return self.add("accessors", accessor)

    def texture(self, image: NDArray[np.uint8]) -> dict[str, int]:
        """A texture: JPEG, or PNG where it has holes."""
        content, kind = encode_image(image, self.compact)
        source = self.add("images", {"bufferView": self.view(content), "mimeType": f"image/{kind}"})
        if "samplers" not in self.json:
            self.add("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497})
        return {"index": self.add("textures", {"sampler": 0, "source": source})}

    def material(self, look: Look, textures: dict[int, dict[str, int]]) -> int:
        """A material; `textures` remembers what is written already."""
        surface: dict[str, Any] = {
            "baseColorFactor": [*look.colour, 1],
            "metallicFactor": 0,
            "roughnessFactor": look.roughness,
        }
        material: dict[str, Any] = {"name": look.name, "pbrMetallicRoughness": surface}
        for image, names in (
            (look.colour_map, ("baseColorTexture",)),
            (look.surface_map, ("metallicRoughnessTexture", "occlusionTexture")),
        ):
            if image is not None:
                if id(image) not in textures:
                    textures[id(image)] = self.texture(image)
                for name in names:
                    (material if name == "occlusionTexture" else surface)[name] = textures[id(image)]
        if look.cutoff:
            material |= {"alphaMode": "MASK", "alphaCutoff": look.cutoff}
        if look.two_sided:
            material["doubleSided"] = True
        if look.extras:
            material["extras"] = look.extras
        return self.add("materials", material)

    def primitive(self, part: Part, look: Look, textures: dict[int, dict[str, int]], targets: bool) -> dict[str, Any]:
        """One part, with all 52 targets or none."""
        normals = part.normals()
        attributes = {
            "POSITION": self.accessor(self._places(part.positions), bounds=True),
            "NORMAL": self.accessor(self._directions(normals), unit=self.compact),
            "JOINTS_0": self.accessor(
                np.tile(np.array([0, 1, 2, 0], np.uint8), (len(normals), 1)) * _used(part.joints)
            ),
            "WEIGHTS_0": self.accessor(byte_weights(part.joints), unit=True),
        }
        if look.colour_map is not None:
            attributes["TEXCOORD_0"] = self._texture_positions(part.uvs)
        indices = self.accessor(part.triangles.reshape(-1, 1).astype(np.uint16), ELEMENT_ARRAY_BUFFER)
        material = self.material(look, textures)
        primitive: dict[str, Any] = {"attributes": attributes, "indices": indices, "material": material}
        if targets:
            still: dict[str, int] = {}
            primitive["targets"] = [self._target(part, shape, normals, still) for shape in ARKIT_SHAPES]
        return primitive

    def _target(self, part: Part, shape: str, normals: Floats, still: dict[str, int]) -> dict[str, int]:
        delta = part.deltas.get(shape, np.zeros_like(part.positions))
        moved = np.linalg.norm(delta, axis=1) > (LEAST_COMPACT_MOVE if self.compact else LEAST_MOVE)
        if not moved.any():  # all shapes that leave this part alone share one accessor of zeros
            if not still:
                zeros, nothing = np.zeros_like(part.positions), np.zeros(len(delta), bool)
                still["POSITION"] = self.sparse(self._places(zeros), nothing)
                if not self.compact:
                    still["NORMAL"] = self.sparse(self._directions(zeros), nothing)
            return still
        target = {"POSITION": self.sparse(self._places(delta), moved)}
        if not self.compact:
            turn = part.normals(shape) - normals
            target["NORMAL"] = self.sparse(self._directions(turn), np.abs(turn).max(1) > LEAST_TURN)
        return target

    def skeleton(self, skeleton: Skeleton) -> None:
        """Joint nodes, each the child of the one before, and the skin."""
        nodes, before = [], np.zeros(3)
        for name, place in zip(skeleton.names, skeleton.places, strict=True):
            nodes.append(self.add("nodes", {"name": name, "translation": _short(place - before)}))
            before = np.array(_short(place))
        for parent, child in pairwise(nodes):
            self.json["nodes"][parent]["children"] = [child]
        scale = UNIT if self.compact else 1.0
        binds = np.zeros((len(nodes), 4, 4), np.float32)  # column-major: from mesh units to the joint
        binds[:, [0, 1, 2], [0, 1, 2]] = scale
        binds[:, 3, :3], binds[:, 3, 3] = -np.array([_short(place) for place in skeleton.places]), 1
        matrices = self.accessor(binds.reshape(-1, 16), None)
        self.add("skins", {"name": "Visavis", "joints": nodes, "skeleton": nodes[0], "inverseBindMatrices": matrices})
        self.json["scenes"][0]["nodes"].append(nodes[0])

    def mesh(
        self, name: str, parts: list[Part], looks: list[Look], textures: dict[int, dict[str, int]], *, targets: bool
    ) -> None:
        """A skinned mesh of several parts."""
        primitives = [self.primitive(part, look, textures, targets) for part, look in zip(parts, looks, strict=True)]
        mesh: dict[str, Any] = {"name": name, "primitives": primitives}
        if targets:
            mesh |= {"weights": [0] * len(ARKIT_SHAPES), "extras": {"targetNames": list(ARKIT_SHAPES)}}
        node = self.add("nodes", {"name": name, "mesh": self.add("meshes", mesh), "skin": 0})
        self.json["scenes"][0]["nodes"].append(node)

    def finish(self) -> bytes:
        """The whole file."""
        self.bytes += bytes(-len(self.bytes) % 4)
        self.json["buffers"] = [{"byteLength": len(self.bytes)}]
        text = json.dumps(self.json, separators=(",", ":"), sort_keys=True).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self.bytes)
        head = struct.pack("<4sII", b"glTF", 2, size) + struct.pack("<I4s", len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self.bytes), b"BIN\0") + bytes(self.bytes)

    def _places(self, values: Floats) -> NDArray[Any]:
        if self.compact:
            return np.round(values / UNIT).astype(np.int16)
        return (np.round(values, 7) + 0.0).astype(np.float32)  # no negative zeros

    def _texture_positions(self, uvs: Floats) -> int:
        if self.compact and uvs.min() >= 0 and uvs.max() <= 1:
            return self.accessor(np.round(uvs * 65535).astype(np.uint16), unit=True)
        return self.accessor(np.round(uvs, 6).astype(np.float32))

    def _directions(self, values: Floats) -> NDArray[Any]:
        if self.compact:
            return np.round(np.clip(values, -1, 1) * 127).astype(np.int8)
        return (np.round(values, 5) + 0.0).astype(np.float32)  # no negative zeros

    def _describe(self, values: NDArray[Any], width: str, bounds: bool, unit: bool) -> dict[str, Any]:
        kind = COMPONENTS[values.dtype.str[1:]]
        accessor: dict[str, Any] = {"componentType": kind, "count": len(values), "type": width}
        if bounds:
            accessor |= {"min": values.min(0).tolist(), "max": values.max(0).tolist()}
        if unit:
            accessor["normalized"] = True
        return accessor


def encode_image(image: NDArray[np.uint8], compact: bool) -> tuple[bytes, str]:
    """A file of an image (n, n, 3 or 4), and its kind: jpeg, or png where it has holes."""
    data = io.BytesIO()
    if image.shape[2] == 4:
        Image.fromarray(image).save(data, "PNG", optimize=True)
        return data.getvalue(), "png"
    Image.fromarray(image).save(data, "JPEG", quality=88 if compact else 93, subsampling=0)
    return data.getvalue(), "jpeg"


def byte_weights(joints: Floats) -> NDArray[np.uint8]:
    """Three weights to four bytes that sum to 255."""
    scaled = np.round(joints * 255).astype(np.int64)
    scaled[np.arange(len(joints)), joints.argmax(1)] += 255 - scaled.sum(1)
    return np.concatenate([scaled, np.zeros((len(joints), 1), np.int64)], 1).astype(np.uint8)


def _used(joints: Floats) -> NDArray[np.uint8]:
    """1 where a joint has weight: unused joints are written as 0."""
    return (byte_weights(joints) > 0).astype(np.uint8)


def _short(place: Floats) -> list[float]:
    return [round(float(value), 6) for value in place]


def write_glb(
    skeleton: Skeleton, head: list[tuple[Part, Look]], clothes: list[tuple[Part, Look]], *, compact: bool, notice: str
) -> bytes:
    """The file's bytes."""
    writer = Writer(compact, notice)
    writer.skeleton(skeleton)
    textures: dict[int, dict[str, int]] = {}
    writer.mesh("Face", [part for part, _ in head], [look for _, look in head], textures, targets=True)
    writer.mesh("Shirt", [part for part, _ in clothes], [look for _, look in clothes], textures, targets=False)
    return writer.finish()
