"""The torch engine: the slow, clear streaming reference that every other engine is tested against.

It keeps the engine contract turn by turn and session by session, nothing batched, nothing cached that the mathematics
does not need.
"""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import GUIDANCE_SCHEDULES, ModelInfo, TurnInput, TurnOutput, model_info
from visavis.engines.slots import SlotEngine
from visavis.engines.turns import check_numbers, checked, checked_motion, checked_style
from visavis.engines.windows import WINDOWS, ExactWindow, Window
from visavis.errors import InvalidArgument, Unsupported
from visavis.export.gguf import load_gguf
from visavis.model.config import ModelConfig
from visavis.model.diffusion import FLAME_RANGE, Predict, Range, sample
from visavis.model.timar import Timar


@dataclass(frozen=True)
class Slot:
    """One session's history."""

    window: Window
    own: Tensor  # (F, C) normalised motion of the last turn, zeros before the first
    user_tail: Tensor  # (context_samples,) audio before the turn
    agent_tail: Tensor  # (context_samples,)
    n_turns: int = 0


class TorchEngine(SlotEngine[Slot]):
    """Executes a `Timar` turn by turn.  One caller at a time."""

    def __init__(
        self,
        model: Timar,
        name: str = "visavis",
        *,
        window: str | None = None,
        history: str | None = None,
        steps: int | None = None,
        passes: int = 1,
        sampler: str | None = None,
        guidance_schedule: str = "constant",
        clamp: bool = False,
        context_turns: int | None = None,
    ) -> None:
        """`context_turns` of an exact window: fewer than the model was trained with, the current one included.

        `guidance_schedule` "linear" grows the guidance with the share of the turn that is decoded; `clamp` keeps
        x_0 in FLAME's safe ranges (flame56 only)."""
        super().__init__()
        if guidance_schedule not in GUIDANCE_SCHEDULES:
            raise InvalidArgument(f"guidance_schedule is {guidance_schedule!r}; expected constant or linear")
        if history not in (None, model.config.own_past) and "lagged" in (history, model.config.own_past):
            raise Unsupported(f"history={history}: this model was trained with own past {model.config.own_past}")
        self.model = model.eval()
        self.config = model.config.with_options(window=window, own_past=history, steps=steps, sampler=sampler)
        if context_turns is not None:
            self.config = _with_context(self.config, context_turns)
        self.info: ModelInfo = model_info(self.config, name)
        self.decoding = decoding_order(self.config.turn_frames, passes)
        self.guidance_schedule = guidance_schedule
        self.x0_range = _flame_range(model) if clamp else None

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        window: str | None = None,
        history: str | None = None,
        steps: int | None = None,
        passes: int = 1,
        sampler: str | None = None,
        guidance_schedule: str = "constant",
        speech_encoder: str | Path | None = None,
        context_turns: int | None = None,
    ) -> "TorchEngine":
        """The engine of a model file; `speech_encoder` is the folder of a wav2vec2 model."""
        from visavis import _core

        return cls(
            load_gguf(path, speech_encoder),
            _core.ModelFile(path).name,
            window=window,
            history=history,
            steps=steps,
            passes=passes,
            sampler=sampler,
            guidance_schedule=guidance_schedule,
            context_turns=context_turns,
        )

    def _empty(self) -> Slot:
        context = self.config.context_samples
        return Slot(
            window=ExactWindow(self.model, context_turns=self.config.context_turns)
            if self.config.window == "exact"
            else WINDOWS[self.config.window](self.model),
            own=torch.zeros(self.config.turn_frames, self.config.n_channels),
            user_tail=torch.zeros(context),
            agent_tail=torch.zeros(context),
        )

    @torch.no_grad()
    def _turn(self, slot: Slot, turn: TurnInput) -> tuple[Slot, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""
        check_numbers(turn)
        style = torch.from_numpy(checked_style(turn, self.config.styles))[None]
        steps = self.config.steps if turn.steps is None else turn.steps
        start_ns = time.perf_counter_ns()
        user, slot = self._hear_user(slot, turn)
        speech, slot = self._hear_agent(slot, turn)
        heard_ns = time.perf_counter_ns()
        query = self._query(user, speech, slot.own, style)
        z = slot.window.condition(query)
        unguided = None
        if turn.guidance != 1:
            fake = self.model.fake_latent.expand_as(user[0])
            unguided = slot.window.condition(self._query((fake, fake), speech, slot.own, style))
        seen_ns = time.perf_counter_ns()
        own = self._denoise(slot, turn, self._noise(slot, turn, steps), z, unguided, steps)
        denoised_ns = time.perf_counter_ns()
        committed = query
        if self.config.own_past == "fed":
            committed = self._embed(user, speech, self.model.motion_encoder(own), False, style)
        slot = replace(slot, window=slot.window.commit(committed), own=own, n_turns=slot.n_turns + 1)
        stages = {
            "speech": heard_ns - start_ns,
            "backbone": seen_ns - heard_ns + time.perf_counter_ns() - denoised_ns,
            "denoise": denoised_ns - seen_ns,
        }
        return slot, TurnOutput(self.model.denormalise(own).numpy(), stages, steps)

    def _hear_user(self, slot: Slot, turn: TurnInput) -> tuple[tuple[Tensor, Tensor], Slot]:
        """Speech and motion tokens (1, F, w) of the user; absent audio is silence."""
        F, C = self.config.turn_frames, self.config.n_channels
        audio = torch.zeros(self.config.turn_samples)
        if turn.user_audio is not None:
            audio = torch.from_numpy(checked("user_audio", turn.user_audio, (self.config.turn_samples,)))
        heard = torch.cat([slot.user_tail, audio])
        motion, present = (torch.from_numpy(part) for part in checked_motion(turn, F, C))
        tokens = self.model.user_tokens(heard[None], motion[None], present[None])
        return tokens, replace(slot, user_tail=heard[self.config.turn_samples :])

    def _hear_agent(self, slot: Slot, turn: TurnInput) -> tuple[Tensor, Slot]:
        """Speech tokens (1, F, w) of the agent; what is not known past the turn is silence, for this turn only."""
        size, ahead = self.config.turn_samples, self.config.agent_lookahead_frames * SAMPLES_PER_FRAME
        audio = torch.zeros(size + ahead)
        if turn.agent_audio is not None:
            known = torch.from_numpy(checked("agent_audio", turn.agent_audio, (size,), (size + ahead,)))
            audio[: len(known)] = known
        heard = torch.cat([slot.agent_tail, audio])
        tokens = self.model.agent_speech_tokens(heard[None])
        return tokens, replace(slot, agent_tail=heard[size : len(heard) - ahead])

    def _query(self, user: tuple[Tensor, Tensor], speech: Tensor, before: Tensor, style: Tensor) -> Tensor:
        """The current turn as the backbone sees it when its motion is not known yet, (T, D)."""
        lagged = self.config.own_past == "lagged"
        return self._embed(user, speech, self.model.motion_encoder(before), not lagged, style)

    def _embed(
        self, user: tuple[Tensor, Tensor], speech: Tensor, motion: Tensor, masked: bool, style: Tensor
    ) -> Tensor:
        """(T, D) of tokens (1, F, w), motion (F, w), style (1, S)."""
        tokens = user[0][None], user[1][None]
        return self.model.embed(tokens, speech[None], motion[None, None], masked, style)[0, 0]

    # ---- denoising

    def _noise(self, slot: Slot, turn: TurnInput, steps: int) -> Tensor:
        """(1 + steps, F, C), x_T first: the given one, or Philox noise of the session's seed."""
        from visavis import _core

        F, C = self.config.turn_frames, self.config.n_channels
        if turn.noise is not None:
            return torch.from_numpy(checked("noise", turn.noise, (1 + steps, F, C)))
        index = slot.n_turns if turn.turn is None else turn.turn
        return torch.from_numpy(_core.noise(turn.seed, index * F, F, C, steps, self.config.noise_coherence))

    def _denoise(
        self, slot: Slot, turn: TurnInput, noise: Tensor, z: Tensor, unguided: Tensor | None, steps: int
    ) -> Tensor:
        """Normalised motion (F, C) of conditions z (F, D), pass by pass; `unguided` is z without the user."""
        F = self.config.turn_frames
        rows = noise.flatten(1)[:, None] if self.config.denoise_unit == "turn" else noise  # (1 + steps, n, R)
        condition = self._head_condition(z, slot.own)  # (n, W)
        fake = None if unguided is None else self._head_condition(unguided, slot.own)
        drawn = []
        for begin, end in self.decoding if self.config.denoise_unit == "frame" else [(0, F)]:
            scale = turn.guidance
            if self.guidance_schedule == "linear":
                scale = 1 + (scale - 1) * end / F
            predict = self._predictor(condition[begin:end], None if fake is None else fake[begin:end], scale)
            drawn.append(
                sample(
                    predict,
                    rows[:, begin:end],
                    self.config.sampler,
                    steps,
                    turn.temperature,
                    self.model.noise_scale(),
                    self.x0_range,
                )
            )
        return self.model.motion_of(torch.cat(drawn)[None], slot.own[None, None, -1])[0, 0]

    def _head_condition(self, z: Tensor, before: Tensor) -> Tensor:
        """cond_embed of the head's rows, (F, W) or with the turn unit (1, W)."""
        rows = self.model.head_condition(z[None, None], before[None])
        condition: Tensor = self.model.diffloss.net.cond_embed(rows.reshape(-1, self.config.condition_width))
        return condition

    def _predictor(self, condition: Tensor, fake: Tensor | None, scale: float) -> Predict:
        """x_0 and v of noisy rows; with guidance x_0 moves away from what the model says without the user."""
        head = self.model.diffloss

        def predict(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            x0, v = head.predict(x, t, condition)
            if fake is not None:
                without, _ = head.predict(x, t, fake)
                x0 = without + scale * (x0 - without)
            return x0, v

        return predict


def decoding_order(n_frames: int, passes: int) -> list[tuple[int, int]]:
    """[begin, end) of the frames that each pass decodes, left to right: TIMAR's cosine schedule."""
    if not 1 <= passes <= n_frames:
        raise InvalidArgument(f"passes is {passes}; expected 1 to {n_frames}, the frames of a turn")
    spans, begin = [], 0
    for i in range(passes):
        hidden = math.floor(n_frames * math.cos(math.pi / 2 * (i + 1) / passes))
        still = passes - 1 - i  # every later pass decodes at least one frame
        hidden = 0 if still == 0 else max(1, min(hidden, n_frames - begin - 1))
        spans.append((begin, n_frames - hidden))
        begin = n_frames - hidden
    return spans


def _with_context(config: ModelConfig, context_turns: int) -> ModelConfig:
    if config.window != "exact":
        raise Unsupported(f"context_turns goes with window exact, not with {config.window}")
    if not 1 <= context_turns <= config.context_turns:
        raise InvalidArgument(f"context_turns is {context_turns}; expected 1 to {config.context_turns}, as trained")
    return config.with_options(context_turns=context_turns)


def _flame_range(model: Timar) -> Range:
    """FLAME's safe ranges in normalised units."""
    if model.config.motion_space != "flame56" or model.config.denoise_target != "absolute":
        raise Unsupported(f"clamp=True goes with flame56 motion, not with {model.config.motion_space}")
    low, high = (model.normalise(torch.tensor(limit)) for limit in FLAME_RANGE)
    tiles = model.config.row_width // model.config.n_channels
    return low.repeat(tiles), high.repeat(tiles)
