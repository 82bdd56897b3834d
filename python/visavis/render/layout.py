"""What stands round the head in a picture: a name, the time, and both voices as a strip that says who speaks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.render.performance import Floats, Performance
from visavis.render.studio import Picture, require_pillow

STRIP_PIXELS = 44
STRIP_SECONDS = 6.0  # shown at once, now in the middle
COLOURS = {"user": (112, 164, 222), "agent": (240, 176, 110)}
BACKGROUND = (22, 25, 31)
INK = (208, 212, 220)


def envelope(performance: Performance, who: str) -> Floats:
    """Loudest sample of each 1/100 s of a voice, relative to its loudest, (n,)."""
    n = max(1, round(performance.seconds * 100))
    if who not in performance.voices:
        return np.zeros(n, np.float32)
    samples, rate = performance.voices[who]
    step = rate / 100
    edges = np.minimum((np.arange(n) * step).astype(int), max(len(samples) - 1, 0))
    if not len(samples):
        return np.zeros(n, np.float32)
    peaks: Floats = np.maximum.reduceat(np.abs(samples), edges).astype(np.float32)
    peaks[np.arange(n) * step >= len(samples)] = 0
    return peaks / max(float(peaks.max()), 1e-3)


class Strip:
    """The voices round a moment, for pictures of one width."""

    def __init__(self, performance: Performance, width: int) -> None:
        self.width = width
        self.envelopes = {who: envelope(performance, who) for who in ("user", "agent") if who in performance.voices}

    def picture(self, time_s: float) -> Picture:
        """(STRIP_PIXELS, width, 3): the user above, the agent below, a line where now is."""
        strip = np.empty((STRIP_PIXELS, self.width, 3), np.uint8)
        strip[:] = BACKGROUND
        at = ((time_s + STRIP_SECONDS * ((np.arange(self.width) + 0.5) / self.width - 0.5)) * 100).astype(int)
        half = STRIP_PIXELS // 4 - 2
        rows = np.abs(np.arange(-half, half + 1))[:, None]
        for place, who in ((half + 2, "user"), (STRIP_PIXELS - half - 3, "agent")):
            if who in self.envelopes:
                level = self.envelopes[who]
                inside = (at >= 0) & (at < len(level))
                heights = np.where(inside, level[np.clip(at, 0, len(level) - 1)] * half, -1)
                strip[place - half : place + half + 1][rows <= heights] = COLOURS[who]
        strip[:, self.width // 2] = (235, 235, 235)
        return strip


def label(picture: Picture, text: str, *, right: bool = False) -> Picture:
    """The picture with a short text at its top."""
    image = require_pillow().fromarray(picture)
    draw, font = _drawing(image, max(12, picture.shape[1] // 30))
    margin = picture.shape[1] // 40
    x = picture.shape[1] - margin - draw.textlength(text, font=font) if right else margin
    draw.text((x, margin), text, fill=INK, font=font)
    return np.asarray(image)


def speakers(performance: Performance, time_s: float) -> str:
    """ "agent speaks", "user speaks", both or nobody: loud within a fifth of a second."""
    talking = []
    for who in ("agent", "user"):
        if who in performance.voices:
            samples, rate = performance.voices[who]
            near = samples[max(0, round((time_s - 0.1) * rate)) : round((time_s + 0.1) * rate)]
            if len(near) and float(np.sqrt(np.mean(near**2))) > 10 ** (-45 / 20):
                talking.append(who)
    return {2: "both speak", 1: f"{talking[0]} speaks" if talking else "", 0: "silence"}[len(talking)]


def _drawing(image: Any, size: int) -> tuple[Any, Any]:
    from PIL import ImageDraw, ImageFont

    return ImageDraw.Draw(image), ImageFont.load_default(size)


def grid(pictures: list[Picture], columns: int) -> NDArray[np.uint8]:
    """Pictures of one size in rows, thin lines between them."""
    height, width, _ = pictures[0].shape
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    gap = 4
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    sheet[:] = BACKGROUND
    for number, picture in enumerate(pictures):
        top, left = (height + gap) * (number // columns), (width + gap) * (number % columns)
        sheet[top : top + height, left : left + width] = picture
    return sheet
