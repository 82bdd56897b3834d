"""Checkpoints of the models for comparison (model/research.py): tensors and plain values in one file of torch.

They are no model files: the GGUF reader does not learn their switches, native engines refuse them by name.  Every
tensor of such a file is checked against its configuration before it is used.
"""

import secrets
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visavis.engine import is_checkpoint
from visavis.errors import FileError, InvalidArgument, ModelFileError
from visavis.export.gguf import load_gguf, save_gguf
from visavis.model.config import ModelConfig
from visavis.model.make import make_model
from visavis.model.motion_model import MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.research import ResearchConfig
from visavis.model.saved import read_saved
from visavis.model.speech import Source
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Config, Wav2Vec2Encoder
from visavis.motion_file import check_output_path

FORMAT = "visavis research model 1"


def save_model(
    folder: Path, model: MotionModel, name: str = "visavis", license: str = "Apache-2.0", data_note: str = ""
) -> Path:
    """Writes a model file, or of a model for comparison a checkpoint; returns its path."""
    path = saved_path(folder, model.config)
    if isinstance(model, Timar) and path.suffix == ".gguf":
        save_gguf(path, model, name=name, license=license, data_note=data_note)
    else:
        save_research(path, model, name, license, data_note)
    return path


def saved_path(folder: Path, config: ModelConfig) -> Path:
    """Where `save_model` writes: model.gguf, or of a model for comparison model.pt."""
    return folder / ("model.pt" if isinstance(config, ResearchConfig) else "model.gguf")


def load_model(path: str | Path, speech_encoder: str | Path | None = None) -> MotionModel:
    """A model file or a checkpoint of a model for comparison, float32, in evaluation mode."""
    return load_research(path, speech_encoder) if is_checkpoint(Path(path)) else load_gguf(path, speech_encoder)


def save_research(
    path: Path, model: MotionModel, name: str = "visavis", license: str = "Apache-2.0", data_note: str = ""
) -> None:
    """Writes the checkpoint, whole or not at all."""
    check_output_path(path, "checkpoint")
    encoder = model.speech_encoder
    document = {
        "format": FORMAT,
        "name": name,
        "license": license,
        "data_note": data_note,
        "config": model.config.to_dict(),
        "wav2vec2": encoder.config.to_dict() if isinstance(encoder, Wav2Vec2Encoder) else None,
        "tensors": {key: tensor.cpu().clone() for key, tensor in model.saved_tensors().items()},
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        torch.save(document, temporary)
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"checkpoint {path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def load_research(path: str | Path, speech_encoder: str | Path | None = None) -> MotionModel:
    """The model of a checkpoint.  `speech_encoder` is the folder of a wav2vec2, in place of one that the file carries.

    Raises FileError or ModelFileError (damaged, foreign, tensors missing, unknown or misshapen, values not finite).
    """
    document = read_research(path)
    source: Source = speech_encoder
    try:
        config = ResearchConfig.from_dict(document["config"])
        if speech_encoder is None and document["wav2vec2"] is not None:
            source = Wav2Vec2Encoder(Wav2Vec2Config(**document["wav2vec2"]), config.turn_frames)
        model = make_model(config, Normalisation.identity(config.n_channels), source)
    except (InvalidArgument, TypeError) as error:
        raise ModelFileError(f"checkpoint {path}: {error}") from None
    _load_tensors(path, model, document["tensors"], own_encoder=speech_encoder is None)
    if isinstance(model, Timar):
        model.diffloss.set_mask(model.motion_weight)
    return model.eval()


def read_research(path: str | Path) -> dict[str, Any]:
    """The document of a checkpoint: format, name, license, data_note, config, wav2vec2, tensors."""
    if not Path(path).is_file():
        raise FileError(f"checkpoint {path} does not exist")
    try:
        document = read_saved(Path(path))
    except ValueError as error:
        raise ModelFileError(f"checkpoint {path}: cannot be read safely ({error})") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        hint = "; checkpoints of the TIMAR authors are for `visavis import-timar`" if found is None else ""
        raise ModelFileError(f"checkpoint {path}: format {found!r}; expected {FORMAT!r}{hint}")
    kinds = {"name": str, "config": dict, "wav2vec2": dict | None, "tensors": dict}
    for key, kind in kinds.items():
        if not isinstance(document.get(key), kind):
            raise ModelFileError(f"checkpoint {path}: {key} is a {type(document.get(key)).__name__}; expected {kind}")
    return dict(document)


def _load_tensors(path: str | Path, model: MotionModel, tensors: dict[str, Any], own_encoder: bool) -> None:
    expected = {
        name: tensor
        for name, tensor in model.saved_tensors().items()
        if own_encoder or not name.startswith("speech_encoder.")
    }
    known = {name for name in tensors if own_encoder or not name.startswith("speech_encoder.")}
    for word, names in (("missing", set(expected) - known), ("unknown", known - set(expected))):
        if names:
            raise ModelFileError(f"checkpoint {path}: tensors {word}: {', '.join(sorted(names)[:5])}")
    values: dict[str, Tensor] = {}
    for name, wanted in expected.items():
        found = tensors[name]
        if not isinstance(found, Tensor) or found.shape != wanted.shape or not found.is_floating_point():
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ModelFileError(f"checkpoint {path}: tensor {name} is {shape}; expected {tuple(wanted.shape)} floats")
        if not bool(torch.isfinite(found).all()):
            raise ModelFileError(f"checkpoint {path}: tensor {name} holds values that are not finite")
        values[name] = found.float()
    parts = [values[f"motion_{part}"].numpy() for part in ("mean", "std", "weight")]
    try:
        Normalisation(*parts)
    except InvalidArgument as error:
        raise ModelFileError(f"checkpoint {path}: {error}") from None
    model.load_state_dict(values, strict=False)
