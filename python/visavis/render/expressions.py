"""A sheet of expressions from several sides, to judge a head by."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.motion_file import check_output_path, write_whole
from visavis.motion_space import ARKIT55
from visavis.render.layout import grid, label
from visavis.render.studio import Picture, Studio, require_pillow

# A name ending in "*" means both sides.
EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "wide open": {"jawOpen": 1, "eyeWide*": 0.4, "browInnerUp": 0.4, "browOuterUp*": 0.3, "mouthUpperUp*": 0.2},
    "smile": {"mouthSmile*": 0.8, "cheekSquint*": 0.5, "eyeSquint*": 0.3}
    | {"jawOpen": 0.1, "mouthUpperUp*": 0.35, "mouthLowerDown*": 0.45},
    "pucker": {"mouthPucker": 1},
    "blink": {"eyeBlink*": 1},
    "gaze left": {"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.9},
    "brows up": {"browInnerUp": 1, "browOuterUp*": 1, "eyeWide*": 0.3},
    "turned": {"headYaw": 0.45, "headPitch": 0.10, "headRoll": 0.08, "jawOpen": 0.25, "mouthFunnel": 0.3},
}
SIDES_DEGREES = (0, 45, -80)


def expression(weights: dict[str, float]) -> NDArray[np.float32]:
    """A frame (55,) of arkit55."""
    frame = np.zeros(len(ARKIT55.channels), np.float32)
    for name, value in weights.items():
        for channel in (name[:-1] + "Left", name[:-1] + "Right") if name.endswith("*") else (name,):
            frame[ARKIT55.index(channel)] = value
    return frame


def render_expressions(path: Path, width: int = 240, height: int = 264) -> None:
    """Write a PNG: a column for each expression, a row for each side."""
    check_output_path(path, "sheet")
    pictures: list[Picture] = []
    for degrees in SIDES_DEGREES:
        studio = Studio(width, height, turn_degrees=degrees)
        pictures += [label(studio.picture(expression(weights)), name) for name, weights in EXPRESSIONS.items()]
    image = require_pillow().fromarray(grid(pictures, len(EXPRESSIONS)))
    write_whole(path, "sheet", lambda file: image.save(file, "PNG", optimize=True))
