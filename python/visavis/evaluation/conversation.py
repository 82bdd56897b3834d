"""What a face does in conversations, with intervals over them: lips, answers to the partner, head, eyes, turns.

Takes the clips of `run.evaluate`: both roles of a conversation stand one behind the other and make one unit.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.evaluation import checks, events, eyes, lips
from visavis.evaluation.checks import Clip
from visavis.evaluation.measures import (
    Array,
    Measure,
    divided,
    measure,
    ratio,
    ratio_of_ratios,
    require,
    root_ratio,
    sign_flip_p,
)
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
HEAD = [ARKIT55.index(name) for name in ("headYaw", "headPitch")]
LONG_S = 2.0  # an utterance of this length is long
# Published ranges (research/data.md, section 4; docs/suite.md has the sources).
NODS_A_MINUTE = (6.0, 12.0)  # listening; a working value, no figure confirmed
SLOW_SHARE = (0.70, 0.94)  # of the head's power below 0.5 Hz
ACTIVITY = (1.5, 2.5)  # speaking over listening: about 2
BLINKS = {"speaking": (10.5, 32.5), "listening": (10.5, 32.5)}  # a minute (Doughty 2001, 95 %)
AT_PARTNER = {"speaking": (0.31, 0.51), "listening": (0.65, 0.85)}  # 41 and 75 % (Argyle & Cook), +-10 points
MUTUAL_S = (2.2, 4.0)  # a comfortable gaze: 3.3 +- 0.7 s (Binetti 2016); spells of 2.2 s (Rogers 2018)
LONG_LOOKS = 0.70  # of long utterances begin looking away and end looking back, at least (Kendon 1967)
TIMED = 3.0  # answers with the partner's voice over those with another's, at least
OF_PERFORMER = 0.7  # of the performer's own ratio, at least
SURE = 0.01
DRAMATIC_HZ = 0.5


def by_conversation(rows: Sequence[npt.ArrayLike]) -> Array:
    """Sums of each conversation, (n / 2, k), of those of its two roles."""
    sums = np.asarray(rows, np.float64)
    return np.asarray(sums.reshape(len(sums) // 2, 2, -1).sum(1))


def lip_measures(clips: Sequence[Clip], mean_face: Floats) -> list[Measure]:
    """Lips against the performer's, and the errors of the controls."""
    rows = []
    for c in clips:
        errors = [np.square(m[:, checks.MOUTH] - c.truth[:, checks.MOUTH]).sum() for m in _with_controls(c, mean_face)]
        rows.append(errors)
    sums = by_conversation(rows)
    found = [require(measure("mouth error / mean face", sums[:, [0, 1]]), high=checks.BETTER_THAN_CONTROL)]
    if all(c.other_agent is not None for c in clips):
        other = measure("mouth error / another agent's voice", sums[:, [0, 2]])
        found.append(require(other, high=checks.BETTER_THAN_CONTROL))
    known = lips.against_reference([c.motion for c in clips], [c.agent for c in clips])
    return [
        *found,
        known["r"],
        require(known["closed"], low=checks.CLOSED),
        require(known["false"], high=checks.FALSELY_CLOSED),
        require(known["jaw"], low=checks.JAW),
        require(known["lag"], -20.0, 20.0),
    ]


def place_measures(clips: Sequence[Clip], turn_frames: int) -> list[Measure]:
    """Lips by their place in the turn; a conversation begins with a session."""
    agents = [c.agent for c in clips]
    return list(lips.by_place([c.motion for c in clips], agents, [0] * len(clips), turn_frames).values())


def _with_controls(clip: Clip, mean_face: Floats) -> list[Floats]:
    others = [] if clip.other_agent is None else [clip.other_agent]
    return [clip.motion, np.broadcast_to(mean_face, clip.truth.shape), *others]


