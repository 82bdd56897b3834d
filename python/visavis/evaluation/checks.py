"""The checks that a model must pass, with their thresholds: lips, listening, steadiness, drift.

Every check can be taken of the performer's own motion too; the performer must pass, or the check is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.data.dualtalk import Person
from visavis.evaluation import events
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
Count = Callable[[Floats, list[int]], Flags]  # motion, moments -> did it happen, for each

BETTER_THAN_CONTROL = 0.70  # mouth error over that of the mean face, or with another clip's agent voice: at most
CLOSED = 0.90  # of p, b, m: at least
FALSELY_CLOSED = 0.05  # of open vowels: at most
JAW = 0.70  # on open vowels, of the performer's: at least
TIMED = 2.0  # nods and smiles after the partner's phrases, over those with another partner's voice: at least
UNSTEADY = 1.5  # rms second difference over the performer's: at most
SLOW_POWER = (0.5, 2.0)  # head pitch 1-7 Hz, over the performer's
FAST_POWER = 2.0  # head pitch above 8 Hz, over the performer's: at most
DRIFT = 1.05  # error of a session 20-60 s old over that of one 4-8 s old, on the same frames: at most
EARLY_S, LATE_S = (4, 8), (20, 60)

MOUTH = ARKIT55.groups["mouth"]
GENERATED = {g: [c for c in cs if c not in ARKIT55.eye_layer] for g, cs in ARKIT55.groups.items()}


@dataclass
class Clip:
    """One role of one conversation and what was generated for it, motions cut to the same length."""

    name: str
    agent: Person
    user: Person
    motion: Floats  # with the clip's own voices
    other_agent: Floats | None = None  # with another clip's agent voice
    other_user: Floats | None = None  # with another clip's user voice
    young: Floats | None = None  # frames of LATE_S by sessions that were then EARLY_S old, NaN elsewhere

    @property
    def truth(self) -> Floats:
        """The performer's motion."""
        return self.agent.motion


@dataclass
class Check:
    """One line of the table."""

    name: str
    value: float
    required: str
    passed: bool
    note: str = ""


def at_most(name: str, value: float, limit: float, note: str = "") -> Check:
    """A check that passes up to a limit; an undefined value fails."""
    return Check(name, value, f"<= {limit:g}", bool(value <= limit), note)


def at_least(name: str, value: float, limit: float, note: str = "") -> Check:
    """A check that passes from a limit on; an undefined value fails."""
    return Check(name, value, f">= {limit:g}", bool(value >= limit), note)


def mouth_error(motions: Sequence[Floats], clips: Sequence[Clip]) -> float:
    """Mean squared error of jaw and mouth over all frames of all clips."""
    squares = [np.square(m[:, MOUTH] - c.truth[:, MOUTH]) for m, c in zip(motions, clips, strict=True)]
    return float(np.concatenate(squares).mean())


def lip_checks(clips: Sequence[Clip], mean_face: Floats) -> list[Check]:
    """Mouth error against the controls, closures and jaw."""
    error = mouth_error([c.motion for c in clips], clips)
    mean = mouth_error([np.broadcast_to(mean_face, c.truth.shape) for c in clips], clips)
    checks = [at_most("mouth error / mean face", error / mean, BETTER_THAN_CONTROL, f"{error:.3e} / {mean:.3e}")]
    shuffled = [c.other_agent for c in clips if c.other_agent is not None]
    if len(shuffled) == len(clips):
        other = mouth_error(shuffled, clips)
        note = f"{error:.3e} / {other:.3e}"
        checks.append(at_most("mouth error / another agent's voice", error / other, BETTER_THAN_CONTROL, note))
    ours, theirs = events.Closures(), events.Closures()
    for c in clips:
        ours += events.closures(c.motion, c.agent)
        theirs += events.closures(c.truth, c.agent)
    performer = f"performer {theirs.closed / max(theirs.bilabials, 1):.3f} of {theirs.bilabials}"
    vowels = f"performer {theirs.falsely_closed / max(theirs.vowels, 1):.3f} of {theirs.vowels}"
    jaw = f"jawOpen {ours.jaw_sum / max(ours.vowels, 1):.3f} / {theirs.jaw_sum / max(theirs.vowels, 1):.3f}"
    return [
        *checks,
        at_least("lips shut on p, b, m", _ratio(ours.closed, ours.bilabials), CLOSED, performer),
        at_most("lips shut on open vowels", _ratio(ours.falsely_closed, ours.vowels), FALSELY_CLOSED, vowels),
        at_least("jaw on open vowels / performer", _ratio(ours.jaw_sum, theirs.jaw_sum), JAW, jaw),
    ]


COUNTED: dict[str, Count] = {"nods": events.nods, "smiles": events.smiles}


def listening_checks(clips: Sequence[Clip]) -> list[Check]:
    """Nods and smiles within a second after the partner's phrases, against another partner's voice."""
    checks = []
    for name, count in COUNTED.items():
        moments = [events.listening_moments(c.agent, c.user, len(c.motion)) for c in clips]
        rate = _mean([count(c.motion, m) for c, m in zip(clips, moments, strict=True)])
        base = _mean([count(c.other_user, m) for c, m in zip(clips, moments, strict=True) if c.other_user is not None])
        theirs, chance = performer_rates(count, clips)
        note = (
            f"{rate:.3f} / {base:.3f} of {sum(map(len, moments))} phrase ends; "
            f"performer {theirs:.3f} / {chance:.3f} = {_ratio(theirs, chance):.2f}"
        )
        checks.append(at_least(f"{name} after phrases / another user's voice", _ratio(rate, base), TIMED, note))
    return checks


