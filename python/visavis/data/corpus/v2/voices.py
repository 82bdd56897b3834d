"""Voices of version 2: version 1's, and Kokoro with mixed styles; each voice speaks from a pool of lines of its own.

Lines are spoken once and used again, which is what makes a long corpus affordable.  Kokoro takes up to 100 times as
long as the others, so the voices of one mix share its pool, re-voiced.  Its five styles are Japanese readers who speak
intelligible English; mixes of four of them are in train, the fifth style in test alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus import voices as v1
from visavis.data.corpus.bank import Utterance, utterance
from visavis.data.corpus.engines import KOKORO_MIXES, Settings, revoice
from visavis.data.corpus.phones import Phone
from visavis.data.corpus.text import KINDS, Line, line
from visavis.data.corpus.voices import REVOICE, Base, Voice

ENGINES = ("espeak", "festival", "flite", "kokoro", "pico")
KOKORO_WEIGHT = 0.8  # of a mix; all together speak 37 % of nine hours (own choice)
POOL = {"statement": 20, "question": 7, "narrative": 11, "reaction": 6, "backchannel": 4}  # lines of each pool
# Seconds by which phones are moved further than in version 1 (measured against forced alignment: docs/corpus.md).
BIAS = {"espeak": -0.022}


def bases(split: str) -> list[Base]:
    """The speakers of a split."""
    own = [b for b in v1.BASES if b.split == split]
    mixes = [name for name, mix in KOKORO_MIXES.items() if mix.split == split]
    return own + [Base("kokoro", name, f"kokoro-{split}", split, weight=KOKORO_WEIGHT) for name in mixes]


def voices_of(split: str, engines: tuple[str, ...], seed: int) -> list[Voice]:
    """The voices of a split for the chosen engines; pitch and tempo of each are drawn once from `seed`."""
    found = v1.voices_of(split, tuple(e for e in engines if e != "kokoro"), seed)
    if "kokoro" not in engines:
        return found
    for base in bases(split):
        for factor in REVOICE if base.engine == "kokoro" else ():
            name = f"kokoro-{base.variant}-{round(100 * factor)}"
            rng = np.random.default_rng([seed, *base.variant.encode()])
            stretch = round(1.0 / float(rng.uniform(0.9, 1.2)), 3)  # of the base, so that all its voices share the pool
            found.append(Voice(name, base, Settings("kokoro", base.variant, 0.0, stretch, factor)))
    return found


@dataclass(frozen=True)
class Speaker:
    """What a voice can say, and how it says it."""

    voice: Voice
    bank: Path

    def choose(self, wanted: Line, rng: np.random.Generator) -> Line:
        """A line of the same kind out of the voice's pool; the line itself where the pool has none of its kind."""
        size = POOL.get(wanted.kind, 0)
        if not size:
            return wanted
        base = self.voice.base
        owner = base.variant if base.engine == "kokoro" else self.voice.name
        number = int(rng.integers(size))
        return line(wanted.kind, np.random.default_rng([*owner.encode(), list(KINDS).index(wanted.kind), number]))

    def say(self, text: str) -> Utterance:
        """A line from the bank, as this voice says it."""
        settings = self.voice.settings
        if settings.engine != "kokoro":
            spoken = utterance(self.bank, text, settings)
            return moved(spoken, BIAS.get(settings.engine, 0.0))
        spoken = utterance(self.bank, text, replace(settings, factor=1.0))
        audio, scale = revoice(spoken.audio, SAMPLE_RATE, settings.factor)
        return Utterance(audio, [Phone(p.label, p.start * scale, p.end * scale) for p in spoken.phones])


def moved(spoken: Utterance, seconds: float) -> Utterance:
    """The utterance with its phones moved, none before its first sample."""
    if not seconds or not spoken.phones:
        return spoken
    phones = [Phone(p.label, max(p.start + seconds, 0.0), max(p.end + seconds, 0.0)) for p in spoken.phones]
    return Utterance(spoken.audio, [p for p in phones if p.end > p.start])
