"""Sounds that are no voice in training crops: music, drums, hums, noise, chatter, clatter, under which a mouth rests.

Loud where the person does not speak, and well under the voice where they do; a session in which only such sounds are
heard looks the same as a long listening turn.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.v2.rooms import SOUNDS

Floats = npt.NDArray[np.float32]
RAMP_S = 0.1  # over which a sound gives way to a voice
SOUND_S = 12.0  # of the stock


@dataclass(frozen=True)
class SoundRecipe:
    """How often, how long and how loud."""

    probability: float = 0.4  # of each voice of a crop
    all_along: float = 0.3  # of these: the whole crop, the others 3 to 12 s
    alone_db: tuple[float, float] = (-42.0, -10.0)  # rms, of full scale, where the person does not speak
    under_db: tuple[float, float] = (-34.0, -12.0)  # of the voice's rms, where they do
    stock: int = 56  # different sounds of a run


class Sounds:
    """A stock of sounds, drawn once, from which passages are cut."""

    def __init__(self, recipe: SoundRecipe, voices: list[npt.NDArray[np.float16]], seed: int) -> None:
        self.recipe = recipe
        n, kinds = round(SOUND_S * SAMPLE_RATE), list(SOUNDS)
        self.stock = []
        for i in range(recipe.stock):
            rng = np.random.default_rng([seed, 53, i])
            voice = np.resize(voices[int(rng.integers(len(voices)))][: 4 * n].astype(np.float32), n)
            self.stock.append(SOUNDS[kinds[i % len(kinds)]](n, voice, rng).astype(np.float32))

    def add(self, voice: Floats, speaking: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
        """The voice (N,) with a sound or without; `speaking` (N,) tells where the person speaks."""
        how = self.recipe
        if rng.random() >= how.probability:
            return voice
        whole = rng.random() < how.all_along
        n = len(voice) if whole else min(len(voice), round(float(rng.uniform(3.0, SOUND_S)) * SAMPLE_RATE))
        first = int(rng.integers(0, len(voice) - n + 1))
        sound = self.stock[int(rng.integers(len(self.stock)))]
        sound = np.resize(np.roll(sound, int(rng.integers(len(sound)))), n)
        part = slice(first, first + n)
        alone = 10.0 ** (float(rng.uniform(*how.alone_db)) / 20.0)
        under = 10.0 ** (float(rng.uniform(*how.under_db)) / 20.0)
        spoken = voice[speaking]
        level = float(np.sqrt(np.mean(np.square(spoken, dtype=np.float64)))) if len(spoken) else 0.0
        gain = np.where(speaking[part], min(alone, under * level), alone)
        heard: Floats = voice.copy()
        heard[part] += smoothed(gain, "edge" if whole else "constant") * sound
        return heard


def smoothed(gain: npt.NDArray[np.float64], beyond: Literal["edge", "constant"]) -> Floats:
    """A moving mean over RAMP_S, (N,); beyond its ends the gain goes on ("edge") or is 0 ("constant")."""
    half = round(0.5 * RAMP_S * SAMPLE_RATE)
    total = np.cumsum(np.pad(gain, (half + 1, half), mode=beyond))
    return np.asarray((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1), np.float32)
