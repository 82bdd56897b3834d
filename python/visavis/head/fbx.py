"""Writes the head as binary FBX 7.4, for importers of engines: the same meshes, shapes, joints as the float GLB.

Centimetres (`UnitScaleFactor` 1), +Y up, the face looks along +Z: what engines take for an FBX without conversion
options.  Joints and meshes have no rotation and no scale.  Materials are Phong with embedded textures, since FBX knows
no roughness map.  The same head gives the same bytes: ids are counted and the time of creation is a constant.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.head.fbx_file import CREATION_TIME, FILE_ID, VERSION, Node, Value, file_bytes
from visavis.head.gltf import LEAST_MOVE, LEAST_TURN, Look, Skeleton, byte_weights, encode_image
from visavis.head.part import Floats, Indices, Part
from visavis.motion_space import ARKIT_SHAPES

CM = 100.0
STEPS = 1 << 14  # of a centimetre and of a normal: multiples of a power of two pack well
CREATOR = "visavis head build"
TICKS = 46_186_158_000  # of FBX's clock in a second


class Mesh:
    """Parts as one mesh.  Points are welded; the corners of triangles have texture positions of their own."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self._own = [np.unique(part.weld, return_index=True)[1] for part in parts]  # a vertex of each point
        self.positions = self.points([part.positions for part in parts])  # (P, 3)
        self.normals = self.points([part.normals() for part in parts])
        self.uvs = np.concatenate([part.uvs for part in parts]) * [1, -1] + [0, 1]  # v upwards
        self.corners = self._corners([part.weld[part.triangles] for part in parts], [len(own) for own in self._own])
        self.uv_corners = self._corners([part.triangles for part in parts], [len(part.uvs) for part in parts])
        self.materials = np.repeat(np.arange(len(parts)), [len(part.triangles) for part in parts])
        self.weights = self.points([byte_weights(part.joints)[:, :3] / 255 for part in parts])

    def points(self, of_parts: list[Floats]) -> Floats:
        """Values of the parts' vertices (V, n) as values of points (P, n)."""
        return np.concatenate([values[own] for values, own in zip(of_parts, self._own, strict=True)])

    def shape(self, name: str) -> tuple[Indices, Floats, Floats]:
        """Points that a shape moves or whose normals it turns, and by how much: (n,), (n, 3), (n, 3)."""
        move = self.points([part.deltas.get(name, np.zeros_like(part.positions)) for part in self.parts])
        turned = self.points([part.normals(name if name in part.deltas else None) for part in self.parts])
        turn = turned - self.normals
        move *= np.linalg.norm(move, axis=1, keepdims=True) > LEAST_MOVE
        turn *= np.abs(turn).max(1, keepdims=True) > LEAST_TURN
        rows = np.nonzero(np.concatenate([move, turn], 1).any(1))[0]
        return rows, move[rows], turn[rows]

    def _corners(self, of_parts: list[Indices], counts: list[int]) -> Indices:
        starts = np.cumsum([0, *counts])
        return np.concatenate([corners + start for corners, start in zip(of_parts, starts, strict=False)])


