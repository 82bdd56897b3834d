"""Speech encoders: raw 16 kHz audio in, one feature vector per motion frame out.

`LogMelEncoder` is causal and small; its DFT is a matrix product, so that every engine computes the same.
The paper's frozen wav2vec2, run on each turn alone, is model/wav2vec2.py.
"""

import math
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import InvalidArgument
from visavis.model.config import MEL_FLOOR, MEL_HOP, MEL_SCALE, MEL_SHIFT, MEL_WINDOW, ModelConfig
from visavis.model.wav2vec2 import load_folder

N_BINS = MEL_WINDOW // 2 + 1  # 201
MEL_LOW_HZ, MEL_HIGH_HZ = 60.0, 7600.0


def dft_matrix() -> Tensor:
    """Real DFT of one 400-sample mel frame with its Hann window folded in; rows [0,201) cos, [201,402) -sin."""
    n = np.arange(MEL_WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / MEL_WINDOW)  # periodic
    angle = 2 * np.pi * np.outer(np.arange(N_BINS), n) / MEL_WINDOW  # (201, 400)
    matrix = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann / (MEL_WINDOW / 2)
    return torch.from_numpy(matrix.astype(np.float32))  # (402, 400)


def mel_matrix(n_bands: int) -> Tensor:
    """Triangles of peak 1, evenly spaced on the HTK mel scale from 60 to 7600 Hz, (n_bands, 201)."""
    edges = mel_to_hz(np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), n_bands + 2))  # Hz
    bins = np.arange(N_BINS) * SAMPLE_RATE / MEL_WINDOW  # Hz
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak))
    return torch.from_numpy(np.maximum(triangles, 0).astype(np.float32))


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The HTK mel scale."""
    mel: npt.NDArray[np.float64] = 2595 * np.log10(1 + np.asarray(hz, dtype=np.float64) / 700)
    return mel


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The inverse of `hz_to_mel`."""
    hz: npt.NDArray[np.float64] = 700 * (10 ** (np.asarray(mel, dtype=np.float64) / 2595) - 1)
    return hz


class LogMelEncoder(nn.Module):
    """Log-mel bands at 100 Hz and valid convolutions down to 25 Hz: causal, nothing but matrix products and GELU."""

    dft: Tensor
    mel: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if math.prod(config.conv_strides) * MEL_HOP != SAMPLES_PER_FRAME:
            raise InvalidArgument(f"conv_strides {config.conv_strides} multiply to other than 4 (100 Hz to 25 Hz)")
        self.register_buffer("dft", dft_matrix())
        self.register_buffer("mel", mel_matrix(config.mel_bands))
        widths = (config.mel_bands, *config.conv_widths)
        self.conv = nn.ModuleList(
            nn.Conv1d(widths[i], widths[i + 1], kernel, stride)
            for i, (kernel, stride) in enumerate(zip(config.conv_kernels, config.conv_strides, strict=True))
        )

    def forward(self, audio: Tensor, bands: Tensor | None = None) -> Tensor:
        """(B, context_samples + L*640) -> (B, L, speech_width); bands as in `log_mel`."""
        x = self.log_mel(audio, bands).transpose(1, 2)  # (B, mel_bands, M)
        for conv in self.conv:
            x = functional.gelu(conv(x))
        return x.transpose(1, 2)

    def log_mel(self, audio: Tensor, bands: Tensor | None = None) -> Tensor:
        """(B, n) -> (B, M, mel_bands), one every 10 ms, always in float32.

        bands (B, mel_bands, mel_bands): each band's energy as a sum of those found, to train with other voices.
        """
        with torch.autocast(audio.device.type, enabled=False):
            windows = audio.float().unfold(1, MEL_WINDOW, MEL_HOP)  # (B, M, 400)
            real, imaginary = (windows @ self.dft.T).chunk(2, dim=-1)  # (B, M, 201) each
            energy = (real.square() + imaginary.square()) @ self.mel.T  # (B, M, mel_bands)
            if bands is not None:
                energy = energy @ bands.transpose(1, 2)
            return (torch.log(energy + MEL_FLOOR) + MEL_SHIFT) / MEL_SCALE


def normalise_clip(audio: Tensor) -> Tensor:
    """Zero mean and unit variance over the last axis: what wav2vec2's processor does to a clip."""
    centred = audio - audio.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-7)


Source: TypeAlias = str | Path | nn.Module | None  # of wav2vec2: its folder, or the encoder itself


def make_speech_encoder(config: ModelConfig, source: Source = None) -> nn.Module:
    """The encoder of a configuration; wav2vec2 takes its weights from `source`."""
    if config.speech_encoder == "logmel":
        return LogMelEncoder(config)
    if config.agent_lookahead_frames:
        raise InvalidArgument("speech_encoder=wav2vec2 hears each turn alone: agent_lookahead_frames must be 0")
    if source is None or isinstance(source, MissingEncoder):
        return MissingEncoder()
    encoder = source if isinstance(source, nn.Module) else load_folder(source, config.turn_frames)
    if encoder.width != config.speech_width:
        where = "" if isinstance(source, nn.Module) else f" {source}"
        raise InvalidArgument(f"wav2vec2{where} is {encoder.width} wide; the model expects {config.speech_width}")
    return encoder


class MissingEncoder(nn.Module):
    """Stands where wav2vec2 would: a model without its weights can be inspected and saved, not run."""

    def forward(self, audio: Tensor, bands: Tensor | None = None) -> Tensor:
        """Says what is missing."""
        raise InvalidArgument("this model hears through wav2vec2: give its folder (speech_encoder=FOLDER)")
