"""Performer v1: hand-written rules that turn a scheduled conversation into arkit55 motion for both persons.

Head axes: x to the person's left, y up, z out of the face; headYaw about y, headPitch about x (positive = chin down),
headRoll about z, all right-handed, applied as R = Ry Rx Rz.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus import eyes, listening, speaking
from visavis.data.corpus.curves import Array, drift, steps
from visavis.data.corpus.dialogue import Phrase, speaking_frames
from visavis.data.corpus.person import DEG, Person
from visavis.data.corpus.prosody import accents, loudness
from visavis.data.corpus.visemes import lip_shapes, spread
from visavis.motion_space import ARKIT55, HEAD_ANGLES

DRIFT_S = (0.5, 1.5, 4.0, 8.0)  # time constants of the drift, with the share of each in its std (about 1/f)
DRIFT_WEIGHTS = (0.18, 0.45, 0.75, 1.0)
DRIFT_DEG = {"headYaw": 2.2, "headPitch": 1.6, "headRoll": 1.2}  # std (own choices; 70-94 % of real power < 0.5 Hz)
SPEAKING_DRIFT = 1.35  # livelier while speaking (research, section 6: about twice as active in all)
POSTURE_RATE = 0.8  # posture shifts a minute (own choice)
POSTURE_DEG = {"headYaw": 3.0, "headPitch": 1.8, "headRoll": 2.5}  # std of the new posture
POSTURE_S = (1.0, 2.0)
MIMICRY, MIMICRY_LAG_S, MIMICRY_SMOOTH_S = 0.12, 0.6, 1.0  # slow head mimicry, 600 ms late (Hale 2020)
SMILE_CHEEK, SMILE_SQUINT, SMILE_DIMPLE = 0.50, 0.25, 0.12  # what comes with a smile (own choices)
FACE_DRIFT = {"smile": 0.012, "browInnerUp": 0.015, "browDown": 0.012, "mouthShrugLower": 0.012}  # std
FACE_LIMIT = 0.8  # largest smile or brow raise besides the resting weight and the lips' share
HEAD_LIMIT = {"headYaw": 40.0 * DEG, "headPitch": 30.0 * DEG, "headRoll": 25.0 * DEG}
Played = tuple[dict[str, Array], list[listening.Event]]
TRACKS = (*HEAD_ANGLES, "smile", "browInnerUp", "browOuterUp", "browDown", "mouthShrugLower")


@dataclass(frozen=True)
class Performance:
    """A person's motion (T, 55), the frames in which they speak, and their listener events."""

    motion: npt.NDArray[np.float32]
    speaking: npt.NDArray[np.bool_]
    events: list[listening.Event]


def perform(
    phrases: tuple[list[Phrase], list[Phrase]],
    voices: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    persons: tuple[Person, Person],
    n_frames: int,
    rng: np.random.Generator,
) -> tuple[Performance, Performance]:
    """The motion of both persons; `voices` are their dry tracks."""
    generators = rng.spawn(2)
    talks = [speaking_frames(p, n_frames) for p in phrases]
    played = [_act(phrases[i], phrases[1 - i], voices[i], persons[i], talks[i], generators[i]) for i in (0, 1)]
    heads = [{name: tracks[name].copy() for name in HEAD_ANGLES} for tracks, _ in played]
    results = []
    for i in (0, 1):
        tracks, events = played[i]
        mimic(tracks, heads[1 - i], talks[i])
        lips = lip_shapes(
            [p for phrase in phrases[i] for p in phrase.phones],
            n_frames,
            loudness(voices[i]),
            persons[i].gain["jaw"],
            persons[i].gain["lip"],
        )
        motion = compose(tracks, lips, phrases[i], talks[i], persons[i], generators[i])
        results.append(Performance(motion, talks[i], events))
    return results[0], results[1]


def _act(own: list[Phrase], partner: list[Phrase], voice: npt.NDArray[np.float32], person: Person,
         talks: npt.NDArray[np.bool_], rng: np.random.Generator) -> Played:  # fmt: skip
    """Head, brow and smile tracks of one person before mimicry."""
    n_frames = len(talks)
    tracks = {name: np.zeros(n_frames) for name in TRACKS}
    _sway(tracks, talks, person, rng)
    phones = [p for phrase in own if phrase.line.kind != "backchannel" for p in phrase.phones]
    speaking.phrase_moves(tracks, own, person, rng)
    speaking.beats(tracks, tracks, accents(voice, phones), person, rng)
    speaking.phrase_events(tracks, own, person, rng)
    return tracks, listening.react(tracks, own, partner, person, rng)


