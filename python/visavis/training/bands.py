"""Other voices out of the same recordings: the mel bands of a crop warped and tilted.

Audio augmentation (augment.py) changes the microphone and the room; a voice's own formants stay.  The corpus has few
voices, and a model that has heard only them learns their spectra by heart (docs/decisions.md 24).  Warping the
frequency axis is vocal tract length perturbation (Jaitly and Hinton 2013).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.model.speech import MEL_HIGH_HZ, MEL_LOW_HZ, hz_to_mel, mel_to_hz

Floats = npt.NDArray[np.float32]
KNEE_HZ = 6000.0  # above it the axis bends, so that its end stays where it is


@dataclass(frozen=True)
class BandRecipe:
    """Ranges of what is drawn for each voice of a crop."""

    warp: float = 0.08  # formants move by a factor of exp(+-warp)
    tilt_db: float = 1.5  # std at each of `tilt_knots` points along the mel axis
    tilt_knots: int = 9


def random_bands(rng: np.random.Generator, n_bands: int, how: BandRecipe) -> Floats:
    """(n_bands, n_bands): row b makes the new energy of band b from those of the crop."""
    bands = warp_matrix(n_bands, math.exp(rng.uniform(-how.warp, how.warp)))
    knots = rng.normal(0.0, how.tilt_db, how.tilt_knots)
    decibels = np.interp(np.arange(n_bands), np.linspace(0, n_bands - 1, how.tilt_knots), knots)
    return np.asarray(bands * 10.0 ** (decibels[:, None] / 10.0), dtype=np.float32)


def warp_matrix(n_bands: int, factor: float) -> npt.NDArray[np.float64]:
    """(n_bands, n_bands): band b reads the energy at `factor` times its own frequency, between its two neighbours."""
    edges = np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), n_bands + 2)
    hz = mel_to_hz(edges[1:-1])
    knee = KNEE_HZ / max(factor, 1.0 / factor)
    bent = MEL_HIGH_HZ - (MEL_HIGH_HZ - knee * factor) / (MEL_HIGH_HZ - knee) * (MEL_HIGH_HZ - hz)
    source = np.where(hz < knee, hz * factor, bent)
    place = np.interp(hz_to_mel(source), edges[1:-1], np.arange(n_bands))  # ends hold
    below = np.minimum(place.astype(np.int64), n_bands - 2)
    share, band = place - below, np.arange(n_bands)
    matrix = np.zeros((n_bands, n_bands))
    matrix[band, below] = 1.0 - share
    matrix[band, below + 1] += share
    return matrix
