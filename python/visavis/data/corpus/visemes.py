"""Lips from phone times: dominance functions on the ARKit mouth channels, closures forced on the 25 fps grid.

Cohen & Massaro (1993): every phone pulls each channel to its target with a weight a * exp(-theta * distance); here the
weight is flat over most of the phone, and lips, jaw and closures have their own a and theta.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus.phones import BILABIALS, SIL, VOWELS, Phone
from visavis.motion_space import ARKIT55

Array = npt.NDArray[np.float64]

# Half-face channels of the table; a paired one drives its Left and Right.
SHAPES = (
    "jawOpen mouthFunnel mouthPucker mouthStretch mouthSmile mouthRollLower mouthRollUpper mouthPress mouthLowerDown"
    " mouthUpperUp mouthShrugLower mouthDimple tongueOut jawForward".split()
)
_AT = {name: i for i, name in enumerate(SHAPES)}
_LIPS = [_AT[name] for name in ("mouthFunnel", "mouthPucker", "mouthStretch", "mouthSmile")]
_JAW = _AT["jawOpen"]

GRID_RATE = 100  # Hz of the continuous curves before they are sampled at the frames
LEAD_S = 0.020  # lips lead the sound by 20 ms (research, section 3: 40 ms ran two frames early)
SMOOTH_S = 0.090  # Hann window over the curves (research, section 3)
PLATEAU = 0.6  # share of a phone over which its dominance is flat (research, section 3)
SILENCE_EDGE_S = 0.08  # a silence dominates up to this close to its edges
MIN_SILENCE_S = 0.03  # shorter gaps between phones are articulated through
REACH_S = 0.6  # a phone's pull beyond this distance is dropped (below 1 % of its peak)
REST_PULL = 0.05  # constant pull towards the closed resting mouth
JAW_RAISE = 1.4  # vowel jaws of the first table came out low (research, section 3)
ENERGY_FLOOR, ENERGY_GAIN = 0.6, 0.6  # open phones scaled 0.6 to 1.2 by loudness (research, section 3; JALI's idea)
CLOSURE_SIGMA_S = 0.045  # width of a closure around its frame: one frame aside it is at 45 %
CLOSURE_LIP_SHARE = 0.3  # rounding and spreading survive a closure by this much
SHUT_JAW = 0.12  # lips_shut: jawOpen - mouthClose at most this
SHUT_PRESS = 0.20  # lips_shut: mean of mouthPressLeft and mouthPressRight at least this


def _t(**weights: float) -> Array:
    target = np.zeros(len(SHAPES))
    for name, weight in weights.items():
        target[_AT[name]] = weight
    return target


# Targets per phone: own values, shaped on the 15 "Oculus" visemes (research, section 3); vowel jaws before JAW_RAISE.
TARGETS: dict[str, Array] = {
    "AA": _t(jawOpen=0.42, mouthLowerDown=0.18, mouthUpperUp=0.08),
    "AE": _t(jawOpen=0.38, mouthStretch=0.22, mouthLowerDown=0.25, mouthUpperUp=0.15, mouthSmile=0.06),
    "AH": _t(jawOpen=0.26, mouthLowerDown=0.15),
    "AO": _t(jawOpen=0.36, mouthFunnel=0.42, mouthPucker=0.15),
    "EH": _t(jawOpen=0.29, mouthStretch=0.20, mouthLowerDown=0.20, mouthUpperUp=0.10),
    "ER": _t(jawOpen=0.18, mouthFunnel=0.30, mouthPucker=0.22),
    "IH": _t(jawOpen=0.17, mouthStretch=0.20, mouthLowerDown=0.15, mouthSmile=0.05),
    "IY": _t(jawOpen=0.11, mouthStretch=0.34, mouthSmile=0.12, mouthLowerDown=0.18, mouthUpperUp=0.08, mouthDimple=0.1),
    "OW": _t(jawOpen=0.24, mouthFunnel=0.40, mouthPucker=0.40),
    "UH": _t(jawOpen=0.17, mouthFunnel=0.32, mouthPucker=0.30),
    "UW": _t(jawOpen=0.10, mouthFunnel=0.30, mouthPucker=0.65),
    "P": _t(mouthPress=0.50, mouthRollLower=0.35, mouthRollUpper=0.22),
    "F": _t(jawOpen=0.06, mouthRollLower=0.50, mouthUpperUp=0.20, mouthShrugLower=0.20),
    "TH": _t(jawOpen=0.14, mouthLowerDown=0.20, tongueOut=0.25),
    "T": _t(jawOpen=0.09, mouthLowerDown=0.20, mouthStretch=0.10),
    "S": _t(jawOpen=0.05, mouthStretch=0.22, mouthLowerDown=0.28, mouthUpperUp=0.10),
    "SH": _t(jawOpen=0.08, mouthFunnel=0.50, mouthPucker=0.30, mouthUpperUp=0.12, jawForward=0.12),
    "K": _t(jawOpen=0.16, mouthLowerDown=0.12),
    "L": _t(jawOpen=0.16, mouthLowerDown=0.18),
    "R": _t(jawOpen=0.12, mouthFunnel=0.35, mouthPucker=0.30),
    "W": _t(jawOpen=0.07, mouthPucker=0.75, mouthFunnel=0.25),
    "Y": _t(jawOpen=0.10, mouthStretch=0.25, mouthSmile=0.08),
    "HH": _t(jawOpen=0.20),
    SIL: _t(),
}
_SAME = {"B": "P", "M": "P", "V": "F", "DH": "TH", "D": "T", "N": "T", "Z": "S"}
_SAME |= {"ZH": "SH", "CH": "SH", "JH": "SH", "G": "K", "NG": "K"}
TARGETS |= {label: TARGETS[model] for label, model in _SAME.items()}
DIPHTHONGS = {"AY": ("AA", "IY"), "EY": ("EH", "IY"), "AW": ("AA", "UW"), "OY": ("AO", "IY"), "OW": ("OW", "UW")}
DIPHTHONG_SPLIT = 0.55  # first part's share (research, section 3)
_ROUNDED = frozenset("W UW OW SH ZH CH JH R ER AO UH".split())
_FRONT = frozenset("S Z T D N L TH DH".split())
_WEAK = frozenset("K G NG HH Y".split())


def lips_shut(motion: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Which frames of an arkit55 motion (T, 55) have the lips shut for p, b or m: jaw closed AND lips pressed.

    A resting mouth is closed but not pressed, so it does not count; an open vowel is neither.
    """
    at = ARKIT55.index
    press = 0.5 * (motion[..., at("mouthPressLeft")] + motion[..., at("mouthPressRight")])
    gap = motion[..., at("jawOpen")] - motion[..., at("mouthClose")]
    return np.asarray((gap <= SHUT_JAW) & (press >= SHUT_PRESS))