def response_measures(clips: Sequence[Clip]) -> list[Measure]:
    """Nods and smiles soon after the partner's phrases: against another partner's voice, and the performer."""
    found = []
    for name, count in checks.COUNTED.items():
        rows = _responses(count, clips)
        units = by_conversation(rows)
        timed = measure(f"{name} after phrases / with another user's voice", units[:, :4], ratio_of_ratios)
        p = sign_flip_p([u[0] - u[2] * divided(u[1], u[3]) for u in units if u[3] > 0])
        rates = [float(ratio(units[:, i : i + 2].sum(0))) for i in (0, 2, 4, 6)]
        timed.note = (
            f"{rates[0]:.3f} / {rates[1]:.3f} of {units[:, 1].sum():.0f} phrase ends; p = {p:.4f} (wanted < {SURE:g})"
        )
        require(timed, low=TIMED)
        timed.passed = bool(timed.passed) and p < SURE
        share = measure(f"{name}: that ratio / the performer's", units, _ratio_over_ratio)
        share.note = f"performer {rates[2]:.3f} / {rates[3]:.3f}"
        found += [timed, require(share, low=OF_PERFORMER)]
    return found


def _responses(count: checks.Count, clips: Sequence[Clip]) -> list[list[float]]:
    """For each clip: answers and moments of the model, with another user, of the performer, of another performer."""
    own, chance = checks.performer_flags(count, clips)
    rows = []
    for clip, theirs, strange in zip(clips, own, chance, strict=True):
        moments = events.listening_moments(clip.agent, clip.user, len(clip.motion))
        flags = [count(clip.motion, moments), count(_other_user(clip), moments), theirs, strange]
        rows.append([float(x) for f in flags for x in (f.sum(), len(f))])
    return rows


def _other_user(clip: Clip) -> Floats:
    assert clip.other_user is not None
    return clip.other_user


def _ratio_over_ratio(sums: Array) -> Array:
    return divided(ratio_of_ratios(sums[..., :4]), ratio_of_ratios(sums[..., 4:]))


def response_curve(motions: Sequence[Floats], clips: Sequence[Clip], most_s: float = 2.0) -> tuple[Array, Array]:
    """Times of 0.2 s bins around the partner's phrase ends, and the nods that begin in each, a second."""
    edges = np.arange(-most_s, most_s + 0.01, 0.2)
    counts, n = np.zeros(len(edges) - 1), 0
    for motion, clip in zip(motions, clips, strict=True):
        starts = events.nod_starts(motion) / FRAME_RATE
        for moment in events.listening_moments(clip.agent, clip.user, len(motion)):
            counts += np.histogram(starts - moment / FRAME_RATE, edges)[0]
            n += 1
    return (edges[:-1] + edges[1:]) / 2, counts / max(n, 1) / 0.2


def head_measures(clips: Sequence[Clip]) -> list[Measure]:
    """Head and face in motion: rates, spectrum, jitter; the performer's value in the note."""
    found = [
        _beside("nods a minute of listening", clips, _nods_listening, _a_minute, *NODS_A_MINUTE),
        _beside("nods a minute of speaking", clips, _nods_speaking, _a_minute),
        _beside("share of nod swings at 2.6 Hz and more", clips, _fast_swings, ratio),
        _beside("smiles a minute of listening", clips, _smiles_listening, _a_minute),
        _beside("head power below 0.5 Hz, share", clips, _slow_power, ratio, *SLOW_SHARE),
        _beside("head speed, speaking / listening", clips, _activity, ratio_of_ratios, *ACTIVITY),
    ]
    for name, band_hz, low, high in (
        ("head pitch power 1-7 Hz / performer's", events.SLOW_BAND_HZ, *checks.SLOW_POWER),
        ("head pitch power over 8 Hz / performer's", events.FAST_BAND_HZ, None, checks.FAST_POWER),
    ):
        rows = [[_pitch_power(m, band_hz) for m in (c.motion, c.truth)] for c in clips]
        found.append(require(measure(name, by_conversation(rows)), low, high))
    for group, channels in checks.GENERATED.items():
        rows = [[np.square(np.diff(m[:, channels], n=2, axis=0)).sum() for m in (c.motion, c.truth)] for c in clips]
        jitter = measure(f"rms second difference / performer's, {group}", by_conversation(rows), root_ratio)
        found.append(require(jitter, high=checks.UNSTEADY))
    return found


Sums = Callable[[Floats, Clip], Sequence[float]]


