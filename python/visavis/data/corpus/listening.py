"""What a listener does with the partner's speech: nods, smiles, brow raises, all caused by what was heard before."""

from dataclasses import dataclass

import numpy as np

from visavis.data.corpus.curves import Array, add_episode, add_nod
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.person import DEG, Person
from visavis.data.corpus.text import WARM

# Every reaction starts at least 0.35 s after the phrase's end: the runtime sees the user up to 0.28 s late.
P_NOD_END = 0.55  # chance of a nod after the partner's phrase end (model research: 0.55)
NOD_DELAY_S = (0.35, 0.50, 0.80)  # triangular: least, most frequent, most
NOD_RATE_ELSEWHERE = 1.5  # a minute while the partner speaks (model research: 2)
P_NOD_BACKCHANNEL = 0.75  # a spoken backchannel comes with a nod, starting together or a little before (Chalmers 2011)
P_FAST = 0.6
FAST_HZ, FAST_CYCLES, FAST_DEG = (2.6, 4.6), (2, 4), (1.6, 3.0)  # Hale 2020: small fast nods at 2.6-6.5 Hz
SLOW_HZ, SLOW_CYCLES, SLOW_DEG = (1.3, 2.2), (1, 2), (2.2, 4.5)  # bigger slow ones; amplitude = half peak-to-peak
NOD_DECAY = (0.62, 0.85)  # magnitude falls over cycles, the last is smallest (Mori 2025)
NOD_GROWTH = 0.12  # magnitude grows with the number of cycles (Mori 2025)
P_SMILE_END = 0.28  # chance of a smile after the partner's phrase end (model research: 0.2)
SMILE_DELAY_S = (0.35, 0.80)
SMILE_HEIGHT, SMILE_S = (0.18, 0.50), (1.0, 3.0)
SMILE_ATTACK_S, SMILE_RELEASE_S = (0.28, 0.45), (0.45, 0.75)
SMILE_RATE_ELSEWHERE = 0.6  # a minute (model research: 1)
P_BROW_QUESTION = 0.55  # brows go up at the partner's question
P_BROW_END = 0.08  # and now and then at any phrase end
BROW_DELAY_S, BROW_RAISE = (0.32, 0.70), (0.25, 0.50)
FURROW_RATE = 0.7  # concentrated frowns a minute while listening (own choice)
FREE_S = 0.9  # no reaction if one's own turn starts within this time of the phrase's end


@dataclass(frozen=True)
class Event:
    """A reaction that was started: its kind, start and end in seconds."""

    kind: str
    start: float
    end: float


def react(tracks: dict[str, Array], own: list[Phrase], partner: list[Phrase], person: Person,
          rng: np.random.Generator) -> list[Event]:  # fmt: skip
    """Add all listener reactions of one person to `tracks`; returns the nods and smiles in order of their start."""
    events: list[Event] = []
    for phrase in own:
        if phrase.line.kind == "backchannel":
            _with_backchannel(tracks, phrase, events, person, rng)
    turns = [(p.speech_start, p.speech_end) for p in own if p.line.kind != "backchannel"]
    for phrase in partner:
        draws = rng.random(4)
        end = phrase.speech_end
        if phrase.is_cue and not any(start < end + FREE_S and stop > end - 0.2 for start, stop in turns):
            _after_phrase(tracks, phrase, draws, events, person, rng)
    for time in _while_listening(NOD_RATE_ELSEWHERE, own, partner, rng):
        _nod(tracks, time, events, person, rng)
    for time in _while_listening(SMILE_RATE_ELSEWHERE, own, partner, rng):
        _smile(tracks, time, events, person, rng)
    for time in _while_listening(FURROW_RATE, own, partner, rng):
        add_episode(tracks["browDown"], time, float(rng.uniform(1.5, 3.0)), float(rng.uniform(0.12, 0.3)), 0.5, 0.7)
    return sorted(events, key=lambda e: (e.start, e.kind))


