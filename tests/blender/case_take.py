"""Takes inside Blender: motion into an action, voices into the sequencer or a speaker."""

import bpy
import numpy as np
import pytest
from case_live import curve, fcurves_of
from inside import addon_part, evaluated

START = 11


@pytest.fixture
def expected(given):
    with np.load(given["expected"]) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_motion_and_voices_of_a_take(live, head, given, expected):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.001
    rate = 24 / 1.001
    assert bpy.ops.visavis.import_take(filepath=given["take"], start=START, keys="MOTION") == {"FINISHED"}
    times, values = curve(head, "jaw")
    assert times == pytest.approx((START + expected["time_ns"] / 1e9 * rate).tolist(), abs=1e-4)
    assert values == pytest.approx(expected["values"][:, 17].tolist(), abs=1e-6)
    if bpy.app.build_options.audaspace:  # the module of 4.2 is built without
        strips = scene.sequence_editor.strips if hasattr(scene.sequence_editor, "strips") else None
        strips = strips or scene.sequence_editor.sequences
        for strip, voice in zip(sorted(strips, key=lambda strip: strip.name), ("agent", "user"), strict=True):
            assert strip.name.endswith(voice) and strip.frame_final_start == START
            seconds = len(expected[voice]) / 16_000
            assert strip.frame_final_duration == pytest.approx(seconds * rate, abs=1)
            data = strip.sound.packed_file.data
            samples = np.frombuffer(data[44:], np.uint8).reshape(-1, 3)
            whole = np.zeros((len(samples), 4), np.uint8)
            whole[:, 1:] = samples
            heard = whole.view("<i4")[:, 0] / 2**31
            assert np.abs(heard - expected[voice]).max() < 1e-6
        assert len({strip.channel for strip in strips}) == 2 and scene.sync_mode == "AUDIO_SYNC"


def test_what_is_seen_is_what_was_generated(live, head, given, expected):
    """On a scene frame between two frames of the motion the mesh stands between them."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 60, 1.0
    bpy.ops.visavis.import_take(filepath=given["take"], start=START, voices="NONE")
    face = bpy.data.objects["Face"].data.shape_keys.key_blocks
    for seconds in (0.5, 1.0 + 1 / 60, 2.25):
        scene.frame_set(START + round(seconds * 60))
        at = [np.interp(seconds, expected["time_ns"] / 1e9, column) for column in expected["values"].T]
        names = addon_part("names").SHAPES
        assert [face[name].value for name in names] == pytest.approx(at[:52], abs=1e-5)
        seen = evaluated()
        for block in face[1:]:
            block.driver_remove("value")
        addon_part("face").Face("Visavis").show(tuple(at))
        assert np.abs(np.array(seen) - np.array(evaluated())).max() < 1e-4
    action = bpy.data.objects["Visavis"].animation_data.action
    paths = {fcurve.data_path for fcurve in fcurves_of(bpy.data.objects["Visavis"])}
    assert paths == {f'pose.bones["{bone}"].rotation_quaternion' for bone in ("Neck", "Head")}
    if "slots" in bpy.types.Action.bl_rna.properties:
        assert action == bpy.data.objects["Face"].data.shape_keys.animation_data.action and len(action.slots) == 2


def test_a_speaker_at_the_head(live, head, given):
    assert bpy.ops.visavis.import_take(filepath=given["take"], start=START, voices="SPEAKER") == {"FINISHED"}
    speaker = next(thing for thing in bpy.data.objects if thing.type == "SPEAKER")
    assert speaker.parent == head and speaker.parent_bone == "Head" and speaker.data.sound.packed_file.size > 10_000
    assert speaker.animation_data.nla_tracks[0].strips[0].frame_start == START


def test_a_motion_file(live, head, given, expected):
    assert bpy.ops.visavis.import_take(filepath=given["motion"], start=1, keys="MOTION") == {"FINISHED"}
    assert curve(head, "jaw")[1] == pytest.approx(expected["values"][:, 17].tolist(), abs=1e-6)
    assert not bpy.data.sounds


def test_files_that_are_none(live, head, given, tmp_path, said):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK\3\4 no")
    np.savez(tmp_path / "names.npz", values=np.zeros((2, 1)), channels=["x"], time_ns=np.arange(2))
    whole = {"values": np.zeros((2, 1), "f4"), "channels": np.array(["jawOpen"]), "time_ns": np.arange(2)}
    np.savez(tmp_path / "times.npz", **{**whole, "time_ns": np.zeros(2, int)})
    np.savez(tmp_path / "shape.npz", **{**whole, "channels": np.array(["jawOpen", "jawLeft"])})
    np.savez(tmp_path / "pickle.npz", **{**whole, "values": np.array([[object()]] * 2)}, allow_pickle=True)
    np.savez(tmp_path / "empty.npz", **{**whole, "values": np.zeros((0, 1), "f4"), "time_ns": np.zeros(0, int)})
    cases = {"bad.npz": "cannot be read", "names.npz": "no ARKit shapes", "times.npz": "do not rise",
             "shape.npz": "2 channels", "pickle.npz": "object", "empty.npz": "no frames", "none.npz": "No such file",
             "x.npz.journal": "visavis take export"}  # fmt: skip
    for name, expected in cases.items():
        with pytest.raises(RuntimeError, match=expected):
            bpy.ops.visavis.import_take(filepath=str(tmp_path / name))
        assert expected in said()
    assert not bpy.data.actions
    bpy.context.view_layer.objects.active = bpy.data.objects["Shirt"]
    with pytest.raises(RuntimeError, match="no shape key of 'Shirt'"):
        bpy.ops.visavis.import_take(filepath=given["take"])