class Scene:
    """Collects objects and what belongs to what."""

    def __init__(self) -> None:
        self.objects = Node("Objects")
        self.connections = Node("Connections")
        self.textures: dict[int, np.int64] = {}  # by identity of the image

    def add(self, kind: str, name: str, of_class: str, sub: str, *owners: np.int64) -> tuple[np.int64, Node]:
        """An object: its id and node; it belongs to the owners."""
        number = np.int64(1000 + len(self.objects.children))
        node = self.objects.add(kind, number, f"{name}\0\1{of_class}", sub)
        for owner in owners:
            self.connections.add("C", "OO", number, owner)
        return number, node

    def model(self, name: str, sub: str, owner: np.int64, place: Floats | None = None) -> np.int64:
        """A node of the scene, at a place (3,) in metres from its owner."""
        number, node = self.add("Model", name, "Model", sub, owner)
        node.add("Version", 232)
        rows: list[tuple[Value, ...]] = [("DefaultAttributeIndex", "int", "Integer", "", 0)]
        rows.append(("InheritType", "enum", "", "", 1))  # a parent's rotation, then its scale
        if place is not None:
            rows.append(("Lcl Translation", "Lcl Translation", "", "A", *_stepped(place * CM).tolist()))
        node.properties(rows)
        node.add("Shading", True)
        node.add("Culling", "CullingOff")
        return number

    def skeleton(self, skeleton: Skeleton) -> list[np.int64]:
        """The joints, each the child of the one before."""
        joints = [np.int64(0)]
        for name, (before, place) in zip(skeleton.names, pairwise([np.zeros(3), *skeleton.places]), strict=True):
            joints.append(self.model(name, "LimbNode", joints[-1], place - before))
            _, attribute = self.add("NodeAttribute", name, "NodeAttribute", "LimbNode", joints[-1])
            attribute.add("TypeFlags", "Skeleton")
        return joints[1:]

    def mesh(self, name: str, mesh: Mesh, looks: list[Look]) -> tuple[np.int64, np.int64]:
        """A mesh and its materials: ids of model and geometry."""
        model = self.model(name, "Mesh", np.int64(0))
        geometry, node = self.add("Geometry", name, "Geometry", "Mesh", model)
        node.add("GeometryVersion", 124)
        node.add("Vertices", _stepped(mesh.positions * CM))
        node.add("PolygonVertexIndex", _int32(mesh.corners * [1, 1, -1] - [0, 0, 1]))  # the last one says that it ends
        layer = Node("Layer", (0,))
        layer.add("Version", 100)
        layers: list[tuple[str, str, dict[str, Value]]] = [
            ("Normal", "ByVertice", {"Normals": _stepped(mesh.normals)}),
            ("UV", "ByPolygonVertex", {"UV": _stepped(mesh.uvs), "UVIndex": _int32(mesh.uv_corners)}),
            ("Smoothing", "ByPolygon", {"Smoothing": _int32(np.ones(len(mesh.corners)))}),
            ("Material", "ByPolygon", {"Materials": _int32(mesh.materials)}),
        ]
        for kind, mapping, values in layers:
            element = node.add(f"LayerElement{kind}", 0)
            element.add("Version", 101 if kind in ("Normal", "UV", "Material") else 102)
            element.add("Name", "UVMap" if kind == "UV" else "")
            element.add("MappingInformationType", mapping)
            element.add("ReferenceInformationType", "IndexToDirect" if kind in ("UV", "Material") else "Direct")
            for values_name, numbers in values.items():
                element.add(values_name, numbers)
            entry = layer.add("LayerElement")
            entry.add("Type", f"LayerElement{kind}")
            entry.add("TypedIndex", 0)
        node.children.append(layer)
        for look in looks:
            self.material(look, model)
        return model, geometry

    def shapes(self, mesh: Mesh, geometry: np.int64) -> None:
        """The 52 shapes, each a channel of its own."""
        deformer, node = self.add("Deformer", "Face", "Deformer", "BlendShape", geometry)
        node.add("Version", 100)
        for name in ARKIT_SHAPES:
            channel, node = self.add("Deformer", name, "SubDeformer", "BlendShapeChannel", deformer)
            node.add("Version", 100)
            node.add("DeformPercent", 0.0)
            node.add("FullWeights", np.array([100.0]))
            _, node = self.add("Geometry", name, "Geometry", "Shape", channel)
            rows, move, turn = mesh.shape(name)
            node.add("Version", 100)
            node.add("Indexes", _int32(rows))
            node.add("Vertices", _stepped(move * CM))
            node.add("Normals", _stepped(turn))

    def skin(self, mesh: Mesh, geometry: np.int64, skeleton: Skeleton, joints: list[np.int64]) -> None:
        """The joints' weights, bound where the skeleton rests."""
        skin, node = self.add("Deformer", "Visavis", "Deformer", "Skin", geometry)
        node.add("Version", 101)
        node.add("Link_DeformAcuracy", 50.0)  # sic
        for number, joint in enumerate(joints):
            rows = np.nonzero(mesh.weights[:, number])[0]
            if not len(rows):
                continue
            cluster, node = self.add("Deformer", skeleton.names[number], "SubDeformer", "Cluster", skin)
            self.connections.add("C", "OO", joint, cluster)
            node.add("Version", 100)
            node.add("UserData", "", "")
            node.add("Indexes", _int32(rows))
            node.add("Weights", mesh.weights[rows, number])
            node.add("Transform", _matrix(-skeleton.places[number]))  # from the mesh to the joint
            node.add("TransformLink", _matrix(skeleton.places[number]))

    def pose(self, places: dict[np.int64, Floats]) -> None:
        """Where meshes and joints stand when they are bound."""
        _, node = self.add("Pose", "Visavis", "Pose", "BindPose")
        node.add("Type", "BindPose")
        node.add("Version", 100)
        node.add("NbPoseNodes", len(places))
        for number, place in places.items():
            entry = node.add("PoseNode")
            entry.add("Node", number)
            entry.add("Matrix", _matrix(place))

    def material(self, look: Look, model: np.int64) -> None:
        """A Phong material; what a texture says about colour and holes goes before its own colour."""
        number, node = self.add("Material", look.name, "Material", "", model)
        node.add("Version", 102)
        node.add("ShadingModel", "phong")
        node.add("MultiLayer", 0)
        shininess = round(100 * (1 - look.roughness) ** 2, 3)
        colour, factor = (look.colour, 1.0) if look.colour_map is None else ((1.0, 1.0, 1.0), float(look.colour[0]))
        node.properties(
            [
                ("DiffuseColor", "Color", "", "A", *map(float, colour)),
                ("DiffuseFactor", "Number", "", "A", factor),
                ("SpecularFactor", "Number", "", "A", 0.25),
                ("Shininess", "Number", "", "A", shininess),
                ("ShininessExponent", "Number", "", "A", shininess),
            ]
        )
        if look.colour_map is not None:
            texture = self.texture(look.name.rstrip("0123456789"), look.colour_map)
            self.connections.add("C", "OP", texture, number, "DiffuseColor")
            if look.cutoff:
                self.connections.add("C", "OP", texture, number, "TransparentColor")

    def texture(self, name: str, image: NDArray[np.uint8]) -> np.int64:
        """A texture whose image lies in the file; one for all materials that share it."""
        if id(image) in self.textures:
            return self.textures[id(image)]
        content, kind = encode_image(image, compact=False)
        file = f"{name}.{kind}"
        number, node = self.add("Texture", name, "Texture", "")
        node.add("Type", "TextureVideoClip")
        node.add("Version", 202)
        node.add("TextureName", f"{name}\0\1Texture")
        node.add("Media", f"{name}\0\1Video")
        node.add("FileName", file)
        node.add("RelativeFilename", file)
        node.properties([("UVSet", "KString", "", "", "UVMap"), ("UseMaterial", "bool", "", "", 1)])
        _, node = self.add("Video", name, "Video", "Clip", number)
        node.add("Type", "Clip")
        node.properties([("Path", "KString", "XRefUrl", "", file)])
        node.add("UseMipMap", 0)
        node.add("Filename", file)
        node.add("RelativeFilename", file)
        node.add("Content", content)
        self.textures[id(image)] = number
        return number

    def finish(self, notice: str) -> bytes:
        """The whole file."""
        kinds = [node.name for node in self.objects.children]
        definitions = Node("Definitions")
        definitions.add("Version", 100)
        definitions.add("Count", 1 + len(kinds))
        for kind in ("GlobalSettings", *dict.fromkeys(kinds)):
            definitions.add("ObjectType", kind).add("Count", max(1, kinds.count(kind)))
        takes = Node("Takes")
        takes.add("Current", "")
        return file_bytes(
            [*_header(notice), _settings(), *_documents(), definitions, self.objects, self.connections, takes]
        )


