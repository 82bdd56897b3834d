"""A take's voices: strips of the sequencer, or a speaker at the character's head; packed into the .blend."""

import tempfile
import wave
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from .take import SAMPLE_RATE


def add_strip(scene, name, samples, frame):
    """A strip on the first channel of the sequencer that is free there, from a scene frame on."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    end = frame + len(samples) / SAMPLE_RATE * scene.render.fps / scene.render.fps_base
    taken = {strip.channel for strip in strips if strip.frame_final_start < end and strip.frame_final_end > frame}
    channel = next(number for number in range(1, 1000) if number not in taken)
    with _wave_file(name, samples) as path:
        strip = strips.new_sound(name, path, channel, frame)
        strip.sound.pack()
    scene.sync_mode = "AUDIO_SYNC"
    return strip


def add_speaker(scene, name, samples, frame, face):
    """A speaker that moves with what turns the face, and sounds from a scene frame on."""
    with _wave_file(name, samples) as path:
        sound = bpy.data.sounds.load(path)
        sound.pack()
    before = scene.frame_current
    scene.frame_set(frame)  # the operator sets the speaker's strip where the scene stands
    bpy.ops.object.speaker_add()
    scene.frame_set(before)
    speaker = bpy.context.object
    speaker.name, speaker.data.sound = name, sound
    turner = (face.turners() or [None])[-1]
    speaker.parent = bpy.data.objects[turner.owner if turner else face.name]
    if turner and turner.bone:
        speaker.parent_type, speaker.parent_bone = "BONE", turner.bone
    scene.sync_mode = "AUDIO_SYNC"
    return speaker


@contextmanager
def _wave_file(name, samples):
    """The path of a file of mono samples that goes with the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.wav"
        whole = np.clip(np.rint(samples.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype("<i4")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(3)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(whole.reshape(-1, 1).view(np.uint8)[:, :3].tobytes())
        yield str(path)
