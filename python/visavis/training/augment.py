"""Audio augmentation of a crop, all in one pass through the spectrum: what microphones and rooms do to a voice.

Gain, random equaliser, band limit, reverberation, the other voice's bleed and a coloured noise floor.  Filters have no
delay, so that the frames of the motion stay where they are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from visavis.constants import SAMPLE_RATE
from visavis.training.sounds import from_db

Floats = npt.NDArray[np.float32]
EQUALISER_HZ = (80.0, 250.0, 700.0, 1800.0, 4000.0, 7000.0)
REVERB_TAIL_S = 0.5


@dataclass(frozen=True)
class Augmentation:
    """Ranges in decibels and probabilities; `strength` of 0 turns everything off."""

    gain_db: float = 8.0  # +-
    noise_db: tuple[float, float] = (-65.0, -28.0)  # rms, of full scale
    noise_probability: float = 0.8
    equaliser_db: float = 6.0  # +- at each knot
    equaliser_probability: float = 0.6
    low_pass_hz: tuple[float, float] = (3000.0, 7500.0)
    low_pass_probability: float = 0.25
    high_pass_hz: tuple[float, float] = (60.0, 300.0)
    high_pass_probability: float = 0.25
    reverb_probability: float = 0.3
    reverb_s: tuple[float, float] = (0.1, 0.5)  # time to fall by 60 dB
    reverb_ratio_db: tuple[float, float] = (-20.0, -4.0)  # energy of the tail over the direct sound
    bleed_db: tuple[float, float] = (-45.0, -25.0)
    bleed_probability: float = 0.4


def augment_voice(voice: Floats, other: Floats, rng: np.random.Generator, how: Augmentation) -> Floats:
    """One voice (N,) as a random microphone would have heard it, `other` leaking into it; same length."""
    tail = int(REVERB_TAIL_S * SAMPLE_RATE)
    n = int(fft.next_fast_len(len(voice) + tail, real=True))
    gain = from_db(rng.uniform(-how.gain_db, how.gain_db))
    mixed = voice
    if rng.random() < how.bleed_probability:
        mixed = voice + np.float32(from_db(rng.uniform(*how.bleed_db))) * other
    coloured = rng.random() < how.noise_probability
    shape = _response(n, rng, how, tail)
    if shape is None and not coloured:
        plain: Floats = (gain * mixed).astype(np.float32)
        return plain
    spectrum = fft.rfft(mixed, n) * np.float32(gain)
    if shape is not None:
        spectrum *= shape
    if coloured:
        spectrum += _noise(n, rng, how)
    heard: Floats = fft.irfft(spectrum, n)[: len(voice)].astype(np.float32)
    return heard


def _frequencies(n: int) -> Floats:
    return np.linspace(0.0, SAMPLE_RATE / 2, n // 2 + 1, dtype=np.float32)


def _response(n: int, rng: np.random.Generator, how: Augmentation, tail: int) -> npt.NDArray[np.complex64] | None:
    """Frequency response (n/2+1,) of equaliser, band limits and room, None where nothing was drawn."""
    draws = rng.random(4) < (
        how.equaliser_probability,
        how.low_pass_probability,
        how.high_pass_probability,
        how.reverb_probability,
    )
    if not draws.any():
        return None
    hz = _frequencies(n)
    magnitude = np.ones(len(hz), dtype=np.float32)
    if draws[0]:
        knots = rng.uniform(-how.equaliser_db, how.equaliser_db, len(EQUALISER_HZ))
        decibels = np.interp(np.log(np.maximum(hz, 20.0)), np.log(EQUALISER_HZ), knots)
        magnitude *= (10.0 ** (decibels / 20.0)).astype(np.float32)
    if draws[1]:
        magnitude /= np.sqrt(1.0 + (hz / np.float32(rng.uniform(*how.low_pass_hz))) ** 12)
    if draws[2]:
        cut = np.float32(rng.uniform(*how.high_pass_hz))
        magnitude *= (hz / cut) ** 2 / np.sqrt(1.0 + (hz / cut) ** 4)
    if not draws[3]:
        return magnitude.astype(np.complex64)
    room: npt.NDArray[np.complex64] = fft.rfft(_room(rng, how, tail), n).astype(np.complex64)
    return magnitude * room


def _room(rng: np.random.Generator, how: Augmentation, tail: int) -> Floats:
    """Impulse response (tail,): the direct sound, then noise that decays from 5 ms on."""
    time = np.arange(tail, dtype=np.float32) / SAMPLE_RATE
    decay = np.exp(-6.9 * time / np.float32(rng.uniform(*how.reverb_s)))
    response = rng.standard_normal(tail, dtype=np.float32) * decay
    response[: int(0.005 * SAMPLE_RATE)] = 0.0
    response *= from_db(rng.uniform(*how.reverb_ratio_db)) / np.sqrt((response**2).sum())
    response[0] = 1.0
    return np.asarray(response, dtype=np.float32)


def _noise(n: int, rng: np.random.Generator, how: Augmentation) -> npt.NDArray[np.complex64]:
    """Spectrum (n/2+1,) of noise with a random tilt and the drawn level after the inverse transform."""
    tilt = rng.uniform(0.0, 1.0)  # 0 white, 1 pink in power
    shape = np.maximum(_frequencies(n), 50.0) ** np.float32(-tilt / 2)
    shape *= np.sqrt(n) * from_db(rng.uniform(*how.noise_db)) / np.sqrt((shape**2).mean())
    parts = rng.standard_normal((2, len(shape)), dtype=np.float32) * np.float32(np.sqrt(0.5)) * shape
    spectrum: npt.NDArray[np.complex64] = parts[0] + np.complex64(1j) * parts[1]
    return spectrum
