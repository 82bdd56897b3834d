"""Exponential moving average of a model's weights: what is evaluated and shipped."""

import copy
from typing import TypeVar

import torch

M = TypeVar("M", bound=torch.nn.Module)


class Ema:
    """Averaged parameters; the decay grows as (1 + n) / (10 + n) up to `maximum`."""

    def __init__(self, model: torch.nn.Module, maximum: float) -> None:
        self.maximum = maximum
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    def decay(self, step: int) -> float:
        """The decay after `step` updates."""
        return min(self.maximum, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, model: torch.nn.Module, step: int) -> None:
        """Move the average towards the model's weights."""
        live = dict(model.named_parameters())
        averaged = list(self.weights.values())
        torch._foreach_lerp_(averaged, [live[name].detach() for name in self.weights], 1.0 - self.decay(step))

    @torch.no_grad()
    def averaged(self, model: M) -> M:
        """A copy of the model that carries the averaged weights, in evaluation mode."""
        twin = copy.deepcopy(model).eval()
        for name, parameter in twin.named_parameters():
            if name in self.weights:
                parameter.copy_(self.weights[name])
        return twin
