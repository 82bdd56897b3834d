"""What engines of exported graphs share: options that the export has decided, noise, and turns one by one."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from visavis.engine import FloatArray, ModelInfo, TurnInput, TurnOutput, model_info
from visavis.engines.graphs import Manifest
from visavis.engines.slots import SlotEngine
from visavis.engines.turns import check_numbers, checked
from visavis.errors import Unsupported


class Turns(Protocol):
    """Runs the graphs, on a history that is a value."""

    def new_slot(self) -> Any:
        """An empty history."""

    def make(self, slot: Any, turn: TurnInput, noise: FloatArray) -> tuple[Any, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""


class ExportedEngine(SlotEngine[Any]):
    """Executes an exported folder turn by turn.  One caller at a time."""

    FORM: str  # as `visavis export --to` names it
    _turns: Turns  # each engine's own

    def __init__(
        self,
        folder: str | Path,
        manifest: Manifest,
        *,
        window: str | None = None,
        history: str | None = None,
        steps: int | None = None,
        sampler: str | None = None,
    ) -> None:
        """Raises Unsupported for options that the folder does not have."""
        super().__init__()
        self.manifest = manifest
        exported = manifest.config
        for name, value in (("window", window), ("steps", steps), ("sampler", sampler)):
            if value not in (None, getattr(exported, name)):
                raise Unsupported(
                    f"{name} is {value}; the graphs in {folder} were exported with {getattr(exported, name)}: "
                    "export again with what you need"
                )
        if history not in (None, exported.own_past) and "lagged" in (history, exported.own_past):
            raise Unsupported(f"history={history}: this model was trained with own past {exported.own_past}")
        self.config = exported.with_options(own_past=history)
        # A session must not fall back to fewer steps than the graphs have.
        self.info: ModelInfo = replace(model_info(self.config, manifest.name), least_steps=exported.steps)

    @property
    def precision(self) -> str:
        """What its large products are computed in: f32 or f16."""
        return {"float32": "f32", "float16": "f16"}[self.manifest.dtype]

    def _empty(self) -> Any:
        return self._turns.new_slot()

    def _turn(self, slot: Any, turn: TurnInput) -> tuple[Any, TurnOutput]:
        check_numbers(turn)
        if turn.steps not in (None, self.config.steps):
            raise Unsupported(
                f"steps is {turn.steps}; these graphs have {self.config.steps}: visavis export --to {self.FORM} "
                "--steps N"
            )
        return self._turns.make(slot, turn, self._noise(slot.n_turns, turn))

    def _noise(self, n_turns: int, turn: TurnInput) -> FloatArray:
        """(1 + steps, F, C), x_T first: the given one, or Philox noise of the session's seed."""
        from visavis import _core

        F, C, steps = self.config.turn_frames, self.config.n_channels, self.config.steps
        if turn.noise is not None:
            return checked("noise", turn.noise, (1 + steps, F, C))
        index = n_turns if turn.turn is None else turn.turn
        return _core.noise(turn.seed, index * F, F, C, steps, self.config.noise_coherence)
