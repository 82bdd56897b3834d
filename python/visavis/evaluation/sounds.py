"""What reaches a microphone besides one clean voice: music, room noise, a telephone, somebody else's voice.

All of it is synthesised and seeded.  Music must not move the mouth; the other conditions must not spoil the lips much.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
MUSIC_DB = -20.0  # dBFS rms
ROOM_DB = -60.0
PHONE_BAND_HZ = (300.0, 3400.0)
BLEED_DB = -25.0  # the other's voice in one's own microphone; real recordings: -25 to -40 dB (research, section 6)
BPM = 104
CHORDS = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 55, 60, 64), (55, 59, 62, 67))  # MIDI notes: Am F C G
HARMONICS = 8


def silence(seconds: float) -> Floats:
    """Digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def room(seconds: float, seed: int = 0) -> Floats:
    """A quiet room: dull noise at ROOM_DB."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))
    return at_level(np.convolve(noise, np.full(8, 1 / 8), "same"), ROOM_DB)


def chords(seconds: float) -> Floats:
    """Four chords of plucked tones with harmonics, two beats each, over a held bass."""
    return at_level(_chords(seconds), MUSIC_DB)


def drums(seconds: float, seed: int = 0) -> Floats:
    """Kick, snare and hi-hat in four-four time."""
    return at_level(_drums(seconds, seed), MUSIC_DB)


def band(seconds: float, seed: int = 0) -> Floats:
    """Chords and drums together."""
    both = _chords(seconds), _drums(seconds, seed)
    return at_level(sum(x / np.sqrt(np.mean(x**2)) for x in both), MUSIC_DB)


def _chords(seconds: float) -> npt.NDArray[Any]:
    n, beat = round(seconds * SAMPLE_RATE), 60.0 / BPM
    out = np.zeros(n)
    for i in range(int(seconds / (2 * beat)) + 1):
        chord = CHORDS[i % len(CHORDS)]
        for j, note in enumerate((chord[0] - 12, *chord)):
            start = i * 2 * beat + 0.02 * j  # strummed
            length = 2 * beat if j == 0 else 1.4 * beat
            _add(out, start, _tone(440.0 * 2 ** ((note - 69) / 12), length, 1.2 if j == 0 else 3.0))
    return out


def _tone(hz: float, seconds: float, decay: float) -> npt.NDArray[Any]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, HARMONICS + 1) if hz * k < SAMPLE_RATE / 2)
    return np.asarray(sound * np.exp(-decay * t) * np.minimum(t / 0.005, 1.0))


def _drums(seconds: float, seed: int) -> npt.NDArray[Any]:
    rng, beat = np.random.default_rng(seed), 60.0 / BPM
    out = np.zeros(round(seconds * SAMPLE_RATE))
    t = np.arange(round(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (55 * t + 6 * (1 - np.exp(-30 * t)))) * np.exp(-14 * t)
    for i in range(int(seconds / (beat / 2)) + 1):
        noise = rng.standard_normal(len(t))
        if i % 4 == 0:
            _add(out, i * beat / 2, 2.0 * kick)
        if i % 4 == 2:
            _add(out, i * beat / 2, (0.8 * noise + np.sin(2 * np.pi * 190 * t)) * np.exp(-22 * t))
        _add(out, i * beat / 2, 0.35 * np.diff(noise, prepend=0.0) * np.exp(-60 * t))
    return out


def _add(out: npt.NDArray[Any], start: float, sound: npt.NDArray[Any]) -> None:
    first = round(start * SAMPLE_RATE)
    part = sound[: max(0, len(out) - first)]
    out[first : first + len(part)] += part


def at_level(sound: npt.NDArray[Any], level_db: float) -> Floats:
    """The sound at an rms level in dBFS."""
    rms = np.sqrt(np.mean(np.square(sound)))
    return np.asarray(sound * (10 ** (level_db / 20) / max(rms, 1e-12)), np.float32)


def phone_band(voice: Floats) -> Floats:
    """What a telephone lets through, without delay."""
    from scipy.signal import butter, sosfiltfilt

    sos = butter(4, PHONE_BAND_HZ, btype="bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(sosfiltfilt(sos, voice), np.float32)


def bleed(voice: Floats, other: Floats) -> Floats:
    """A voice with another one leaking in at BLEED_DB of its own level."""
    mine, theirs = (float(np.sqrt(np.mean(np.square(x)))) for x in (voice, other))
    leak = np.resize(other, voice.shape) * (mine / max(theirs, 1e-9)) * 10 ** (BLEED_DB / 20)
    return np.asarray(voice + leak, np.float32)
