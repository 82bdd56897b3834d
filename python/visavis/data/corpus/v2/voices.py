"""Voices of version 2: version 1's, and Kokoro's; each voice speaks from a pool of lines of its own.

Lines are spoken once and used again, which is what makes a long corpus affordable.  Kokoro takes up to 100 times as
long as the others, so the voices of one of its speakers share a pool, re-voiced.  Engine kokoro has five Japanese
readers who speak intelligible English (mixes of four of them in train, the fifth in test alone), engine kokoro-en the
speakers of the model's own release.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus import voices as v1
from visavis.data.corpus.bank import Utterance, utterance
from visavis.data.corpus.engines import KOKORO_MIXES, KOKORO_SPEAKERS, Settings, revoice
from visavis.data.corpus.phones import Phone
from visavis.data.corpus.text import KINDS, Line, line
from visavis.data.corpus.v2.requests import request
from visavis.data.corpus.voices import REVOICE, Base, Voice

ENGINES = ("espeak", "festival", "flite", "kokoro", "kokoro-en", "pico")
KOKORO_WEIGHT = {"kokoro": 0.3, "kokoro-en": 0.35}  # of a mix, of a speaker (own choice)
POOL = {"statement": 20, "question": 7, "narrative": 11, "reaction": 6, "backchannel": 4}  # lines of each pool
SPEAKER_POOL = {"statement": 8, "question": 3, "narrative": 4, "reaction": 3, "backchannel": 2}  # of kokoro-en
REQUEST_EVERY = 3  # statements of a pool, of which the last is a request (own choice)
# Seconds by which phones are moved further than in version 1 (measured against forced alignment: docs/corpus.md).
BIAS = {"espeak": -0.022}


def bases(split: str) -> list[Base]:
    """The speakers of a split."""
    own = [b for b in v1.BASES if b.split == split]
    mixes = [name for name, mix in KOKORO_MIXES.items() if mix.split == split]
    speakers = [("kokoro", name, f"kokoro-{split}") for name in mixes]
    speakers += [("kokoro-en", name, name) for name in KOKORO_SPEAKERS[split]]
    return own + [Base(engine, name, donor, split, weight=KOKORO_WEIGHT[engine]) for engine, name, donor in speakers]


def voices_of(split: str, engines: tuple[str, ...], seed: int) -> list[Voice]:
    """The voices of a split for the chosen engines; pitch and tempo of each are drawn once from `seed`."""
    found = v1.voices_of(split, tuple(e for e in engines if e not in KOKORO_WEIGHT), seed)
    for base in bases(split):
        for factor in REVOICE if base.engine in KOKORO_WEIGHT and base.engine in engines else ():
            name = f"kokoro-{base.variant}-{round(100 * factor)}"
            rng = np.random.default_rng([seed, *base.variant.encode()])
            stretch = round(1.0 / float(rng.uniform(0.9, 1.2)), 3)  # of the base, so that all its voices share the pool
            found.append(Voice(name, base, Settings(base.engine, base.variant, 0.0, stretch, factor)))
    return found


def pool_of(base: Base) -> dict[str, int]:
    """How many lines of each kind its voices have."""
    return SPEAKER_POOL if base.engine == "kokoro-en" else POOL


def pool_line(voice: Voice, kind: str, number: int) -> Line:
    """One of the lines of a voice; Kokoro's voices share those of their base."""
    owner = voice.base.variant if voice.base.engine in KOKORO_WEIGHT else voice.name
    rng = np.random.default_rng([*owner.encode(), list(KINDS).index(kind), number])
    return request(rng) if kind == "statement" and number % REQUEST_EVERY == REQUEST_EVERY - 1 else line(kind, rng)


@dataclass(frozen=True)
class Speaker:
    """What a voice can say, and how it says it."""

    voice: Voice
    bank: Path

    def choose(self, wanted: Line, rng: np.random.Generator) -> Line:
        """A line of the same kind out of the voice's pool; the line itself where the pool has none of its kind."""
        size = pool_of(self.voice.base).get(wanted.kind, 0)
        return pool_line(self.voice, wanted.kind, int(rng.integers(size))) if size else wanted

    def say(self, text: str) -> Utterance:
        """A line from the bank, as this voice says it."""
        settings = self.voice.settings
        if settings.engine not in KOKORO_WEIGHT:
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
