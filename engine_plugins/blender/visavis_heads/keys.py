"""Motion as keyframes: a new action for each character; actions that were there are kept."""

from bisect import bisect_right
from math import ceil, floor

import bpy

from .names import SHAPES


def scene_rate(scene):
    """Frames a second, exact for 23.976 and its like."""
    return scene.render.fps / scene.render.fps_base


def on_scene_frames(times, values, rate, start):
    """[(scene frame, values)]: one for each scene frame within the motion, linear in between.  `start`: that of 0 s."""
    made = []
    for number in range(ceil(start + times[0] * rate - 1e-6), floor(start + times[-1] * rate + 1e-6) + 1):
        seconds = (number - start) / rate
        after = min(max(bisect_right(times, seconds), 1), len(times) - 1)
        if len(times) == 1:
            made.append((number, values[0]))
            continue
        span = times[after] - times[after - 1]
        part = min(max((seconds - times[after - 1]) / span, 0.0), 1.0)
        pairs = zip(values[after - 1], values[after], strict=True)
        made.append((number, [a + (b - a) * part for a, b in pairs]))
    return made


def on_motion_frames(times, values, rate, start):
    """[(scene frame, values)]: one for each frame of the motion, where it falls."""
    return [(start + seconds * rate, frame) for seconds, frame in zip(times, values, strict=True)]


def write(face, times, values, scene, start, keys, name):
    """Keyframes of motion (times in s, 55 values each) on a face, from scene frame `start` on; (first, last) frame.

    `keys`: SCENE or MOTION, as in the settings.
    """
    place = on_scene_frames if keys == "SCENE" else on_motion_frames
    placed = place(times, values, scene_rate(scene), start)
    frames = [frame for frame, _ in placed]
    maker = ActionMaker(f"{name} {face.name}")
    for shape_keys, blocks in face.meshes():
        curves = maker.curves(shape_keys)
        for block, shape in blocks:
            path = f'key_blocks["{bpy.utils.escape_identifier(block.name)}"].value'
            _fill(curves.new(path), frames, [frame[shape] for _, frame in placed])
    for turner in face.turners():
        turner.keep_rest()
        rotations, before = [], None
        for _, frame in placed:
            before = turner.components(turner.rotation(frame[len(SHAPES) :]), before)
            rotations.append(before)
        curves = maker.curves(bpy.data.objects[turner.owner])
        for index in range(len(rotations[0])):
            curve = curves.new(turner.path(), index=index)
            _fill(curve, frames, [rotation[index] for rotation in rotations])
    return frames[0], frames[-1]


def _fill(curve, frames, values):
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", [number for pair in zip(frames, values, strict=True) for number in pair])
    for point in points:
        point.interpolation = "LINEAR"
    curve.update()


class ActionMaker:
    """A new action for several data-blocks: one with a slot for each where Blender has slots (4.4), else one each."""

    def __init__(self, name):
        self.name = name
        self._action = None  # with slots
        self._curves = {}

    def curves(self, block):
        """The curves of a data-block in its new action."""
        if block.name_full not in self._curves:
            self._curves[block.name_full] = self._begin(block)
        return self._curves[block.name_full]

    def _begin(self, block):
        animation = block.animation_data or block.animation_data_create()
        if animation.action is not None:
            animation.action.use_fake_user = True
        if "slots" not in bpy.types.Action.bl_rna.properties:
            animation.action = bpy.data.actions.new(self.name)
            return animation.action.fcurves
        if self._action is None:
            self._action = bpy.data.actions.new(self.name)
            self._action.layers.new("Visavis").strips.new(type="KEYFRAME")
        slot = self._action.slots.new(block.id_type, block.name)
        animation.action, animation.action_slot = self._action, slot
        return self._action.layers[0].strips[0].channelbag(slot, ensure=True).fcurves
