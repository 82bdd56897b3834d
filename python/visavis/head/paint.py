"""The procedural textures of eyes, teeth, lashes and shirt, and the tools all textures are made with."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from visavis.head.part import Floats, step

Texels = NDArray[np.uint8]


def paint_eye(n: int) -> Texels:
    """The eye as a disc (n, n, 3): pupil, iris with fibres, a white with veins, darker under the upper lid."""
    random = np.random.default_rng(5)
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n - 0.5
    r, turn = np.hypot(x, y) * 2, np.arctan2(y, x)
    iris, pupil = 0.232, 0.088
    eye = np.ones((n, n, 3)) * (0.82, 0.79, 0.765)
    eye = over(eye, (0.78, 0.50, 0.46), 0.55 * step(0.30, 0.85, r))
    veins = np.clip(np.abs(noise(random, n, n / 70)), 0, 1)
    eye = over(eye, (0.74, 0.36, 0.33), 0.35 * step(0.12, 0.0, veins) * step(0.30, 0.6, r))
    spokes = sum(np.sin(turn * k + 7 * random.random() + 2 * np.sin(3 * turn)) / 3 for k in (23, 41, 67))
    fibres = np.clip(0.5 + 0.5 * spokes * (0.4 + r / iris), 0, 1)
    ring = over(np.ones((n, n, 3)) * (0.30, 0.205, 0.115), (0.165, 0.105, 0.06), 0.8 * fibres)
    ring = over(ring, (0.42, 0.28, 0.13), 0.55 * (1 - step(pupil, pupil * 2.0, r)))
    ring = over(ring, (0.055, 0.045, 0.04), 0.9 * step(iris * 0.76, iris * 1.0, r))
    ring *= (0.85 + 0.45 * np.clip(y / iris * 2, -0.6, 1))[..., None]  # light gathers opposite the lamp
    eye = over(eye, ring, 1 - step(iris * 0.93, iris * 1.07, r))
    eye = over(eye, (0.012, 0.010, 0.010), 1 - step(pupil * 0.86, pupil * 1.12, r))
    lids = 0.50 * step(-0.02, -0.42, y) + 0.18 * step(0.20, 0.5, y) + 0.30 * step(0.26, 0.60, np.abs(x))
    eye *= 1 - lids[..., None]
    return bytes_of(eye)


def paint_teeth(n: int) -> Texels:
    """Enamel (n, n, 3): v is from the biting edge (0) to the root (1)."""
    v = ((np.mgrid[0:n, 0:n][0] + 0.5) / n)[..., None]
    enamel = np.array([0.97, 0.95, 0.91]) * (1 - v) + np.array([0.93, 0.84, 0.70]) * v
    return bytes_of(enamel * (1 - 0.45 * step(0.62, 0.95, v)))


def paint_lashes(width: int, height: int) -> Texels:
    """Lashes (height, width, 4): strands in alpha, rooted at v = 0, thinner towards the tips."""
    random = np.random.default_rng(9)
    v, u = (np.mgrid[0:height, 0:width] + 0.5) / [[[height]], [[width]]]
    strand = np.zeros((height, width))
    for root in np.linspace(0.02, 0.98, 44) + 0.006 * random.standard_normal(44):
        lean = 0.05 * (root - 0.35) + 0.012 * random.standard_normal()
        reach = (0.72 + 0.28 * random.random()) * (0.45 + 0.55 * np.sin(np.pi * min(0.25 + 0.75 * root, 0.9)))
        half = 0.0085 * np.clip(1 - v / reach, 0, 1) ** 0.7
        across = np.abs(u - root - lean * v * 2) / np.maximum(half, 1e-4)
        strand = np.maximum(strand, np.clip(1.5 - across, 0, 1) * (v < reach))
    strand = np.maximum(strand, step(0.14, 0.06, v))
    texels = np.concatenate([np.full((height, width, 3), 0.10) * [1, 0.8, 0.7], strand[..., None]], -1)
    return np.round(texels * 255).astype(np.uint8)


def paint_shirt(n: int) -> Texels:
    """Knitted cotton (n, n, 3): u round the neck, v below the collar; a ribbed band and its seam on top."""
    random = np.random.default_rng(7)
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n
    cloth = np.ones((n, n, 3)) * (0.185, 0.215, 0.255)
    band = 1 - step(0.15, 0.17, y)
    cloth *= (1 + 0.04 * noise(random, n, 1.0) + 0.03 * noise(random, n, n / 24))[..., None]
    cloth *= (1 + band * (0.16 * np.sin(2 * np.pi * 24 * x) + 0.10))[..., None]
    cloth *= (1 - 0.45 * np.exp(-(((y - 0.17) / 0.012) ** 2)) - 0.4 * step(0.02, 0.0, y))[..., None]
    return bytes_of(cloth)


def over(below: Floats, colour: tuple[float, float, float] | Floats, amount: Floats) -> Floats:
    """`colour` over `below` (N, N, 3) by an amount of 0 to 1 (N, N)."""
    share = np.clip(amount, 0, 1)[..., None]
    mixed: Floats = below * (1 - share) + np.asarray(colour) * share
    return mixed


def noise(random: np.random.Generator, n: int, sigma: float) -> Floats:
    """Smooth noise (n, n) of mean 0 and deviation 1, `sigma` texels wide; it tiles."""
    frequency = np.fft.fftfreq(n)
    pass_band = np.exp(-2 * (np.pi * sigma) ** 2 * (frequency[:, None] ** 2 + frequency[None, : n // 2 + 1] ** 2))
    waves = np.fft.irfft2(np.fft.rfft2(random.standard_normal((n, n))) * pass_band, (n, n))
    values: Floats = (waves - waves.mean()) / waves.std()
    return values


def blurred(values: Floats, sigma: float) -> Floats:
    """A mask of 0 to 1, softened."""
    image = Image.fromarray(np.round(values * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(image, np.float64) / 255


def shrunk(image: Texels, n: int) -> Texels:
    """The image at (n, n)."""
    return np.asarray(Image.fromarray(image).resize((n, n), Image.Resampling.BOX))


def bytes_of(values: Floats, covered: NDArray[np.bool_] | None = None) -> Texels:
    """8-bit texels; those not covered take the colours near them, so that no seam shows."""
    image = Image.fromarray(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8))
    if covered is not None:
        grown = image
        for _ in range(5):
            grown = grown.filter(ImageFilter.MaxFilter(3))
        image = Image.composite(image, grown, Image.fromarray((covered * 255).astype(np.uint8)))
    return np.asarray(image)
