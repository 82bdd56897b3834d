"""What every model here is: a module with a configuration, the normalisation of its motion, and the paper's loss."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from visavis.errors import InvalidArgument
from visavis.model.batch import LossTerms, TurnBatch
from visavis.model.config import ModelConfig
from visavis.model.normalisation import Normalisation

PAPER_REPEATS = 4  # diffusion times drawn for each position


class MotionModel(nn.Module):
    """Motion in raw units on the outside, normalised on the inside.  F frames of a turn, C channels."""

    speech_encoder: nn.Module
    motion_mean: Tensor
    motion_std: Tensor
    motion_weight: Tensor
    residual_gain: Tensor
    residual_scale: Tensor

    def __init__(self, config: ModelConfig, normalisation: Normalisation | None = None) -> None:
        super().__init__()
        self.config = config
        C = config.n_channels
        normalisation = normalisation or Normalisation.identity(C)
        if normalisation.mean.shape != (C,):
            raise InvalidArgument(f"normalisation has {len(normalisation.mean)} channels; the motion space has {C}")
        for name in ("mean", "std", "weight"):
            self.register_buffer(f"motion_{name}", torch.from_numpy(getattr(normalisation, name).copy()))
        if config.denoise_target == "residual":
            for name in ("residual_gain", "residual_scale"):
                values = getattr(normalisation, name)
                values = np.ones((config.turn_frames, C), np.float32) if values is None else values
                if values.shape != (config.turn_frames, C):
                    raise InvalidArgument(f"{name} is {values.shape}; expected {(config.turn_frames, C)}")
                self.register_buffer(name, torch.from_numpy(values.copy()))

    def normalise(self, motion: Tensor) -> Tensor:
        """(..., C) raw units -> normalised, 0 in channels of weight 0."""
        return torch.where(self.motion_weight > 0, (motion - self.motion_mean) / self.motion_std, 0.0)

    def denormalise(self, motion: Tensor) -> Tensor:
        """(..., C) normalised -> raw units, exactly 0 in channels of weight 0."""
        return torch.where(self.motion_weight > 0, motion * self.motion_std + self.motion_mean, 0.0)

    @abstractmethod
    def paper_loss(
        self, batch: TurnBatch, generator: torch.Generator | None = None, *, repeats: int = PAPER_REPEATS
    ) -> LossTerms:
        """The loss of the paper's recipe; `repeats` diffusion times a position, for models that have a diffusion."""

    def saved_tensors(self) -> dict[str, Tensor]:
        """What belongs into a model file: weights and buffers by name."""
        return {name: t.detach() for name, t in self.state_dict().items()}


def channel_errors(model: MotionModel, error: Tensor) -> dict[str, Tensor]:
    """The mean of errors (n, C) in each channel group, (n,) each.

    Channels count by motion_weight in a group; those of weight 0 not at all.
    """
    means = {}
    for name, channels in model.config.space.groups.items():
        weight = model.motion_weight[list(channels)]
        if float(weight.sum()) > 0:
            means[name] = (error[:, list(channels)] * (weight / weight.sum())).sum(-1)
    return means
