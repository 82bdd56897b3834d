"""wav2vec2, the paper's frozen speech encoder, in torch alone: each turn on its own, features at the motion's frames.

Both published forms: layer or group norm in the convolutions, pre-norm ("stable") or post-norm blocks.  Weights come
from a Hugging Face folder (config.json and model.safetensors or pytorch_model.bin; nothing is unpickled but tensors)
or from a model file; docs/model_format.md has the names and what is computed.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.constants import SAMPLES_PER_FRAME
from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.saved import read_saved

CONV_EPS = 1e-5  # of the norms inside the convolutions; `eps` is that of all others
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Wav2Vec2Config:
    """Its sizes, as the model file stores them under `visavis.wav2vec2.`."""

    width: int
    depth: int
    heads: int
    mlp_width: int
    conv_widths: tuple[int, ...]
    conv_kernels: tuple[int, ...]
    conv_strides: tuple[int, ...]
    conv_bias: bool
    conv_norm: str  # "layer" after each convolution, or "group" after the first alone
    position_kernel: int
    position_groups: int
    pre_norm: bool  # "stable layer norm"
    eps: float

    def __post_init__(self) -> None:
        lists = (self.conv_widths, self.conv_kernels, self.conv_strides)
        counts = (self.width, self.depth, self.heads, self.mlp_width, self.position_kernel, self.position_groups)
        if len({len(values) for values in lists}) != 1 or min(*counts, *(v for values in lists for v in values)) < 1:
            raise InvalidArgument(f"wav2vec2: sizes {self} are not whole numbers over 0, three for each convolution")
        if self.conv_norm not in ("layer", "group"):
            raise InvalidArgument(f"wav2vec2: conv_norm is {self.conv_norm!r}; expected layer or group")
        if self.width % self.heads or self.width % self.position_groups:
            raise InvalidArgument(
                f"wav2vec2: width {self.width} does not divide by {self.heads} heads or {self.position_groups} groups"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Attention(nn.Module):
    """Full attention over the frames of a turn."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, E) -> (N, F, E)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (N, heads, F, E / heads)
        seen = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """Linear, exact GELU, Linear."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., E) -> (..., E)."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class EncoderBlock(nn.Module):
    """A block with its norms before (pre_norm) or after attention and MLP."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        self.norm1 = nn.LayerNorm(config.width, eps=config.eps)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=config.eps)
        self.mlp = Mlp(config.width, config.mlp_width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, E) -> (N, F, E)."""
        if self.pre_norm:
            x = x + self.attn(self.norm1(x))
            x = x + self.mlp(self.norm2(x))
        else:
            x = self.norm1(x + self.attn(x))
            x = self.norm2(x + self.mlp(x))
        return x


class Wav2Vec2Encoder(nn.Module):
    """The encoder; frozen, so it stays in evaluation mode whatever its owner does."""

    def __init__(self, config: Wav2Vec2Config, turn_frames: int) -> None:
        super().__init__()
        self.config, self.turn_frames, self.width = config, turn_frames, config.width
        widths = (1, *config.conv_widths)
        self.conv = nn.ModuleList(
            nn.Conv1d(widths[i], widths[i + 1], kernel, stride, bias=config.conv_bias)
            for i, (kernel, stride) in enumerate(zip(config.conv_kernels, config.conv_strides, strict=True))
        )
        first = config.conv_widths[0]
        self.conv_norm: nn.ModuleList
        if config.conv_norm == "group":
            self.conv_norm = nn.ModuleList([nn.GroupNorm(first, first, eps=CONV_EPS)])
        else:
            self.conv_norm = nn.ModuleList(nn.LayerNorm(width, eps=CONV_EPS) for width in config.conv_widths)
        self.feature_norm = nn.LayerNorm(widths[-1], eps=config.eps)
        self.feature_projection = nn.Linear(widths[-1], config.width)
        kernel = config.position_kernel
        self.positions = nn.Conv1d(
            config.width, config.width, kernel, padding=kernel // 2, groups=config.position_groups
        )
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.depth))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Wav2Vec2Encoder":
        """Frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, audio: Tensor, bands: None = None) -> Tensor:
        """(B, n turns * F * 640) -> (B, n * F, width)."""
        turns = audio.float().reshape(-1, 1, self.turn_frames * SAMPLES_PER_FRAME)  # (B*n, 1, samples of a turn)
        x = functional.interpolate(self.convolve(turns), size=self.turn_frames, mode="linear", align_corners=True)
        x = self.feature_projection(self.feature_norm(x.transpose(1, 2)))  # (B*n, F, width)
        places = self.positions(x.transpose(1, 2))[..., : self.turn_frames]  # an even kernel gives one too many
        x = x + functional.gelu(places).transpose(1, 2)
        if not self.config.pre_norm:
            x = self.norm(x)
        for block in self.blocks:
            x = block(x)
        if self.config.pre_norm:
            x = self.norm(x)
        features: Tensor = x.reshape(audio.shape[0], -1, self.width)
        return features

    def convolve(self, x: Tensor) -> Tensor:
        """(N, 1, samples) -> (N, conv width, 49 of a second)."""
        for i, conv in enumerate(self.conv):
            x = conv(x)
            if i < len(self.conv_norm):
                norm = self.conv_norm[i]
                x = norm(x) if isinstance(norm, nn.GroupNorm) else norm(x.transpose(1, 2)).transpose(1, 2)
            x = functional.gelu(x)
        return x


