"""The reference head as FBX: the committed file is the float GLB's head.  In tests/blender others read it."""

from pathlib import Path

import numpy as np
import pytest
from fbx_reader import FbxNode, read_fbx

from visavis.head.fbx_file import Node, file_bytes
from visavis.head.mesh import HeadMesh, split_glb
from visavis.motion_space import ARKIT_SHAPES

FOLDER = Path(__file__).parents[2] / "engine_plugins" / "head"
FBX_FILE, GLB_FILE = FOLDER / "visavis_head.fbx", FOLDER / "visavis_head.glb"
METRE = 100.0  # of the file's centimetres
TOLERANCE = 1e-6  # metres; both files round
ROUNDED = 5e-5  # of normals and texture positions


@pytest.fixture(scope="module")
def fbx() -> FbxNode:
    return read_fbx(FBX_FILE)


@pytest.fixture(scope="module")
def glb() -> HeadMesh:
    return HeadMesh(GLB_FILE)


class Normals:
    """Of the GLB's mesh Face, which HeadMesh does not keep."""

    def __init__(self) -> None:
        self._json, self._bytes = split_glb(GLB_FILE.read_bytes())
        self._primitives = self._json["meshes"][0]["primitives"]

    def at_rest(self, surface: int) -> np.ndarray:
        accessor = self._json["accessors"][self._primitives[surface]["attributes"]["NORMAL"]]
        return self._rows(accessor["bufferView"], np.float32, accessor["count"])

    def turn(self, surface: int, shape: int) -> np.ndarray:
        accessor = self._json["accessors"][self._primitives[surface]["targets"][shape]["NORMAL"]]
        turn = np.zeros((accessor["count"], 3), np.float32)
        if sparse := accessor.get("sparse"):
            rows = self._rows(sparse["indices"]["bufferView"], np.uint16, sparse["count"], 1)[:, 0]
            turn[rows] = self._rows(sparse["values"]["bufferView"], np.float32, sparse["count"])
        return turn

    def _rows(self, view: int, dtype: type, count: int, width: int = 3) -> np.ndarray:
        start = self._json["bufferViews"][view]["byteOffset"]
        return np.frombuffer(self._bytes, dtype, count * width, start).reshape(count, width)


def label(node: FbxNode) -> str:
    """The name of an object."""
    return str(node.values[1].split("\0")[0])


def objects(fbx: FbxNode, kind: str, sub: str) -> list[FbxNode]:
    return [node for node in fbx["Objects"].all(kind) if node.values[2] == sub]


def face(glb: HeadMesh, fbx: FbxNode) -> tuple[np.ndarray, np.ndarray, list[tuple[slice, np.ndarray]]]:
    """The mesh Face in both files by corners of triangles: place in the GLB (C, 3), point in the FBX (C,), and for each
    surface of the GLB its corners and their vertices."""
    mesh = objects(fbx, "Geometry", "Mesh")[0]
    assert label(mesh) == "Face"
    points = mesh["PolygonVertexIndex"].values[0].copy()
    assert (points[2::3] < 0).all(), "triangles"
    points[2::3] = -points[2::3] - 1
    surfaces = [surface for surface in glb.surfaces if surface.name != "shirt"]
    ends = np.cumsum([surface.triangles.size for surface in surfaces])
    corners = [
        (slice(end - surface.triangles.size, end), surface.triangles.reshape(-1))
        for surface, end in zip(surfaces, ends.tolist(), strict=True)
    ]
    places = np.concatenate([s.positions[own] for s, (_, own) in zip(surfaces, corners, strict=True)])
    assert len(points) == len(places)
    return places, points, corners


def test_units_axes_and_nothing_of_the_machine_that_wrote_it(fbx: FbxNode) -> None:
    settings = {row.values[0]: row.values[4] for row in fbx["GlobalSettings"]["Properties70"].children}
    assert settings["UnitScaleFactor"] == 1.0, "centimetres"
    assert [settings[f"{axis}Axis"] for axis in ("Up", "Front", "Coord")] == [1, 2, 0]
    assert fbx["CreationTime"].values == ["1970-01-01 10:00:00:000"]
    files = [node["RelativeFilename"].values[0] for node in fbx["Objects"].all("Video")]
    assert sorted(files) == ["eyes.jpeg", "hair.png", "lashes.png", "shirt.jpeg", "skin.jpeg", "teeth.jpeg"]
    assert FBX_FILE.stat().st_size < 2_000_000


