"""The state of a run on disk: weights, average, optimiser and clock in one file that cannot execute anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from visavis.errors import FileError, InvalidArgument
from visavis.model.config import ModelConfig, changes
from visavis.model.motion_model import MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.saved import read_saved
from visavis.training.ema import Ema
from visavis.training.objective import Probes

FORMAT = 1


@dataclass
class RunState:
    """A model in training and how far it has come."""

    model: MotionModel
    probes: Probes
    ema: Ema
    optimizer: torch.optim.Optimizer
    step: int = 0
    elapsed_s: float = 0.0  # training time, all resumed parts together
    processor_s: float = 0.0  # what all threads of this process spent in that time
    teachers: tuple[str, ...] = ()  # of a distillation: hashes of the model files that it learns from


def save_state(path: Path, state: RunState, config: ModelConfig, seed: int) -> None:
    """Write the checkpoint beside `path` first, then rename it into place."""
    document = {
        "format": FORMAT,
        "config": config.to_dict(),
        "seed": seed,
        "step": state.step,
        "elapsed_s": state.elapsed_s,
        "processor_s": state.processor_s,
        "teachers": list(state.teachers),
        "model": state.model.state_dict(),
        "probes": state.probes.state_dict(),
        "ema": state.ema.weights,
        "optimizer": state.optimizer.state_dict(),
    }
    temporary = path.with_suffix(".part")
    torch.save(document, temporary)
    temporary.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """The document of a checkpoint; never unpickles anything but tensors and plain values."""
    if not path.is_file():
        raise FileError(f"{path}: no such checkpoint; start the run without --resume")
    try:
        document = read_saved(path)
    except ValueError as error:
        raise FileError(f"{path}: not a readable checkpoint ({error})") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise InvalidArgument(f"{path}: checkpoint format {found}; expected {FORMAT}")
    return dict(document)


def restore(state: RunState, document: dict[str, Any], config: ModelConfig, seed: int) -> None:
    """Put a checkpoint into a fresh state; the configuration, the seed and the teachers must be the same."""
    theirs, ours = document["config"], config.to_dict()
    if theirs != ours:
        raise InvalidArgument(f"resume: the checkpoint's model differs: {changes(theirs, ours)}; use the same settings")
    if document["seed"] != seed:
        raise InvalidArgument(f"resume: the checkpoint's seed is {document['seed']}, now {seed}; use the same seed")
    known = document.get("teachers", list(state.teachers))  # older checkpoints have none
    if known != list(state.teachers):
        was, now = (", ".join(digest[:12] for digest in digests) for digests in (known, state.teachers))
        raise InvalidArgument(
            "resume: the checkpoint learnt from other model files; give the same teacher and lips "
            f"(sha256 {was or 'none'}; now {now or 'none'})"
        )
    state.model.load_state_dict(document["model"])
    state.probes.load_state_dict(document["probes"])
    state.ema.weights = document["ema"]
    state.optimizer.load_state_dict(document["optimizer"])
    state.step, state.elapsed_s = document["step"], document["elapsed_s"]
    state.processor_s = document.get("processor_s", 0.0)  # older checkpoints have none


def normalisation_of(weights: dict[str, torch.Tensor]) -> Normalisation:
    """The normalisation that a model's tensors were trained with."""
    mean, std, weight = (weights[f"motion_{part}"].numpy() for part in ("mean", "std", "weight"))
    residual = [weights[name].numpy() for name in ("residual_scale", "residual_gain") if name in weights]
    return Normalisation(mean, std, weight, *residual)
