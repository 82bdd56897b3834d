"""What Blender draws: the head with its mouth shut and open."""

from pathlib import Path

import bpy
import numpy as np
from inside import addon_part

SIZE = (160, 200)


def render(path):
    scene = bpy.context.scene
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels[:]).reshape(SIZE[1], SIZE[0], 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return pixels


def test_an_open_mouth_is_seen(live, head, given):
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -0.75, 0.03), (np.pi / 2, 0, 0)
    camera.data.lens = 70
    light = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    light.rotation_euler, light.data.energy = (0.9, 0.2, 0.3), 3.0
    for thing in (camera, light):
        scene.collection.objects.link(thing)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("World")
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    scene.cycles.max_bounces, scene.cycles.seed, scene.view_settings.view_transform = 2, 1, "Standard"
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    face, names = addon_part("face").Face("Visavis"), addon_part("names").CHANNELS
    pictures = []
    for name, shown in (("shut", {}), ("open", {"jawOpen": 0.8}), ("left", {"jawOpen": 0.3, "headYaw": 0.4})):
        face.show(tuple(shown.get(channel, 0.0) for channel in names))
        pictures.append(render(Path(given["pictures"]) / f"{name}.png"))
    shut, wide, left = pictures
    changed = np.abs(wide - shut).max(-1) > 0.15
    rows, columns = np.nonzero(changed)
    assert 130 < len(rows) < 5_500, "mouth and chin, not the rest"
    assert abs(columns.mean() - SIZE[0] / 2) < 9 and rows.mean() > SIZE[1] * 0.5
    assert (np.abs(left - shut).max(-1) > 0.15).sum() > 2_000
