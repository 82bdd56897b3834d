"""Speech encoders: raw 16 kHz audio in, one feature vector per motion frame out.

`LogMelEncoder` is causal and small; its DFT is a matrix product, so that every engine computes the same.
`Wav2Vec2Encoder` is the paper's frozen encoder, run on each turn alone; it comes as a separate Hugging Face folder.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import FileError, InvalidArgument
from visavis.model.config import MEL_HOP, MEL_WINDOW, ModelConfig

N_BINS = MEL_WINDOW // 2 + 1  # 201
MEL_LOW_HZ, MEL_HIGH_HZ = 60.0, 7600.0
MEL_FLOOR = 1e-7
MEL_SHIFT, MEL_SCALE = 10.0, 4.0  # brings log energies to about -1.5..3


def dft_matrix() -> Tensor:
    """Real DFT of one 400-sample mel frame with its Hann window folded in; rows [0,201) cos, [201,402) -sin."""
    n = np.arange(MEL_WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / MEL_WINDOW)  # periodic
    angle = 2 * np.pi * np.outer(np.arange(N_BINS), n) / MEL_WINDOW  # (201, 400)
    matrix = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann / (MEL_WINDOW / 2)
    return torch.from_numpy(matrix.astype(np.float32))  # (402, 400)


def mel_matrix(n_bands: int) -> Tensor:
    """Triangles of peak 1, evenly spaced on the HTK mel scale from 60 to 7600 Hz, (n_bands, 201)."""
    edges_mel = np.linspace(_mel(MEL_LOW_HZ), _mel(MEL_HIGH_HZ), n_bands + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)  # Hz
    bins = np.arange(N_BINS) * SAMPLE_RATE / MEL_WINDOW  # Hz
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak))
    return torch.from_numpy(np.maximum(triangles, 0).astype(np.float32))


def _mel(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


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

    def forward(self, audio: Tensor) -> Tensor:
        """(B, context_samples + L*640) -> (B, L, speech_width)."""
        x = self.log_mel(audio).transpose(1, 2)  # (B, mel_bands, M)
        for conv in self.conv:
            x = functional.gelu(conv(x))
        return x.transpose(1, 2)

    def log_mel(self, audio: Tensor) -> Tensor:
        """(B, n) -> (B, M, mel_bands), one every 10 ms, always in float32."""
        with torch.autocast(audio.device.type, enabled=False):
            windows = audio.float().unfold(1, MEL_WINDOW, MEL_HOP)  # (B, M, 400)
            real, imaginary = (windows @ self.dft.T).chunk(2, dim=-1)  # (B, M, 201) each
            energy = (real.square() + imaginary.square()) @ self.mel.T  # (B, M, mel_bands)
            return (torch.log(energy + MEL_FLOOR) + MEL_SHIFT) / MEL_SCALE


class Wav2Vec2Encoder(nn.Module):
    """Frozen wav2vec2 on each turn alone, its convolutional features interpolated to the motion frames."""

    def __init__(self, folder: str | Path, turn_frames: int) -> None:
        super().__init__()
        from transformers import Wav2Vec2Model

        if not (Path(folder) / "config.json").is_file():
            raise FileError(f"wav2vec2 folder {folder}: no config.json; expected a Hugging Face model folder")
        self.model = Wav2Vec2Model.from_pretrained(folder, local_files_only=True)
        self.model.requires_grad_(False)
        self.turn_frames = turn_frames
        self.width = int(self.model.config.hidden_size)
        self.eval()

    def train(self, mode: bool = True) -> "Wav2Vec2Encoder":
        """Frozen: stays in evaluation mode whatever its owner does."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """(B, n turns * F * 640) -> (B, n * F, width)."""
        turns = audio.float().reshape(-1, self.turn_frames * SAMPLES_PER_FRAME)  # (B*n, samples of a turn)
        x = self.model.feature_extractor(turns)  # (B*n, conv width, 49 of a second)
        x = functional.interpolate(x, size=self.turn_frames, mode="linear", align_corners=True)
        x, _ = self.model.feature_projection(x.transpose(1, 2))
        x = self.model.encoder(x).last_hidden_state  # (B*n, F, width)
        features: Tensor = x.reshape(audio.shape[0], -1, self.width)
        return features


def normalise_clip(audio: Tensor) -> Tensor:
    """Zero mean and unit variance over the last axis: what wav2vec2's processor does to a clip."""
    centred = audio - audio.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-7)


def make_speech_encoder(config: ModelConfig, folder: str | Path | None = None) -> nn.Module:
    """The encoder of a configuration; wav2vec2 takes its weights from `folder`."""
    if config.speech_encoder == "logmel":
        return LogMelEncoder(config)
    if config.agent_lookahead_frames:
        raise InvalidArgument("speech_encoder=wav2vec2 hears each turn alone: agent_lookahead_frames must be 0")
    if folder is None:
        return MissingEncoder()
    encoder = Wav2Vec2Encoder(folder, config.turn_frames)
    if encoder.width != config.speech_width:
        raise InvalidArgument(f"wav2vec2 {folder} is {encoder.width} wide; the model expects {config.speech_width}")
    return encoder


class MissingEncoder(nn.Module):
    """Stands where wav2vec2 would: a model without its folder can be inspected and saved, not run."""

    def forward(self, audio: Tensor) -> Tensor:
        """Says what is missing."""
        raise InvalidArgument("this model hears through wav2vec2: give its folder (speech_encoder=FOLDER)")
