"""What a speaker of version 2 does: brows and head go with pitch and energy, emphasis shows on head, brows and lips.

Version 1's moves at the borders of phrases stay (speaking.py).  What is caused by the voice is caused by it every time,
so that it can be learnt.
"""

import numpy as np

from visavis.constants import FRAME_RATE
from visavis.data.corpus.curves import Array, add_episode, add_pulse
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.person import DEG, Person
from visavis.data.corpus.prosody import Accent
from visavis.data.corpus.v2.prosody import Prosody

# Brows rise with pitch peaks and the head moves with pitch and energy while speaking (Hadar 1984: sharp moves at
# loudness peaks and stress); all sizes are own choices.
BROW_PITCH, BROW_FROM = 0.16, 0.35  # weight for each standard score of pitch above this one
HEAD_PITCH_DEG, HEAD_ENERGY_DEG = 0.9, 5.0  # chin up for each standard score of pitch; down for energy (0..1)
HEAD_ROLL_DEG = 0.5  # for each standard score of pitch
P_BEAT = (0.25, 0.45)  # chance of a head beat at an accent: this, and for each standard score of prominence
BEAT_DEG, BEAT_S = (1.4, 3.4), (0.32, 0.52)
BEAT_YAW_DEG = 1.2
BROW_FROM_PROMINENCE, BROW_RAISE, BROW_S = (
    0.9,
    (0.20, 0.40),
    (0.45, 0.75),
)  # accents that stand out this far raise brows
EMPHASIS, EMPHASIS_S, PLAIN = 0.22, 0.36, 0.95  # lips and jaw at an accent of prominence 1; elsewhere
LAUGH_SMILE, LAUGH_BROW = (0.55, 0.85), 0.18
LAUGH_BACK_DEG, LAUGH_BOB_DEG = (3.0, 8.0), (0.8, 1.8)  # head thrown back; its bobbing with each burst
LAUGH_AFTER_S = (0.6, 1.6)  # the smile outlasts the laughter


def follow_voice(tracks: dict[str, Array], voice: Prosody, person: Person) -> None:
    """Brows and head with the pitch and energy of one's own voice."""
    raised = BROW_PITCH * np.maximum(voice.pitch - BROW_FROM, 0.0) * person.gain["brow"]
    tracks["browInnerUp"] += raised
    tracks["browOuterUp"] += 0.7 * raised
    gain = DEG * person.gain["beat"]
    tracks["headPitch"] += gain * (HEAD_ENERGY_DEG * voice.energy - HEAD_PITCH_DEG * voice.pitch)
    tracks["headRoll"] += gain * HEAD_ROLL_DEG * voice.pitch


def emphasise(tracks: dict[str, Array], accents: list[Accent], person: Person, rng: np.random.Generator) -> None:
    """A beat of the head at most accents, a brow raise at the strong ones."""
    for accent in accents:
        strength = float(np.clip(0.6 + 0.4 * accent.prominence, 0.6, 1.5))
        length = float(rng.uniform(*BEAT_S))
        height = float(rng.uniform(*BEAT_DEG)) * DEG * strength * person.gain["beat"]
        side = float(rng.normal(0.0, BEAT_YAW_DEG)) * DEG * person.gain["beat"]
        if rng.random() < P_BEAT[0] + P_BEAT[1] * accent.prominence:
            add_pulse(tracks["headPitch"], accent.time - 0.5 * length, length, height)
            add_pulse(tracks["headYaw"], accent.time - 0.5 * length, 1.5 * length, side)
        width = float(rng.uniform(*BROW_S))
        raise_ = float(rng.uniform(*BROW_RAISE)) * strength * person.gain["brow"]
        if accent.prominence > BROW_FROM_PROMINENCE:
            add_pulse(tracks["browInnerUp"], accent.time - 0.45 * width, width, raise_)
            add_pulse(tracks["browOuterUp"], accent.time - 0.45 * width, width, 0.7 * raise_)


def emphasis(accents: list[Accent], n_frames: int) -> Array:
    """Gain of lips and jaw, (T,): over 1 at accents, a little under it elsewhere."""
    gain = np.full(n_frames, PLAIN)
    for accent in accents:
        size = EMPHASIS * float(np.clip(accent.prominence, 0.4, 1.6))
        add_pulse(gain, accent.time - 0.5 * EMPHASIS_S, EMPHASIS_S, size)
    return gain


def laugh(
    tracks: dict[str, Array], phrases: list[Phrase], person: Person, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """The face of one's own laughter; spans of its smiles."""
    spans = []
    for phrase in phrases:
        start, length = phrase.speech_start, phrase.speech_end - phrase.speech_start
        whole = length + float(rng.uniform(*LAUGH_AFTER_S)) + 0.2
        height = float(rng.uniform(*LAUGH_SMILE)) * min(person.gain["smile"], 1.25)
        back = float(rng.uniform(*LAUGH_BACK_DEG)) * DEG * person.gain["head"]
        bob = float(rng.uniform(*LAUGH_BOB_DEG)) * DEG * person.gain["head"]
        add_episode(tracks["smile"], start - 0.2, whole, height, 0.3, 0.7)
        add_episode(tracks["browInnerUp"], start - 0.1, length + 0.4, LAUGH_BROW * person.gain["brow"], 0.25, 0.4)
        add_episode(tracks["headPitch"], start - 0.1, length + 0.8, -back, 0.35, 0.7)
        for phone in phrase.phones:
            if phone.label == "HH":
                add_pulse(tracks["headPitch"], phone.start, max(0.16, 4 / FRAME_RATE), bob)
        spans.append((start - 0.2, start - 0.2 + whole))
    return spans
