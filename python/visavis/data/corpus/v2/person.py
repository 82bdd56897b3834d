"""Persons of version 2: a style of four numbers, which a model can be told, decides their gains and rates.

Style entries lie in -1 to 1, 0 being the average person; gains are exponentials of them with a little of their own, so
that amplitudes differ between people by 2x and more (research, section 6).
"""

from dataclasses import dataclass

import numpy as np

from visavis.data.corpus.person import DEG, REST_SHAPES, Person

# Reserved to talkative, rare to frequent nods, calm to expressive, gaze away to at the partner.
STYLE = ("talkative", "nods", "expressiveness", "gaze")
STYLE_SIGMA = 0.5  # of the normal from which styles come, cut at +-1
# log gain = sum of coefficient * style, + a normal of this sigma (own choices).
GAINS: dict[str, tuple[dict[str, float], float]] = {
    "head": ({"expressiveness": 0.45, "talkative": 0.15}, 0.12),
    "beat": ({"expressiveness": 0.45, "talkative": 0.25}, 0.15),
    "brow": ({"expressiveness": 0.50, "talkative": 0.15}, 0.15),
    "smile": ({"expressiveness": 0.40}, 0.12),
    "jaw": ({"expressiveness": 0.10, "talkative": 0.05}, 0.10),
    "lip": ({"expressiveness": 0.08}, 0.08),
    "nod_rate": ({"nods": 0.60}, 0.10),
    "nod_size": ({"expressiveness": 0.30}, 0.12),
    "smile_rate": ({"expressiveness": 0.45, "talkative": 0.15}, 0.20),
    "posture_rate": ({"expressiveness": 0.40}, 0.25),
    "blink_rate": ({}, 0.30),  # log-normal across persons (Bentivoglio 1997)
    "gaze": ({"gaze": 0.40}, 0.08),
}
REST_HEAD_DEG = {
    "headYaw": (4.0, 14.0),
    "headPitch": (3.5, 12.0),
    "headRoll": (2.0, 8.0),
}  # std, most (research, section 6)
P_BAND, BAND_HZ = 0.25, (3000.0, 7500.0)  # microphones that end early (research, section 6: 3-8 kHz)
P_BLEED, BLEED_DB = 0.40, (-40.0, -25.0)  # the partner's voice in one's microphone (research, section 6)


@dataclass(frozen=True)
class StyledPerson(Person):
    """A person with a style (STYLE's order) and a microphone."""

    style: tuple[float, ...]
    band_hz: float | None  # upper end; None: all of it
    bleed_db: float | None  # the partner's voice over one's own; None: apart


def draw_person(rng: np.random.Generator) -> StyledPerson:
    """A person at random."""
    style = np.clip(rng.normal(0.0, STYLE_SIGMA, len(STYLE)), -1.0, 1.0)
    of = dict(zip(STYLE, style.tolist(), strict=True))
    gain = {}
    for name, (coefficients, sigma) in GAINS.items():
        own = float(np.clip(rng.normal(0.0, sigma), -2 * sigma, 2 * sigma))
        gain[name] = float(np.exp(sum(c * of[key] for key, c in coefficients.items()) + own))
    rest = {n: float(np.clip(rng.normal(0.0, std), -most, most)) * DEG for n, (std, most) in REST_HEAD_DEG.items()}
    return StyledPerson(
        gain=gain,
        rest_head=rest,
        rest_shapes={name: float(rng.uniform(0.0, high)) for name, high in REST_SHAPES.items()},
        smile_side=float(np.exp(rng.normal(0.0, 0.06))),
        level_db=float(np.clip(rng.normal(-26.0, 3.5), -34.0, -18.0)),
        noise_db=float(rng.uniform(-70.0, -45.0)) if rng.random() < 0.65 else None,
        style=tuple(of.values()),
        band_hz=float(rng.uniform(*BAND_HZ)) if rng.random() < P_BAND else None,
        bleed_db=float(rng.uniform(*BLEED_DB)) if rng.random() < P_BLEED else None,
    )
