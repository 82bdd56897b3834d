"""The model file: `save_gguf` writes a model, `load_gguf` reads it back through the native, bounds-checked reader.

docs/model_format.md lists every key and tensor.  Rounded matrices are what every engine computes with, in float32.
"""

import secrets
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.config import OPTIONAL, ModelConfig
from visavis.model.layout import layout_of
from visavis.model.normalisation import Normalisation
from visavis.model.speech import Source
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Config, Wav2Vec2Encoder
from visavis.motion_file import check_output_path

FORMAT_VERSION = 1
WAV2VEC2 = "visavis.wav2vec2."  # prefix of the keys that describe the speech encoder
DTYPES = ("f32", "f16", "bf16")  # of the matrices; everything else is F32
F16_LARGEST = 65504.0
MAX_DIMS, MAX_NAME = 4, 63  # ggml's limits


def save_gguf(
    path: str | Path,
    model: Timar,
    name: str = "visavis",
    license: str = "Apache-2.0",
    data_note: str = "",
    dtype: str = "f16",
) -> None:
    """Writes the model; `dtype` is that of the matrices.  The file appears whole or not at all."""
    from gguf import GGUFWriter

    path = Path(path)
    check_dtype(dtype)
    if type(model.config) is not ModelConfig:
        raise Unsupported(f"model file {path}: it cannot hold a {type(model.config).__name__}; see save_research")
    check_output_path(path, "model")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    writer = GGUFWriter(temporary, arch="visavis")
    writer.add_name(name)
    writer.add_license(license)
    writer.add_string("visavis.data_note", data_note)
    _add_metadata(writer, model.config)
    if isinstance(model.speech_encoder, Wav2Vec2Encoder):
        _add_fields(writer, WAV2VEC2, model.speech_encoder.config.to_dict())
    for tensor_name, tensor in model.saved_tensors().items():
        _add_tensor(writer, tensor_name, tensor, dtype if is_matrix(tensor_name, tensor) else "f32")
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"model file {path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def check_dtype(dtype: str) -> None:
    """Raises InvalidArgument for a type that matrices cannot have."""
    if dtype not in DTYPES:
        raise InvalidArgument(f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}")


def is_matrix(name: str, tensor: Tensor) -> bool:
    """The weights that may be rounded: trained linears, convolutions and embeddings."""
    return name.endswith(".weight") and tensor.ndim >= 2


def _add_metadata(writer: Any, config: ModelConfig) -> None:
    """Configuration, channels and layout.  GGUF has no empty arrays: an empty tuple is left out."""
    writer.add_uint32("visavis.format_version", FORMAT_VERSION)
    _add_fields(writer, "visavis.", config.to_dict())
    layout = layout_of(config)
    writer.add_array("visavis.channels", config.space.channels)
    writer.add_array("visavis.channel_units", config.space.units)
    writer.add_array("visavis.layout_kind", layout.kind)
    writer.add_array("visavis.layout_frame", layout.frame)


def _add_fields(writer: Any, prefix: str, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        key = prefix + field
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float64(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)


def _add_tensor(writer: Any, name: str, tensor: Tensor, dtype: str) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    if tensor.ndim > MAX_DIMS or len(name.encode()) > MAX_NAME:
        raise InvalidArgument(
            f"tensor {name} {tuple(tensor.shape)}: a model file takes names of at most {MAX_NAME} bytes and "
            f"{MAX_DIMS} dimensions"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise InvalidArgument(f"tensor {name} holds values that are not finite; expected a trained model")
    values = np.ascontiguousarray(tensor.detach().float().cpu().numpy())
    kind = GGMLQuantizationType[dtype.upper()]
    if dtype == "f16" and (largest := np.abs(values).max()) > F16_LARGEST:
        raise InvalidArgument(f"tensor {name} reaches {largest:.3g}, beyond f16; save it as f32 or bf16")
    writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)


def load_gguf(path: str | Path, speech_encoder: str | Path | None = None) -> Timar:
    """The model of a file, float32, in evaluation mode.

    `speech_encoder` is the folder of a wav2vec2, for files that carry none; it replaces the one that a file carries.
    Raises FileError or ModelFileError (malformed, foreign, tensors missing or unknown).
    """
    from visavis import _core

    file = _core.ModelFile(Path(path))
    config = read_config(file.metadata(), path)
    shapes = {name: shape for name, (_, shape) in file.tensors().items()}
    carried = read_wav2vec2(file.metadata(), path)
    source: Source = speech_encoder
    if speech_encoder is None and carried is not None and config.speech_encoder == "wav2vec2":
        source = Wav2Vec2Encoder(carried, config.turn_frames)
    model = Timar(config, Normalisation.identity(config.n_channels), source)
    expected = {name: tuple(tensor.shape) for name, tensor in model.saved_tensors().items()}
    if speech_encoder is not None and config.speech_encoder == "wav2vec2":
        expected, shapes = (
            {name: shape for name, shape in names.items() if not name.startswith("speech_encoder.")}
            for names in (expected, shapes)
        )
    if unknown := sorted(set(shapes) - set(expected) - OPTIONAL_TENSORS):
        raise ModelFileError(f"model file {path}: tensors {', '.join(unknown[:5])} do not belong to its configuration")
    values = {name: torch.from_numpy(file.floats(name, list(shape))) for name, shape in expected.items()}
    _check_normalisation(values, path)
    model.load_state_dict(values, strict=False)
    model.diffloss.set_mask(model.motion_weight)
    return model.eval()


OPTIONAL_TENSORS = {"retarget.matrix"}  # the rig's


def read_config(metadata: dict[str, Any], path: str | Path) -> ModelConfig:
    """The configuration in a file's metadata; empty tuples, which GGUF cannot hold, and what is left out come back."""
    values: dict[str, Any] = {}
    for field in fields(ModelConfig):
        empty = () if isinstance(field.default, tuple) else field.default if field.name in OPTIONAL else None
        values[field.name] = metadata.get(f"visavis.{field.name}", empty)
    try:
        return ModelConfig.from_dict(values)
    except (InvalidArgument, TypeError) as error:
        raise ModelFileError(f"model file {path}: {error}") from None


def read_wav2vec2(metadata: dict[str, Any], path: str | Path) -> Wav2Vec2Config | None:
    """The wav2vec2 that a file carries; None where it carries none."""
    if not any(key.startswith(WAV2VEC2) for key in metadata):
        return None
    values: dict[str, Any] = {}
    for field in fields(Wav2Vec2Config):
        value = metadata.get(WAV2VEC2 + field.name)
        if isinstance(value, list) and {type(item) for item in value} == {int}:
            value = tuple(value)
        if type(value) is not (field.type if isinstance(field.type, type) else tuple):
            raise ModelFileError(f"model file {path}: metadata {WAV2VEC2}{field.name} is {value!r}")
        values[field.name] = value
    try:
        return Wav2Vec2Config(**values)
    except InvalidArgument as error:
        raise ModelFileError(f"model file {path}: {error}") from None


def _check_normalisation(values: dict[str, Tensor], path: str | Path) -> None:
    parts: list[npt.NDArray[np.float32]] = [values[f"motion_{part}"].numpy() for part in ("mean", "std", "weight")]
    try:
        Normalisation(*parts)
    except InvalidArgument as error:
        raise ModelFileError(f"model file {path}: {error}") from None
