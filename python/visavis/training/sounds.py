"""What is not the person's voice in training crops: music, drums, hums, noise, chatter, clatter, voices of others.

Sounds are loud where the person does not speak, and well under the voice where they do; a session in which only such
sounds are heard looks the same as a long listening turn.  Other people's voices differ from one's own by their level
alone, so they are soft everywhere.  A mouth rests under all of it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.data.corpus.v2.rooms import SOUNDS

Floats = npt.NDArray[np.float32]
RAMP_S = 0.1  # over which a sound gives way to a voice
SOUND_S = 12.0  # of the stock
NOMINAL_DB = -32.0  # dBFS, rms: the level of a person who says nothing in a crop; low, as soft voices are voices, too


@dataclass(frozen=True)
class SoundRecipe:
    """How often, how long and how loud."""

    probability: float = 0.4  # of each voice of a crop
    all_along: float = 0.3  # of these: the whole crop, the others 3 to 12 s
    alone_db: tuple[float, float] = (-42.0, -10.0)  # rms, of full scale, where the person does not speak
    under_db: tuple[float, float] = (-34.0, -12.0)  # of the voice's rms, where they do
    stock: int = 576  # different sounds of a run, 64 of each kind; each is made when it is first drawn
    others: float = 0.3  # of each voice of a crop: somebody else's is in it, all along
    others_db: tuple[float, float] = (-45.0, -18.0)  # of the person's own level


class Sounds:
    """A stock of sounds from which passages are cut, and the voices of everybody."""

    def __init__(self, recipe: SoundRecipe, voices: list[npt.NDArray[np.float16]], seed: int) -> None:
        self.recipe, self.voices, self.seed = recipe, voices, seed
        self.made: dict[int, npt.NDArray[np.float16]] = {}

    def sound(self, number: int) -> Floats:
        """One of the stock, (SOUND_S * SAMPLE_RATE,) at an rms of 1; it depends on the seed and the number alone."""
        if number not in self.made:
            n, kinds = round(SOUND_S * SAMPLE_RATE), list(SOUNDS)
            rng = np.random.default_rng([self.seed, 53, number])
            voice = np.resize(self.voices[int(rng.integers(len(self.voices)))][: 4 * n].astype(np.float32), n)
            self.made[number] = SOUNDS[kinds[number % len(kinds)]](n, voice, rng).astype(np.float16)
        return self.made[number].astype(np.float32)

    def add(self, voice: Floats, speaking: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
        """The voice (N,) with what is drawn to it; `speaking` (N,) tells where the person speaks."""
        level = rms(voice[speaking])
        heard = self._with_sound(voice, speaking, level, rng) if rng.random() < self.recipe.probability else voice
        return heard + self._another(len(voice), level, rng) if rng.random() < self.recipe.others else heard

    def _another(self, n: int, level: float, rng: np.random.Generator) -> Floats:
        """Somebody else's voice (N,), softer than one of that level."""
        other = self.voices[int(rng.integers(len(self.voices)))]
        first = int(rng.integers(max(1, len(other) - n + 1)))
        piece = np.resize(other[first : first + n].astype(np.float32), n)
        gain = from_db(float(rng.uniform(*self.recipe.others_db))) * (level or from_db(NOMINAL_DB))
        return np.asarray(np.float32(gain / max(loudness(piece), 1e-4)) * piece, np.float32)

    def _with_sound(
        self, voice: Floats, speaking: npt.NDArray[np.bool_], level: float, rng: np.random.Generator
    ) -> Floats:
        how = self.recipe
        whole = rng.random() < how.all_along
        n = len(voice) if whole else min(len(voice), round(float(rng.uniform(3.0, SOUND_S)) * SAMPLE_RATE))
        first = int(rng.integers(0, len(voice) - n + 1))
        sound = self.sound(int(rng.integers(how.stock)))
        sound = np.resize(np.roll(sound, int(rng.integers(len(sound)))), n)
        part = slice(first, first + n)
        alone, under = (from_db(float(rng.uniform(*bounds))) for bounds in (how.alone_db, how.under_db))
        gain = np.where(speaking[part], min(alone, under * level), alone)
        heard: Floats = voice.copy()
        heard[part] += smoothed(gain, "edge" if whole else "constant") * sound
        return heard


def rms(samples: Floats) -> float:
    """0 for none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def loudness(voice: Floats) -> float:
    """Rms of the frames of a voice (N,) in which something is said: those within 20 dB of the loudest."""
    frames = voice[: len(voice) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)
    energies = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float(np.sqrt(energies[energies >= 0.01 * energies.max(initial=0.0)].mean())) if len(frames) else 0.0


def from_db(decibels: float) -> float:
    """As a factor of amplitudes."""
    return float(10.0 ** (decibels / 20.0))


def smoothed(gain: npt.NDArray[np.float64], beyond: Literal["edge", "constant"]) -> Floats:
    """A moving mean over RAMP_S, (N,); beyond its ends the gain goes on ("edge") or is 0 ("constant")."""
    half = round(0.5 * RAMP_S * SAMPLE_RATE)
    total = np.cumsum(np.pad(gain, (half + 1, half), mode=beyond))
    return np.asarray((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1), np.float32)
