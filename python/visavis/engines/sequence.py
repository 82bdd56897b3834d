"""Engine torch for models for comparison: those of TIMAR's code as they are, sequence models window by window.

A sequence model (model/dualtalk.py) knows no turns and no history.  Here it is what the TIMAR paper compares with: each
turn the newest `context_turns` turns go through it as one sequence, and the last turn of what comes out is taken.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import Engine, ModelInfo, TurnInput, TurnOutput, is_checkpoint, model_info
from visavis.engines.slots import SlotEngine
from visavis.engines.torch import TorchEngine
from visavis.engines.turns import checked, checked_motion, checked_style
from visavis.errors import InvalidArgument, Unsupported
from visavis.export.research import load_research, read_research
from visavis.model.batch import TurnBatch
from visavis.model.dualtalk import DualTalkStyle
from visavis.model.timar import Timar


def load_torch(path: str | Path, *, speech_encoder: str | Path | None = None, **options: Any) -> Engine:
    """Engine torch for a model file or the checkpoint of a model for comparison; options as of `TorchEngine`."""
    if not is_checkpoint(Path(path)):
        return TorchEngine.load(path, speech_encoder=speech_encoder, **options)
    model, name = load_research(path, speech_encoder), str(read_research(path)["name"])
    if isinstance(model, Timar):
        return TorchEngine(model, name, **options)
    assert isinstance(model, DualTalkStyle)
    return SequenceEngine(model, name, **options)


@dataclass(frozen=True)
class Slot:
    """One session: what the newest turns gave, oldest first, after the audio before them."""

    user_audio: Tensor  # (context_samples + n*F*640,)
    agent_audio: Tensor  # the same
    user_motion: Tensor  # (n*F, C)
    user_motion_present: Tensor  # (n*F,) bool


class SequenceEngine(SlotEngine[Slot]):
    """Executes a `DualTalkStyle` over a sliding window.  One caller at a time."""

    def __init__(
        self, model: DualTalkStyle, name: str = "visavis", *, context_turns: int | None = None, **options: Any
    ) -> None:
        """`context_turns` in the window, the current one included; `options` of `TorchEngine` have no meaning here."""
        super().__init__()
        harmless = {"passes": 1, "guidance_schedule": "constant", "window": "exact", "clamp": False}
        if given := sorted(name for name, value in options.items() if value not in (None, harmless.get(name))):
            raise Unsupported(f"{', '.join(given)}: a sequence model has no history, no passes and no sampler")
        if context_turns is not None and not 1 <= context_turns <= model.config.context_turns:
            known = model.config.context_turns
            raise InvalidArgument(f"context_turns is {context_turns}; expected 1 to {known}, as trained")
        self.model = model.eval()
        self.config = model.config.with_options(context_turns=context_turns)
        self.info: ModelInfo = replace(model_info(self.config, name), steps=1, least_steps=1)

    def _empty(self) -> Slot:
        silence = torch.zeros(self.config.context_samples)
        return Slot(silence, silence, torch.zeros(0, self.config.n_channels), torch.zeros(0, dtype=torch.bool))

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        """Generate one turn for each input, each of another slot; on an error no slot has moved on.

        Nothing is drawn: noise, seed, temperature and steps change nothing.
        """
        if unfit := [turn.guidance for turn in inputs if turn.guidance != 1]:
            raise Unsupported(f"guidance {unfit[0]}: a sequence model has no unconditional branch; use 1")
        return super().step(inputs)

    def _turn(self, slot: Slot, turn: TurnInput) -> tuple[Slot, TurnOutput]:
        checked_style(turn, self.config.styles)
        start_ns = time.perf_counter_ns()
        slot = self._grown(slot, turn)
        motion = torch.zeros(1, *slot.user_motion.shape)
        batch = TurnBatch(
            user_audio=slot.user_audio[None],
            agent_audio=slot.agent_audio[None],
            user_motion=slot.user_motion[None],
            user_motion_present=slot.user_motion_present[None],
            agent_motion=motion,
            previous_motion=motion[:, : self.config.turn_frames],
            previous_present=torch.zeros(1, dtype=torch.bool),
        )
        found = self.model.window_motion(batch)[0, -self.config.turn_frames :]
        return slot, TurnOutput(found.numpy(), {"backbone": time.perf_counter_ns() - start_ns}, 1)

    def _grown(self, slot: Slot, turn: TurnInput) -> Slot:
        """The slot with one turn more, and without what has left the window; absent audio is silence."""
        F, W, size = self.config.turn_frames, self.config.context_turns, self.config.turn_samples
        n_samples = self.config.context_samples + W * F * SAMPLES_PER_FRAME
        motion, present = (torch.from_numpy(part) for part in checked_motion(turn, F, self.config.n_channels))
        user, agent = (
            torch.zeros(size) if given is None else torch.from_numpy(checked(name, given, (size,)))
            for name, given in (("user_audio", turn.user_audio), ("agent_audio", turn.agent_audio))
        )
        return Slot(
            user_audio=torch.cat([slot.user_audio, user])[-n_samples:],
            agent_audio=torch.cat([slot.agent_audio, agent])[-n_samples:],
            user_motion=torch.cat([slot.user_motion, motion])[-W * F :],
            user_motion_present=torch.cat([slot.user_motion_present, present])[-W * F :],
        )
