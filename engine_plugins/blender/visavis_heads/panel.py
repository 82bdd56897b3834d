"""The panel in the 3D view's sidebar: server, what it says, the character, recording."""

import textwrap

import bpy

from . import live
from .face import Face

WIDTH = 44  # characters of a line


def status_lines(scene, thing):
    """What the panel says: (icon, line) for the connection and for the head of the chosen object."""
    if live.problem():
        return [("ERROR", live.problem())]
    if not live.is_connected():
        return [("UNLINKED", "not connected")]
    lines = [("LINKED", live.status())]
    heads = {other.visavis.head for other in scene.objects if other.visavis.head}
    if not heads:
        lines.append(("INFO", "no object of the scene follows a head"))
    head = thing.visavis.head if thing else ""
    if head:
        lines.append(("USER", live.status(head) or f"head {head!r}: connect again to follow it"))
    return lines


class ServerPanel(bpy.types.Panel):
    """Server and status."""

    bl_idname, bl_label = "VISAVIS_PT_server", "Visavis"
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Visavis"

    def draw(self, context):
        """Endpoint, key, connect, status."""
        layout, settings = self.layout, context.scene.visavis
        rows = layout.column()
        rows.enabled = not live.is_connected()
        rows.prop(settings, "endpoint")
        rows.prop(settings, "key_file")
        if live.is_connected():
            layout.operator("visavis.disconnect", icon="UNLINKED")
        else:
            layout.operator("visavis.connect", icon="LINKED")
        for icon, line in status_lines(context.scene, context.active_object):
            _text(layout, line, icon)


class CharacterPanel(bpy.types.Panel):
    """The chosen character."""

    bl_idname, bl_label, bl_parent_id = "VISAVIS_PT_character", "Character", "VISAVIS_PT_server"
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Visavis"

    @classmethod
    def poll(cls, context):
        """There must be one."""
        return context.active_object is not None

    def draw(self, context):
        """Which head drives it, what turns, what was found."""
        thing, layout = context.active_object, self.layout
        settings = thing.visavis
        layout.label(text=thing.name, icon="OBJECT_DATA")
        if thing.parent is not None:
            layout.operator("visavis.choose_top")
        layout.prop(settings, "head")
        if thing.type == "ARMATURE":
            layout.prop_search(settings, "head_bone", thing.data, "bones")
        else:
            layout.prop(settings, "head_bone")
        layout.prop(settings, "head_object")
        layout.prop(settings, "neck_share")
        layout.prop(settings, "axes")
        _text(layout, Face(thing.name).found(), "INFO")


class RecordPanel(bpy.types.Panel):
    """Keyframes."""

    bl_idname, bl_label, bl_parent_id = "VISAVIS_PT_record", "Keyframes", "VISAVIS_PT_server"
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Visavis"

    def draw(self, context):
        """Record, import."""
        layout = self.layout
        layout.prop(context.scene.visavis, "keys")
        recording = live.is_recording()
        text = f"Stop ({live.recorded_seconds():.1f} s)" if recording else "Record"
        layout.operator("visavis.record", text=text, icon="SNAP_FACE" if recording else "REC", depress=recording)
        layout.operator("visavis.import_take", icon="IMPORT")


def _text(layout, text, icon):
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, WIDTH)):
        column.label(text=line, icon="BLANK1" if number else icon)


CLASSES = (ServerPanel, CharacterPanel, RecordPanel)


def register():
    """Add the panels."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    """Take them away."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
