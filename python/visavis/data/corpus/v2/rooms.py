"""What else a microphone of version 2 hears: music, hums, noise, chatter, clatter, the partner; where its band ends.

None of it moves a face: that a mouth rests under other sounds than its own voice is what these passages teach.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus import dialogue as v1
from visavis.data.corpus.v2.person import StyledPerson

Audio = npt.NDArray[np.float32]
P_PASSAGES, MOST_PASSAGES, PASSAGE_S = 0.55, 3, (4.0, 15.0)  # of persons; their passages (own choices)
P_ALL_ALONG = 0.2  # of persons with passages: one softer sound all the time
LEVEL_DB, ALL_ALONG_DB = (-48.0, -14.0), (-58.0, -40.0)  # rms, dBFS
FADE_S = 0.5
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))


def record(voices: tuple[Audio, Audio], speaking: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]],
           persons: tuple[StyledPerson, StyledPerson], rng: np.random.Generator) -> tuple[Audio, Audio]:  # fmt: skip
    """Both voices as two microphones hear them, peaks below 0.98."""
    level = [v1.record(v, s, p, rng) for v, s, p in zip(voices, speaking, persons, strict=True)]
    heard = []
    for i, person in enumerate(persons):
        other = level[1 - i]
        audio = level[i].astype(np.float64)
        if person.bleed_db is not None:
            audio += other * 10.0 ** (person.bleed_db / 20.0)
        audio += surroundings(len(audio), other, rng)
        if person.band_hz is not None:
            audio = low_pass(audio, person.band_hz)
        heard.append(np.asarray(np.clip(audio, -0.98, 0.98), np.float32))
    return heard[0], heard[1]


def surroundings(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """The sounds around one person, (n,)."""
    out = np.zeros(n)
    if rng.random() >= P_PASSAGES:
        return out
    if rng.random() < P_ALL_ALONG:
        kind = str(rng.choice(("hum", "noise")))
        return np.asarray(SOUNDS[kind](n, other, rng) * 10.0 ** (float(rng.uniform(*ALL_ALONG_DB)) / 20.0))
    for _ in range(int(rng.integers(1, MOST_PASSAGES + 1))):
        size = min(n, round(float(rng.uniform(*PASSAGE_S)) * SAMPLE_RATE))
        first = int(rng.integers(0, n - size + 1))
        kind = str(rng.choice(list(SOUNDS)))
        sound = SOUNDS[kind](size, other, rng) * 10.0 ** (float(rng.uniform(*LEVEL_DB)) / 20.0)
        fade = min(size // 2, round(FADE_S * SAMPLE_RATE))
        ramp = np.linspace(0.0, 1.0, fade)
        sound[:fade] *= ramp
        sound[size - fade :] *= ramp[::-1]
        out[first : first + size] += sound
    return out


def low_pass(audio: npt.NDArray[Any], hz: float) -> npt.NDArray[Any]:
    """Without delay, so that the lips stay where they are."""
    from scipy.signal import butter, sosfiltfilt

    return np.asarray(sosfiltfilt(butter(4, hz, fs=SAMPLE_RATE, output="sos"), audio))


def _unit(sound: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """At an rms of 1."""
    return np.asarray(sound / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-9))


def music(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """A random melody over a drone: frequency-modulated or organ tones in a random scale, with a beat or without."""
    out, t = np.zeros(n), np.arange(n) / SAMPLE_RATE
    scale, root = SCALES[int(rng.integers(len(SCALES)))], float(rng.uniform(110.0, 220.0))
    step_s, modulated = float(rng.uniform(0.18, 0.6)), rng.random() < 0.5
    index, partner = float(rng.uniform(0.5, 4.0)), float(rng.choice((0.5, 1.0, 2.0, 3.0)))
    degree = 0
    for k in range(int(n / SAMPLE_RATE / step_s) + 1):
        degree = int(np.clip(degree + rng.integers(-2, 3), -3, 9))
        hz = root * 2.0 ** (degree // len(scale) + scale[degree % len(scale)] / 12.0 + 1)
        part = slice(round(k * step_s * SAMPLE_RATE), min(n, round((k + 1.3) * step_s * SAMPLE_RATE)))
        local = t[part] - k * step_s
        if not len(local) or rng.random() < 0.15:  # a rest
            continue
        tone = (
            np.sin(2 * np.pi * hz * local + index * np.sin(2 * np.pi * hz * partner * local))
            if modulated
            else sum(np.sin(2 * np.pi * hz * h * local) / h for h in (1, 2, 4))
        )
        out[part] += tone * np.exp(-2.5 * local) * np.minimum(local / 0.01, 1.0)
    drone = sum(np.sin(2 * np.pi * root * 2.0 ** (s / 12.0) * t) for s in (0, scale[2], scale[-3]))
    beat = np.zeros(n)
    if rng.random() < 0.6:
        phase = np.mod(t, 2 * step_s)
        beat = np.sin(2 * np.pi * 60.0 * phase) * np.exp(-18.0 * phase) * 3.0
    return _unit(out + 0.3 * drone + beat)


def hum(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Mains and a fan."""
    t, mains = np.arange(n) / SAMPLE_RATE, float(rng.choice((50.0, 60.0)))
    tones = np.sum([np.sin(2 * np.pi * mains * h * t + rng.uniform(0, 6)) / h for h in (1, 2, 3, 5, 7)], axis=0)
    fan = low_pass(rng.standard_normal(n), float(rng.uniform(300.0, 900.0)))
    return _unit(_unit(tones) + float(rng.uniform(0.5, 3.0)) * _unit(fan))