def closure_frame(phone: Phone) -> int:
    """The frame (standing at k / 25 s) nearest the middle of a phone."""
    return round(phone.centre * FRAME_RATE)


@lru_cache(maxsize=64)
def _dominance(label: str) -> tuple[Array, Array, Array]:
    """Strength a, and decay theta (1/s) before and after a phone, per channel (values of the research prototype)."""
    n = len(SHAPES)
    a, before, after = np.full(n, 0.7), np.full(n, 16.0), np.full(n, 18.0)
    if label in BILABIALS:
        a[:], before[:], after[:] = 2.6, 38.0, 38.0
        a[_LIPS] = 0.25
    elif label in ("F", "V"):
        a[:], before[:], after[:] = 1.8, 30.0, 30.0
        a[_LIPS] = 0.3
    elif label in _ROUNDED:
        a[_LIPS], before[_LIPS], after[_LIPS] = 1.6, 9.0, 13.0  # rounding is anticipated
        a[_JAW] = 1.1 if label in VOWELS else 0.7
    elif label in _FRONT:
        a[_JAW], a[_LIPS] = 1.1, 0.3
    elif label in _WEAK:
        a[:] = 0.35
    elif label == SIL:
        a[:], before[:], after[:] = 1.5, 16.0, 16.0  # the mouth opens about 0.15 s before speech, no earlier
    else:
        a[_JAW], a[_LIPS] = 1.2, 0.9
    return a, before, after


def _segments(phones: list[Phone], duration: float) -> list[Phone]:
    """Phones with diphthongs split and silences filled in, also before the first and after the last."""
    out: list[Phone] = []
    last = -1.0
    for phone in phones:
        if phone.start - last > MIN_SILENCE_S:
            out.append(Phone(SIL, last, phone.start))
        if phone.label in DIPHTHONGS:
            first, second = DIPHTHONGS[phone.label]
            middle = phone.start + DIPHTHONG_SPLIT * (phone.end - phone.start)
            out += [Phone(first, phone.start, middle), Phone(second, middle, phone.end)]
        else:
            out.append(phone)
        last = phone.end
    out.append(Phone(SIL, last, duration + 1.0))
    return out


