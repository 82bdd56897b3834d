"""Which generator runs a model, and the protocol of contexts: the same clips with n past turns visible, n after n."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from visavis.engine import model_path
from visavis.errors import InvalidArgument, Unsupported
from visavis.evaluation.generate import EngineGenerator, Generate, SessionGenerator
from visavis.evaluation.run import Evaluation
from visavis.model.config import ModelConfig


def make_generator(
    model: Path | None,
    config: ModelConfig,
    engine: str,
    seed: int,
    temperature: float,
    *,
    context: int | None = None,
    live_level: bool = False,
    offline: bool = False,
    **options: Any,
) -> Generate:
    """What makes the motion: sessions on engine cpu; on engine torch one batch, or for models (and contexts) that the
    batch does not take, turn after turn; `offline` windows that see what is to come."""
    if offline:
        from visavis.evaluation.offline import OfflineGenerator

        if context is not None or live_level or engine != "torch":
            raise Unsupported("offline: whole windows on engine torch, without context and live_level")
        return OfflineGenerator(model_path(model), seed, temperature, **options)
    if engine not in ("cpu", "torch"):
        raise InvalidArgument(f"engine {engine!r}; expected cpu or torch")
    if engine == "cpu":
        if context is not None:
            raise Unsupported("context: engine cpu sees what the model was trained with; use engine torch")
        return SessionGenerator(model, seed, temperature, **options)
    if config.window == "ring" and config.own_past != "fed" and context is None:
        from visavis.evaluation.batched import BatchGenerator

        return BatchGenerator(model, seed, temperature, **options)
    from visavis.engines.sequence import load_torch

    turns = None if context is None else context + 1
    loaded = load_torch(model_path(model), context_turns=turns, **options)
    return EngineGenerator(loaded, seed, temperature, live_level)


def over_contexts(contexts: Sequence[int], run: Callable[[int | None], Evaluation]) -> Evaluation:
    """`run` for each number of visible past turns; the evaluation of the last, with the metrics of all in its table."""
    if not contexts:
        return run(None)
    results = {n: run(n) for n in contexts}
    last = results[contexts[-1]]
    rows = {f"context {n}": result.metrics["model"] for n, result in results.items()}
    last.metrics = {**last.metrics, **rows}
    return last
