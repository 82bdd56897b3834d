"""The robustness protocol: what is done to the user's voice and tracked face before a model gets them.

| name   | value                                                                                        |
| noise  | white noise, decibels by which the voice (its loud frames) is over it                        |
| reverb | a room, seconds to fall by 60 dB; its tail has half the energy of the direct sound           |
| jitter | white noise on the tracked face, in units of each channel's standard deviation in the clip   |
| drop   | share of the seconds in which voice and face are absent                                      |
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from visavis.constants import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import InvalidArgument
from visavis.evaluation.generate import Floats, Scene

LIMITS = {"noise": (-40.0, 100.0), "reverb": (0.05, 5.0), "jitter": (0.0, 100.0), "drop": (0.0, 1.0)}
LOUD = 10 ** (-45 / 20)  # rms of a frame that counts as speech
TAIL_ENERGY = 0.5
TAIL_BEGINS_S = 0.005


@dataclass(frozen=True)
class Perturbation:
    """What is done; None leaves that alone."""

    noise: float | None = None
    reverb: float | None = None
    jitter: float | None = None
    drop: float | None = None

    @property
    def text(self) -> str:
        """As it was asked for; empty for nothing."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return ", ".join(f"{name}={value:g}" for name, value in values if value is not None)

    def apply(self, scene: Scene, seed: int) -> Scene:
        """The scene as a worse microphone and camera would have given it; the same seed, the same scene."""
        rng = np.random.default_rng(seed)
        user, face = scene.user, scene.face
        if self.reverb is not None:
            user = reverberate(user, self.reverb, rng)
        if self.noise is not None:
            user = add_noise(user, self.noise, rng)
        if self.jitter is not None and face is not None:
            spread = np.nanstd(face, axis=0)
            face = (face + self.jitter * spread * rng.standard_normal(face.shape)).astype(np.float32)
        if self.drop is not None:
            user, face = drop_seconds(user, face, self.drop, rng)
        return Scene(scene.agent, user, face)


def parse_perturbation(words: Sequence[str]) -> Perturbation:
    """NAME=VALUE, each name once; raises InvalidArgument."""
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in LIMITS or name in values:
            raise InvalidArgument(f"perturb {word!r}; expected NAME=VALUE, each once, with NAME of {', '.join(LIMITS)}")
        low, high = LIMITS[name]
        try:
            values[name] = float(text)
        except ValueError:
            raise InvalidArgument(f"perturb {word!r}: {text!r} is no number") from None
        if not low <= values[name] <= high:
            raise InvalidArgument(f"perturb {word!r}; expected {low:g} to {high:g}")
    return Perturbation(**values)


def add_noise(voice: Floats, snr_db: float, rng: np.random.Generator) -> Floats:
    """White noise; a voice that is never loud has none to be measured by and stays as it is."""
    frames = voice[: len(voice) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)
    power = np.square(frames.astype(np.float64)).mean(1)
    loud = power[power > LOUD**2]
    if not len(loud):
        return voice
    rms = np.sqrt(loud.mean() * 10 ** (-snr_db / 10))
    noisy: Floats = (voice + rms * rng.standard_normal(len(voice))).astype(np.float32)
    return noisy


def reverberate(voice: Floats, seconds: float, rng: np.random.Generator) -> Floats:
    """The direct sound where it was, then noise that falls by 60 dB in `seconds`; same length."""
    from scipy.signal import fftconvolve

    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(time)) * np.exp(-np.log(1e3) * time / seconds)
    room[: round(TAIL_BEGINS_S * SAMPLE_RATE)] = 0
    room *= np.sqrt(TAIL_ENERGY / np.square(room).sum())
    room[0] = 1
    heard: Floats = fftconvolve(voice, room)[: len(voice)].astype(np.float32)
    return heard


def drop_seconds(
    voice: Floats, face: Floats | None, share: float, rng: np.random.Generator
) -> tuple[Floats, Floats | None]:
    """Seconds drawn at random in which the user is neither heard nor seen: silence, and rows of NaN."""
    n_seconds = -(-len(voice) // SAMPLE_RATE)
    gone = rng.permutation(n_seconds) < round(share * n_seconds)
    voice = np.where(np.repeat(gone, SAMPLE_RATE)[: len(voice)], np.float32(0), voice)
    if face is not None:
        frames = np.arange(len(face)) // FRAME_RATE
        away = gone[np.minimum(frames, n_seconds - 1)]
        face = np.where(away[:, None], np.float32(np.nan), face)
    return voice, face
