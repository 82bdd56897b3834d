"""Normalisation of motion: n = (m - mean) / std, channel by channel; a channel of weight 0 is left to others.

Channels of weight 0 (the eye layer's, say) are never generated: they are 0 in normalised space and 0 in the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig

FOLLOWS = 0.98  # correlation of neighbouring frames from which on a channel goes on from its last own frame
RESIDUAL_FLOOR = 0.02  # normalised units: a channel that hardly moves must not rule the loss
STD_FLOOR = 0.02  # of a channel's own unit: a channel that hardly moves is not blown up to unit variance
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """Mean, standard deviation and loss weight of each channel, (C,) float32.

    `residual_gain` and `residual_scale` (F, C) go with denoise_target=residual: frame f is gain * (last frame of the
    turn before) + scale * row.  Slow channels go on from where they were (gain = their autocorrelation, just under 1,
    so that errors fade); fast ones, the lips, would only add up their errors and start from nothing (gain 0).
    """

    mean: Floats
    std: Floats
    weight: Floats
    residual_scale: Floats | None = None
    residual_gain: Floats | None = None  # None beside a scale: 1 everywhere

    def __post_init__(self) -> None:
        for name in ("mean", "std", "weight"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            if values.ndim != 1 or values.shape != np.shape(self.mean) or not np.isfinite(values).all():
                raise InvalidArgument(f"normalisation: {name} {values.shape} is not one finite value a channel")
            object.__setattr__(self, name, values)
        if (self.std <= 0).any() or (self.weight < 0).any():
            raise InvalidArgument("normalisation: std must be over 0 and weight at least 0 in every channel")
        if self.residual_scale is not None:
            scale = np.ascontiguousarray(self.residual_scale, dtype=np.float32)
            if scale.shape[1:] != self.mean.shape or not (np.isfinite(scale) & (scale > 0)).all():
                raise InvalidArgument(f"normalisation: residual_scale {scale.shape} is not (F, C) values over 0")
            gain = np.ones_like(scale) if self.residual_gain is None else self.residual_gain
            gain = np.ascontiguousarray(gain, dtype=np.float32)
            if gain.shape != scale.shape or not np.isfinite(gain).all():
                raise InvalidArgument(f"normalisation: residual_gain {gain.shape} is not {scale.shape} finite values")
            object.__setattr__(self, "residual_scale", scale)
            object.__setattr__(self, "residual_gain", gain)

    @classmethod
    def identity(cls, n_channels: int) -> "Normalisation":
        """Motion as it is: mean 0, std 1, weight 1 (the published TIMAR)."""
        return cls(*(np.full(n_channels, value, np.float32) for value in (0, 1, 1)))

    @classmethod
    def measure(cls, motions: Sequence[Floats], config: ModelConfig) -> "Normalisation":
        """From recordings (n, C) each; with eyes=layer the eye layer's channels get weight 0."""
        space = config.space
        frames = np.concatenate(motions).astype(np.float64)  # (n, C)
        weight = np.ones(len(space.channels), np.float32)
        if config.eyes == "layer":
            weight[list(space.eye_layer)] = 0
        std = np.maximum(frames.std(0), STD_FLOOR)
        plain = cls(frames.mean(0).astype(np.float32), std.astype(np.float32), weight)
        if config.denoise_target == "absolute":
            return plain
        gain, scale = plain._residual(motions, config.turn_frames)
        return replace(plain, residual_gain=gain, residual_scale=scale)

    def _residual(self, motions: Sequence[Floats], turn_frames: int) -> tuple[Floats, Floats]:
        """Gain and scale (F, C), over turns that begin anywhere."""
        gain = np.empty((turn_frames, len(self.mean)))
        scale = np.empty_like(gain)
        normal = [(motion - self.mean) / self.std for motion in motions]
        for f in range(turn_frames):
            last = np.concatenate([n[: -f - 1] for n in normal]).astype(np.float64)
            later = np.concatenate([n[f + 1 :] for n in normal]).astype(np.float64)
            gain[f] = np.clip((last * later).mean(0) / np.maximum((last**2).mean(0), 1e-9), 0, 1)
            gain[f] *= gain[0] >= FOLLOWS
            scale[f] = (later - gain[f] * last).std(0)
        generated = self.weight > 0
        scale = np.where(generated, np.maximum(scale, RESIDUAL_FLOOR), 1)
        return (gain * generated).astype(np.float32), scale.astype(np.float32)
