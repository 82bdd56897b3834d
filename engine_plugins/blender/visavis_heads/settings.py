"""What is saved in the .blend: the server (scene) and which head drives a character (object); and the preferences."""

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty, StringProperty

from . import live

KEYS = (
    ("SCENE", "Scene Frames", "A key on every frame of the scene, the motion interpolated at its exact time"),
    ("MOTION", "Motion Frames", "A key for each frame of the motion, 25 a second, between scene frames where need be"),
)


def _known_heads(_owner, _context, text):
    return [name for name in live.heads() if text.lower() in name.lower()]


class VisavisScene(bpy.types.PropertyGroup):
    """Of a scene."""

    endpoint: StringProperty(
        name="Server", default="tcp://127.0.0.1:5570", description="Motion port of `visavis serve`: tcp://HOST:PORT"
    )
    key_file: StringProperty(
        name="Key File", subtype="FILE_PATH", description="NAME.key of `visavis keys new`, where the server asks for it"
    )
    keys: EnumProperty(name="Keys", items=KEYS, default="SCENE", description="Where recorded keyframes are set")


class VisavisObject(bpy.types.PropertyGroup):
    """Of a character's top object."""

    head: StringProperty(
        name="Head", search=_known_heads, search_options={"SUGGESTION"},
        description="Head on the server that drives this object and everything below it; empty: none",
    )  # fmt: skip
    head_bone: StringProperty(name="Head Bone", description="Bone that turns; empty: found by its name")
    head_object: PointerProperty(
        name="Head Object", type=bpy.types.Object, description="Object that turns instead of a bone"
    )
    neck_share: FloatProperty(
        name="Neck Share", default=0.3, min=0.0, max=0.9, description="Part of the turn that a neck bone takes"
    )
    axes: EnumProperty(
        name="Axes", default="BLENDER", description="How the rig's own axes lie",
        items=(
            ("BLENDER", "Z Up, Faces -Y", "Blender's convention; imported glTF"),
            ("YUP", "Y Up, Faces Z", "Some imported FBX rigs"),
        ),
    )  # fmt: skip


class VisavisPreferences(bpy.types.AddonPreferences):
    """Of the add-on."""

    bl_idname = __package__

    library: StringProperty(
        name="Native Library", subtype="FILE_PATH", description="libvisavis_client to use; empty: that of the package"
    )

    def draw(self, _context):
        """The one setting."""
        self.layout.prop(self, "library")


CLASSES = (VisavisScene, VisavisObject, VisavisPreferences)


def library():
    """The library that the preferences name, or ""."""
    addon = bpy.context.preferences.addons.get(__package__)
    return bpy.path.abspath(addon.preferences.library) if addon else ""


def register():
    """Add the settings."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.visavis = PointerProperty(type=VisavisScene)
    bpy.types.Object.visavis = PointerProperty(type=VisavisObject)


def unregister():
    """Take them away."""
    del bpy.types.Object.visavis, bpy.types.Scene.visavis
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
