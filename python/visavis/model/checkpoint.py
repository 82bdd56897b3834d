"""Checkpoints of the TIMAR authors (`torch.save` of model, model_ema, args, ...) as a `Timar`.

Read with argparse.Namespace allow-listed: such a file cannot execute anything.  Widths, depths
and the context come from the tensors; the number of heads is not in them and follows the published sizes.  The speech
encoder is a folder of its own; `import_timar` makes one model file of both.
"""

import argparse
import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor

from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.config import ModelConfig, paper_config
from visavis.model.saved import read_saved
from visavis.model.speech import Source
from visavis.model.timar import Timar
from visavis.motion_file import check_output_path

# Heads by the size in the name of the model, and the width that goes with it.
HEADS = {"tiny": (4, 64), "base": (12, 768), "large": (16, 1024), "huge": (16, 1280)}
NORMALISATION = {"motion_mean", "motion_std", "motion_weight"}  # mean 0, std 1: not in these files


def load_official(path: str | Path, speech_encoder: Source = None, heads: int | None = None, ema: bool = True) -> Timar:
    """The model of a checkpoint, float32, in evaluation mode; `heads` where the file does not tell."""
    return _model(_read(Path(path)), path, speech_encoder, heads, ema)


def import_timar(
    checkpoint: str | Path,
    wav2vec2: str | Path,
    out: str | Path,
    *,
    ema: bool = True,
    steps: int = 5,
    heads: int | None = None,
    dtype: str = "f32",
    licence: str = "",
) -> Timar:
    """Write checkpoint and speech encoder as one model file, whole or not at all; returns the model.

    `ema`: the averaged weights, which the authors evaluate.  `steps`: denoising steps a turn.  `dtype`: of the
    matrices in the file, f32, f16 or bf16.
    """
    from visavis.export.gguf import check_dtype, save_gguf

    check_dtype(dtype)
    check_output_path(Path(out), "model")
    document = _read(Path(checkpoint))
    model = _model(document, checkpoint, wav2vec2, heads, ema, steps)
    name = str(vars(document["args"]).get("model") or Path(checkpoint).stem)
    epoch = document.get("epoch")
    note = f"TIMAR checkpoint {Path(checkpoint).name}, {'averaged' if ema else 'raw'} weights"
    note += f" of epoch {epoch}" if isinstance(epoch, int) else ""
    note += f"; speech encoder {Path(wav2vec2).resolve().name}"
    save_gguf(out, model, name=name, license=licence, data_note=note, dtype=dtype)
    return model


def _model(
    document: dict[str, Any], path: str | Path, speech_encoder: Source, heads: int | None, ema: bool, steps: int = 5
) -> Timar:
    args = vars(document["args"])
    for flag, word in (("use_encoder_only", "an encoder-decoder"), ("use_causal_attn", "a bidirectional")):
        if not args.get(flag, True):
            raise Unsupported(f"checkpoint {path} holds {word} model ({flag}=False); expected a causal encoder")
    weights = _weights(document, "model_ema" if ema else "model", path)
    try:
        config = _config(weights, args, heads, path).with_options(steps=steps)
    except (KeyError, IndexError) as error:
        raise ModelFileError(f"checkpoint {path}: tensor {error} is missing; expected a TIMAR checkpoint") from None
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise ModelFileError(
            f"checkpoint {path}: tensors of odd ranks ({error}); expected a TIMAR checkpoint"
        ) from None
    model = Timar(config, speech_encoder=speech_encoder)
    _check_tensors(weights, model, path)
    model.load_state_dict(weights, strict=False)
    return model.eval()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileError(f"checkpoint {path} does not exist")
    try:
        mapped = zipfile.is_zipfile(path)  # the optimiser is never read
        checkpoint = read_saved(path, [argparse.Namespace], mapped)
    except ValueError as error:
        raise ModelFileError(f"checkpoint {path}: cannot be read safely ({error})") from None
    wanted = {"model": dict, "model_ema": dict, "args": argparse.Namespace}
    for key, kind in wanted.items():
        if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(key), kind):
            raise ModelFileError(f"checkpoint {path}: no {key!r} of type {kind.__name__}; expected a TIMAR checkpoint")
    return dict(checkpoint)


def _weights(document: dict[str, Any], part: str, path: str | Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for name, value in document[part].items():
        if not isinstance(value, Tensor):
            raise ModelFileError(f"checkpoint {path}: {part}[{name!r}] is a {type(value).__name__}; expected a tensor")
        weights[str(name)] = value.float()
    return weights


def _config(weights: dict[str, Tensor], args: dict[str, Any], heads: int | None, path: str | Path) -> ModelConfig:
    """Widths and depths as the tensors have them."""
    turn_frames = round(args.get("motion_fps", 25) * args.get("chunk_second", 1))
    head_widths, _ = weights["diffloss.net.input_proj.weight"].shape
    _, speech_width = weights["speech_projection.weight"].shape
    width = weights["mask_token"].shape[2]
    n_positions, turn_tokens = weights["encoder_pos_embed_learned"].shape[1], 4 * turn_frames + 10
    if n_positions % turn_tokens:
        raise ModelFileError(
            f"checkpoint {path}: {n_positions} positions are no whole number of turns of {turn_tokens} tokens"
        )
    return paper_config(
        turn_frames=turn_frames,
        context_turns=n_positions // turn_tokens,
        speech_width=speech_width,
        token_width=weights["fake_latent"].shape[1],
        width=width,
        depth=_count(weights, "encoder_blocks."),
        heads=_heads(args, width, path) if heads is None else heads,
        mlp_ratio=weights["encoder_blocks.0.mlp.fc1.weight"].shape[0] // width,
        head_width=head_widths,
        head_depth=_count(weights, "diffloss.net.res_blocks."),
    )


def _count(weights: dict[str, Tensor], prefix: str) -> int:
    """Numbered parts under a prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in weights if name.startswith(prefix)})


def _heads(args: dict[str, Any], width: int, path: str | Path) -> int:
    size = str(args.get("model", "")).rsplit("_", 1)[-1]
    heads, expected = HEADS.get(size, (0, 0))
    if width != expected:
        raise InvalidArgument(
            f"checkpoint {path} is of model {args.get('model')!r} and {width} wide, no published size: its number of "
            "heads is not known; give heads"
        )
    return heads


def _check_tensors(weights: dict[str, Tensor], model: Timar, path: str | Path) -> None:
    trained = (pair for pair in model.saved_tensors().items() if not pair[0].startswith("speech_encoder."))
    expected = {name: tensor for name, tensor in trained if name not in NORMALISATION}
    for word, names in (("missing", set(expected) - set(weights)), ("unknown", set(weights) - set(expected))):
        if names:
            raise ModelFileError(f"checkpoint {path}: tensors {word}: {', '.join(sorted(names)[:5])}")
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            found, wanted = tuple(weights[name].shape), tuple(tensor.shape)
            raise ModelFileError(f"checkpoint {path}: tensor {name} has shape {found}; expected {wanted}")