def write_fbx(
    skeleton: Skeleton, head: list[tuple[Part, Look]], clothes: list[tuple[Part, Look]], notice: str
) -> bytes:
    """The file's bytes."""
    scene = Scene()
    joints = scene.skeleton(skeleton)
    places = dict(zip(joints, skeleton.places, strict=True))
    for name, rows in (("Face", head), ("Shirt", clothes)):
        mesh = Mesh([part for part, _ in rows])
        model, geometry = scene.mesh(name, mesh, [look for _, look in rows])
        if rows is head:
            scene.shapes(mesh, geometry)
        scene.skin(mesh, geometry, skeleton, joints)
        places[model] = np.zeros(3)
    scene.pose(places)
    return scene.finish(notice)


def _header(notice: str) -> list[Node]:
    header = Node("FBXHeaderExtension")
    header.add("FBXHeaderVersion", 1003)
    header.add("FBXVersion", VERSION)
    header.add("EncryptionType", 0)
    stamp = header.add("CreationTimeStamp")
    time = {"Version": 1000, "Year": 1970, "Month": 1, "Day": 1, "Hour": 10, "Minute": 0, "Second": 0, "Millisecond": 0}
    for name, value in time.items():
        stamp.add(name, value)
    header.add("Creator", CREATOR)
    info = header.add("SceneInfo", "GlobalInfo\0\1SceneInfo", "UserData")
    info.add("Type", "UserData")
    info.add("Version", 100)
    about = info.add("MetaData")
    about.add("Version", 100)
    texts = {"Title": "Visavis reference head", "Subject": "", "Author": "", "Keywords": "", "Revision": ""}
    for name, text in (texts | {"Comment": notice}).items():
        about.add(name, text)
    return [header, Node("FileId", (FILE_ID,)), Node("CreationTime", (CREATION_TIME,)), Node("Creator", (CREATOR,))]