def _beside(
    name: str,
    clips: Sequence[Clip],
    sums: Sums,
    value: Callable[[Array], Array],
    low: float | None = None,
    high: float | None = None,
) -> Measure:
    """A measure of the model with the performer's own value in its note."""
    found = measure(name, by_conversation([sums(c.motion, c) for c in clips]), value)
    theirs = measure(name, by_conversation([sums(c.truth, c) for c in clips]), value)
    found.note = f"performer {theirs.value:.3g}"
    return found if low is None and high is None else require(found, low, high)


def _a_minute(sums: Array) -> Array:
    return ratio(sums) * FRAME_RATE * 60


def _speaking(clip: Clip) -> Flags:
    return np.asarray(clip.agent.labels["speaking"][: len(clip.motion)], bool)


def _nods_listening(motion: Floats, clip: Clip) -> list[float]:
    listens = ~_speaking(clip)
    return [float(listens[events.nod_starts(motion)].sum()), float(listens.sum())]


def _nods_speaking(motion: Floats, clip: Clip) -> list[float]:
    talks = _speaking(clip)
    return [float(talks[events.nod_starts(motion)].sum()), float(talks.sum())]


def _fast_swings(motion: Floats, clip: Clip) -> list[float]:
    lengths = [b - a for a, b in events.nod_swings(motion)]
    return [float(sum(n * 2 * 2.6 <= FRAME_RATE for n in lengths)), float(len(lengths))]


def _smiles_listening(motion: Floats, clip: Clip) -> list[float]:
    listens = ~_speaking(clip)
    return [float(listens[events.smile_starts(motion)].sum()), float(listens.sum())]


def _slow_power(motion: Floats, clip: Clip) -> list[float]:
    slow = total = 0.0
    for channel in HEAD:
        hz, power = events.spectrum(motion[:, channel], 20)
        slow += float(power[(hz > 0) & (hz < DRAMATIC_HZ)].sum()) * len(motion)
        total += float(power[hz > 0].sum()) * len(motion)
    return [slow, total]


def _activity(motion: Floats, clip: Clip) -> list[float]:
    speed = np.abs(np.diff(motion[:, HEAD], axis=0)).sum(axis=1)
    talks = _speaking(clip)[1:]
    return [float(x) for x in (speed[talks].sum(), talks.sum(), speed[~talks].sum(), (~talks).sum())]


def _pitch_power(motion: Floats, band_hz: tuple[float, float]) -> float:
    return events.power_between(*events.spectrum(motion[:, events.PITCH]), band_hz) * len(motion)


def eye_measures(clips: Sequence[Clip]) -> list[Measure]:
    """Blinks and gaze against published numbers."""
    found = []
    for state in ("speaking", "listening"):
        name = f"blinks a minute, {state}"
        found.append(_beside(name, clips, _blinks_in(state), _a_minute, *BLINKS[state]))
    for state in ("speaking", "listening"):
        name = f"time at the partner, {state}"
        found.append(_beside(name, clips, _at_partner_in(state), ratio, *AT_PARTNER[state]))
    found.append(_beside("gaze at the partner while listening, mean s", clips, _spells, _seconds, *MUTUAL_S))
    return found


def _blinks_in(state: str) -> Sums:
    def sums(motion: Floats, clip: Clip) -> list[float]:
        inside = _speaking(clip) == (state == "speaking")
        return [float(inside[eyes.blink_frames(motion)].sum()), float(inside.sum())]

    return sums


def _at_partner_in(state: str) -> Sums:
    def sums(motion: Floats, clip: Clip) -> list[float]:
        inside = _speaking(clip) == (state == "speaking")
        return [float((~eyes.away(motion) & inside).sum()), float(inside.sum())]

    return sums


def _spells(motion: Floats, clip: Clip) -> list[float]:
    """Sum and number of gazes at the partner that lie in listening."""
    at, listens = ~eyes.away(motion), ~_speaking(clip)
    edges = np.flatnonzero(np.diff(at.astype(np.int8))) + 1
    lengths = [b - a for a, b in itertools.pairwise(edges) if at[a] and listens[a:b].mean() > 0.5]
    return [float(sum(lengths)), float(len(lengths))]


def _seconds(sums: Array) -> Array:
    return ratio(sums) / FRAME_RATE


