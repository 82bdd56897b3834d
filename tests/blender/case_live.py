"""The extension inside Blender, following live heads."""

import itertools
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import bpy
import pytest
from inside import addon_part, connect, evaluated, tick, weight
from mathutils import Vector

JAW, FRAME_S = 17, 0.04


def test_it_is_installed_with_its_native_library(addon, given):
    native = addon_part("native")
    assert native.library_path().is_file() and "bl_ext" not in native.library_path().name
    assert native.load_library().vvc_version().decode() == given["version"]
    names = addon_part("names")
    assert [native.load_library().vvc_shape_name(index).decode() for index in range(52)] == list(names.SHAPES)
    assert bpy.types.VISAVIS_PT_server and hasattr(bpy.types.Scene, "visavis") and bpy.ops.visavis.connect.poll()


def test_blender_finds_nothing_wrong_with_the_package(given):
    """`blender --command extension validate`."""
    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    done = subprocess.run([sys.executable, tool, "validate", given["package"]], capture_output=True, text=True)
    assert done.returncode == 0 and "rror" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_it_goes_away_and_comes_back(addon, live):
    name = addon.__name__
    bpy.ops.preferences.addon_disable(module=name)
    assert not hasattr(bpy.types.Scene, "visavis") and not hasattr(bpy.types, "VISAVIS_PT_server")
    bpy.ops.preferences.addon_enable(module=name)
    assert hasattr(bpy.types.Scene, "visavis")


def test_the_reference_head_follows_the_demo(live, head, given, said):
    rest = evaluated()
    assert connect(head, given["demo"], "demo") == {"FINISHED"}
    lines = addon_part("panel").status_lines
    tick(live, 8, until=lambda: live.heads() == ["demo"])
    spoken, turned, moved = 0.0, 0.0, 0.0
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (spoken > 0.3 and turned > 0.02 and moved > 0.003):
        tick(live, 0.1)
        spoken = max(spoken, weight())
        turned = max(turned, head.pose.bones["Head"].rotation_quaternion.angle)
        moved = max(math.dist(a, b) for a, b in zip(rest, evaluated(), strict=True))
    assert spoken > 0.3 and turned > 0.02 and moved > 0.003, (spoken, turned, moved)
    tick(live, 8, until=lambda: "connected" in live.status() and "live" in live.status("demo"))
    text = dict(lines(bpy.context.scene, head))
    assert text["LINKED"] == live.status() and text["USER"] == live.status("demo")
    assert "visavis: " in said()

    bpy.ops.visavis.disconnect()
    before, seen = weight(), []
    tick(live, 2, until=lambda: seen.append(weight()) or live.tick() is None)
    assert weight() == 0 and head.pose.bones["Head"].rotation_quaternion.angle < 1e-4
    assert all(a >= b for a, b in zip([before, *seen], seen, strict=False)), "it eased"
    assert max(math.dist(a, b) for a, b in zip(rest, evaluated(), strict=True)) < 1e-5


