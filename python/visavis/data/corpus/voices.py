"""Voices: who can speak, and which split each voice belongs to.

A base is one recorded or designed speaker behind one engine variant; a voice is a base with its pitch, tempo and
re-voicing factor.  Splits share no base and no human donor: slt speaks through flite and festival, both in train.
"""

from dataclasses import dataclass

import numpy as np

from visavis.data.corpus.engines import ENGINES, Settings
from visavis.errors import InvalidArgument

SPLITS = ("train", "val", "test")
SPLIT_SHARE = {"train": 0.86, "val": 0.05, "test": 0.09}  # of the hours; own choice
REVOICE = (0.87, 0.93, 1.0, 1.06, 1.13)  # re-voicing factors, +-13 % (research, recipe 4)
ESPEAK_SHARE = 0.22  # of the speech; espeak adds variety but sounds least human (research, section 2: keep it small)


@dataclass(frozen=True)
class Base:
    """A speaker: engine variant, human donor, split, and the range of its F0 setting and weight among its split."""

    engine: str
    variant: str
    donor: str
    split: str
    f0: tuple[float, float] = (0.0, 0.0)
    weight: float = 1.0


# F0 ranges: flite in Hz inside the 80-220 of the research, narrowed around each donor; Pico a multiplier; espeak 0-99.
BASES = (
    Base("flite", "slt", "slt", "train", (150, 210), 1.3),
    Base("flite", "awb", "awb", "train", (100, 170), 1.2),
    Base("flite", "kal16", "kal", "train", (85, 140), 0.7),
    Base("festival", "cmu_us_slt_arctic_hts", "slt", "train", weight=0.9),
    Base("festival", "kal_diphone", "kal", "train", weight=0.7),
    Base("pico", "en-US", "pico-us", "train", (0.85, 1.15), 1.3),
    Base("festival", "ked_diphone", "ked", "val"),
    Base("flite", "rms", "rms", "test", (80, 130), 1.2),
    Base("pico", "en-GB", "pico-gb", "test", (0.85, 1.15), 1.0),
    *(
        Base("espeak", v, f"espeak-{v}", "train", (35, 65))
        for v in ("f1", "f2", "f4", "m1", "m2", "m4", "m7", "klatt4")
    ),
    *(Base("espeak", v, f"espeak-{v}", "train", (35, 65)) for v in ("adam", "linda", "david", "steph2")),
    *(Base("espeak", v, f"espeak-{v}", "val", (35, 65)) for v in ("f3", "m5")),
    *(Base("espeak", v, f"espeak-{v}", "test", (35, 65)) for v in ("anika", "m3", "caleb")),
)


@dataclass(frozen=True)
class Voice:
    """A voice of the corpus; `name` is unique and tells base and factor."""

    name: str
    base: Base
    settings: Settings


def voices_of(split: str, engines: tuple[str, ...], seed: int) -> list[Voice]:
    """The voices of a split for the chosen engines; pitch and tempo of each are drawn once from `seed`."""
    unknown = sorted(set(engines) - set(ENGINES))
    if unknown:
        raise InvalidArgument(f"speech engines {', '.join(unknown)} are unknown; known: {', '.join(ENGINES)}")
    voices = []
    for base in BASES:
        if base.split != split or base.engine not in engines:
            continue
        for factor in REVOICE:
            name = f"{base.engine}-{base.variant or 'default'}-{round(100 * factor)}"
            rng = np.random.default_rng([seed, *name.encode()])
            f0 = round(float(rng.uniform(*base.f0)), 2) if base.f0[1] > 0 else 0.0
            stretch = round(float(rng.uniform(0.88, 1.12)) * factor, 3)  # undoes the factor's own change of tempo
            voices.append(Voice(name, base, Settings(base.engine, base.variant, f0, stretch, factor)))
    return voices


def draw_pair(voices: list[Voice], rng: np.random.Generator) -> tuple[Voice, Voice]:
    """Two voices of one dialogue, of different bases where the split has more than one; espeak kept to its share."""
    first = _draw(voices, rng)
    others = [v for v in voices if v.base != first.base] or [v for v in voices if v is not first]
    quality = [v for v in others if v.base.engine != "espeak"]
    if first.base.engine == "espeak" and quality:
        others = quality  # never two formant voices in one dialogue
    elif first.base.engine != "espeak" and not quality:
        others = [v for v in voices if v is not first]
    return first, _draw(others, rng)


def _draw(voices: list[Voice], rng: np.random.Generator) -> Voice:
    weights = np.array([v.base.weight for v in voices])
    formant = np.array([v.base.engine == "espeak" for v in voices])
    if formant.any() and not formant.all():
        weights[formant] *= ESPEAK_SHARE / weights[formant].sum()
        weights[~formant] *= (1.0 - ESPEAK_SHARE) / weights[~formant].sum()
    return voices[int(rng.choice(len(voices), p=weights / weights.sum()))]