def _sway(tracks: dict[str, Array], talks: npt.NDArray[np.bool_], person: Person, rng: np.random.Generator) -> None:
    """Neutral offset, 1/f drift and posture shifts."""
    n_frames = len(talks)
    window = np.hanning(2 * FRAME_RATE + 1)
    lively = 1.0 + (SPEAKING_DRIFT - 1.0) * np.convolve(talks, window / window.sum(), "same")
    n_shifts = rng.poisson(POSTURE_RATE * person.gain["posture_rate"] * n_frames / FRAME_RATE / 60.0)
    times = np.sort(rng.uniform(0.0, n_frames / FRAME_RATE, n_shifts)).tolist()
    length = float(rng.uniform(*POSTURE_S))
    for name in HEAD_ANGLES:
        wander = drift(n_frames, rng, DRIFT_S, DRIFT_WEIGHTS) * DRIFT_DEG[name] * DEG * person.gain["head"]
        shifts = [(t, float(rng.normal(0.0, POSTURE_DEG[name])) * DEG * person.gain["head"], length) for t in times]
        tracks[name] += person.rest_head[name] + wander * lively + steps(n_frames, shifts)
    for name, std in FACE_DRIFT.items():
        tracks[name] += std * drift(n_frames, rng, DRIFT_S[1:], DRIFT_WEIGHTS[1:])


def mimic(tracks: dict[str, Array], partner: dict[str, Array], talks: npt.NDArray[np.bool_]) -> None:
    """A listener's head follows the partner's slow head movement a little, late and mirrored (yaw and roll)."""
    window = np.hanning(round(2 * MIMICRY_SMOOTH_S * FRAME_RATE) + 1)
    window /= window.sum()
    listens = np.convolve(~talks, window, "same")
    late = round((MIMICRY_LAG_S + MIMICRY_SMOOTH_S) * FRAME_RATE)  # the whole window lies in the past
    for name in HEAD_ANGLES:
        centred = partner[name] - partner[name].mean()
        padded = np.concatenate([np.zeros(late), centred])[: len(centred)]
        slow = np.convolve(padded, window, "same")
        tracks[name] += MIMICRY * (1.0 if name == "headPitch" else -1.0) * slow * listens


def compose(tracks: dict[str, Array], lips: Array, phrases: list[Phrase], talks: npt.NDArray[np.bool_],
             person: Person, rng: np.random.Generator) -> npt.NDArray[np.float32]:  # fmt: skip
    """All tracks as one arkit55 motion inside the ranges of its channels."""
    motion = spread(lips)
    at = ARKIT55.index
    for name in HEAD_ANGLES:
        limit = HEAD_LIMIT[name]
        motion[:, at(name)] = limit * np.tanh(tracks[name] / limit)
    for name, weight in person.rest_shapes.items():
        _add(motion, name, np.full(len(motion), weight))
    smile = _soft(tracks["smile"])
    for side, share in (("Left", person.smile_side), ("Right", 1.0 / person.smile_side)):
        motion[:, at(f"mouthSmile{side}")] += smile * share
        motion[:, at(f"cheekSquint{side}")] += SMILE_CHEEK * smile * share
        motion[:, at(f"eyeSquint{side}")] += SMILE_SQUINT * smile * share
        motion[:, at(f"mouthDimple{side}")] += SMILE_DIMPLE * smile * share
    for name in ("browInnerUp", "browOuterUp", "browDown", "mouthShrugLower"):
        _add(motion, name, _soft(tracks[name]))
    _eyes(motion, phrases, talks, person, rng)
    n_shapes = len(ARKIT55.channels) - len(HEAD_ANGLES)
    motion[:, :n_shapes] = np.clip(motion[:, :n_shapes], 0.0, 1.0)
    return motion.astype(np.float32)


def _soft(track: Array) -> Array:
    """Positive part, bent so that episodes on top of each other stay under FACE_LIMIT."""
    return np.asarray(FACE_LIMIT * np.tanh(np.maximum(track, 0.0) / FACE_LIMIT))


def _add(motion: Array, name: str, track: Array) -> None:
    for channel in (name,) if name in ARKIT55.channels else (f"{name}Left", f"{name}Right"):
        motion[:, ARKIT55.index(channel)] += track


def _eyes(motion: Array, phrases: list[Phrase], talks: npt.NDArray[np.bool_], person: Person,
          rng: np.random.Generator) -> None:  # fmt: skip
    """Eyes turn against the head to stay on their point; lids blink."""
    yaw, pitch = eyes.gaze(phrases, talks, person, rng)
    in_head = (yaw - motion[:, ARKIT55.index("headYaw")], pitch - motion[:, ARKIT55.index("headPitch")])
    for name, weight in eyes.look_shapes(*in_head).items():
        motion[:, ARKIT55.index(name)] += weight
    lid = eyes.blinks(talks, person, rng)
    for side in ("Left", "Right"):
        motion[:, ARKIT55.index(f"eyeBlink{side}")] += lid