def test_every_frame_is_recorded_where_it_was_shown(live, head, given):
    """The server's frames are known numbers of their index: keys must say the same, whenever Blender came to look."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    scene.frame_set(100)
    scene.visavis.keys = "MOTION"
    connect(head, given["ramp"], "npc")
    tick(live, 5, until=lambda: weight() > 0)
    tick(live, 1)  # the face has come from neutral
    bpy.ops.visavis.record()
    tick(live, 1.2)
    time.sleep(0.35)  # Blender is busy
    tick(live, 0.8, every=0.07)
    assert live.is_recording() and 2 < live.recorded_seconds() < 3
    bpy.ops.visavis.record()
    assert not live.is_recording()

    times, values = curve(head, "jaw")
    assert 100 <= times[0] < 101.3 and len(times) > 50
    steps = [(b - a) / (30 / 1.001) for a, b in itertools.pairwise(times)]
    assert steps == pytest.approx([FRAME_S] * len(steps), abs=2e-5), "no frame is missing, none is moved"
    first = statistics.median(value * 100_000 - index for index, value in enumerate(values))
    errors = [abs(value * 100_000 - index - first) for index, value in enumerate(values)]
    assert statistics.mean(error < 0.01 for error in errors) > 0.7, "but those that came late"
    assert abs(first - round(first)) < 0.01 and max(errors[5:]) < 5, errors
    assert scene.frame_end >= int(times[-1])

    scene.visavis.keys = "SCENE"
    scene.frame_set(1)
    bpy.ops.visavis.record()
    tick(live, 1.0)
    bpy.ops.visavis.record()
    bpy.ops.visavis.disconnect()
    times, values = curve(head, "jaw")
    assert times == list(range(int(times[0]), int(times[-1]) + 1)) and len(times) >= 25
    rise = statistics.median((b - a) * 100_000 for a, b in itertools.pairwise(values))
    assert rise == pytest.approx(25 / (30 / 1.001), abs=0.01), "interpolated at the scene's times"
    kept = [action for action in bpy.data.actions if action.users == 0 or action.use_fake_user]
    assert kept, "the first recording is kept"


def curve(head, what):
    """Times and values of the keys of jawOpen."""
    assert what == "jaw"
    for fcurve in fcurves_of(bpy.data.objects["Face"].data.shape_keys):
        if fcurve.data_path == 'key_blocks["jawOpen"].value':
            return [point.co[0] for point in fcurve.keyframe_points], [point.co[1] for point in fcurve.keyframe_points]
    raise AssertionError("no keys")


def fcurves_of(block):
    animation = block.animation_data
    if "slots" not in bpy.types.Action.bl_rna.properties:
        return animation.action.fcurves
    return animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves


@pytest.mark.parametrize(
    ("angles", "nose_moves"),
    [((0.4, 0, 0), (1, 0, 0)), ((0, 0.4, 0), (0, 0, -1)), ((0, 0, 0.4), None)],
    ids=["yaw to the left", "pitch down", "roll lifts the left ear"],
)
def test_the_head_turns_as_on_every_other_engine(live, head, angles, nose_moves):
    """+X is the person's left, the face looks along -Y, Z is up."""
    face = addon_part("face").Face("Visavis")
    rest = [Vector(place) for place in evaluated()]
    nose = min(range(len(rest)), key=lambda i: rest[i].y if abs(rest[i].x) < 0.005 else 9)
    ear = max(range(len(rest)), key=lambda i: rest[i].x if rest[i].z > -0.02 else -9)
    face.show((0.0,) * 52 + angles)
    turned = [Vector(place) for place in evaluated()]
    point, direction = (nose, nose_moves) if nose_moves else (ear, (-0.7, 0, 0.7))
    move = turned[point] - rest[point]
    assert move.normalized().dot(Vector(direction)) > 0.85 and move.length > 0.02
    neck, bone = (head.pose.bones[name] for name in ("Neck", "Head"))
    assert neck.rotation_quaternion.angle == pytest.approx(0.3 * 0.4, abs=1e-5)
    assert bone.rotation_quaternion.angle == pytest.approx(0.7 * 0.4, abs=1e-5)
    collar = min(range(len(rest)), key=lambda i: rest[i].z)
    assert (turned[collar] - rest[collar]).length < 0.004
    face.show((0.0,) * 55)
    assert max((a - b).length for a, b in zip(rest, map(Vector, evaluated()), strict=True)) < 1e-5


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "AXIS_ANGLE", "QUATERNION"])
def test_bones_of_any_rotation_mode_turn_alike(live, head, mode):
    face = addon_part("face").Face("Visavis")
    for bone in head.pose.bones:
        bone.rotation_mode = mode
    face.show((0.0,) * 52 + (0.3, -0.2, 0.1))
    found = evaluated()
    for bone in head.pose.bones:
        bone.rotation_mode = "QUATERNION"
    face.show((0.0,) * 52 + (0.3, -0.2, 0.1))
    assert max(math.dist(a, b) for a, b in zip(found, evaluated(), strict=True)) < 1e-5


