"""Normalisation of motion: n = (m - mean) / std, channel by channel; a channel of weight 0 is left to others.

Channels of weight 0 (the eye layer's, say) are never generated: they are 0 in normalised space and 0 in the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.errors import InvalidArgument
from visavis.motion_space import MotionSpace

STD_FLOOR = 0.02  # of a channel's own unit: a channel that hardly moves is not blown up to unit variance
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """Mean, standard deviation and loss weight of each channel, (C,) float32."""

    mean: Floats
    std: Floats
    weight: Floats

    def __post_init__(self) -> None:
        for name in ("mean", "std", "weight"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if values.ndim != 1 or values.shape != np.shape(self.mean) or not np.isfinite(values).all():
                raise InvalidArgument(f"normalisation: {name} {values.shape} is not one finite value a channel")
            object.__setattr__(self, name, values)
        if (self.std <= 0).any() or (self.weight < 0).any():
            raise InvalidArgument("normalisation: std must be over 0 and weight at least 0 in every channel")

    @classmethod
    def identity(cls, n_channels: int) -> "Normalisation":
        """Motion as it is: mean 0, std 1, weight 1 (the published TIMAR)."""
        return cls(*(np.full(n_channels, value, np.float32) for value in (0, 1, 1)))

    @classmethod
    def measure(cls, motions: Sequence[Floats], space: MotionSpace, eyes: str = "layer") -> "Normalisation":
        """Mean and std over recordings of shape (n, C); with eyes="layer" the eye layer's channels get weight 0."""
        frames = np.concatenate(motions).astype(np.float64)  # (n, C)
        weight = np.ones(len(space.channels), np.float32)
        if eyes == "layer":
            weight[list(space.eye_layer)] = 0
        std = np.maximum(frames.std(0), STD_FLOOR)
        return cls(frames.mean(0).astype(np.float32), std.astype(np.float32), weight)
