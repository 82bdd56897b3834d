"""What is counted on a face: closed lips on p, b and m, nods and smiles after the partner's phrases, steadiness.

All functions take motion in the arkit55 space, (T, C) raw units at 25 frames a second, and label times in seconds.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus.phones import BILABIALS, CONSONANTS, OPEN_VOWELS
from visavis.data.dualtalk import Person
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.floating[Any]]
OTHER_CONSONANTS = CONSONANTS - BILABIALS - {"F", "V"}  # made without lips that touch each other or the teeth
OPEN_VOWEL_S = 0.08  # shorter ones are never reached by a jaw
CLOSURE_SLACK = 1  # frames
CLOSURE_REACH = 2  # frames around p, b and m in which lips may be shut for these
NOD_DEG = 1.5  # amplitude (half peak to peak) in the nod band
NOD_GAP_S = 0.5  # swings closer than this belong to one nod
NOD_BAND_HZ = (1.0, 6.5)
SMILE_RISE = 0.1
RESPONSE_S = 1.0  # after the end of the partner's phrase
SLOW_BAND_HZ = (1.0, 7.0)
FAST_BAND_HZ = (8.0, 12.5)

JAW = ARKIT55.index("jawOpen")
PITCH = ARKIT55.index("headPitch")
SMILE = (ARKIT55.index("mouthSmileLeft"), ARKIT55.index("mouthSmileRight"))


@dataclass
class Closures:
    """Counts over one or more clips."""

    bilabials: int = 0
    closed: int = 0
    vowels: int = 0
    falsely_closed: int = 0
    consonants: int = 0  # that are not made with shut lips, nor next to such
    pressed: int = 0  # of these, with the lips shut
    jaw_sum: float = 0.0  # jawOpen at the middle of open vowels

    def __iadd__(self, other: "Closures") -> "Closures":
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def closures(motion: Floats, person: Person, frames: npt.NDArray[np.bool_] | None = None) -> Closures:
    """How often the lips are shut where the person says p, b or m, an open vowel, or another consonant.

    `frames` (T,): only phones whose middle lies in one of these.
    """
    from visavis.data.corpus.visemes import lips_shut

    shut = np.asarray(lips_shut(motion))  # (T,) bool
    count = Closures()
    labels = person.labels
    near = _near_bilabials(labels, len(motion))
    for label, begin, end in zip(labels["phone_label"], labels["phone_start"], labels["phone_end"], strict=True):
        frame = frame_at(float(begin + end) / 2)
        if frame + CLOSURE_SLACK >= len(motion) or frame < CLOSURE_SLACK:
            continue
        if frames is not None and not frames[frame]:
            continue
        phone = str(label).rstrip("012")
        if phone in BILABIALS:
            count.bilabials += 1
            count.closed += bool(shut[frame - CLOSURE_SLACK : frame + CLOSURE_SLACK + 1].any())
        elif phone in OPEN_VOWELS and end - begin >= OPEN_VOWEL_S:
            count.vowels += 1
            count.falsely_closed += bool(shut[frame])
            count.jaw_sum += float(motion[frame, JAW])
        elif phone in OTHER_CONSONANTS and not near[frame]:
            count.consonants += 1
            count.pressed += bool(shut[frame])
    return count


def _near_bilabials(labels: dict[str, npt.NDArray[Any]], n_frames: int) -> npt.NDArray[np.bool_]:
    """Frames inside p, b and m or up to CLOSURE_REACH from them, (n_frames,)."""
    near = np.zeros(n_frames, bool)
    for label, begin, end in zip(labels["phone_label"], labels["phone_start"], labels["phone_end"], strict=True):
        if str(label) in BILABIALS:
            first = max(0, int(np.floor(float(begin) * FRAME_RATE)) - CLOSURE_REACH)
            near[first : int(np.ceil(float(end) * FRAME_RATE)) + CLOSURE_REACH + 1] = True
    return near


def frame_at(seconds: float) -> int:
    """The frame nearest to that moment; frame k stands at k / 25 s."""
    return round(seconds * FRAME_RATE)


def band(signal: Floats, low_hz: float, high_hz: float) -> Floats:
    """The part of a signal (T,) between two frequencies, no delay."""
    from scipy.signal import butter, sosfiltfilt

    sos = butter(2, (low_hz, min(high_hz, 0.49 * FRAME_RATE)), btype="bandpass", fs=FRAME_RATE, output="sos")
    filtered: Floats = sosfiltfilt(sos, signal)
    return filtered


def listening_moments(agent: Person, user: Person, n_frames: int) -> list[int]:
    """Frames at which the user ends a phrase while the agent is, and for a second stays, silent."""
    speaking = agent.labels["speaking"]
    after = round(RESPONSE_S * FRAME_RATE)
    moments = [frame_at(float(time)) for time in user.labels["phrase_end"]]
    return [m for m in moments if m >= FRAME_RATE and m + after < n_frames and not speaking[m : m + after].any()]


def silent_frames(agent: Person, n_frames: int) -> list[int]:
    """Frames from which the agent stays silent for a second."""
    after = round(RESPONSE_S * FRAME_RATE)
    speaking = np.concatenate([agent.labels["speaking"][:n_frames].astype(np.int64), [0]])
    spoken = np.cumsum(speaking)
    starts = np.arange(FRAME_RATE, max(FRAME_RATE, n_frames - after))
    return [int(s) for s in starts[spoken[starts + after - 1] == spoken[starts - 1]]]


def nod_starts(motion: Floats) -> npt.NDArray[np.int64]:
    """Frames at which nods begin: swings of pitch over 2 x NOD_DEG in the nod band, close ones being one nod."""
    starts, last = [], -len(motion)
    for begin, end in nod_swings(motion):
        if begin - last > NOD_GAP_S * FRAME_RATE:
            starts.append(begin)
        last = end
    return np.array(starts, dtype=np.int64)


def nod_swings(motion: Floats) -> list[tuple[int, int]]:
    """First and last frame of each swing of pitch over 2 x NOD_DEG in the nod band: half a period of a nod."""
    pitch = np.degrees(band(motion[:, PITCH], *NOD_BAND_HZ))
    steps = np.diff(pitch)
    turns = np.concatenate([[0], np.flatnonzero(steps[1:] * steps[:-1] <= 0) + 1, [len(pitch) - 1]]).tolist()
    return [(a, b) for a, b in itertools.pairwise(turns) if abs(pitch[b] - pitch[a]) >= 2 * NOD_DEG]


def nods(motion: Floats, moments: list[int]) -> npt.NDArray[np.bool_]:
    """For each moment: does a nod begin within a second of it, (n,)."""
    starts = nod_starts(motion)
    ends = [(m, m + round(RESPONSE_S * FRAME_RATE)) for m in moments]
    return np.array([((starts >= a) & (starts <= b)).any() for a, b in ends], dtype=bool)


def smiles(motion: Floats, moments: list[int]) -> npt.NDArray[np.bool_]:
    """For each moment: does a smile rise by SMILE_RISE within a second of it, (n,)."""
    smile = np.convolve(motion[:, SMILE].mean(axis=1), np.full(3, 1 / 3), mode="same")
    return np.array([smile[_response(m)].max() - smile[m] >= SMILE_RISE for m in moments], dtype=bool)


def smile_starts(motion: Floats) -> npt.NDArray[np.int64]:
    """Frames at which smiles rise by SMILE_RISE within a second, close ones being one."""
    smile = np.convolve(motion[:, SMILE].mean(axis=1), np.full(3, 1 / 3), mode="same")
    ahead = np.lib.stride_tricks.sliding_window_view(np.pad(smile, (0, FRAME_RATE), mode="edge"), FRAME_RATE + 1)
    rises = np.flatnonzero(ahead.max(axis=1) - smile >= SMILE_RISE)
    apart = np.diff(rises, prepend=-FRAME_RATE) > FRAME_RATE // 2
    return np.asarray(rises[apart], np.int64)


def _response(moment: int) -> slice:
    return slice(moment, moment + round(RESPONSE_S * FRAME_RATE) + 1)


def second_difference(motion: Floats) -> Floats:
    """Mean square second difference of each channel, (C,)."""
    mean: Floats = np.square(np.diff(motion, n=2, axis=0)).mean(axis=0)
    return mean


def spectrum(signal: Floats, window_s: int = 5) -> tuple[Floats, Floats]:
    """Frequencies and power density of a signal (T,), by Welch's method."""
    from scipy.signal import welch

    hz, power = welch(signal, fs=FRAME_RATE, nperseg=min(len(signal), window_s * FRAME_RATE))
    return hz, power


def power_between(hz: Floats, power: Floats, band_hz: tuple[float, float]) -> float:
    """Power of a spectrum between two frequencies."""
    inside = (hz >= band_hz[0]) & (hz <= band_hz[1])
    return float(power[inside].sum() * (hz[1] - hz[0]))
