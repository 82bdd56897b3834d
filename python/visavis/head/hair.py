"""Short hair: a few shells over the scalp whose holes grow towards the tips."""

import numpy as np
from numpy.typing import NDArray

from visavis.head.part import Floats, Part, step

N_SHELLS = 5
LENGTH_TOP, LENGTH_SIDES = 0.0060, 0.0028  # metres
TILE = 0.060  # metres of scalp that one tile of the texture covers
TILE_TEXELS = 128
# The hairline from nape to forehead: z of the head joint and height over the eyes, centimetres.
HAIRLINE = (
    [-8.0, -4.0, -1.5, 0.0, 1.2, 2.6, 3.1, 4.3, 5.2, 6.5, 8.0, 9.5],
    [-6.6, -6.0, -4.6, -3.0, -2.6, -2.3, 0.4, 2.4, 3.5, 4.6, 5.6, 6.3],
)
CROWN = np.array([0.0, 0.085, -0.030])  # from here the hair lies outwards
MIDDLE = np.array([0.0, 0.045, -0.005])


def hair_amount(positions: Floats, eye_height: float) -> Floats:
    """0 on the face and neck to 1 on the scalp, (V,): the hairline of a short cut."""
    y, z = (positions[:, 1] - eye_height) * 100, positions[:, 2] * 100
    amount: Floats = step(-0.20, 0.60, y - np.interp(z, *HAIRLINE))
    return amount


def hair(skin: Part, scalp: Floats) -> list[Part]:
    """Shells from the roots outwards; `scalp` (V,) is `hair_amount` with the ears left out."""
    normals = skin.normals()
    used = (scalp[skin.triangles] > 0.25).all(1)
    vertices = np.unique(skin.triangles[used])
    number = np.full(len(skin.positions), -1)
    number[vertices] = np.arange(len(vertices))
    positions, normals = skin.positions[vertices], normals[vertices]
    outwards = positions - CROWN
    along = outwards - normals * (outwards * normals).sum(1, keepdims=True)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 0.03)
    length = LENGTH_SIDES + (LENGTH_TOP - LENGTH_SIDES) * step(0.045, 0.105, positions[:, 1])
    length = length * np.sqrt(scalp[vertices])
    deltas = {name: delta[vertices] for name, delta in skin.deltas.items() if np.abs(delta[vertices]).max() > 1.5e-4}
    shells = []
    for shell in range(N_SHELLS):
        share = (shell + 0.6) / N_SHELLS
        lift = normals * (length * share)[:, None] + along * (length * 0.5 * share**2)[:, None]
        shells.append(
            Part(
                f"hair{shell}",
                positions + lift,
                flat_positions(positions),
                number[skin.triangles[used]],
                np.unique(skin.weld[vertices], return_inverse=True)[1].reshape(-1),
                deltas,
                skin.joints[vertices],
            )
        )
    return shells


def flat_positions(positions: Floats) -> Floats:
    """The scalp laid flat round the crown, in tiles (V, 2): distances from the crown are kept."""
    p = positions - MIDDLE
    polar = np.arctan2(np.hypot(p[:, 0], p[:, 2] + 0.3 * p[:, 1]), p[:, 1])
    round_crown = np.arctan2(p[:, 0], p[:, 2] + 0.3 * p[:, 1])
    distance = polar * 0.095 / TILE
    return np.stack([distance * np.sin(round_crown), distance * np.cos(round_crown)], 1)


def cutoff(shell: int) -> float:
    """Texels below this are holes of the shell."""
    return 0.40 + 0.50 * shell / (N_SHELLS - 1)


def tile(seed: int) -> NDArray[np.uint8]:
    """The texture (texels, texels, 4): strands of random height in alpha, darker at the roots.  It tiles."""
    random = np.random.default_rng(seed)
    height = np.zeros((TILE_TEXELS, TILE_TEXELS))
    frequency = np.hypot(np.fft.fftfreq(TILE_TEXELS)[:, None], np.fft.fftfreq(TILE_TEXELS)[None])
    for scale, share in ((0.28, 1.0), (0.05, 0.5)):
        waves = (
            np.fft.fft2(random.standard_normal(height.shape)) * np.exp(-((frequency / scale) ** 2)) * (frequency > 0)
        )
        layer = np.fft.ifft2(waves).real
        height += share * layer / layer.std()
    rank = np.argsort(np.argsort(height.reshape(-1), kind="stable"), kind="stable").reshape(height.shape) / height.size
    tone = 0.55 + 0.75 * rank
    colour = np.array([0.185, 0.135, 0.102]) * tone[..., None]
    texels = np.concatenate([np.clip(colour, 0, 1), rank[..., None]], -1)
    return np.round(texels * 255).astype(np.uint8)
