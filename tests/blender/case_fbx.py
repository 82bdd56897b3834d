"""The reference head's FBX as others read it, Blender's importer and assimp: the same head as the GLB."""

import os
import sysconfig
from pathlib import Path

import bpy
import mathutils
import numpy as np
import pytest

TOLERANCE = 2e-6  # metres; Blender and assimp compute in float32, in centimetres
JOINTS = ("Bust", "Neck", "Head")
YAW = 0.4  # radians


@pytest.fixture(scope="module")
def expected(given):
    """The GLB by corners of its triangles, of tests/end_to_end/test_blender.py."""
    return np.load(given["expected_head"])


@pytest.fixture(scope="module")
def imported(given):
    bpy.ops.wm.read_homefile(use_empty=True)  # factory settings would turn the extension off for later tests
    bpy.ops.import_scene.fbx(filepath=given["fbx"])
    return bpy.data.objects


def corners(mesh):
    """The vertex of each corner (C,)."""
    found = np.zeros(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", found)
    return found


def places(rows):
    found = np.zeros(3 * len(rows), np.float32)
    rows.foreach_get("co", found)
    return found.reshape(-1, 3)


def in_world(thing, rows):
    """Metres with Y up, from what Blender turned into Z up."""
    matrix = np.array(thing.matrix_world)
    x, y, z = (rows @ matrix[:3, :3].T + matrix[:3, 3]).T
    return np.stack([x, z, -y], 1)


def test_blender_finds_meshes_joints_and_materials(imported, expected):
    assert {thing.name for thing in imported if thing.type == "MESH"} == {"Face", "Shirt"}
    armature = next(thing for thing in imported if thing.type == "ARMATURE")
    bones = armature.data.bones
    assert [bone.name for bone in bones] == list(JOINTS) and bones["Head"].parent == bones["Neck"]
    heads = in_world(armature, np.array([bone.head_local for bone in bones]))
    np.testing.assert_allclose(heads, expected["joint_places"], atol=TOLERANCE)
    for bone in bones:
        np.testing.assert_allclose(np.array(bone.matrix_local)[:3, :3], np.eye(3), atol=1e-6)
    names = [slot.material.name for name in ("Face", "Shirt") for slot in imported[name].material_slots]
    assert names == list(expected["materials"])
    images = [image for image in bpy.data.images if image.packed_file]
    assert {image.name.split(".")[0] for image in images} == {"skin", "eyes", "teeth", "lashes", "hair", "shirt"}


def test_blender_reads_52_shapes_of_the_glbs_size(imported, expected):
    face = imported["Face"]
    own = corners(face.data)
    basis, *keys = face.data.shape_keys.key_blocks
    assert [key.name for key in keys] == list(expected["shapes"])
    at_rest = places(basis.data)
    np.testing.assert_allclose(in_world(face, at_rest)[own], expected["positions"], atol=TOLERANCE)
    turn = np.array(face.matrix_world)[:3, :3]
    for key, move in zip(keys, expected["deltas"], strict=True):
        assert key.value == 0 and key.slider_max == 1
        x, y, z = ((places(key.data) - at_rest) @ turn.T).T
        difference = np.abs(np.stack([x, z, -y], 1)[own] - move).max()
        assert difference < TOLERANCE, f"{key.name} by {difference} m"


def test_the_head_turns_and_the_bust_does_not(imported, expected):
    armature = next(thing for thing in imported if thing.type == "ARMATURE")
    head = armature.pose.bones["Head"]
    head.rotation_mode = "QUATERNION"
    head.rotation_quaternion = mathutils.Quaternion((0, 1, 0), YAW)  # joints rest unturned: Y is up
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    share, at_rest = expected["head_weights"][:, None], expected["positions"]
    turn = np.array(mathutils.Matrix.Rotation(YAW, 3, (0, 1, 0)))
    place = expected["joint_places"][2]
    wanted = at_rest * (1 - share) + share * ((at_rest - place) @ turn.T + place)
    face = imported["Face"].evaluated_get(graph)
    found = in_world(face, places(face.to_mesh().vertices))[corners(imported["Face"].data)]
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert np.abs(wanted - at_rest).max() > 0.03 and (share == 0).sum() > 100
    shirt = imported["Shirt"]
    posed = shirt.evaluated_get(graph)
    moved = in_world(posed, places(posed.to_mesh().vertices)) - in_world(shirt, places(shirt.data.vertices))
    assert np.abs(moved).max() < TOLERANCE


def test_assimp_reads_52_shapes_of_the_glbs_size(given, expected, monkeypatch):
    library = Path(sysconfig.get_path("platlib")) / "cmeel.prefix" / "lib"
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{library}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}")
    import impasse
    from impasse.structs import ffi

    def rows(vectors, n):
        return np.frombuffer(ffi.buffer(vectors, 12 * n), np.float32).reshape(n, 3)

    scene = impasse.load(given["fbx"], processing=0)  # the meshes die with it
    meshes = list(scene.meshes)
    assert len(meshes) == len(expected["materials"])
    start = 0
    for mesh in meshes[:-1]:  # a mesh for each material, a vertex for each corner; the shirt comes last
        n = mesh.struct.mNumVertices
        here = slice(start, start + n)
        start += n
        at_rest = rows(mesh.struct.mVertices, n)
        np.testing.assert_allclose(at_rest / 100, expected["positions"][here], atol=TOLERANCE)
        assert [shape.name for shape in mesh.anim_meshes] == list(expected["shapes"])
        for number, shape in enumerate(mesh.anim_meshes):
            move = (rows(shape.struct.mVertices, n) - at_rest) / 100
            assert np.abs(move - expected["deltas"][number, here]).max() < TOLERANCE, shape.name
    assert start == len(expected["positions"])