def test_other_spellings_several_meshes_and_a_head_without_bones(live):
    """Teeth and skin apart, names of other tools, shape keys of their own beside."""
    names = {"Skin": ["JawOpen", "eyeBlink_L", "Smoker"], "Teeth": ["blendShape1.jawOpen"], "Lid": ["EyeBlinkLeft"]}
    top = bpy.data.objects.new("Top", None)
    for mesh_name, keys in names.items():
        mesh = bpy.data.meshes.new(mesh_name)
        mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
        thing = bpy.data.objects.new(mesh_name, mesh)
        thing.parent = top
        for key in ["Basis", *keys]:
            thing.shape_key_add(name=key).value = 0.0
    for thing in (top, *top.children):
        bpy.context.scene.collection.objects.link(thing)
    top.rotation_euler.z = 1.0
    top.visavis.head_object = top
    face = addon_part("face").Face("Top")
    assert "2 of 52 shapes on 3 mesh(es), Top turns" in face.found()
    face.show((0.25,) + (0.0,) * 16 + (0.5,) + (0.0,) * 34 + (0.4, 0, 0))
    found = {
        (mesh, key): bpy.data.objects[mesh].data.shape_keys.key_blocks[key].value
        for mesh in names
        for key in names[mesh]
    }
    assert found == {("Skin", "JawOpen"): 0.5, ("Skin", "eyeBlink_L"): 0.25, ("Skin", "Smoker"): 0.0,
                     ("Teeth", "blendShape1.jawOpen"): 0.5, ("Lid", "EyeBlinkLeft"): 0.25}  # fmt: skip
    assert top.rotation_euler.z == pytest.approx(1.4, abs=1e-6), "about its own axis, on top of how it stood"
    face.release()
    assert top.rotation_euler.z == pytest.approx(1.0, abs=1e-6) and "visavis_rest" not in top
    bpy.context.view_layer.objects.active = bpy.data.objects["Teeth"]
    bpy.ops.visavis.choose_top()
    assert bpy.context.active_object == top


def test_it_survives_undo_removed_objects_and_another_file(live, head, given):
    connect(head, given["ramp"], "npc")
    tick(live, 5, until=lambda: weight() > 0)
    shirt = bpy.data.objects["Shirt"]
    for name in ("one", "two"):
        shirt.name = name
        bpy.ops.ed.undo_push(message=name)
    bpy.ops.ed.undo()
    assert "one" in bpy.data.objects, "all of Blender's data was replaced"
    before = weight()
    tick(live, 5, until=lambda: weight() > before)
    bpy.data.objects["Face"].data.shape_keys.key_blocks["jawOpen"].name = "renamed"
    for _ in range(addon_part("face").REBIND_TICKS):
        live.tick()
    jaw = weight("renamed")
    tick(live, 0.3)
    assert weight("renamed") == jaw, "found anew every second"
    bpy.data.objects.remove(bpy.data.objects["Face"])
    tick(live, 0.3)
    assert live.is_connected() and not live.problem()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not live.is_connected() and live.tick() is None


def test_the_timer_comes_and_goes_with_the_connection(live, head, given, monkeypatch):
    """Without an event loop it is never called, but registered and taken back as in a window."""
    monkeypatch.setattr(live, "has_window", lambda: True)
    registered = bpy.app.timers.is_registered
    connect(head, given["ramp"], "npc")
    assert registered(live.tick)
    connect(head, given["ramp"], "npc")
    tick(live, 5, until=lambda: weight() > 0)
    assert registered(live.tick) and live.tick() == pytest.approx(1 / 60)
    bpy.ops.visavis.disconnect()
    tick(live, 2)
    assert live.tick() is None, "which is how a timer ends"
    connect(head, given["ramp"], "npc")
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not registered(live.tick)


def test_a_server_with_keys(live, head, given):
    connect(head, given["secured"], "npc")
    tick(live, 8, until=lambda: "keys" in live.status())
    bpy.context.scene.visavis.key_file = given["key"]
    connect(head, given["secured"], "npc")
    tick(live, 8, until=lambda: live.heads() == ["npc"] and "live" in live.status("npc"))


def test_the_panel_draws_in_every_state(live, head, given):
    """Draw code of Blender runs against a layout: here one that writes down what it is told."""
    texts = []

    class Layout:
        def label(self, text="", **_):
            texts.append(text)

        def operator(self, name, text="", **_):
            assert eval(f"bpy.ops.{name}.idname()")
            texts.append(text or name)

        def prop(self, owner, name, **_):
            assert name in owner.bl_rna.properties
            texts.append(name)

        def prop_search(self, owner, name, *_):
            self.prop(owner, name)

        def column(self, **_):
            return self

    class Drawn:
        layout = Layout()

    def draw():
        texts.clear()
        for panel in addon_part("panel").CLASSES:
            panel.draw(Drawn, bpy.context)
        return " ".join(texts)

    assert "not connected" in draw() and "52 of 52 shapes on 1 mesh(es), Neck and Head turns" in draw()
    connect(head, given["ramp"], "npc")
    tick(live, 5, until=lambda: weight() > 0)
    tick(live, 8, until=lambda: "live" in live.status("npc"))
    bpy.ops.visavis.record()
    tick(live, 0.3)
    text = draw()
    assert "visavis.disconnect" in text and "Stop (0." in text and "live" in text
    tick(live, 8, until=lambda: live.heads() == ["npc"])
