"""A model file with other defaults: what a model may change without being trained again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from visavis import _core
from visavis.engine import model_path
from visavis.errors import InvalidArgument, Unsupported
from visavis.export.gguf import is_matrix, load_gguf, save_gguf
from visavis.model.config import ModelConfig, changes
from visavis.model.timar import Timar
from visavis.retarget import MODEL_TENSOR

CHANGEABLE: dict[str, Callable[[str], int | float | str]] = {
    "steps": int,
    "sampler": str,
    "noise_coherence": float,
    "lip_noise": float,
    "noise_scale": float,
    "turn_join": float,
    "context_turns": int,
}


def change_defaults(
    model: str | Path | None, out: str | Path, settings: Sequence[str], others: Sequence[str | Path] = ()
) -> ModelConfig:
    """Write the model file (None: the packaged one) with `key=value` settings in force; its configuration.

    With `others`, models of the same shape, the weights are the mean of all.  Weights keep their type.
    `context_turns` may only fall, and only where turns are seen at a distance (relative positions): the model then sees
    less of its history.  Raises InvalidArgument, Unsupported, FileError, ModelFileError.
    """
    path = model_path(model)
    file = _core.ModelFile(path)
    kinds = {name: kind for name, (kind, _) in file.tensors().items()}
    if MODEL_TENSOR in kinds:
        raise Unsupported(f"model file {path}: its tensor {MODEL_TENSOR} would be lost; change the file it came from")
    loaded = load_gguf(path)
    if others:
        _average(loaded, path, [model_path(other) for other in others])
    changes = dict(_parsed(setting) for setting in settings)
    config = loaded.config.with_options(**changes)
    if not 0 <= config.noise_coherence < 1 or config.steps < 1:
        raise InvalidArgument(
            f"noise_coherence is {config.noise_coherence:g}, steps {config.steps}; expected 0 <= r < 1, at least 1 step"
        )
    dtype = next(kinds[name] for name, t in loaded.saved_tensors().items() if is_matrix(name, t)).lower()
    written = _with_history(loaded, config)
    save_gguf(out, written, file.name, file.license, file.data_note, dtype)
    return config


def _average(model: Timar, path: Path, others: Sequence[Path]) -> None:
    """Make the weights of a model the mean of its own and the others'; what is not trained must be the same."""
    trained = dict(model.named_parameters())
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for other in others:
        loaded = load_gguf(other)
        theirs, ours = (
            {name: value for name, value in each.config.to_dict().items() if name not in CHANGEABLE}
            for each in (loaded, model)
        )
        if found := changes(theirs, ours):
            raise InvalidArgument(f"{other} and {path} differ in {found}: a mean needs models of one configuration")
        known = loaded.state_dict()
        unlike = {name for name in state if name not in known or known[name].shape != state[name].shape}
        unlike |= {name for name in state.keys() - trained.keys() - unlike if not torch.equal(known[name], state[name])}
        if unlike or len(known) != len(state):
            raise InvalidArgument(
                f"{other} and {path} differ in {min(unlike, default='the number of tensors')}: a mean needs models of "
                "the same history and normalisation, such as one that was begun with the other (train --begin-with)"
            )
        for name in trained:
            state[name] += known[name]
    for name in trained:
        state[name] /= 1 + len(others)
    model.load_state_dict(state)


def _parsed(setting: str) -> tuple[str, int | float | str]:
    key, separator, text = setting.partition("=")
    if not separator or key not in CHANGEABLE:
        raise InvalidArgument(f"setting {setting!r}; expected KEY=VALUE with one of {', '.join(CHANGEABLE)}")
    try:
        return key, CHANGEABLE[key](text)
    except ValueError:
        raise InvalidArgument(f"setting {setting!r}: expected a number, such as {key}=1") from None


def _with_history(model: Timar, config: ModelConfig) -> Timar:
    """The same weights in a model of that configuration, less the biases of turns that it no longer sees."""
    old, new = model.config.context_turns, config.context_turns
    if new != old and (config.positions != "relative" or not 1 <= new < old):
        raise InvalidArgument(
            f"context_turns={new}: the model was trained with {old} and {config.positions} positions; expected 1 to "
            f"{old}, fewer with relative positions alone"
        )
    state = model.state_dict()
    if config.positions == "relative":
        state["turn_bias"] = state["turn_bias"][:, :, :new]
    speech = model.speech_encoder if config.speech_encoder == "wav2vec2" else None
    with torch.random.fork_rng(devices=[]):
        changed = Timar(config, speech_encoder=speech)
    changed.load_state_dict(state)
    return changed.eval()
