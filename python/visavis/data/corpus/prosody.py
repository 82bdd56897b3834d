"""Prosody of a person's own voice: loudness, F0 and accents, which drive jaw opening, beats and brows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.phones import VOWELS, Phone

Array = npt.NDArray[np.float64]
RATE = 100  # Hz of the tracks
_HOP = SAMPLE_RATE // RATE
LOUDNESS_RANGE_DB = 30.0  # loudness 0..1 spans the 30 dB below the loudest (research prototype)
ACCENT_GAP_S = 0.55  # accents of one person lie at least this far apart (own choice, about 1 to 1.5 a second)
ACCENT_Z = 0.35  # a vowel whose loudness and F0 stand this far over the mean is an accent (own choice)


@dataclass(frozen=True)
class Accent:
    """A stressed vowel: its time in seconds and its prominence (standard scores)."""

    time: float
    prominence: float


def loudness(audio: npt.NDArray[np.float32]) -> Array:
    """Loudness in [0, 1] at 100 Hz, 1 at the loudest moment, 0 at 30 dB below it and less."""
    n = len(audio) // _HOP
    power = (audio[: n * _HOP].astype(np.float64).reshape(n, _HOP) ** 2).mean(axis=1)
    level = 10.0 * np.log10(power + 1e-10)
    level = np.convolve(level, np.ones(5) / 5.0, "same")
    return np.asarray(np.clip((level - (level.max() - LOUDNESS_RANGE_DB)) / LOUDNESS_RANGE_DB, 0.0, 1.0))


def pitch_hz(audio: npt.NDArray[np.float32], times: Array) -> Array:
    """F0 at some times by the autocorrelation of 40 ms windows, 70 to 350 Hz; NaN where unvoiced."""
    size, low, high = 640, SAMPLE_RATE // 350, SAMPLE_RATE // 70
    starts = np.clip((times * SAMPLE_RATE).astype(int) - size // 2, 0, max(0, len(audio) - size))
    windows = np.stack([audio[s : s + size] for s in starts]).astype(np.float64) * np.hanning(size)
    spectrum = np.abs(np.fft.rfft(windows, 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :size]
    lags = correlation[:, low : high + 1] / (1.0 - np.arange(low, high + 1) / size)
    best = lags.argmax(axis=1)
    strength = lags[np.arange(len(best)), best] / (correlation[:, 0] + 1e-9)
    return np.asarray(np.where(strength > 0.4, SAMPLE_RATE / (best + low), np.nan))


def accents(audio: npt.NDArray[np.float32], phones: list[Phone]) -> list[Accent]:
    """The accents of a voice: prominent vowels, at least ACCENT_GAP_S apart, in order."""
    vowels = [p for p in phones if p.label in VOWELS and p.end - p.start > 0.05]
    if len(vowels) < 3:
        return []
    times = np.array([p.centre for p in vowels])
    track = loudness(audio)
    level = track[np.clip((times * RATE).astype(int), 0, len(track) - 1)]
    tone = np.log(pitch_hz(audio, times))
    tone = np.where(np.isnan(tone), np.nanmean(tone) if np.isfinite(tone).any() else 0.0, tone)
    length = np.array([p.end - p.start for p in vowels])
    score = sum((x - x.mean()) / (x.std() + 1e-6) for x in (level, tone, length)) / 3.0
    chosen: list[Accent] = []
    for i in np.argsort(-np.asarray(score), kind="stable"):
        if score[i] < ACCENT_Z:
            break
        if all(abs(times[i] - a.time) >= ACCENT_GAP_S for a in chosen):
            chosen.append(Accent(float(times[i]), float(score[i])))
    return sorted(chosen, key=lambda a: a.time)
