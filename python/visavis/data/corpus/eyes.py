"""Gaze and blinks from published statistics.  The first model leaves both to the rig's eye layer; the data has them."""

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.corpus.curves import Array, add_pulse, frame_times, smoothstep
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.person import DEG, Person

BLINKS_A_MINUTE = {True: 26.0, False: 18.0}  # speaking / listening (research, section 4: 26 in conversation)
BLINK_SIGMA = 0.55  # log-normal intervals (Bentivoglio 1997)
BLINK_S, LONG_BLINK_S, P_LONG_BLINK = 0.24, 0.6, 0.06  # short 208 ms, long 607 ms (Homke 2018); short: six frames
AT_S, AWAY_S = {True: 1.6, False: 3.3}, {True: 2.3, False: 1.1}  # 41 % at the partner talking, 75 % listening (Argyle)
P_AVERT_START, P_RETURN_END = 0.7, 0.7  # of turns (Kendon 1967)
AWAY_YAW_DEG, AWAY_PITCH_DEG = (6.0, 18.0), 8.0  # own choices
SACCADE_S = 0.08
FULL_DEG = {"in": 40.0, "out": 40.0, "up": 30.0, "down": 35.0}  # rotation at which a look shape reaches 1


def gaze(phrases: list[Phrase], speaking: npt.NDArray[np.bool_], person: Person,
         rng: np.random.Generator) -> tuple[Array, Array]:  # fmt: skip
    """Eye-in-world yaw and pitch (rad), 0 = at the partner: two states with forced looks at turn starts and ends."""
    n_frames = len(speaking)
    forced: dict[int, bool] = {}
    for phrase in phrases:
        averts, returns = rng.random(2)
        if phrase.line.kind != "backchannel" and averts < P_AVERT_START:
            forced[max(0, int(phrase.speech_start * FRAME_RATE) - 3)] = True
        if phrase.last_of_turn and returns < P_RETURN_END:
            forced[max(0, int(phrase.speech_end * FRAME_RATE) - 8)] = False
    target, away, until = np.zeros((n_frames, 2)), False, 0.0
    point = np.zeros(2)
    for k in range(n_frames):
        talking = bool(speaking[k])
        if k in forced or k / FRAME_RATE >= until:
            away = forced.get(k, not away)
            mean = (AWAY_S if away else AT_S)[talking] * (1.0 if away else person.gain["gaze"])
            until = k / FRAME_RATE + float(np.clip(rng.gamma(3.0, mean / 3.0), 0.3, 9.0))
            side = float(rng.uniform(*AWAY_YAW_DEG)) * (1 if rng.random() < 0.5 else -1)
            point = np.array([side, float(rng.normal(2.0, AWAY_PITCH_DEG))]) * DEG if away else np.zeros(2)
        target[k] = point
    return _saccades(target[:, 0]), _saccades(target[:, 1])


def _saccades(target: Array) -> Array:
    """Steps spread over two to three frames."""
    kernel = np.diff(smoothstep(np.arange(-1, 3) / (SACCADE_S * FRAME_RATE)))
    kernel /= kernel.sum()
    padded = np.concatenate([np.repeat(target[:1], len(kernel) - 1), target])
    return np.asarray(np.convolve(padded, kernel, "valid"))


def blinks(speaking: npt.NDArray[np.bool_], person: Person, rng: np.random.Generator) -> Array:
    """Lid closure in [0, 1]."""
    lid, time = np.zeros(len(speaking)), float(rng.uniform(0.2, 2.0))
    while time < frame_times(len(lid))[-1]:
        long = rng.random() < P_LONG_BLINK
        k = round(time * FRAME_RATE)
        length = LONG_BLINK_S if long else BLINK_S
        add_pulse(lid, (k - round(0.4 * length * FRAME_RATE)) / FRAME_RATE, length, 1.0)
        rate = BLINKS_A_MINUTE[bool(speaking[min(k, len(speaking) - 1)])] * person.gain["blink_rate"]
        gap = float(np.exp(rng.normal(-0.5 * BLINK_SIGMA**2, BLINK_SIGMA))) * 60.0 / rate
        time += max(gap, length + 0.1)
    return np.clip(lid, 0.0, 1.0)


def look_shapes(yaw: Array, pitch: Array) -> dict[str, Array]:
    """eyeLook* weights of an eye-in-head rotation: yaw positive to the person's left, pitch positive down (rad)."""
    left, right = np.maximum(yaw, 0.0) / DEG, np.maximum(-yaw, 0.0) / DEG
    down, up = np.maximum(pitch, 0.0) / DEG, np.maximum(-pitch, 0.0) / DEG
    shapes = {
        "eyeLookOutLeft": left / FULL_DEG["out"], "eyeLookInRight": left / FULL_DEG["in"],
        "eyeLookInLeft": right / FULL_DEG["in"], "eyeLookOutRight": right / FULL_DEG["out"],
    }  # fmt: skip
    for side in ("Left", "Right"):
        shapes |= {f"eyeLookDown{side}": down / FULL_DEG["down"], f"eyeLookUp{side}": up / FULL_DEG["up"]}
    return {name: np.clip(value, 0.0, 1.0) for name, value in shapes.items()}