def load_folder(folder: str | Path, turn_frames: int) -> Wav2Vec2Encoder:
    """The encoder of a Hugging Face folder; what is missing or misshapen is named."""
    folder = Path(folder)
    encoder = Wav2Vec2Encoder(_read_config(folder), turn_frames)
    found = _read_weights(folder)
    if any(name.startswith("wav2vec2.") for name in found):  # a model with a head on top, such as ...ForCTC
        found = {name.removeprefix("wav2vec2."): t for name, t in found.items() if name.startswith("wav2vec2.")}
    weights = {name: _tensor(found, name, folder) for name in encoder.state_dict()}
    for name, tensor in encoder.state_dict().items():
        if weights[name].shape != tensor.shape:
            raise ModelFileError(
                f"wav2vec2 folder {folder}: {name} has shape {tuple(weights[name].shape)}; "
                f"config.json says {tuple(tensor.shape)}"
            )
    encoder.load_state_dict(weights)
    return encoder


def _read_config(folder: Path) -> Wav2Vec2Config:
    if not (folder / "config.json").is_file():
        raise FileError(f"wav2vec2 folder {folder}: no config.json; expected a Hugging Face model folder")
    try:
        values = json.loads((folder / "config.json").read_text())
        if values.get("model_type") != "wav2vec2":
            raise ModelFileError(
                f"wav2vec2 folder {folder}: model_type is {values.get('model_type')!r}; expected wav2vec2"
            )
        for name in ("hidden_act", "feat_extract_activation"):
            if values.get(name, "gelu") != "gelu":
                raise Unsupported(f"wav2vec2 folder {folder}: {name} is {values[name]!r}; only gelu is known")
        if values.get("adapter_attn_dim") is not None:
            raise Unsupported(f"wav2vec2 folder {folder}: it has attention adapters, which are not known here")
        return Wav2Vec2Config(
            width=int(values["hidden_size"]),
            depth=int(values["num_hidden_layers"]),
            heads=int(values["num_attention_heads"]),
            mlp_width=int(values["intermediate_size"]),
            conv_widths=tuple(int(v) for v in values["conv_dim"]),
            conv_kernels=tuple(int(v) for v in values["conv_kernel"]),
            conv_strides=tuple(int(v) for v in values["conv_stride"]),
            conv_bias=bool(values["conv_bias"]),
            conv_norm=str(values["feat_extract_norm"]),
            position_kernel=int(values["num_conv_pos_embeddings"]),
            position_groups=int(values["num_conv_pos_embedding_groups"]),
            pre_norm=bool(values["do_stable_layer_norm"]),
            eps=float(values.get("layer_norm_eps", 1e-5)),
        )
    except KeyError as error:
        raise ModelFileError(f"wav2vec2 folder {folder}: config.json has no {error}") from None
    except (AttributeError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError | InvalidArgument):
            raise
        raise ModelFileError(f"wav2vec2 folder {folder}: config.json is not readable ({error})") from None


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if path is None:
        raise FileError(f"wav2vec2 folder {folder}: no {' and no '.join(WEIGHT_FILES)}")
    try:
        if path.suffix == ".bin":
            tensors = read_saved(path)
        else:
            from safetensors.torch import load_file

            tensors = load_file(path)
    except Exception as error:  # safetensors raises several kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"wav2vec2 folder {folder}: {path.name} cannot be read ({reason})") from None
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise ModelFileError(f"wav2vec2 folder {folder}: {path.name} holds other things than tensors")
    return {str(name): tensor.float() for name, tensor in tensors.items()}


def _tensor(found: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    """The tensor that is called `name` here, made of those of the folder."""

    def take(*choices: str) -> Tensor:
        for choice in choices:
            if choice in found:
                return found[choice]
        raise ModelFileError(f"wav2vec2 folder {folder}: tensor {choices[0]} is missing")

    part, _, kind = name.rpartition(".")  # "blocks.3.attn.qkv", "weight"
    words = part.split(".")
    if words[0] in ("conv", "conv_norm"):
        inner = "conv" if words[0] == "conv" else "layer_norm"
        return take(f"feature_extractor.conv_layers.{words[1]}.{inner}.{kind}")
    if words[0] == "blocks":
        layer, inner = f"encoder.layers.{words[1]}", ".".join(words[2:])
        if inner == "attn.qkv":
            return torch.cat([take(f"{layer}.attention.{row}_proj.{kind}") for row in "qkv"])
        return take(f"{layer}.{BLOCK_NAMES[inner]}.{kind}")
    if name == "positions.weight":
        return _position_weight(take)
    return take(f"{OUTER_NAMES[part]}.{kind}")


BLOCK_NAMES = {
    "norm1": "layer_norm",
    "norm2": "final_layer_norm",
    "attn.proj": "attention.out_proj",
    "mlp.fc1": "feed_forward.intermediate_dense",
    "mlp.fc2": "feed_forward.output_dense",
}
OUTER_NAMES = {
    "feature_norm": "feature_projection.layer_norm",
    "feature_projection": "feature_projection.projection",
    "positions": "encoder.pos_conv_embed.conv",
    "norm": "encoder.layer_norm",
}


def _position_weight(take: Any) -> Tensor:
    """The weight-normed convolution as one weight: length g (1, 1, K) times direction v (E, E / groups, K)."""
    conv = "encoder.pos_conv_embed.conv"
    g = take(f"{conv}.parametrizations.weight.original0", f"{conv}.weight_g")
    v = take(f"{conv}.parametrizations.weight.original1", f"{conv}.weight_v")
    weight: Tensor = v * (g / v.norm(dim=(0, 1), keepdim=True))
    return weight
