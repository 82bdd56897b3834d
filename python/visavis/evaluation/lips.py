"""What lips do with a voice: correlation with a reference, closures, range, delay, jitter, and the voice's loudness.

Every function gives the sums of one clip; `measures.measure` makes values and intervals of the sums of many.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.dualtalk import Person
from visavis.evaluation import events
from visavis.evaluation.measures import (
    MOMENTS,
    Array,
    Measure,
    correlation,
    divided,
    lagged_moments,
    mean_correlation,
    measure,
    moments,
    peak_lag,
    percentile_of,
    root_ratio,
)
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.floating[Any]]
# The channels that both references and models move and that tell sounds apart; a paired one is the mean of its sides.
MOUTH_CHANNELS = (
    "jawOpen",
    "mouthFunnel",
    "mouthPucker",
    "mouthStretch",
    "mouthRollLower",
    "mouthPress",
    "mouthLowerDown",
)
MOST_LAG = 6  # frames
JAW_BINS = np.linspace(0.0, 1.0, 201)
DIP_FRAMES = 6  # around a closure
SHOULDERS = (3, 5)  # frames from a closure at which its surroundings are heard
RANGE_DB = 30.0  # of prosody.loudness
BORDER_FRAMES = 2  # of a turn, next to where it begins and where it ends
PLACES = {"begin": "the first two frames of turns", "between": "the frames between", "end": "their last two"}


def mouth(motion: Floats) -> Array:
    """The seven mouth channels of an arkit55 motion, (T, 7)."""
    columns = []
    for name in MOUTH_CHANNELS:
        sides = (name,) if name in ARKIT55.channels else (f"{name}Left", f"{name}Right")
        columns.append(np.mean([motion[:, ARKIT55.index(side)] for side in sides], axis=0, dtype=np.float64))
    return np.stack(columns, axis=1)


def frame_loudness(person: Person, n_frames: int) -> Array:
    """The voice's loudness at each frame in dB below its loudest, -30 to 0, (T,)."""
    from visavis.data.corpus.prosody import RATE, loudness

    track = loudness(person.audio.astype(np.float32))
    at = np.minimum(np.arange(n_frames) * (RATE // FRAME_RATE), max(len(track) - 1, 0))
    return np.asarray((track[at] - 1.0) * RANGE_DB)


def spoken(person: Person, n_frames: int) -> npt.NDArray[np.bool_]:
    """Frames inside a phone."""
    inside = np.zeros(n_frames, bool)
    for start, end in zip(person.labels["phone_start"], person.labels["phone_end"], strict=True):
        inside[events.frame_at(float(start)) : events.frame_at(float(end)) + 1] = True
    return inside


def jaw_histogram(motion: Floats, inside: npt.NDArray[np.bool_]) -> Array:
    """Counts of jawOpen over JAW_BINS in some frames."""
    counts, _ = np.histogram(np.clip(motion[inside, events.JAW], 0.0, 1.0), JAW_BINS)
    return counts.astype(np.float64)


def jaw_range_ratio(sums: Array) -> Array:
    """5th to 95th percentile of ours over the reference's, of two histograms side by side."""
    n = len(JAW_BINS) - 1
    ours, theirs = sums[..., :n], sums[..., n:]
    spans = [percentile_of(h, 0.95, JAW_BINS) - percentile_of(h, 0.05, JAW_BINS) for h in (ours, theirs)]
    return divided(*spans)


def travel(motion: Floats) -> Array:
    """How far the mouth moves from frame to frame, summed over its channels, (T - 1,)."""
    return np.asarray(np.abs(np.diff(mouth(motion), axis=0)).sum(axis=1))


def lag_ms(sums: Array) -> Array:
    """`measures.peak_lag` in milliseconds."""
    return peak_lag(sums) * 1000.0 / FRAME_RATE


def closure_runs(motion: Floats) -> list[int]:
    """The middle frame of each stretch of shut lips."""
    from visavis.data.corpus.visemes import lips_shut

    shut = np.concatenate([[False], lips_shut(motion), [False]])
    edges = np.flatnonzero(np.diff(shut.astype(np.int8)))
    return [int(a + b - 1) // 2 for a, b in zip(edges[::2], edges[1::2], strict=True)]


def loudness_at_closures(motion: Floats, level: Array) -> Array:
    """Number of closures, then the sums of loudness from DIP_FRAMES before to DIP_FRAMES after them."""
    sums = np.zeros(2 * DIP_FRAMES + 2)
    for frame in closure_runs(motion):
        if DIP_FRAMES <= frame < len(level) - DIP_FRAMES:
            sums[0] += 1
            sums[1:] += level[frame - DIP_FRAMES : frame + DIP_FRAMES + 1]
    return sums


def dip_depth(sums: Array) -> Array:
    """By how many dB the voice is softer at a closure than around it."""
    middle = 1 + DIP_FRAMES
    near, far = SHOULDERS
    around = np.concatenate(
        [sums[..., middle - far : middle - near + 1], sums[..., middle + near : middle + far + 1]], -1
    )
    return divided(around.mean(-1) - sums[..., middle], sums[..., 0])


def dip_ms(sums: Array) -> Array:
    """When the voice is softest around closures, ms after them: the bottom of a parabola."""
    curve = -sums[..., 1:].reshape(-1, 2 * DIP_FRAMES + 1)
    best = np.clip(curve.argmax(1), 1, 2 * DIP_FRAMES - 1)
    rows = np.arange(len(curve))
    left, top, right = (curve[rows, best + i] for i in (-1, 0, 1))
    shift = np.nan_to_num(0.5 * divided(left - right, left - 2 * top + right))
    return np.asarray(((best - DIP_FRAMES + shift) * 1000.0 / FRAME_RATE).reshape(sums.shape[:-1]))


def against_reference(motions: Sequence[Floats], persons: Sequence[Person]) -> dict[str, Measure]:
    """Measures of lips whose reference is `person.motion`, with phones known; units are the clips."""
    pairs = [(mouth(m), mouth(p.motion[: len(m)])) for m, p in zip(motions, persons, strict=True)]
    shut = [events.closures(m, p) for m, p in zip(motions, persons, strict=True)]
    speech = [spoken(p, len(m)) for m, p in zip(motions, persons, strict=True)]
    jaws = [
        np.concatenate([jaw_histogram(m, s), jaw_histogram(p.motion[: len(m)], s)])
        for m, p, s in zip(motions, persons, speech, strict=True)
    ]
    steps = [[np.square(np.diff(x, n=2, axis=0)).sum() for x in pair] for pair in pairs]
    all_moments = [moments(a, b).reshape(-1) for a, b in pairs]
    each = [float(correlation_of(all_moments, i)) for i in range(len(MOUTH_CHANNELS))]
    names = ", ".join(f"{name} {r:.2f}" for name, r in zip(MOUTH_CHANNELS, each, strict=True))
    lags = [lagged_moments(a[:, 0], b[:, 0], MOST_LAG).reshape(-1) for a, b in pairs]
    n = sum(c.bilabials for c in shut), sum(c.vowels for c in shut), sum(c.consonants for c in shut)
    return {
        "r": measure("mouth r (7 channels)", all_moments, mean_correlation, names),
        "closed": measure("lips shut on p, b, m", [[c.closed, c.bilabials] for c in shut], note=f"of {n[0]}"),
        "false": measure("lips shut on open vowels", [[c.falsely_closed, c.vowels] for c in shut], note=f"of {n[1]}"),
        "pressed": measure(
            "lips shut on other consonants", [[c.pressed, c.consonants] for c in shut], note=f"of {n[2]}"
        ),
        "jaw": measure("jaw range / reference", jaws, jaw_range_ratio),
        "lag": measure("mouth late by, ms", lags, lag_ms),
        "jitter": measure("rms second difference / reference", steps, root_ratio),
    }


def places(first_frame: int, n_frames: int, turn_frames: int) -> dict[str, npt.NDArray[np.bool_]]:
    """Which frames of a motion lie where in their turn, each (T,), by the names of PLACES.

    `first_frame`: the motion's first frame, counted from the session's start, where a turn begins.
    """
    at = (first_frame + np.arange(n_frames)) % turn_frames
    end = at >= turn_frames - BORDER_FRAMES
    begin = ~end & (at < BORDER_FRAMES)
    return {"begin": begin, "between": ~begin & ~end, "end": end}


def by_place(
    motions: Sequence[Floats], persons: Sequence[Person], first_frames: Sequence[int], turn_frames: int
) -> dict[str, Measure]:
    """Mouth r and closures for each place in the turn: at its borders a model knows least of what follows."""
    pairs = [(mouth(m), mouth(p.motion[: len(m)])) for m, p in zip(motions, persons, strict=True)]
    where = [places(first, len(m), turn_frames) for first, m in zip(first_frames, motions, strict=True)]
    found = {}
    for place, words in PLACES.items():
        sums = [moments(a[w[place]], b[w[place]]).reshape(-1) for (a, b), w in zip(pairs, where, strict=True)]
        found[f"r_{place}"] = measure(f"mouth r, {words}", sums, mean_correlation)
    for place, words in PLACES.items():
        shut = [events.closures(m, p, w[place]) for m, p, w in zip(motions, persons, where, strict=True)]
        n = sum(c.bilabials for c in shut)
        rows = [[c.closed, c.bilabials] for c in shut]
        found[f"closed_{place}"] = measure(f"lips shut on p, b, m, {words}", rows, note=f"of {n}")
    return found


def correlation_of(rows: Sequence[Array], channel: int) -> Array:
    """The pooled correlation of one channel."""
    return correlation(np.sum(rows, axis=0)[channel * MOMENTS : (channel + 1) * MOMENTS])


def against_loudness(
    motions: Sequence[Floats], persons: Sequence[Person], bilabials: Sequence[int | None]
) -> dict[str, Measure]:
    """Measures of lips that need the voice alone, and the number of p, b and m in the text where it is known."""
    levels = [frame_loudness(p, len(m)) for m, p in zip(motions, persons, strict=True)]
    jaws = [m[:, events.JAW].astype(np.float64) for m in motions]
    lags = [lagged_moments(j, x, MOST_LAG).reshape(-1) for j, x in zip(jaws, levels, strict=True)]
    dips = [loudness_at_closures(m, x) for m, x in zip(motions, levels, strict=True)]
    found = {
        "jaw": measure(
            "jaw against loudness, r", [moments(j, x) for j, x in zip(jaws, levels, strict=True)], correlation
        ),
        "lag": measure("jaw behind loudness, ms", lags, lag_ms),
        "dip": measure("voice softer at closures, dB", dips, dip_depth, f"{sum(d[0] for d in dips):.0f} closures"),
        "dip_lag": measure("softest after closures, ms", dips, dip_ms),
    }
    counts = [(len(closure_runs(m)), n) for m, n in zip(motions, bilabials, strict=True) if n is not None]
    if counts:
        found["count"] = measure("closures for each p, b, m of the text", counts)
    return found
