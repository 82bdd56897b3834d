"""A character in Blender: the shape keys with ARKit names below an object, and what turns its head.

Objects are looked up by name each time: references do not survive an undo.
"""

import bpy
from mathutils import Quaternion

from . import axes
from .names import NEUTRAL, SHAPES, channel_of, find_bone

REST = "visavis_rest"  # custom property: rotation of a head object before it was driven
REBIND_TICKS = 60  # shape keys may be renamed meanwhile
_CHANGE = 1e-6  # smaller differences are not written


class Turner:
    """One bone or object that takes a share of the head's turn."""

    def __init__(self, owner, bone, amount, rig_axes):
        self.owner, self.bone, self.amount, self.axes = owner, bone, amount, rig_axes

    def target(self):
        """The pose bone or object; None if it went."""
        owner = bpy.data.objects.get(self.owner)
        if owner is None or not self.bone:
            return owner
        return owner.pose.bones.get(self.bone) if owner.pose else None

    def rotation(self, angles):
        """The rotation to set, for yaw, pitch and roll."""
        turn = axes.share(axes.head_rotation(*angles, self.axes), self.amount)
        target = self.target()
        if self.bone:
            return Quaternion(axes.in_bone(turn, tuple(target.bone.matrix_local.to_quaternion())))
        return Quaternion(target.get(REST, (1, 0, 0, 0))) @ Quaternion(turn)

    def path(self):
        """Data path of the rotation, in the target's own rotation mode."""
        mode = self.target().rotation_mode
        kind = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
        return f'pose.bones["{bpy.utils.escape_identifier(self.bone)}"].{kind}' if self.bone else kind

    def components(self, rotation, before=None):
        """A rotation as the numbers of that path; `before`: those of the frame before, to stay near."""
        mode = self.target().rotation_mode
        if mode == "QUATERNION":
            near = rotation.copy()
            if before is not None:
                near.make_compatible(Quaternion(before))
            return tuple(near)
        if mode == "AXIS_ANGLE":
            axis, angle = rotation.to_axis_angle()
            return (angle, *axis)
        euler = rotation.to_euler(mode)
        if before is not None:
            euler.make_compatible(type(euler)(before, mode))
        return tuple(euler)

    def keep_rest(self):
        """Remember how a head object stands, once."""
        target = self.target()
        if target is not None and not self.bone and REST not in target:
            target[REST] = tuple(target.matrix_basis.to_quaternion())

    def set(self, angles):
        """Turn it."""
        target = self.target()
        if target is None:
            return
        self.keep_rest()
        values = self.components(self.rotation(angles))
        name = self.path().rsplit(".", 1)[-1]
        if max(abs(a - b) for a, b in zip(getattr(target, name), values, strict=True)) > _CHANGE:
            setattr(target, name, values)

    def release(self):
        """Put a head object back as it stood; what has keyframes keeps knowing how that was."""
        target = self.target()
        if target is not None and not self.bone and REST in target:
            self.set((0.0, 0.0, 0.0))
            if not (target.animation_data and target.animation_data.action):
                del target[REST]


class Face:
    """The face of an object and everything below it."""

    def __init__(self, name):
        self.name = name
        self._meshes = {}  # object name: [(index of the key block, shape)], how many key blocks it had
        self._turners = []
        self._ticks = 0
        self.bind()
        shown = list(NEUTRAL)
        for _, blocks in self.meshes():
            for block, shape in blocks:
                shown[shape] = block.value
        self.shown = tuple(shown)

    def bind(self):
        """Look for shape keys and bones anew."""
        self._meshes, self._turners = {}, []
        owner = bpy.data.objects.get(self.name)
        if owner is None:
            return
        seen = set()
        family = [owner, *owner.children_recursive]
        for thing in family:
            keys = thing.data.shape_keys if thing.type == "MESH" else None
            if keys is None or keys.name in seen:
                continue
            pairs = [(index, channel_of(block.name)) for index, block in enumerate(keys.key_blocks)]
            pairs = [(index, shape) for index, shape in pairs if shape is not None and shape < len(SHAPES)]
            if pairs:
                seen.add(keys.name)
                self._meshes[thing.name] = (pairs, len(keys.key_blocks))
        self._turners = _turners_of(owner, family)

    def meshes(self):
        """(shape keys, [(key block, shape)]) of each mesh."""
        for name, (pairs, n_blocks) in list(self._meshes.items()):
            thing = bpy.data.objects.get(name)
            keys = thing.data.shape_keys if thing and thing.type == "MESH" else None
            if keys is None or len(keys.key_blocks) != n_blocks:
                continue
            yield keys, [(keys.key_blocks[index], shape) for index, shape in pairs]

    def turners(self):
        """What turns, as far as it is there."""
        return [turner for turner in self._turners if turner.target() is not None]

    def show(self, values):
        """Set 55 values."""
        self._ticks += 1
        if self._ticks % REBIND_TICKS == 0:
            self.bind()
        for _, blocks in self.meshes():
            for block, shape in blocks:
                if abs(block.value - values[shape]) > _CHANGE:
                    block.value = values[shape]
        for turner in self._turners:
            turner.set(values[len(SHAPES) :])
        self.shown = tuple(values)

    def release(self):
        """No longer drive it."""
        for turner in self._turners:
            turner.release()

    def found(self):
        """One line for people: what was found, or what is missing."""
        shapes = {shape for _, blocks in self.meshes() for _, shape in blocks}
        if not shapes:
            return (
                f"no shape key of {self.name!r} or an object below it has an ARKit name (jawOpen, JawOpen, "
                "eyeBlink_L, ...): choose the character's top object"
            )
        turning = " and ".join(turner.bone or turner.owner for turner in self.turners())
        return f"{len(shapes)} of {len(SHAPES)} shapes on {len(self._meshes)} mesh(es), {turning or 'no head'} turns"


def _turners_of(owner, family):
    """The head, and the neck where it has one, as the settings of the owner say or as their names tell."""
    settings = owner.visavis
    if settings.head_object is not None:
        return [Turner(settings.head_object.name, "", 1.0, settings.axes)]
    armature = next((thing for thing in family if thing.type == "ARMATURE"), None)
    if armature is None:
        return []
    names = [bone.name for bone in armature.pose.bones]
    head = settings.head_bone if settings.head_bone in names else find_bone(names, "head")
    if not head:
        return []
    above = [bone.name for bone in armature.pose.bones[head].parent_recursive]
    neck = find_bone(above, "neck") if settings.neck_share > 0 else ""
    if not neck:
        return [Turner(armature.name, head, 1.0, settings.axes)]
    return [
        Turner(armature.name, neck, settings.neck_share, settings.axes),
        Turner(armature.name, head, 1.0 - settings.neck_share, settings.axes),
    ]