def performer_rates(count: Count, clips: Sequence[Clip]) -> tuple[float, float]:
    """The performer's events at the partner's phrase ends, and at those of another clip where both agents listen."""
    own, chance = performer_flags(count, clips)
    return _mean(own), _mean(chance)


def performer_flags(count: Count, clips: Sequence[Clip]) -> tuple[list[Flags], list[Flags]]:
    """For each clip: which of its moments the performer answered, and which of them another clip's performer did."""
    own, chance = [], []
    for i, c in enumerate(clips):
        moments = events.listening_moments(c.agent, c.user, len(c.motion))
        own.append(count(c.truth, moments))
        strange = clips[(i + len(clips) // 2) % len(clips)]
        quiet = set(events.silent_frames(strange.agent, len(strange.truth)))
        chance.append(count(strange.truth, [m for m in moments if m in quiet]))
    return own, chance


def steadiness_checks(clips: Sequence[Clip]) -> list[Check]:
    """Second differences by group, and the head-pitch spectrum, over the performer's."""
    checks = []
    ours = np.mean([events.second_difference(c.motion) for c in clips], axis=0)
    theirs = np.mean([events.second_difference(c.truth) for c in clips], axis=0)
    for group, channels in GENERATED.items():
        rms = np.sqrt([ours[channels].mean(), theirs[channels].mean()])
        ratio = _ratio(float(rms[0]), float(rms[1]))
        checks.append(at_most(f"rms second difference, {group}", ratio, UNSTEADY, f"{rms[0]:.2e} / {rms[1]:.2e}"))
    slow = pitch_power_ratio(clips, events.SLOW_BAND_HZ)
    low, high = SLOW_POWER
    checks.append(Check("head pitch power 1-7 Hz", slow, f"{low:g}..{high:g}", bool(low <= slow <= high)))
    checks.append(at_most("head pitch power over 8 Hz", pitch_power_ratio(clips, events.FAST_BAND_HZ), FAST_POWER))
    return checks


def pitch_power_ratio(clips: Sequence[Clip], band_hz: tuple[float, float]) -> float:
    """Head-pitch power between two frequencies, over the performer's, all clips together."""
    sums = [0.0, 0.0]
    for c in clips:
        for i, motion in enumerate((c.motion, c.truth)):
            hz, power = events.spectrum(motion[:, events.PITCH])
            sums[i] += events.power_between(hz, power, band_hz) * len(motion)
    return _ratio(*sums)


def drift_check(clips: Sequence[Clip]) -> Check:
    """Mouth error of the session that began with the clip over that of young ones, which began a few seconds before.

    Both on the same frames: early and late in a conversation people do different things (at its beginning nobody
    smiles yet), and a comparison of two spans of one session would measure that.
    """
    name = "mouth error, session 20-60 s old / 4-8 s old"
    old, young = [], []
    for c in clips:
        if c.young is None:
            continue
        frames = np.flatnonzero(np.isfinite(c.young[:, 0]))
        truth = c.truth[frames][:, MOUTH]
        old.append(np.square(c.motion[frames][:, MOUTH] - truth))
        young.append(np.square(c.young[frames][:, MOUTH] - truth))
    if not sum(map(len, old)):
        return at_most(name, float("nan"), DRIFT, "no clip is that long")
    errors = [float(np.concatenate(squares).mean()) for squares in (old, young)]
    return at_most(name, _ratio(*errors), DRIFT, f"{errors[0]:.3e} / {errors[1]:.3e} on the same frames")


def all_checks(clips: Sequence[Clip], mean_face: Floats) -> list[Check]:
    """Every check, in the order of the table."""
    return [
        *lip_checks(clips, mean_face),
        *listening_checks(clips),
        *steadiness_checks(clips),
        drift_check(clips),
    ]


def performer_checks(clips: Sequence[Clip], mean_face: Floats) -> list[Check]:
    """The same checks of the performer's own motion: another clip's performance stands for the controls."""
    cast = []
    for i, c in enumerate(clips):
        strange = clips[(i + len(clips) // 2) % len(clips)]
        cast.append(Clip(c.name, c.agent, c.user, c.truth, other_agent=np.resize(strange.truth, c.truth.shape)))
    listening = []
    for name, count in COUNTED.items():
        rate, chance = performer_rates(count, clips)
        note = f"{rate:.3f} / {chance:.3f}"
        listening.append(at_least(f"{name} after phrases / another user's voice", _ratio(rate, chance), TIMED, note))
    return [*lip_checks(cast, mean_face), *listening, *steadiness_checks(cast)]


def _ratio(a: float, b: float) -> float:
    """a / b; infinite where only b is 0, undefined where both are."""
    if b == 0:
        return float("inf") if a > 0 else float("nan")
    return a / b


def _mean(flags: Sequence[npt.NDArray[np.bool_]]) -> float:
    return float(np.concatenate(flags).mean()) if sum(map(len, flags)) else 0.0
