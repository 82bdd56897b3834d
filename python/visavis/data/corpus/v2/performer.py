"""Performer v2: rules that turn a scheduled conversation into arkit55 motion for both persons (axes: performer.py).

Against version 1: brows and head follow the voice, emphasis reaches the lips, fast nods are small and slow ones large,
smiles and laughter are answered, postures change where turns do, persons come closer to each other, and faces rest
further from neutral and drift more slowly.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus import performer as v1
from visavis.data.corpus import speaking
from visavis.data.corpus.curves import Array, drift
from visavis.data.corpus.dialogue import ASIDE, Phrase, speaking_frames
from visavis.data.corpus.listening import Event
from visavis.data.corpus.performer import Performance
from visavis.data.corpus.person import DEG
from visavis.data.corpus.prosody import Accent, accents, loudness
from visavis.data.corpus.v2 import speaking as speaking2
from visavis.data.corpus.v2.dialogue import laughs
from visavis.data.corpus.v2.listening import Listener
from visavis.data.corpus.v2.person import StyledPerson
from visavis.data.corpus.v2.prosody import track
from visavis.data.corpus.visemes import lip_shapes
from visavis.motion_space import HEAD_ANGLES

DRIFT_S, DRIFT_WEIGHTS = (0.6, 1.5, 4.0, 8.0, 20.0), (0.12, 0.35, 0.7, 1.0, 1.0)  # about 1/f, slower than version 1's
DRIFT_DEG = {"headYaw": 2.8, "headPitch": 2.0, "headRoll": 1.5}  # std
SPEAKING_DRIFT = 1.3
FACE_DRIFT = {"smile": 0.02, "browInnerUp": 0.02, "browDown": 0.015, "mouthShrugLower": 0.012}  # std
ENTRAINED = ("nod_rate", "smile_rate", "smile", "beat", "head")  # gains in which people come closer
ENTRAINMENT = 0.25  # of the difference in their logs


def perform(
    phrases: tuple[list[Phrase], list[Phrase]],
    voices: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    persons: tuple[StyledPerson, StyledPerson],
    n_frames: int,
    rng: np.random.Generator,
) -> tuple[Performance, Performance]:
    """The motion of both persons; `voices` are their dry tracks."""
    generators = rng.spawn(2)
    people = entrained(persons)
    talks = [speaking_frames(p, n_frames) for p in phrases]
    stressed = [_accents(phrases[i], voices[i]) for i in (0, 1)]
    listeners = []
    for i in (0, 1):
        tracks = _alone(phrases[i], voices[i], talks[i], stressed[i], people[i], generators[i])
        listener = Listener(tracks, phrases[i], phrases[1 - i], people[i], generators[i])
        listener.react(stressed[1 - i])
        spans = speaking2.laugh(tracks, laughs(phrases[i]), people[i], generators[i])
        listener.events += [Event("laugh", *span) for span in spans]
        listeners.append(listener)
    first = [list(listener.events) for listener in listeners]  # answers are not answered again
    for i in (0, 1):
        listeners[i].answer_smiles(first[1 - i])
    heads = [{name: listener.tracks[name].copy() for name in HEAD_ANGLES} for listener in listeners]
    results = []
    for i, listener in enumerate(listeners):
        v1.mimic(listener.tracks, heads[1 - i], talks[i])
        lips = _lips(phrases[i], voices[i], stressed[i], people[i], n_frames)
        turns = [p for p in phrases[i] if p.line.kind != "laugh"]
        motion = v1.compose(listener.tracks, lips, turns, talks[i], people[i], generators[i])
        events = sorted(listener.events, key=lambda e: (e.start, e.kind))
        results.append(Performance(motion, talks[i], events))
    return results[0], results[1]


def entrained(persons: tuple[StyledPerson, StyledPerson]) -> tuple[StyledPerson, StyledPerson]:
    """Both persons with the gains of ENTRAINED moved towards each other's."""
    moved = []
    for person, other in zip(persons, persons[::-1], strict=True):
        gain = dict(person.gain)
        for name in ENTRAINED:
            gain[name] *= (other.gain[name] / person.gain[name]) ** (0.5 * ENTRAINMENT)
        moved.append(replace(person, gain=gain))
    return moved[0], moved[1]


def _accents(phrases: list[Phrase], voice: npt.NDArray[np.float32]) -> list[Accent]:
    return accents(voice, [p for phrase in phrases if phrase.line.kind not in ASIDE for p in phrase.phones])


def _alone(own: list[Phrase], voice: npt.NDArray[np.float32], talks: npt.NDArray[np.bool_], stressed: list[Accent],
           person: StyledPerson, rng: np.random.Generator) -> dict[str, Array]:  # fmt: skip
    """What a person does of their own: sway, and what goes with their own voice."""
    tracks = {name: np.zeros(len(talks)) for name in v1.TRACKS}
    window = np.hanning(2 * FRAME_RATE + 1)
    lively = 1.0 + (SPEAKING_DRIFT - 1.0) * np.convolve(talks, window / window.sum(), "same")
    for name in HEAD_ANGLES:
        wander = drift(len(talks), rng, DRIFT_S, DRIFT_WEIGHTS) * DRIFT_DEG[name] * DEG * person.gain["head"]
        tracks[name] += person.rest_head[name] + wander * lively
    for name, std in FACE_DRIFT.items():
        tracks[name] += std * drift(len(talks), rng, DRIFT_S[1:], DRIFT_WEIGHTS[1:])
    words = [p for p in own if p.line.kind != "laugh"]
    speaking.phrase_moves(tracks, words, person, rng)
    speaking2.follow_voice(tracks, track(voice, talks), person)
    speaking2.emphasise(tracks, stressed, person, rng)
    speaking.phrase_events(tracks, words, person, rng)
    return tracks


def _lips(phrases: list[Phrase], voice: npt.NDArray[np.float32], stressed: list[Accent], person: StyledPerson,
          n_frames: int) -> Array:  # fmt: skip
    gain = speaking2.emphasis(stressed, n_frames)
    phones = [p for phrase in phrases for p in phrase.phones]
    return lip_shapes(phones, n_frames, loudness(voice), person.gain["jaw"] * gain, person.gain["lip"] * gain)