def test_places_normals_and_materials_are_the_glbs(fbx: FbxNode, glb: HeadMesh) -> None:
    places, points, corners = face(glb, fbx)
    mesh = objects(fbx, "Geometry", "Mesh")[0]
    own = mesh["Vertices"].values[0].reshape(-1, 3)
    np.testing.assert_allclose(own[points] / METRE, places, atol=TOLERANCE)
    normals = mesh["LayerElementNormal"]["Normals"].values[0].reshape(-1, 3)[points]
    glb_normals = Normals()
    uvs = mesh["LayerElementUV"]["UV"].values[0].reshape(-1, 2)[mesh["LayerElementUV"]["UVIndex"].values[0]]
    materials = mesh["LayerElementMaterial"]["Materials"].values[0]
    for number, (where, vertices) in enumerate(corners):
        surface = glb.surfaces[number]
        np.testing.assert_allclose(normals[where], glb_normals.at_rest(number)[vertices], atol=ROUNDED)
        assert (materials[where.start // 3 : where.stop // 3] == number).all()
        if "baseColorTexture" in surface.material["pbrMetallicRoughness"]:
            np.testing.assert_allclose(uvs[where] * [1, -1] + [0, 1], surface.uvs[vertices], atol=ROUNDED)
    names = [label(node) for node in fbx["Objects"].all("Material")]
    assert names == [surface.name for surface in glb.surfaces]


def test_52_shapes_move_what_the_glbs_move(fbx: FbxNode, glb: HeadMesh) -> None:
    channels = objects(fbx, "Deformer", "BlendShapeChannel")
    assert [label(node) for node in channels] == list(ARKIT_SHAPES)
    assert all(node["FullWeights"].values[0].tolist() == [100.0] for node in channels)
    shapes = objects(fbx, "Geometry", "Shape")
    assert [label(node) for node in shapes] == list(ARKIT_SHAPES)
    _, points, corners = face(glb, fbx)
    n_points, normals = int(points.max()) + 1, Normals()
    for number, shape in enumerate(shapes):
        moved, turned = np.zeros((n_points, 3)), np.zeros((n_points, 3))
        moved[shape["Indexes"].values[0]] = shape["Vertices"].values[0].reshape(-1, 3) / METRE
        turned[shape["Indexes"].values[0]] = shape["Normals"].values[0].reshape(-1, 3)
        for index, (where, vertices) in enumerate(corners):
            surface = glb.surfaces[index]
            expected = np.zeros_like(surface.positions)
            if number in surface.shapes:
                expected = surface.deltas[surface.shapes.index(number)].reshape(-1, 3)
            difference = np.abs(moved[points[where]] - expected[vertices]).max()
            assert difference < TOLERANCE, f"{ARKIT_SHAPES[number]}: {surface.name} by {difference} m"
            turn = normals.turn(index, number)[vertices]
            assert np.abs(turned[points[where]] - turn).max() < ROUNDED, f"{ARKIT_SHAPES[number]}: {surface.name}"


def test_joints_hold_what_they_hold_in_the_glb(fbx: FbxNode, glb: HeadMesh) -> None:
    joints = objects(fbx, "Model", "LimbNode")
    assert [label(node) for node in joints] == ["Bust", "Neck", "Head"]
    ids = [node.values[0] for node in joints]
    links = [tuple(row.values[1:3]) for row in fbx["Connections"].children]
    assert {(ids[0], 0), (ids[1], ids[0]), (ids[2], ids[1])} <= set(links)
    for node in [*joints, *objects(fbx, "Model", "Mesh")]:
        properties = {row.values[0] for row in node["Properties70"].children}
        assert not properties & {"Lcl Rotation", "Lcl Scaling", "PreRotation"}
    clusters = objects(fbx, "Deformer", "Cluster")
    assert [label(node) for node in clusters] == ["Bust", "Neck", "Head", "Bust"], "the face, then the shirt"
    _, points, corners = face(glb, fbx)
    weights = np.zeros((int(points.max()) + 1, 3))
    for number, cluster in enumerate(clusters[:3]):
        weights[cluster["Indexes"].values[0], number] = cluster["Weights"].values[0]
        place = cluster["TransformLink"].values[0].reshape(4, 4)[3, :3] / METRE
        np.testing.assert_allclose(place, glb.joint_places[number], atol=TOLERANCE)
    for surface, (where, vertices) in zip(glb.surfaces, corners, strict=False):
        np.testing.assert_allclose(weights[points[where]], surface.joints[vertices], atol=1e-6)


def test_a_file_of_nodes_reads_back(tmp_path: Path) -> None:
    values = ("Name\0\1Class", b"\0raw", True, -7, np.int64(1 << 40), 0.5)
    arrays = [np.arange(n, dtype="<f8") / 4 for n in (0, 3, 200)] + [np.arange(50, dtype="<i4")]
    for n_fill in range(17):  # the foot is aligned wherever the nodes end
        root = Node("Root", values)
        inner = root.add("Inner")
        for array in arrays:
            inner.add("Array", array)
        inner.add("Empty")
        inner.add("Fill", "x" * n_fill)
        (tmp_path / "nodes.fbx").write_bytes(file_bytes([root, Node("Last", (1,))]))
        read = read_fbx(tmp_path / "nodes.fbx")
        assert tuple(read["Root"].values) == values and read["Last"].values == [1]
        for node, array in zip(read["Root"]["Inner"].all("Array"), arrays, strict=True):
            np.testing.assert_array_equal(node.values[0], array)
        assert read["Root"]["Inner"]["Empty"].values == [] and len(read["Root"]["Inner"]["Fill"].values[0]) == n_fill
    with pytest.raises(TypeError, match="NoneType"):
        file_bytes([Node("Root", (None,))])  # type: ignore[arg-type]