def noise(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Coloured noise that swells and fades: traffic, wind, rain."""
    coloured = low_pass(rng.standard_normal(n), float(rng.uniform(400.0, 6000.0)))
    knots = np.exp(rng.normal(0.0, 0.6, n // (SAMPLE_RATE // 2) + 2))
    swell = np.interp(np.arange(n), np.arange(len(knots)) * (SAMPLE_RATE // 2), knots)
    return _unit(coloured * swell)


def chatter(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """People somewhere else: the partner's voice backwards, several times over."""
    backwards = other[::-1].astype(np.float64)
    out = np.zeros(n)
    for _ in range(int(rng.integers(2, 6))):
        out += np.resize(np.roll(backwards, int(rng.integers(len(backwards)))), n) * float(rng.uniform(0.4, 1.0))
    return _unit(low_pass(out, float(rng.uniform(1500.0, 5000.0))))


def clatter(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Keys and dishes: short ringing knocks, two to six a second."""
    out = np.zeros(n)
    t = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    for _ in range(max(1, round(n / SAMPLE_RATE * float(rng.uniform(2.0, 6.0))))):
        first = int(rng.integers(0, n))
        ring = np.sin(2 * np.pi * float(rng.uniform(500.0, 5000.0)) * t) + rng.standard_normal(len(t))
        part = (ring * np.exp(-t * float(rng.uniform(30.0, 120.0))))[: n - first]
        out[first : first + len(part)] += part * float(rng.uniform(0.3, 1.0))
    return _unit(out)


def pads(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Chords, plucked or held, each note a bright or dull stack of harmonics, with tremolo or without."""
    out, t = np.zeros(n), np.arange(n) / SAMPLE_RATE
    scale, root = SCALES[int(rng.integers(len(SCALES)))], float(rng.uniform(80.0, 260.0))
    length_s, decay = float(rng.uniform(0.25, 2.5)), float(rng.choice((0.0, 0.8, 2.0, 5.0)))
    slope, n_harmonics = float(rng.uniform(0.7, 2.2)), int(rng.integers(3, 14))
    attack, spread = float(rng.choice((0.004, 0.03, 0.25))), float(rng.uniform(0.0, 0.04))  # s; strummed
    for k in range(int(n / SAMPLE_RATE / length_s) + 1):
        first = int(rng.integers(len(scale)))
        for j in range(int(rng.integers(2, 6))):
            step = first + 2 * j
            hz = root * 2.0 ** (step // len(scale) + scale[step % len(scale)] / 12.0)
            part = slice(round((k * length_s + j * spread) * SAMPLE_RATE), round((k + 1) * length_s * SAMPLE_RATE))
            local = t[part] - k * length_s - j * spread
            phase = 2 * np.pi * hz * local + float(rng.uniform(0, 6))
            heights = [h for h in range(1, n_harmonics + 1) if hz * h < 0.45 * SAMPLE_RATE]
            tone = sum(np.sin(h * phase) / h**slope for h in heights)
            out[part] += tone * np.exp(-decay * local) * np.minimum(local / attack, 1.0)
    depth, rate = float(rng.choice((0.0, 0.0, 0.5))), float(rng.uniform(2.0, 7.0))
    return _unit(out * (1.0 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * t))))


def drums(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """A random pattern of low, rattling and hissing strokes in a steady tempo, over a bass or without."""
    out, step_s = np.zeros(n), 60.0 / float(rng.uniform(70.0, 170.0)) / float(rng.choice((2.0, 4.0)))
    t = np.arange(round(0.35 * SAMPLE_RATE)) / SAMPLE_RATE
    low, body = float(rng.uniform(45.0, 90.0)), float(rng.uniform(150.0, 260.0))
    falls = [float(rng.uniform(*r)) for r in ((8.0, 20.0), (12.0, 35.0), (30.0, 120.0))]
    levels = [float(rng.uniform(*r)) for r in ((1.0, 2.5), (0.5, 1.5), (0.1, 0.6))]
    pattern = rng.random((8, 3)) < (0.35, 0.25, 0.7)
    for k in range(int(n / SAMPLE_RATE / step_s) + 1):
        first, hiss = round(k * step_s * SAMPLE_RATE), rng.standard_normal(len(t))
        strokes = (
            np.sin(2 * np.pi * (low * t + 4.0 * (1 - np.exp(-40 * t)))),
            hiss + np.sin(2 * np.pi * body * t),
            np.diff(hiss, prepend=0.0),
        )
        for stroke, fall, level, hit in zip(strokes, falls, levels, pattern[k % 8], strict=True):
            part = (level * stroke * np.exp(-fall * t))[: max(0, n - first)]
            out[first : first + len(part)] += hit * part
    bass = np.repeat(rng.integers(0, 5, int(n / SAMPLE_RATE / step_s) + 2), round(step_s * SAMPLE_RATE) + 1)[:n]
    tone = np.sin(np.cumsum(2 * np.pi * 55.0 * 2.0 ** (bass / 6.0) / SAMPLE_RATE))
    return _unit(_unit(out + 1e-6 * tone) + float(rng.choice((0.0, 0.5, 1.0))) * tone)


def stack(phase: npt.NDArray[Any], slope: float, n_harmonics: int) -> npt.NDArray[Any]:
    """The sum of sin(h * phase) / h**slope over the harmonics h, by Horner's rule: one sine and one cosine for all."""
    turn = np.exp(1j * phase)
    total = np.zeros_like(turn)
    for h in range(n_harmonics, 0, -1):
        total += h**-slope
        total *= turn
    return np.asarray(total.imag)


def keys(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Broken chords of an instrument with a body: its resonances lie where a voice's do, its pitches are several."""
    from scipy.signal import iirpeak, lfilter

    out, t = np.zeros(n), np.arange(n) / SAMPLE_RATE
    scale, root = SCALES[int(rng.integers(len(SCALES)))], float(rng.uniform(60.0, 200.0))
    step_s, decay = float(rng.uniform(0.09, 0.5)), float(rng.choice((0.3, 1.2, 4.0)))
    slope, detune = float(rng.uniform(0.3, 1.4)), float(rng.choice((0.0, 0.002, 0.006)))
    vibrato, rate = float(rng.choice((0.0, 0.0, 0.01))), float(rng.uniform(4.0, 7.0))
    wave = vibrato / (2 * np.pi * rate) * np.sin(2 * np.pi * rate * t)  # s
    length = round(min(1.5, 8.0 * step_s) * SAMPLE_RATE)
    chord = 0
    for k in range(int(n / SAMPLE_RATE / step_s) + 1):
        if k % 8 == 0:
            chord = int(rng.integers(len(scale)))
        part = slice(round(k * step_s * SAMPLE_RATE), min(n, round(k * step_s * SAMPLE_RATE) + length))
        local = t[part] - k * step_s
        for _ in range(int(rng.integers(0, 4))) if len(local) else ():
            step = chord + 2 * int(rng.integers(0, 7))
            hz = root * 2.0 ** (step // len(scale) + scale[step % len(scale)] / 12.0)
            phase = 2 * np.pi * hz * (1.0 + float(rng.normal()) * detune) * (local + wave[part])
            tone = stack(phase, slope, min(24, int(0.45 * SAMPLE_RATE / hz)))
            edge = np.minimum(np.minimum(local / 0.005, (local[-1] - local) / 0.05), 1.0)
            out[part] += tone * np.exp(-decay * local) * edge
    body = 0.3 * out
    for _ in range(int(rng.integers(1, 5))):
        hz = float(np.exp(rng.uniform(np.log(250.0), np.log(4000.0))))
        peak = iirpeak(hz, float(rng.uniform(2.0, 8.0)), SAMPLE_RATE)
        body += float(rng.uniform(0.3, 1.5)) * lfilter(*peak, out)
    return _unit(body)


def band(n: int, other: Audio, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Two or three of the others at once."""
    makers = rng.permutation(4)[: int(rng.integers(2, 4))]
    parts = [(music, pads, keys, drums)[int(i)](n, other, rng) for i in makers]
    return _unit(np.sum([float(rng.uniform(0.3, 1.0)) * p for p in parts], axis=0))


SOUNDS = {
    "music": music,
    "pads": pads,
    "keys": keys,
    "band": band,
    "drums": drums,
    "hum": hum,
    "noise": noise,
    "chatter": chatter,
    "clatter": clatter,
}
