"""Tracks at 25 fps of a person's own voice that brows and head follow: pitch and energy around their means."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus.curves import Array, frame_times
from visavis.data.corpus.prosody import RATE, loudness, pitch_hz

PITCH_SMOOTH_S, ENERGY_SMOOTH_S, ENERGY_SLOW_S = 0.28, 0.20, 1.2  # Hann windows (own choices)
OCTAVE = 0.6  # log F0 further from the median than this is an error of the tracker (own choice)


@dataclass(frozen=True)
class Prosody:
    """Both (T,), 0 in silence: pitch in standard scores of log F0, energy over its own slow mean (0..1)."""

    pitch: Array
    energy: Array


def track(voice: npt.NDArray[np.float32], talks: npt.NDArray[np.bool_]) -> Prosody:
    """Pitch and energy of a dry voice in the frames in which its person talks."""
    n = len(talks)
    times = frame_times(n)
    near = np.clip((times * RATE).astype(int), 0, max(0, len(voice) // 160 - 1))
    level = loudness(voice)[near]
    tone = np.full(n, np.nan)
    frames = np.flatnonzero(talks)
    if len(frames):
        tone[frames] = np.log(pitch_hz(voice, times[frames]))
    median = np.nanmedian(tone) if np.isfinite(tone).any() else 0.0
    tone = np.where(np.abs(tone - median) < OCTAVE, tone - median, np.nan)
    voiced = np.isfinite(tone)
    score = np.where(voiced, tone, 0.0) / max(float(np.nanstd(tone)) if voiced.any() else 1.0, 1e-3)
    weight = smooth(voiced.astype(float), PITCH_SMOOTH_S)
    inside = smooth(talks.astype(float), ENERGY_SMOOTH_S)
    pitch = smooth(score, PITCH_SMOOTH_S) / np.maximum(weight, 0.25) * inside
    fast = smooth(level * talks, ENERGY_SMOOTH_S)
    slow = smooth(level * talks, ENERGY_SLOW_S) / np.maximum(smooth(talks.astype(float), ENERGY_SLOW_S), 0.2)
    return Prosody(pitch, (fast - slow * inside) * inside)


def smooth(x: Array, seconds: float) -> Array:
    """A Hann window over a track, without delay."""
    window = np.hanning(round(seconds * FRAME_RATE) + 2)[1:-1]
    return np.asarray(np.convolve(x, window / window.sum(), "same"))
