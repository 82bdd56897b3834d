"""Connect, disconnect, record, import a take, choose a character."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from . import keys, live, settings, sound
from .face import Face
from .take import TakeError, read_take

VOICES = (
    ("SEQUENCER", "Sequencer", "The agent's and the user's voice as sound strips"),
    ("SPEAKER", "Speaker", "The agent's voice from a speaker at the head"),
    ("NONE", "None", "Motion alone"),
)


class ConnectOperator(bpy.types.Operator):
    """Let the server's heads drive the characters of this scene."""

    bl_idname, bl_label = "visavis.connect", "Connect"

    def execute(self, context):
        """Whatever is wrong is reported, and stays in the panel."""
        live.connect(context.scene, settings.library())
        if live.problem():
            self.report({"ERROR"}, live.problem())
            return {"CANCELLED"}
        return {"FINISHED"}


class DisconnectOperator(bpy.types.Operator):
    """End the connection; the faces ease to neutral."""

    bl_idname, bl_label = "visavis.disconnect", "Disconnect"

    @classmethod
    def poll(cls, _context):
        """Only while connected."""
        return live.is_connected()

    def execute(self, context):
        """A recording that runs is kept."""
        if live.is_recording():
            _keep_recording(self, context.scene)
        live.disconnect()
        return {"FINISHED"}


class RecordOperator(bpy.types.Operator):
    """Begin to record the faces, or end it and set keyframes from the scene frame where it began."""

    bl_idname, bl_label, bl_options = "visavis.record", "Record", {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context):
        """Only while connected."""
        return live.is_connected()

    def execute(self, context):
        """Begin or end."""
        if live.is_recording():
            return _keep_recording(self, context.scene)
        live.begin_recording(context.scene.frame_current)
        return {"FINISHED"}


def _keep_recording(operator, scene):
    written = []
    start, recordings = live.end_recording()
    for face, recording in recordings:
        if not recording.times:
            operator.report({"WARNING"}, f"{face.name}: no frame came, nothing recorded; {live.status(_head(face))}")
            continue
        if recording.full:
            operator.report({"WARNING"}, f"{face.name}: recordings end after {recording.seconds / 60:.0f} minutes")
        first, last = keys.write(
            face, recording.times, recording.values, scene, start, scene.visavis.keys, "Visavis recording"
        )
        written.append(f"{face.name}: frames {first:g} to {last:g}")
        scene.frame_end = max(scene.frame_end, int(last))
    if written:
        operator.report({"INFO"}, "recorded " + "; ".join(written))
    return {"FINISHED"} if written else {"CANCELLED"}


def _head(face):
    owner = bpy.data.objects.get(face.name)
    return owner.visavis.head if owner else ""


class ImportTakeOperator(bpy.types.Operator, ImportHelper):
    """A take (or motion file) of Visavis: its motion on the active character, its voices in the sequencer."""

    bl_idname, bl_label, bl_options = "visavis.import_take", "Import Take", {"REGISTER", "UNDO"}
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    start: IntProperty(name="Start Frame", default=1, description="Scene frame of the take's time 0")
    keys: EnumProperty(name="Keys", items=settings.KEYS)
    voices: EnumProperty(name="Voices", items=VOICES)

    @classmethod
    def poll(cls, context):
        """A character must be chosen."""
        return context.active_object is not None

    def execute(self, context):
        """Whatever is wrong with the file is reported, and nothing is changed."""
        scene, face = context.scene, Face(context.active_object.name)
        try:
            take = read_take(self.filepath)
        except TakeError as error:
            live.say("ERROR", str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not any(True for _ in face.meshes()):
            self.report({"ERROR"}, face.found())
            return {"CANCELLED"}
        name = Path(self.filepath).stem
        first, last = keys.write(face, take.times, take.values, scene, self.start, self.keys, name)
        scene.frame_end = max(scene.frame_end, int(last))
        self.report({"INFO"}, f"{name}: frames {first:g} to {last:g} on {face.name}; {face.found()}")
        self._add_voices(scene, face, take, name)
        return {"FINISHED"}

    def _add_voices(self, scene, face, take, name):
        try:
            if self.voices == "SPEAKER" and len(take.agent):
                sound.add_speaker(scene, f"{name} agent", take.agent, self.start, face)
            for who, voice in (("agent", take.agent), ("user", take.user)):
                if self.voices == "SEQUENCER" and len(voice):
                    sound.add_strip(scene, f"{name} {who}", voice, self.start)
        except RuntimeError as error:  # a Blender that was built without sound
            self.report({"WARNING"}, f"{name}: motion without voices: {error}")


class ChooseTopOperator(bpy.types.Operator):
    """Choose the character's top object: the armature or empty above."""

    bl_idname, bl_label, bl_options = "visavis.choose_top", "Choose Top Object", {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        """There must be one."""
        return context.active_object is not None and context.active_object.parent is not None

    def execute(self, context):
        """Make it the active one."""
        top = context.active_object
        while top.parent is not None:
            top = top.parent
        context.view_layer.objects.active = top
        return {"FINISHED"}


CLASSES = (
    ConnectOperator,
    DisconnectOperator,
    RecordOperator,
    ImportTakeOperator,
    ChooseTopOperator,
)


def _menu(self, _context):
    self.layout.operator(ImportTakeOperator.bl_idname, text="Visavis Take (.npz)")


def register():
    """Add the operators and the entry of File > Import."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister():
    """Take them away."""
    bpy.types.TOPBAR_MT_file_import.remove(_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