def _settings() -> Node:
    settings = Node("GlobalSettings")
    settings.add("Version", 1000)
    axes = {"UpAxis": 1, "FrontAxis": 2, "CoordAxis": 0}
    rows: list[tuple[Value, ...]] = []
    for name, axis in axes.items():
        rows += [(name, "int", "Integer", "", axis), (f"{name}Sign", "int", "Integer", "", 1)]
    rows += [("OriginalUpAxis", "int", "Integer", "", 1), ("OriginalUpAxisSign", "int", "Integer", "", 1)]
    rows += [(name, "double", "Number", "", 1.0) for name in ("UnitScaleFactor", "OriginalUnitScaleFactor")]
    rows += [("TimeMode", "enum", "", "", 10)]  # 25 frames a second
    for name, ticks in (("TimeSpanStart", 0), ("TimeSpanStop", TICKS)):
        rows.append((name, "KTime", "Time", "", np.int64(ticks)))
    settings.properties(rows)
    return settings


def _documents() -> list[Node]:
    documents = Node("Documents")
    documents.add("Count", 1)
    documents.add("Document", np.int64(1), "Scene", "Scene").add("RootNode", np.int64(0))
    return [documents, Node("References")]


def _stepped(values: Floats) -> Floats:
    steps: Floats = np.round(values * STEPS) / STEPS + 0.0  # no negative zeros
    return steps


def _matrix(place: Floats) -> Floats:
    """A translation (16,) by metres, its last row the place."""
    matrix = np.eye(4)
    matrix[3, :3] = _stepped(place * CM)
    return matrix.reshape(-1)


def _int32(values: NDArray[Any]) -> NDArray[np.int32]:
    return values.reshape(-1).astype(np.int32)
