"""Checkpoints of the TIMAR authors (`torch.save` of model, model_ema, args, ...) as a `Timar`.

Loaded with weights_only=True and argparse.Namespace allow-listed: such a file cannot execute anything.  Widths come
from the tensors; the number of heads is not in them and follows the published sizes.  The speech encoder is a folder
of its own.
"""

import argparse
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.config import ModelConfig, paper_config
from visavis.model.timar import Timar

HEADS = {"base": 12, "large": 16, "huge": 16}  # by the size in the name of the model
NORMALISATION = {"motion_mean", "motion_std", "motion_weight"}  # mean 0, std 1: not in these files


def load_official(
    path: str | Path, speech_encoder: str | Path | None = None, heads: int | None = None, ema: bool = True
) -> Timar:
    """The model of a checkpoint, float32, in evaluation mode; `heads` where the file does not tell."""
    checkpoint = _read(Path(path))
    args = vars(checkpoint["args"])
    for flag, word in (("use_encoder_only", "an encoder-decoder"), ("use_causal_attn", "a bidirectional")):
        if not args.get(flag, True):
            raise Unsupported(f"checkpoint {path} holds {word} model ({flag}=False); expected a causal encoder")
    weights = {name: value.float() for name, value in checkpoint["model_ema" if ema else "model"].items()}
    try:
        config = _config(weights, args, heads or _heads(args, path))
    except (KeyError, IndexError) as error:
        raise ModelFileError(f"checkpoint {path}: tensor {error} is missing; expected a TIMAR checkpoint") from None
    model = Timar(config, speech_encoder=speech_encoder)
    _check_tensors(weights, model, path)
    model.load_state_dict(weights, strict=False)
    return model.eval()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileError(f"checkpoint {path} does not exist")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            checkpoint: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"checkpoint {path}: cannot be read safely ({reason})") from None
    wanted = {"model": dict, "model_ema": dict, "args": argparse.Namespace}
    for key, kind in wanted.items():
        if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(key), kind):
            raise ModelFileError(f"checkpoint {path}: no {key!r} of type {kind.__name__}; expected a TIMAR checkpoint")
    return dict(checkpoint)


def _config(weights: dict[str, Tensor], args: dict[str, Any], heads: int) -> ModelConfig:
    """Widths and depths as the tensors have them."""
    turn_frames = int(args["motion_fps"] * args["chunk_second"])
    head_widths, _ = weights["diffloss.net.input_proj.weight"].shape
    _, speech_width = weights["speech_projection.weight"].shape
    return paper_config(
        turn_frames=turn_frames,
        context_turns=weights["encoder_pos_embed_learned"].shape[1] // (4 * turn_frames + 10),
        speech_width=speech_width,
        token_width=weights["fake_latent"].shape[1],
        width=weights["mask_token"].shape[2],
        depth=_count(weights, "encoder_blocks."),
        heads=heads,
        head_width=head_widths,
        head_depth=_count(weights, "diffloss.net.res_blocks."),
    )


def _count(weights: dict[str, Tensor], prefix: str) -> int:
    """Numbered parts under a prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in weights if name.startswith(prefix)})


def _heads(args: dict[str, Any], path: str | Path) -> int:
    size = str(args.get("model", "")).rsplit("_", 1)[-1]
    if size not in HEADS:
        raise InvalidArgument(
            f"checkpoint {path} is of model {args.get('model')!r}: its number of heads is not known; give heads="
        )
    return HEADS[size]


def _check_tensors(weights: dict[str, Tensor], model: Timar, path: str | Path) -> None:
    expected = {name: t for name, t in model.saved_tensors().items() if name not in NORMALISATION}
    if wrong := sorted(set(expected).symmetric_difference(weights)):
        raise ModelFileError(f"checkpoint {path}: tensors missing or unknown: {', '.join(wrong[:5])}")
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            found, wanted = tuple(weights[name].shape), tuple(tensor.shape)
            raise ModelFileError(f"checkpoint {path}: tensor {name} has shape {found}; expected {wanted}")
