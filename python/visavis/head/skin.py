"""The skin's texture: lips, brows, stubble, pores, the roots of the hair.

It is painted in space: a map gives each texel its place on the neutral head, and every colour is a function of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from visavis.head.paint import Texels, blurred, bytes_of, noise, over
from visavis.head.part import Floats, Part, step

SKIN = (0.765, 0.595, 0.505)  # sRGB, all colours here
# The texture islands of the base mesh, largest first (face, neck, mouth, eye sockets), to where the skin's texture has
# them: left, top, right, bottom.
ISLAND_PLACES = (
    (0.004, 0.004, 0.776, 0.996),
    (0.784, 0.004, 0.996, 0.250),
    (0.784, 0.260, 0.996, 0.760),
    (0.784, 0.770, 0.885, 0.996),
    (0.895, 0.770, 0.996, 0.996),
)


@dataclass
class SkinMap:
    """For each texel of the skin (N, N): where it is and what the base mesh's masks say."""

    place: Floats  # (N, N, 3) metres, head joint at the origin
    covered: NDArray[np.bool_]
    open: Floats  # 0 closed in to 1 open
    hair: Floats  # 0 to 1
    masks: dict[str, Floats]  # lips, ears, eyelids, inside-mouth


def pack_islands(part: Part) -> None:
    """Move the texture islands so that the face fills most of the texture."""
    root = np.arange(len(part.uvs))
    while True:  # the lowest vertex number of each connected island
        lowest = root.copy()
        least = root[part.triangles].min(1)
        for corner in range(3):
            np.minimum.at(lowest, part.triangles[:, corner], least)
        if (lowest == root).all():
            break
        root = lowest
    islands = sorted(set(root.tolist()), key=lambda island: -int((root == island).sum()))
    if len(islands) != len(ISLAND_PLACES):
        raise AssertionError(f"skin has {len(islands)} texture islands; expected {len(ISLAND_PLACES)}")
    for island, (left, top, right, bottom) in zip(islands, ISLAND_PLACES, strict=True):
        own = root == island
        low, high = part.uvs[own].min(0), part.uvs[own].max(0)
        part.uvs[own] = (part.uvs[own] - low) / (high - low) * [right - left, bottom - top] + [left, top]


