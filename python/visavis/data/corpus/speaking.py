"""What a speaker's head, brows and smile do: beats on accents, moves at phrase starts, a return at the turn's end."""

import numpy as np

from visavis.data.corpus.curves import Array, add_episode, add_nod, add_pulse, steps
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.person import DEG, Person
from visavis.data.corpus.prosody import Accent

# Hadar (1984): wide slow moves at speech start after long pauses, medium ones at ends, sharp ones at loudness peaks.
P_BEAT = 0.65  # accents that get a head beat (own choice)
BEAT_DEG = (1.0, 3.2)  # downward stroke of a beat; its length in seconds below (own choices)
BEAT_S = (0.32, 0.52)
BEAT_YAW_DEG = 1.0  # std of the sideways part
P_BROW_ACCENT = 0.35  # accents that get a brow raise, the more prominent first (own choice)
BROW_RAISE = (0.18, 0.42)
BROW_S = (0.45, 0.75)
P_BROW_QUESTION = 0.6  # own questions end with raised brows (own choice)
START_DEG = {"headYaw": 3.5, "headPitch": 2.2, "headRoll": 2.0}  # std of the pose taken at a phrase start
LONG_PAUSE_S, LONG_PAUSE_GAIN = 1.0, 1.5  # wider after a long pause
START_S, END_S = (0.6, 1.1), (0.6, 0.9)  # durations of these moves
P_END_NOD = 0.18  # own phrase ends with a small nod (speakers nod more often than listeners, Gurion)
OWN_SMILE = 0.10  # chance of a smile per own phrase (own choice, about 2 a minute)
SMILE_HEIGHT, SMILE_S = (0.15, 0.45), (1.2, 3.0)


def beats(head: dict[str, Array], brows: dict[str, Array], accents: list[Accent], person: Person,
          rng: np.random.Generator) -> None:  # fmt: skip
    """Head beats and brow raises on the accents of one's own voice."""
    for accent in accents:
        strength = float(np.clip(0.6 + 0.4 * accent.prominence, 0.6, 1.4))
        length = float(rng.uniform(*BEAT_S))
        height = float(rng.uniform(*BEAT_DEG)) * DEG * strength * person.gain["beat"]
        side = float(rng.normal(0.0, BEAT_YAW_DEG)) * DEG * person.gain["beat"]
        if rng.random() < P_BEAT:
            add_pulse(head["headPitch"], accent.time - 0.5 * length, length, height)
            add_pulse(head["headYaw"], accent.time - 0.5 * length, 1.5 * length, side)
        width = float(rng.uniform(*BROW_S))
        raise_ = float(rng.uniform(*BROW_RAISE)) * strength * person.gain["brow"]
        if rng.random() < P_BROW_ACCENT * strength:
            add_pulse(brows["browInnerUp"], accent.time - 0.45 * width, width, raise_)
            add_pulse(brows["browOuterUp"], accent.time - 0.45 * width, width, 0.7 * raise_)


def phrase_moves(head: dict[str, Array], phrases: list[Phrase], person: Person, rng: np.random.Generator) -> None:
    """A new pose at each phrase start, back towards the partner at the turn's end (a turn-yielding cue)."""
    n_frames, last_end = len(head["headYaw"]), 0.0
    targets: dict[str, list[tuple[float, float, float]]] = {name: [] for name in START_DEG}
    for phrase in phrases:
        gain = person.gain["head"] * (LONG_PAUSE_GAIN if phrase.speech_start - last_end > LONG_PAUSE_S else 1.0)
        start_s, end_s = float(rng.uniform(*START_S)), float(rng.uniform(*END_S))
        last_end = phrase.speech_end
        poses = {name: float(rng.normal(0.0, std)) * DEG * gain for name, std in START_DEG.items()}
        if phrase.line.kind == "backchannel":
            continue
        for name, pose in poses.items():
            targets[name].append((phrase.speech_start - 0.08, pose, start_s))
            if phrase.last_of_turn:
                targets[name].append((max(phrase.speech_end - 0.3, phrase.speech_start + start_s), 0.0, end_s))
    for name, moves in targets.items():
        head[name] += steps(n_frames, moves)


def phrase_events(tracks: dict[str, Array], phrases: list[Phrase], person: Person, rng: np.random.Generator) -> None:
    """Question brows, small nods at own phrase ends, own smiles and the small smile of a warm backchannel."""
    for phrase in phrases:
        question, nod, smile = rng.random(3)
        height = float(rng.uniform(*SMILE_HEIGHT)) * person.gain["smile"]
        length = float(rng.uniform(*SMILE_S))
        if phrase.line.kind == "question" and question < P_BROW_QUESTION:
            start = max(phrase.speech_start, phrase.speech_end - 0.7)
            raise_ = float(rng.uniform(0.25, 0.5)) * person.gain["brow"]
            add_episode(tracks["browInnerUp"], start, 1.4, raise_, 0.35, 0.5)
            add_episode(tracks["browOuterUp"], start, 1.4, raise_, 0.35, 0.5)
        if phrase.is_cue and nod < P_END_NOD:
            size = float(rng.uniform(1.0, 2.0)) * DEG * person.gain["nod_size"]
            add_nod(tracks["headPitch"], phrase.speech_end - 0.15, 1, 2.0, size, 1.0)
        if phrase.line.kind != "backchannel" and smile < OWN_SMILE * person.gain["smile_rate"]:
            add_episode(tracks["smile"], phrase.speech_start + 0.1, length, height, 0.35, 0.6)