def _after_phrase(tracks: dict[str, Array], phrase: Phrase, draws: Array, events: list[Event], person: Person,
                  rng: np.random.Generator) -> None:  # fmt: skip
    end, question = phrase.speech_end, phrase.line.kind == "question"
    if draws[0] < min(0.9, P_NOD_END * person.gain["nod_rate"]) * (0.5 if question else 1.0):
        _nod(tracks, end + float(rng.triangular(*NOD_DELAY_S)), events, person, rng)
    if draws[1] < min(0.7, P_SMILE_END * person.gain["smile_rate"]):
        _smile(tracks, end + float(rng.uniform(*SMILE_DELAY_S)), events, person, rng)
    if draws[2] < (P_BROW_QUESTION if question else P_BROW_END):
        raise_ = float(rng.uniform(*BROW_RAISE)) * person.gain["brow"]
        start, length = end + float(rng.uniform(*BROW_DELAY_S)), float(rng.uniform(0.9, 1.6))
        add_episode(tracks["browInnerUp"], start, length, raise_, 0.3, 0.45)
        add_episode(tracks["browOuterUp"], start, length, 0.9 * raise_, 0.3, 0.45)


def _with_backchannel(tracks: dict[str, Array], phrase: Phrase, events: list[Event], person: Person,
                      rng: np.random.Generator) -> None:  # fmt: skip
    nod, lead = rng.random(), float(rng.uniform(-0.15, 0.0))
    if phrase.line.text in WARM:
        add_episode(tracks["browInnerUp"], phrase.speech_start, 1.1, 0.35 * person.gain["brow"], 0.3, 0.45)
        add_episode(tracks["browOuterUp"], phrase.speech_start, 1.1, 0.30 * person.gain["brow"], 0.3, 0.45)
        _smile(tracks, phrase.speech_start, events, person, rng)
    elif nod < P_NOD_BACKCHANNEL:
        _nod(tracks, phrase.speech_start + lead, events, person, rng)


def _busy(events: list[Event], kind: str, start: float, margin: float) -> bool:
    return any(e.kind == kind and e.start - margin < start < e.end + margin for e in events)


def _nod(tracks: dict[str, Array], start: float, events: list[Event], person: Person, rng: np.random.Generator) -> None:
    fast = rng.random() < P_FAST
    n_cycles = int(rng.integers(*(FAST_CYCLES if fast else SLOW_CYCLES), endpoint=True))
    rate_hz = float(rng.uniform(*(FAST_HZ if fast else SLOW_HZ)))
    size = float(rng.uniform(*(FAST_DEG if fast else SLOW_DEG))) * DEG * person.gain["nod_size"]
    size *= 1.0 + NOD_GROWTH * (n_cycles - 2)
    decay = float(rng.uniform(*NOD_DECAY))
    if not _busy(events, "nod", start, 0.3):
        events.append(Event("nod", start, add_nod(tracks["headPitch"], start, n_cycles, rate_hz, size, decay)))


def _smile(
    tracks: dict[str, Array], start: float, events: list[Event], person: Person, rng: np.random.Generator
) -> None:
    height, length = float(rng.uniform(*SMILE_HEIGHT)) * person.gain["smile"], float(rng.uniform(*SMILE_S))
    attack, release = float(rng.uniform(*SMILE_ATTACK_S)), float(rng.uniform(*SMILE_RELEASE_S))
    if not _busy(events, "smile", start, 0.5):
        add_episode(tracks["smile"], start, length, height, attack, min(release, length - attack))
        events.append(Event("smile", start, start + length))


def _while_listening(rate: float, own: list[Phrase], partner: list[Phrase],
                     rng: np.random.Generator) -> list[float]:  # fmt: skip
    """Poisson times, `rate` a minute, inside the partner's speech, away from one's own."""
    times = []
    for phrase in partner:
        length = phrase.speech_end - phrase.speech_start
        count, at = rng.poisson(rate * length / 60.0), rng.random(4)
        times += [phrase.speech_start + length * float(x) for x in at[: min(count, 4)]]
    return [t for t in times if not any(p.speech_start - 0.3 < t < p.speech_end + 0.3 for p in own)]
