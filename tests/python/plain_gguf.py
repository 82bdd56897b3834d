"""Writes a model file without the package `gguf`: for machines that have torch and little else."""

from pathlib import Path

import numpy as np
from gguf_bytes import (
    ARRAY,
    BOOL,
    F64,
    STRING,
    TENSOR_F16,
    TENSOR_F32,
    U32,
    array,
    config_pairs,
    pair,
    string,
    u32,
    u64,
)

from visavis.export.gguf import WAV2VEC2, is_matrix
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Encoder

ALIGNMENT = 32


def save_plain(path: Path, model: Timar) -> None:
    """As save_gguf does with f16 matrices; names and notes are those of gguf_bytes."""
    entries = [entry for key, entry in config_pairs(model.config).items() if not _is_empty(key, entry)]
    if isinstance(model.speech_encoder, Wav2Vec2Encoder):
        for name, value in model.speech_encoder.config.to_dict().items():
            kinds = {bool: BOOL, int: U32, float: F64, str: STRING}
            key = WAV2VEC2 + name
            entries.append(array(key, 5, value) if isinstance(value, tuple) else pair(key, kinds[type(value)], value))
    tensors = model.saved_tensors()
    head, offset, sizes = b"", 0, []
    for name, tensor in tensors.items():
        half = is_matrix(name, tensor)
        size = tensor.numel() * (2 if half else 4)
        head += string(name) + u32(tensor.ndim) + b"".join(u64(n) for n in reversed(tensor.shape))
        head += u32(TENSOR_F16 if half else TENSOR_F32) + u64(offset)
        sizes.append(size)
        offset += size + -size % ALIGNMENT
    start = b"GGUF" + u32(3) + u64(len(tensors)) + u64(len(entries)) + b"".join(entries) + head
    with path.open("wb") as file:
        file.write(start + b"\0" * (-len(start) % ALIGNMENT))
        for (name, tensor), size in zip(tensors.items(), sizes, strict=True):
            values = tensor.detach().float().cpu().numpy()
            file.write(np.ascontiguousarray(values, np.float16 if is_matrix(name, tensor) else np.float32).tobytes())
            file.write(b"\0" * (-size % ALIGNMENT))


def _is_empty(key: str, entry: bytes) -> bool:
    """GGUF has no empty arrays."""
    kind = len(string(key))
    return entry[kind : kind + 4] == u32(ARRAY) and entry[kind + 8 : kind + 16] == u64(0)
