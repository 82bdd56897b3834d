"""Late onsets in training crops: phrases whose beginning is not heard, so that any sound may open one.

Few phrases of the corpus open with p, t or k (docs/decisions.md 63 and 64), while a game's characters say "please",
"take this", "come".  A late onset mutes a phrase up to some phone; nothing is asked of the face before it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLE_RATE
from visavis.data.dualtalk import Person

PLOSIVES = ("P", "B", "T", "D", "K", "G")
PLOSIVE_WEIGHT = 3.0  # how much likelier one of these is than another kind of phone
EARLIEST_S, LATEST_S = 0.15, 1.5  # after the phrase's own beginning
PAUSE_S = 0.15  # between phones: another phrase
PREPARED_S = 0.2  # before a phrase, its mouth begins
RAMP_S = 0.005


@dataclass(frozen=True)
class Muted:
    """A stretch in which a person is not heard, seconds of the recording."""

    begin: float
    end: float  # where the phone begins that is heard first


def late_onsets(person: Person, begin: float, end: float, rng: np.random.Generator, share: float) -> list[Muted]:
    """The muted beginnings of that share of the phrases that begin between two times; none without phones.

    Of the phones that a phrase could begin with each kind counts alike, plosives more, so that rare ones are heard.
    """
    labels = person.labels
    if "phone_start" not in labels or not len(labels["phone_start"]):
        return []
    starts, ends = (np.asarray(labels[name], np.float64) for name in ("phone_start", "phone_end"))
    kinds = np.array([str(label).rstrip("012") for label in labels["phone_label"]])
    opens = np.concatenate([[True], starts[1:] - ends[:-1] >= PAUSE_S])
    found = []
    for first in np.flatnonzero(opens & (starts >= begin) & (starts < end)):
        if rng.random() >= share:
            continue
        later = np.flatnonzero(opens[first + 1 :])
        phones = np.arange(first, first + 1 + later[0] if len(later) else len(starts))
        after = starts[phones] - starts[first]
        phones = phones[(after >= EARLIEST_S) & (after <= LATEST_S)]
        if len(phones):
            there = np.unique(kinds[phones])
            weight = np.where(np.isin(there, PLOSIVES), PLOSIVE_WEIGHT, 1.0)
            kind = rng.choice(there, p=weight / weight.sum())
            phone = rng.choice(phones[kinds[phones] == kind])
            found.append(Muted(float(starts[first]) - PREPARED_S, float(starts[phone])))
    return found


def mute(voice: npt.NDArray[np.float32], first_sample: int, stretches: list[Muted]) -> None:
    """Silence the stretches in a voice that begins at that sample of the recording."""
    ramp = round(RAMP_S * SAMPLE_RATE)
    for stretch in stretches:
        begin, end = (max(0, round(x * SAMPLE_RATE) - first_sample) for x in (stretch.begin, stretch.end))
        rising = max(begin, end - ramp)
        voice[begin:rising] = 0.0
        last = voice[rising:end]  # less than the ramp where the voice ends
        last *= np.linspace(0.0, 1.0, ramp, dtype=np.float32)[: len(last)]


def heard_frames(first_frame: int, n_frames: int, stretches: list[Muted]) -> npt.NDArray[np.bool_]:
    """Frames (n_frames,) whose face follows from what is heard."""
    at = (first_frame + np.arange(n_frames)) / FRAME_RATE
    known = np.ones(n_frames, bool)
    for stretch in stretches:
        known &= (at < stretch.begin) | (at >= stretch.end - 0.5 / FRAME_RATE)
    return known
