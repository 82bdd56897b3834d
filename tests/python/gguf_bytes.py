"""Writer of raw GGUF bytes for the tests: it believes everything it is told, so that files can be malformed at will."""

import struct
from dataclasses import dataclass, field
from typing import Any

from visavis.model.config import ModelConfig, live_config, paper_config, turn_layout

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
SMALL = live_config(  # pinned: tests name these numbers
    turn_frames=5,
    context_turns=40,
    user_lag_frames=7,
    agent_lookahead_frames=2,
    speech_width=12,
    mel_bands=16,
    conv_widths=(8, 8, 8, 12),
    conv_kernels=(5, 5, 5, 3),
    conv_strides=(1, 2, 2, 1),
    token_width=12,
    width=16,
    depth=2,
    heads=2,
    mlp_ratio=4,
    denoise_unit="turn",
    head_context_frames=2,
    head_width=16,
    head_depth=1,
    sampler="ancestral",
    steps=5,
)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
TENSOR_F32, TENSOR_F16, TENSOR_Q8_0, TENSOR_I8, TENSOR_I16, TENSOR_I32, TENSOR_I64 = 0, 1, 8, 24, 25, 26, 27
TENSOR_F64, TENSOR_BF16 = 28, 30


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def string(value: str | bytes, length: int | None = None) -> bytes:
    """A u64 length and the bytes; `length` lies about it."""
    raw = value.encode() if isinstance(value, str) else value
    return u64(len(raw) if length is None else length) + raw


def scalar(kind: int, value: Any) -> bytes:
    return string(value) if kind == STRING else struct.pack(f"<{FORMATS[kind]}", value)


def pair(key: str, kind: int, value: Any) -> bytes:
    """One metadata entry."""
    return string(key) + u32(kind) + scalar(kind, value)


def array(key: str, kind: int, values: Any, n_items: int | None = None) -> bytes:
    """One metadata entry that is an array; `n_items` lies about its length."""
    body = b"".join(scalar(kind, value) for value in values)
    return string(key) + u32(ARRAY) + u32(kind) + u64(len(values) if n_items is None else n_items) + body


@dataclass
class RawTensor:
    """One tensor entry, dims fastest first as in the file; offset None: where the writer puts it."""

    name: str | bytes
    dims: tuple[int, ...]
    data: bytes
    kind: int = TENSOR_F32
    offset: int | None = None
    rank: int | None = None


@dataclass
class RawFile:
    """A GGUF file as a list of parts, each of which may be wrong."""

    metadata: list[bytes] = field(default_factory=list)
    tensors: list[RawTensor] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_metadata: int | None = None
    alignment: int = 32
    tail: bytes = b""

    def to_bytes(self) -> bytes:
        """The whole file."""
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_metadata = len(self.metadata) if self.n_metadata is None else self.n_metadata
        head = self.magic + u32(self.version) + u64(n_tensors) + u64(n_metadata) + b"".join(self.metadata)
        data = b""
        for tensor in self.tensors:
            offset = len(data) if tensor.offset is None else tensor.offset
            rank = len(tensor.dims) if tensor.rank is None else tensor.rank
            head += string(tensor.name) + u32(rank) + b"".join(u64(d) for d in tensor.dims)
            head += u32(tensor.kind) + u64(offset)
            data += self.padded(tensor.data)
        return (self.padded(head) if self.tensors else head) + data + self.tail

    def padded(self, raw: bytes) -> bytes:
        return raw + b"\0" * (-len(raw) % self.alignment)


def config_pairs(config: ModelConfig) -> dict[str, bytes]:
    """The metadata entries of a visavis model file, by key."""
    entries = {
        "general.architecture": pair("general.architecture", STRING, "visavis"),
        "general.name": pair("general.name", STRING, "tiny"),
        "general.license": pair("general.license", STRING, "Apache-2.0"),
        "visavis.format_version": pair("visavis.format_version", U32, 1),
        "visavis.data_note": pair("visavis.data_note", STRING, "random"),
    }
    layout = turn_layout(config.layout, config.turn_frames)
    fields = {
        **config.to_dict(),
        "channels": config.space.channels,
        "channel_units": config.space.units,
        "layout_kind": tuple(kind for kind, _ in layout),
        "layout_frame": tuple(frame for _, frame in layout),
    }
    for name, value in fields.items():
        key = f"visavis.{name}"
        if isinstance(value, tuple):
            entries[key] = array(key, STRING if value and isinstance(value[0], str) else I32, value)
        else:
            entries[key] = pair(key, {int: U32, float: F64, str: STRING, bool: BOOL}[type(value)], value)
    return entries


def wav2vec2_pairs(width: int = 8) -> dict[str, bytes]:
    """The metadata entries of a small wav2vec2 that a model file carries, by key."""
    numbers = {"width": width, "depth": 1, "heads": 2, "mlp_width": 16, "position_kernel": 4, "position_groups": 2}
    kinds = {"conv_widths": (6, 6), "conv_kernels": (10, 32), "conv_strides": (5, 2)}
    entries = {name: pair(f"visavis.wav2vec2.{name}", U32, value) for name, value in numbers.items()}
    entries |= {name: array(f"visavis.wav2vec2.{name}", I32, values) for name, values in kinds.items()}
    entries |= {name: pair(f"visavis.wav2vec2.{name}", BOOL, 1) for name in ("conv_bias", "pre_norm")}
    entries["conv_norm"] = pair("visavis.wav2vec2.conv_norm", STRING, "layer")
    entries["eps"] = pair("visavis.wav2vec2.eps", F64, 1e-5)
    return {f"visavis.wav2vec2.{name}": entry for name, entry in entries.items()}


def hearing_model_file(**changes: bytes | None) -> RawFile:
    """A valid small model file that carries a wav2vec2; `changes` as in `model_file`."""
    encoder = {key.replace(".", "__"): entry for key, entry in wav2vec2_pairs().items()}
    return model_file(paper_config(speech_width=8), **{**encoder, **changes})


def model_file(config: ModelConfig | None = None, **changes: bytes | None) -> RawFile:
    """A valid small model file; `changes` replace (or, None, remove) entries by key, with `__` for the dot."""
    entries: dict[str, bytes | None] = dict(config_pairs(config or SMALL))
    entries.update({key.replace("__", "."): value for key, value in changes.items()})
    return RawFile(metadata=[entry for entry in entries.values() if entry is not None])
