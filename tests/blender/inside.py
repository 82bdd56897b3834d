"""Fixtures of the tests inside Blender: the packaged extension, installed; the reference head; a timer by hand."""

import json
import os
import sys
import time
from pathlib import Path

import bpy
import pytest

GIVEN = json.loads(Path(os.environ["VISAVIS_BLENDER_TESTS"]).read_text())  # of tests/end_to_end/test_blender.py


@pytest.fixture(scope="session")
def given():
    return GIVEN


@pytest.fixture(scope="session", autouse=True)
def addon():
    """The extension's modules, installed from the package as a user would."""
    assert Path(os.environ["BLENDER_USER_RESOURCES"]).is_dir()
    bpy.ops.extensions.package_install_files(filepath=GIVEN["package"], repo="user_default", enable_on_install=True)
    module = sys.modules["bl_ext.user_default.visavis_heads"]
    yield module
    bpy.ops.preferences.addon_disable(module=module.__name__)


@pytest.fixture
def live(addon):
    """The live part, in an empty scene; nothing runs before and after."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    live = addon_part("live")
    yield live
    live.stop()


def addon_part(name):
    return sys.modules[f"bl_ext.user_default.visavis_heads.{name}"]


@pytest.fixture
def head(live):
    """The reference head, its armature chosen."""
    bpy.ops.import_scene.gltf(filepath=GIVEN["head"])
    armature = bpy.data.objects["Visavis"]
    bpy.context.view_layer.objects.active = armature
    return armature


@pytest.fixture
def said(capfd):
    """What the log says, from the second call on what is new."""
    return lambda: capfd.readouterr().out


def connect(armature, endpoint, head):
    armature.visavis.head = head
    bpy.context.scene.visavis.endpoint = endpoint
    return bpy.ops.visavis.connect()


def tick(live, seconds, until=None, every=1 / 60):
    """What the timer would do; stops early when `until` holds, fails if it never does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if live.tick() is None or (until is not None and until()):
            break
        time.sleep(every)
    assert until is None or until(), live.status() or live.problem()


def weight(name="jawOpen"):
    return bpy.data.objects["Face"].data.shape_keys.key_blocks[name].value


def evaluated(name="Face"):
    """Vertices of a mesh as they are drawn, in the world."""
    thing = bpy.data.objects[name].evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = thing.to_mesh()
    return [tuple(thing.matrix_world @ vertex.co) for vertex in mesh.vertices]
