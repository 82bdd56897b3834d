"""What the tests of the engines share: model files of random weights and turns of random signals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_gguf import save_plain
from small_models import randomised

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import TurnInput
from visavis.export.gguf import save_gguf
from visavis.model.config import ModelConfig
from visavis.model.normalisation import Normalisation
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Encoder

Floats = np.typing.NDArray[np.float32]

STYLES = ("talkative", "nods", "expressiveness", "gaze")


def write_model(path: Path, config: ModelConfig, speech_encoder: Wav2Vec2Encoder | None = None) -> Path:
    """A model file of random weights with a normalisation as recordings have it.

    The head's output is turned down: a random model that hears its own motion at full gain is chaotic, and then two
    engines part after some seconds however alike their arithmetic is.
    """
    rng = np.random.default_rng(5)
    C = config.n_channels
    weight = np.ones(C, np.float32)
    if config.eyes == "layer":
        weight[list(config.space.eye_layer)] = 0
    residual = rng.uniform(0.05, 0.3, (config.turn_frames, C)) if config.denoise_target == "residual" else None
    mean, std = rng.normal(0, 0.1, C), rng.uniform(0.05, 0.3, C)
    kept = None if residual is None else rng.uniform(0, 1, residual.shape)
    if kept is not None:
        kept[:, ::3] = 0  # channels that start every turn from nothing, as the lips do
    model = randomised(Timar(config, Normalisation(mean, std, weight, residual, kept), speech_encoder))
    gain = 0.05 if config.denoise_target == "residual" else 0.25
    with torch.no_grad():
        model.diffloss.net.final_layer.linear.weight *= gain
    try:
        save_gguf(path, model, name="random")
    except ImportError:  # no package gguf, as where only a GPU is
        save_plain(path, model)
    return path


def random_turns(
    config: ModelConfig, n_turns: int, seed: int = 0, voice: Floats | None = None, **options: Any
) -> Iterator[TurnInput]:
    """Turns of noise for slot 0; streams come and go, lookahead is known in two turns of three.  `voice`: the agent's
    instead of noise."""
    rng = np.random.default_rng(seed)
    F, C, size = config.turn_frames, config.n_channels, config.turn_samples
    ahead = config.agent_lookahead_frames * SAMPLES_PER_FRAME
    for t in range(n_turns):
        turn = TurnInput(0, seed=seed, **options)
        if t % 7 != 3:
            turn.user_audio = (0.1 * rng.standard_normal(size)).astype(np.float32)
        if t % 11 != 5:
            turn.agent_audio = (0.1 * rng.standard_normal(size + (ahead if t % 3 else 0))).astype(np.float32)
            if voice is not None:
                turn.agent_audio = np.resize(voice[t * size :], size + (ahead if t % 3 else 0))
        if t % 4:
            turn.user_motion = (0.3 * rng.standard_normal((F, C))).astype(np.float32)
        if t % 4 == 2:
            turn.user_motion_present = rng.random(F) < 0.5
        if config.styles and t % 5 != 4:
            turn.style = rng.uniform(-1, 1, len(config.styles)).astype(np.float32)
        yield turn