def turn_measures(clips: Sequence[Clip]) -> list[Measure]:
    """What shows where one's own utterances begin and end."""
    return [
        _beside("long utterances begun looking away", clips, _averts, ratio, LONG_LOOKS),
        _beside("utterances ended looking at the partner", clips, _returns, ratio, LONG_LOOKS),
        _beside("head off its rest, at ends / inside", clips, _head_returns, ratio_of_ratios, None, 1.0),
    ]


def utterances(clip: Clip) -> list[tuple[int, int]]:
    """First frame, and first frame after, of each stretch of own speech that ends before the clip does."""
    talks = np.concatenate([[False], _speaking(clip)])
    edges = np.flatnonzero(np.diff(talks.astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=False)]


def _averts(motion: Floats, clip: Clip) -> list[float]:
    away = eyes.away(motion)
    long = [a for a, b in utterances(clip) if b - a >= LONG_S * FRAME_RATE]
    return [float(sum(away[a : a + FRAME_RATE].any() for a in long)), float(len(long))]


def _returns(motion: Floats, clip: Clip) -> list[float]:
    away, half = eyes.away(motion), FRAME_RATE // 2
    ends = [b for _, b in utterances(clip) if b + half < len(motion) and not _speaking(clip)[b : b + half].any()]
    return [float(sum(not away[b + half] for b in ends)), float(len(ends))]


def _head_returns(motion: Floats, clip: Clip) -> list[float]:
    """Distance of the head from where it rests in the clip: sums at half a second after turns, and inside them."""
    off = np.abs(motion[:, HEAD] - np.median(motion[:, HEAD], axis=0)).sum(axis=1)
    speaking, half = _speaking(clip), FRAME_RATE // 2
    ends = [b for _, b in utterances(clip) if b + FRAME_RATE < len(motion) and not speaking[b : b + FRAME_RATE].any()]
    return [
        float(off[[b + half for b in ends]].sum()),
        float(len(ends)),
        float(off[speaking].sum()),
        float(speaking.sum()),
    ]


def metric_measures(rows: Sequence[dict[str, float]]) -> list[Measure]:
    """Means over clips of the DualTalk metrics of each clip; undefined ones do not count."""
    found = []
    for name in rows[0]:
        values = [[row[name], 1.0] if np.isfinite(row[name]) else [0.0, 0.0] for row in rows]
        found.append(measure(name, by_conversation(values)))
    return found


def style_measures(style: str, low: Sequence[Floats], high: Sequence[Floats], clips: Sequence[Clip]) -> list[Measure]:
    """What a style moves in the corpus: of the clips with the style at 1 over those with it at -1."""
    found = []
    for what, sums in STYLE_MOVES.get(style, ()):
        rows = [[*sums(h, c), *sums(m, c)] for m, h, c in zip(low, high, clips, strict=True)]
        found.append(measure(f"{style}: {what}", by_conversation(rows), ratio_of_ratios))
    return found


def _speed(motion: Floats, clip: Clip) -> list[float]:
    return [float(np.abs(np.diff(motion[:, HEAD], axis=0)).sum()), float(len(motion) - 1)]


# What is looked at for each style of corpus version 2 (data/corpus/v2/person.py).
STYLE_MOVES: dict[str, tuple[tuple[str, Sums], ...]] = {
    "talkative": (("head speed", _speed),),
    "nods": (("nods while listening", _nods_listening),),
    "expressiveness": (("head speed", _speed), ("smiles while listening", _smiles_listening)),
    "gaze": (
        ("time at the partner, speaking", _at_partner_in("speaking")),
        ("time at the partner, listening", _at_partner_in("listening")),
    ),
}


def diversity_measures(takes: Sequence[Sequence[Floats]], clips: Sequence[Clip]) -> list[Measure]:
    """How far the same conversation differs between seeds: takes[seed][clip], over how far the face moves in time."""
    found = []
    for group, channels in checks.GENERATED.items():
        rows = []
        for motions in zip(*takes, strict=True):
            stack = np.stack([m[:, channels] for m in motions]).astype(np.float64)
            rows.append(
                [
                    stack.var(axis=0, ddof=1).sum(),
                    np.mean([m.var(axis=0) for m in stack], axis=0).sum() * stack.shape[1],
                ]
            )
        found.append(measure(f"spread over seeds / over time, {group}", rows, root_ratio, f"{len(takes)} seeds"))
    return found