def texel_values(part: Part, values: Floats, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of the vertices (V, K) at each texel (n, n, K), a little beyond the edges too, and where there are any."""
    out, covered = np.zeros((n, n, values.shape[1])), np.zeros((n, n), bool)
    for triangle, p in zip(part.triangles, (part.uvs * n)[part.triangles], strict=True):
        (ax, ay), (bx, by), (cx, cy) = p
        area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
        if abs(area) < 1e-9:
            continue
        low = np.maximum(np.floor(p.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(p.max(0)).astype(int) + 1, n - 1)
        x, y = np.arange(low[0], high[0] + 1) + 0.5, np.arange(low[1], high[1] + 1)[:, None] + 0.5
        a = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
        b = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
        c = 1 - a - b
        inside = (a > -0.1) & (b > -0.1) & (c > -0.1)
        block = (slice(low[1], high[1] + 1), slice(low[0], high[0] + 1))
        weights = np.stack([a[inside], b[inside], c[inside]], 1)
        out[block][inside] = weights @ values[triangle]
        covered[block] |= inside
    return out, covered


def skin_map(part: Part, base_uvs: Floats, opened: Floats, hair: Floats, masks: dict[str, Floats], n: int) -> SkinMap:
    """The map of a packed skin; `base_uvs` are its texture positions before packing, where the masks live."""
    values, covered = texel_values(
        part, np.concatenate([part.positions, base_uvs, opened[:, None], hair[:, None]], 1), n
    )
    picked = {}
    for name, mask in masks.items():
        height, width = mask.shape
        row = np.clip((values[..., 4] * height).astype(int), 0, height - 1)
        column = np.clip((values[..., 3] * width).astype(int), 0, width - 1)
        picked[name] = blurred(mask[row, column] * covered, n / 900)
    return SkinMap(values[..., :3], covered, values[..., 5], values[..., 6], picked)


class SkinPainter:
    """Paints the skin: colours as functions of the place, in centimetres from between the eyes."""

    def __init__(self, m: SkinMap, eye: Floats, mouth: Floats) -> None:
        self.map, self.n = m, len(m.place)
        self.random = np.random.default_rng(3)
        self.x = np.abs(m.place[..., 0]) * 100
        self.y, self.z = (m.place[..., 1] - eye[1]) * 100, m.place[..., 2] * 100
        self.front = step(3.0, 5.5, self.z)
        self.lip_height, lip_place = (mouth[1] - eye[1]) * 100, mouth[2] * 100
        self.lips = np.clip(m.masks["lips"] * 1.15, 0, 1)
        self.inside = step(0.35, 0.6, m.masks["inside-mouth"])
        self.deep = np.clip((lip_place - self.z) / 3.2, 0, 1)
        # Inner lips are lit when the mouth opens; what was measured with the mouth shut says that they never are.
        self.open = m.open * (1 - self.inside) + self.inside * 0.5 * (1 - self.deep)
        self.coarse, self.middle, self.fine = (self.noise(texels) for texels in (22, 6, 1.0))
        stubble = step(-0.6, 0.8, self.noise(0.9) + 3.2 * m.hair - 1.6)
        dense = np.clip(0.35 + 0.6 * stubble + 0.3 * step(0.7, 1.0, m.hair), 0, 0.97)
        self.roots = np.clip(m.hair * 1.3, 0, 1) * dense

    def colour(self) -> Texels:
        """(N, N, 3) sRGB."""
        colour = np.ones((self.n, self.n, 3)) * SKIN
        colour *= 1 + (0.016 * self.coarse + 0.010 * self.middle)[..., None] * [0.6, 1.0, 1.1]
        colour += 0.014 * colour * self.fine[..., None]
        colour = self._freckled(self._bearded(self._blooded(colour)))
        colour = over(colour, (0.66, 0.36, 0.33), 0.72 * self.lips)
        colour *= 1 + (0.05 * self.noise(1.2) * self.lips)[..., None]
        colour = over(colour, (0.76, 0.42, 0.36), 0.30 * self.map.masks["ears"])
        colour = over(colour, (0.64, 0.40, 0.36), 0.34 * self.map.masks["eyelids"])
        colour = over(colour, (0.50, 0.20, 0.19), 0.92 * self.inside)
        colour *= 1 - (0.90 * self.inside * self.deep)[..., None]
        brows = sampled(brow_strokes(self.random), self.x, self.y, BROW_BOX)
        colour = over(colour, (0.165, 0.115, 0.09), 0.92 * self.front * brows)
        colour = over(colour, (0.150, 0.112, 0.090), self.roots)
        shade = 0.42 + 0.58 * step(0.05, 0.75, self.open)
        colour *= shade[..., None] ** np.array([0.55, 0.8, 0.9])  # light between folds is red
        return bytes_of(colour, self.map.covered)

    def surface(self) -> Texels:
        """(N, N, 3): red openness to the room's light, green roughness."""
        rough = 0.50 + 0.06 * self.middle + 0.05 * self.fine
        rough -= 0.05 * self.spot(0, -3.2, 1.3, 2.0) + 0.04 * self.spot(0, 4.0, 4.0, 2.0)  # nose and forehead shine
        for amount, value in ((self.lips, 0.36), (self.inside, 0.45), (self.roots, 0.95)):
            rough = rough * (1 - amount) + value * amount
        return bytes_of(np.stack([self.open, rough, np.zeros_like(rough)], -1), self.map.covered)

    def noise(self, texels: float) -> Floats:
        """Noise whose grain is so many texels of a texture of 1024."""
        return noise(self.random, self.n, texels * self.n / 1024)

    def spot(self, x: float, y: float, width: float, height: float) -> Floats:
        """A soft spot on both sides of the face, 1 in its middle."""
        spot: Floats = np.exp(-(((self.x - x) / width) ** 2) - ((self.y - y) / height) ** 2) * self.front
        return spot

    def _blooded(self, colour: Floats) -> Floats:
        blood = 0.85 + 0.25 * self.coarse
        colour = over(colour, (0.76, 0.45, 0.39), 0.28 * blood * self.spot(4.0, -3.4, 2.6, 1.9))  # cheeks
        colour = over(colour, (0.78, 0.43, 0.36), 0.42 * blood * self.spot(0, -3.6, 1.5, 1.3))  # tip of the nose
        colour = over(colour, (0.82, 0.62, 0.44), 0.22 * self.spot(0, 4.2, 4.5, 1.8))  # forehead
        colour = over(colour, (0.55, 0.36, 0.33), 0.30 * self.spot(2.9, -1.65, 1.5, 0.55))  # under the eyes
        return over(colour, (0.60, 0.38, 0.33), 0.30 * self.spot(3.0, 1.0, 1.9, 0.7))  # hollow of the upper lid

    def _bearded(self, colour: Floats) -> Floats:
        """The shadow of a beard shaved in the morning."""
        below = self.y - self.lip_height
        beard = step(2.4, -0.6, below) * step(-1.0, 3.0, self.z) * step(-12.5, -10.0, self.y)
        beard *= (1 - 0.75 * np.exp(-(below**2)) * (self.x < 3)) * (1 - step(0.05, 0.3, self.map.masks["lips"]))
        beard *= step(8.4, 5.5, self.x + 0.35 * below)
        dots = step(0.6, 1.8, self.noise(0.55))
        return over(colour, (0.46, 0.39, 0.37), beard * (0.20 + 0.20 * dots))

    def _freckled(self, colour: Floats) -> Floats:
        where = self.spot(3.6, -2.6, 2.6, 1.3) + 0.6 * self.spot(0, -1.5, 1.4, 1.6)
        return over(colour, (0.55, 0.34, 0.25), 0.30 * step(2.3, 3.0, self.noise(1.7)) * where)


# Brows are drawn flat, hair by hair: left, bottom, right, top in centimetres from between the eyes (both sides alike).
BROW_BOX = (0.6, 0.4, 6.6, 3.6)
BROW_TEXELS = 160  # a centimetre
N_BROW_HAIRS = 420


def brow_strokes(random: np.random.Generator) -> Floats:
    """Density (rows from the top, columns) of the left brow, 0 to 1."""
    left, bottom, right, top = BROW_BOX
    image = Image.new("L", (round((right - left) * BROW_TEXELS), round((top - bottom) * BROW_TEXELS)))
    draw = ImageDraw.Draw(image)
    for _ in range(N_BROW_HAIRS):
        along = random.beta(1.25, 1.1)
        x = 1.05 + 4.5 * along + 0.12 * random.standard_normal()
        arch = 1.62 + 0.58 * np.sin(np.clip(along / 0.72, 0, 1) * np.pi / 2) - 0.75 * max(along - 0.66, 0) / 0.34
        thick = 0.40 * (1 - along**2.0) * step(-0.25, 0.35, np.float64(along)) + 0.08
        y = arch + thick * (random.random() - 0.5) * 2 * (0.75 + 0.25 * along)
        angle = np.radians(78 - 78 * along**0.55 + 12 * random.standard_normal() - 16 * (y - arch) / thick)
        length = 0.42 * (0.65 + 0.35 * random.random()) * (1 - 0.35 * along)
        points = [(x, y), (x + length * np.cos(angle), y + length * np.sin(angle) * 0.8)]
        pixels = [((px - left) * BROW_TEXELS, (top - py) * BROW_TEXELS) for px, py in points]
        draw.line(pixels, fill=200, width=4)
    lines = np.asarray(image.filter(ImageFilter.GaussianBlur(3.0)), np.float64) / 255
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(14)), np.float64) / 255
    return np.clip(0.50 * lines + 0.62 * soft, 0, 1)


def sampled(image: Floats, x: Floats, y: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Values of a flat image at places of a plane; 0 outside its box."""
    left, bottom, right, top = box
    column = ((x - left) / (right - left) * image.shape[1]).astype(int)
    row = ((top - y) / (top - bottom) * image.shape[0]).astype(int)
    inside = (column >= 0) & (column < image.shape[1]) & (row >= 0) & (row < image.shape[0])
    values: Floats = image[np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0, image.shape[1] - 1)] * inside
    return values