def _target(phone: Phone, loudness: Array) -> Array:
    target: Array = TARGETS[phone.label].copy()
    if phone.label not in VOWELS:
        return target
    target[_JAW] *= JAW_RAISE
    at = min(max(int(phone.centre * GRID_RATE), 0), len(loudness) - 1)
    return np.asarray(target * (ENERGY_FLOOR + ENERGY_GAIN * loudness[at])) if target[_JAW] > 0.2 else target


def _blend(phones: list[Phone], duration: float, loudness: Array) -> Array:
    """The dominance blend on the 100 Hz grid, (n, shapes)."""
    n = int(np.ceil((duration + 0.1) * GRID_RATE))
    top, below = np.zeros((n, len(SHAPES))), np.full((n, len(SHAPES)), REST_PULL)
    for phone in _segments(phones, duration):
        a, before, after = _dominance(phone.label)
        half = 0.5 * (phone.end - phone.start)
        flat = max(PLATEAU * half, half - SILENCE_EDGE_S) if phone.label == SIL else PLATEAU * half
        first = max(0, int((phone.start - REACH_S) * GRID_RATE))
        last = min(n, int((phone.end + REACH_S) * GRID_RATE) + 1)
        tau = np.arange(first, last)[:, None] / GRID_RATE - phone.centre
        pull = a * np.exp(-np.where(tau < 0, before, after) * np.maximum(np.abs(tau) - flat, 0.0))
        top[first:last] += pull * _target(phone, loudness)
        below[first:last] += pull
    return np.asarray(top / below)


def _closure_weight(phones: list[Phone], n_frames: int) -> Array:
    """How far each frame is pulled into a closure: 1 at the frames of every p, b, m."""
    weight = np.zeros(n_frames)
    frames = np.arange(n_frames)
    for phone in phones:
        if phone.label not in BILABIALS:
            continue
        margin = 0.2 * (phone.end - phone.start)
        inside = np.flatnonzero(
            (frames / FRAME_RATE >= phone.start + margin) & (frames / FRAME_RATE <= phone.end - margin)
        )
        for k in {closure_frame(phone), *inside.tolist()}:
            near = slice(max(0, k - 3), min(n_frames, k + 4))
            distance = (frames[near] - k) / FRAME_RATE
            weight[near] = np.maximum(weight[near], np.exp(-((distance / CLOSURE_SIGMA_S) ** 2)))
    return weight


def lip_shapes(
    phones: list[Phone], n_frames: int, loudness: Array, jaw_gain: float | Array = 1.0, lip_gain: float | Array = 1.0
) -> Array:
    """Lip motion (T, len(SHAPES)) of phones given in seconds; `loudness` in [0, 1] at 100 Hz.

    Gains may change from frame to frame, (T,); closures are shut whatever they are.
    """
    curve = _blend(phones, n_frames / FRAME_RATE, loudness)
    window = np.hanning(round(SMOOTH_S * GRID_RATE) + 2)[1:-1]
    window /= window.sum()
    curve = np.stack([np.convolve(column, window, "same") for column in curve.T], axis=1)
    at = np.arange(n_frames) / FRAME_RATE + LEAD_S
    grid = np.arange(len(curve)) / GRID_RATE
    shapes = np.stack([np.interp(at, grid, column) for column in curve.T], axis=1)  # (T, shapes)
    shapes[:, _JAW] *= jaw_gain
    shapes[:, _JAW + 1 :] *= np.asarray(lip_gain)[..., None]
    weight = np.repeat(_closure_weight(phones, n_frames)[:, None], len(SHAPES), axis=1)
    weight[:, _LIPS] *= 1.0 - CLOSURE_LIP_SHARE
    return shapes * (1.0 - weight) + weight * TARGETS["P"]


def spread(shapes: Array) -> Array:
    """Half-face shapes (T, len(SHAPES)) as an arkit55 motion (T, 55), symmetric."""
    motion = np.zeros((len(shapes), len(ARKIT55.channels)))
    for i, name in enumerate(SHAPES):
        for channel in (name,) if name in ARKIT55.channels else (f"{name}Left", f"{name}Right"):
            motion[:, ARKIT55.index(channel)] += shapes[:, i]
    return motion
