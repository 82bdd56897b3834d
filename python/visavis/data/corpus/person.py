"""Persons: how expressive somebody is, how much they nod, smile and look, and where their face rests.

Rates and gains are log-normal across persons: real amplitudes differ by 2x or more (research, section 6), nod rates
differ a lot (Blomsma 2024), blink rates are log-normal (Bentivoglio 1997).
"""

from dataclasses import dataclass

import numpy as np

DEG = float(np.pi / 180.0)
SPREAD = {  # sigma of the log of each gain: own choices that put the 5th and 95th percentile a factor 1.6 to 3 apart
    "head": 0.25, "beat": 0.30, "brow": 0.30, "smile": 0.25, "jaw": 0.14, "lip": 0.10,
    "nod_rate": 0.25, "nod_size": 0.22, "smile_rate": 0.30, "posture_rate": 0.4, "blink_rate": 0.30, "gaze": 0.15,
}  # fmt: skip
REST_HEAD_DEG = {"headYaw": 3.0, "headPitch": 2.5, "headRoll": 1.5}  # std; real clips rest up to 14 deg off
REST_SHAPES = {  # largest resting weight of a face at ease (uniform from 0); own choices
    "mouthSmile": 0.06, "mouthFrown": 0.04, "browInnerUp": 0.08, "browDown": 0.06, "eyeSquint": 0.08,
    "cheekSquint": 0.04, "mouthShrugLower": 0.05, "mouthPress": 0.06, "eyeWide": 0.04, "noseSneer": 0.03,
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Gains and rates around 1, resting face, and the small left-right asymmetry of the smile."""

    gain: dict[str, float]
    rest_head: dict[str, float]  # rad
    rest_shapes: dict[str, float]
    smile_side: float  # left over right
    level_db: float  # speech level, dBFS RMS
    noise_db: float | None  # noise floor of the microphone, dBFS RMS; None = digital silence


def draw_person(rng: np.random.Generator) -> Person:
    """A person at random."""
    expressive = rng.normal(0.0, 0.2)  # shared: lively people are lively in everything
    shared = {"head", "beat", "brow", "smile", "nod_size"}
    gain = {
        name: float(
            np.exp(np.clip(rng.normal(0.0, sigma), -2 * sigma, 2 * sigma) + (expressive if name in shared else 0.0))
        )
        for name, sigma in SPREAD.items()
    }
    return Person(
        gain=gain,
        rest_head={
            name: float(np.clip(rng.normal(0, std), -2 * std, 2 * std)) * DEG for name, std in REST_HEAD_DEG.items()
        },
        rest_shapes={name: float(rng.uniform(0.0, high)) for name, high in REST_SHAPES.items()},
        smile_side=float(np.exp(rng.normal(0.0, 0.06))),
        level_db=float(np.clip(rng.normal(-26.0, 3.0), -32.0, -20.0)),
        noise_db=float(rng.uniform(-70.0, -50.0)) if rng.random() < 0.6 else None,
    )
