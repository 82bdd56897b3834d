"""Small random models and batches for the tests of the model, its file and its engines."""

from typing import Any

import torch

from visavis.model.batch import TurnBatch
from visavis.model.config import ModelConfig, live_config
from visavis.model.timar import Timar


def small_config(**options: Any) -> ModelConfig:
    """A live model with small widths and 4 visible turns."""
    small: dict[str, Any] = dict(
        context_turns=4,
        speech_width=12,
        mel_bands=16,
        conv_widths=(8, 12),
        conv_kernels=(3, 3),
        conv_strides=(2, 2),
        token_width=12,
        width=16,
        depth=2,
        heads=2,
        head_width=16,
        head_depth=1,
        denoise_target="absolute",
        sampler="ancestral",
        steps=5,
    )
    small.update(options)
    if small.get("denoise_unit") == "frame":
        small["head_context_frames"] = 0
    return live_config(**small)


def randomised(model: Timar, seed: int = 0) -> Timar:
    """Every parameter random and lively: zero gates and biases would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("speech_encoder.") and model.config.speech_encoder == "wav2vec2":
                continue
            spread = parameter.shape[-1] ** -0.5 if name.endswith(".weight") and parameter.ndim > 1 else 0.3
            base = 1.0 if name.endswith(".weight") and parameter.ndim == 1 else 0.0  # LayerNorm
            parameter.copy_(base + torch.randn(parameter.shape, generator=generator) * spread)
    return model.eval()


def random_batch(config: ModelConfig, n_crops: int, n_turns: int, seed: int = 0) -> TurnBatch:
    """Crops of noise with every stream present."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    B, L, C, F = n_crops, n_turns * config.turn_frames, config.n_channels, config.turn_frames
    return TurnBatch(
        user_audio=0.1 * normal(B, config.context_samples + L * 640),
        agent_audio=0.1 * normal(B, config.context_samples + (L + config.agent_lookahead_frames) * 640),
        user_motion=normal(B, L, C),
        user_motion_present=torch.ones(B, L, dtype=torch.bool),
        agent_motion=normal(B, L, C),
        previous_motion=normal(B, F, C),
        previous_present=torch.ones(B, dtype=torch.bool),
        agent_style=torch.rand(B, len(config.styles), generator=generator) * 2 - 1 if config.styles else None,
    )
