"""The tensors of a model file in float32, and what follows from them, with numpy alone."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.errors import Unsupported
from visavis.model.config import ModelConfig

Floats = npt.NDArray[np.float32]


class Weights:
    """Tensors by name, with the configuration that they belong to."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        from visavis import _core

        check_exportable(config)
        self.config = config
        self._file = _core.ModelFile(path)

    def __getitem__(self, name: str) -> Floats:
        return self._file.floats(name)

    def layer(self, name: str) -> tuple[Floats, Floats]:
        """Weight and bias."""
        return self[f"{name}.weight"], self[f"{name}.bias"]

    def generated(self) -> Floats:
        """(C,) 1 where a channel is generated, 0 where the eye layer has it."""
        return (self["motion_weight"] > 0).astype(np.float32)

    def row_mask(self) -> Floats:
        """(R,) the same for what the head denoises together."""
        return np.tile(self.generated(), self.config.row_width // self.config.n_channels)

    def noise_scale(self) -> Floats:
        """(R,) what multiplies the noise of a row."""
        scale = self.row_mask()
        if self.config.denoise_target == "residual":
            scale = scale * np.where(self["residual_gain"].ravel() == 0, np.float32(self.config.lip_noise), 1)
        return scale.astype(np.float32)


def check_single(config: ModelConfig) -> None:
    """Raises Unsupported for models that one run a turn cannot hold."""
    if config.own_past == "fed":
        raise Unsupported(
            "ONNX export: the model has own past fed, which takes the backbone twice a turn; expected lagged or masked "
            "for profile ort, or another profile"
        )


def check_exportable(config: ModelConfig) -> None:
    """Raises Unsupported for models that these graphs cannot hold: those of absolute positions, or of wav2vec2."""
    for name, needed in (("speech_encoder", "logmel"), ("positions", "relative"), ("window", "ring")):
        if (found := getattr(config, name)) != needed:
            raise Unsupported(
                f"ONNX export: the model has {name}={found}; expected {needed} (a live model), or engine torch for it"
            )
    if config.context_turns < 2:
        raise Unsupported(f"ONNX export: the model sees {config.context_turns} turn; expected at least 2")
