"""The rig: what turns motion into what a mesh gets, with dials, an eye layer and limits (docs/rig.md).

    rig = Rig(seed=7)
    rig.set_dial("emotion.joy", 0.4)
    values = rig.process(motion.values, speaking)  # (n, C)

A session has its own rig; this one is for motion that is already there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import InvalidArgument
from visavis.motion_space import motion_space

STYLE_DIAL = "style."  # a style's dial is called so and the style's name


@dataclass(frozen=True, slots=True)
class Dial:
    """One setting of a rig."""

    name: str
    low: float
    high: float
    standard: float  # at the start
    meaning: str


class Rig:
    """A rig for the channels of a motion space; frames go through it in order."""

    def __init__(self, space: str = "arkit55", seed: int = 0, eyes: str = "layer") -> None:
        """`seed` is that of the eye layer; `eyes`: "layer", or "model" to keep the motion's own eye channels."""
        from visavis import _core

        if eyes not in ("layer", "model"):
            raise InvalidArgument(f"eyes is {eyes!r}; expected layer or model")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
            raise InvalidArgument(f"seed is {seed!r}; expected a whole number from 0 to 2^64 - 1")
        known = motion_space(space)
        self._native = _core.Rig(known.channels, known.units, seed=seed, eye_layer=eyes == "layer")
        self._next_frame = 0

    def set_dial(self, name: str, value: float) -> None:
        """Set a dial; it acts from the next frame on, without a jump."""
        self._native.set_dial(*dial_setting(name, value))

    def dial(self, name: str) -> float:
        """What a dial is set to."""
        return self._native.dial(name)

    def dials(self) -> list[Dial]:
        """All dials, general ones first."""
        return as_dials(self._native.dials())

    def process(self, motion: ArrayLike, speaking: ArrayLike) -> NDArray[np.float32]:
        """The next frames (n, C) as a mesh gets them; `speaking` (n,) says when the character talks."""
        values = self._native.process(np.asarray(motion, np.float32), np.asarray(speaking, bool), self._next_frame)
        self._next_frame += len(values)
        return values


def as_dials(rows: Sequence[tuple[str, float, float, float, str]]) -> list[Dial]:
    """The dials of a native rig or session."""
    return [Dial(*row) for row in rows]


def dial_setting(name: Any, value: Any) -> tuple[str, float]:
    """A dial's name and value, of the types that the core takes."""
    if not isinstance(name, str):
        raise InvalidArgument(f"dial name is {name!r}; expected a text such as 'emotion.joy'")
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidArgument(f"dial {name} is {value!r}; expected a number")
    try:
        return name, float(value)
    except OverflowError:
        raise InvalidArgument(f"dial {name} is too large for a number; expected one in its range") from None


def style_dials(style: Mapping[str, float]) -> dict[str, float]:
    """A style, values by axis (docs/personas.md), as dials."""
    return {f"{STYLE_DIAL}{name}": value for name, value in style.items()}


def parse_dials(settings: Sequence[str], style: Sequence[str] = ()) -> dict[str, float]:
    """Dials by name of texts such as "emotion.joy=0.4", and of a style's such as "expressiveness=0.5"."""
    return _parsed("dial", settings, "emotion.joy=0.4") | style_dials(_parsed("style", style, "expressiveness=0.5"))


def _parsed(what: str, settings: Sequence[str], example: str) -> dict[str, float]:
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidArgument(f"{what} setting is {setting!r}; expected NAME=VALUE such as {example}")
    return values
