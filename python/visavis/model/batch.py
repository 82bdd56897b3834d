"""What training hands to the model and gets back: `TurnBatch` and `LossTerms`."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


@dataclass
class TurnBatch:
    """B crops of n turns, L = n*F frames; the user's streams are already lagged by user_lag_frames.

    Audio is 16 kHz; its first context_samples are history (zeros at a session's start).  Motion is in raw units and
    may hold anything where it is absent.
    """

    user_audio: Tensor  # (B, context_samples + L*640)
    agent_audio: Tensor  # (B, context_samples + (L + lookahead)*640)
    user_motion: Tensor  # (B, L, C)
    user_motion_present: Tensor  # (B, L) bool
    agent_motion: Tensor  # (B, L, C), the target
    previous_motion: Tensor  # (B, F, C), the agent's turn before the crop
    previous_present: Tensor  # (B,) bool, False at a session's start
    lookahead_present: Tensor | None = None  # (B, n) bool; None: known in every turn
    user_bands: Tensor | None = None  # (B, mel_bands, mel_bands), see LogMelEncoder.log_mel; None: unchanged
    agent_bands: Tensor | None = None  # the same of the agent's voice
    agent_motion_known: Tensor | None = None  # (B, L) bool, frames that errors are counted in; None: all
    agent_style: Tensor | None = None  # (B, S) in [-1, 1], of models with styles; None: the average person

    def to(self, device: torch.device | str) -> "TurnBatch":
        """The same batch on another device."""
        values: dict[str, Tensor | None] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: None if v is None else v.to(device) for name, v in values.items()}
        return TurnBatch(**moved)


@dataclass
class LossTerms:
    """A training loss and what it is made of, all scalars: total = sum of mse + vb_weight * vb."""

    total: Tensor  # with a gradient
    mse: dict[str, Tensor]  # squared x_0 error by channel group, normalised units
    vb: Tensor  # variational term of the variance, bits
    excess: Tensor | None = None  # mean of `out_of_range(v)`, with a gradient; not in the total
