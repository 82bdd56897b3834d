"""Distillation: a head that gives in a few denoising steps what its teacher gives in more, from the same noise.

DPM-Solver++ turns noise into motion without drawing anything on the way, so the teacher's many steps are a function of
the first noise, and the student learns that function.  Only the head is trained: the backbone, whose condition both
see, stays the teacher's.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visavis.constants import FRAME_RATE
from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig
from visavis.model.diffusion import DiffusionHead, sample
from visavis.model.motion_model import MotionModel
from visavis.model.timar import Timar, TurnBatch
from visavis.training.crops import CropRecipe
from visavis.training.objective import Objective, fast_values
from visavis.training.recipes import Recipe, paper_recipe

SAMPLER = "dpm2m"
LARGEST_NOISE = 1.25  # temperature of a crop, drawn from 0 to here: a dial that users turn


@dataclass
class Distillation:
    """The loss: errors of the student's rows against the teacher's, weighed as the live recipe weighs errors."""

    objective: Objective
    teacher: Timar
    steps_in: int  # of the teacher; the student's are its configuration's
    lips: Timar | None = None  # a second teacher, of the fast channels, with the first one's backbone

    def __call__(
        self, model: MotionModel, batch: TurnBatch, generator: torch.Generator, progress: float = 0.0
    ) -> dict[str, Tensor]:
        """Named scalars; "total" carries the gradient."""
        assert isinstance(model, Timar)
        with torch.no_grad():
            condition = self.conditions(batch, generator)
            n_rows, n_crops = len(condition), len(batch.agent_motion)
            noises = [self._noise(n_rows, n_crops, generator) for _ in range(self.objective.recipe.repeats)]
            noise = torch.cat(noises).to(condition.device)
            target = denoised(self.teacher, condition, noise, self.steps_in)
            if self.lips is not None:  # one step: values without noise keep the first one's estimate
                fast = fast_values(self.teacher)
                target = torch.where(fast, denoised(self.lips, condition, noise, 1), target)
        error = denoised(model, condition, noise, model.config.steps) - target
        error = error.reshape(len(error), -1, model.config.n_channels)
        terms = self.objective.errors(model, error, torch.ones_like(error), torch.ones_like(error[:, 0]))
        return {"total": torch.stack([*terms.values()]).sum(), **terms}

    def conditions(self, batch: TurnBatch, generator: torch.Generator) -> Tensor:
        """What the head's rows are drawn from, (N, condition_width), with the noise of training on the own past."""
        seen = self.objective.seen(self.teacher, batch, generator)
        return self.teacher.head_condition(seen.z, seen.own).reshape(-1, self.teacher.config.condition_width)

    def _noise(self, n_rows: int, n_crops: int, generator: torch.Generator) -> Tensor:
        """(N, R), as coherent as sessions draw it, at a temperature of each crop's own."""
        from visavis import _core

        config = self.teacher.config
        n_frames = n_rows * config.row_width // config.n_channels
        seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
        drawn = torch.from_numpy(_core.noise(seed, 0, n_frames, config.n_channels, 0, config.noise_coherence))
        scale = LARGEST_NOISE * torch.rand(n_crops, 1, generator=generator, device=generator.device)
        return (scale.cpu() * drawn.reshape(n_crops, -1)).reshape(n_rows, config.row_width)


def teacher_of_lips(lips: MotionModel, teacher: Timar) -> Timar:
    """`lips` as a second teacher: of one step, for lips that begin without noise, and of the same conditions.

    Raises InvalidArgument where lips begin with noise, or more than the head tells the two apart.
    """
    if teacher.config.lip_noise != 0:
        raise InvalidArgument(f"lips of another teacher: lip_noise is {teacher.config.lip_noise:g}; expected 0")
    ours, theirs = teacher.state_dict(), lips.state_dict()
    other = [name for name in ours if not name.startswith("diffloss.") and not torch.equal(ours[name], theirs[name])]
    if other:
        raise InvalidArgument(
            f"the teacher of the lips has another {other[0].split('.')[0]}; expected the teacher's with another head, "
            "both trained from one model with head_alone=true"
        )
    assert isinstance(lips, Timar)
    return lips


def denoised(model: Timar, condition: Tensor, noise: Tensor, steps: int) -> Tensor:
    """The rows that a model's head makes of noise (k * N, R) in so many steps of DPM-Solver++.

    Each condition (N, condition_width) has k noises, the first of all conditions first.
    """
    head: DiffusionHead = model.diffloss
    embedded = head.net.cond_embed(condition).repeat(len(noise) // len(condition), 1)

    def predict(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return head.predict(x, t, embedded)

    return sample(predict, noise[None], SAMPLER, steps, noise_scale=model.noise_scale())


def distillation(config: ModelConfig, steps_in: int, steps_out: int) -> tuple[Recipe, ModelConfig]:
    """The recipe, and the student's configuration, for a teacher of this one.

    Raises InvalidArgument for a student that is not faster.
    """
    if not 1 <= steps_out < steps_in:
        raise InvalidArgument(f"steps-out is {steps_out}; expected 1 to {steps_in - 1}, fewer than steps-in {steps_in}")
    crops = CropRecipe()
    if config.positions == "absolute":  # a crop is a window then
        crops = replace(paper_recipe().crops, seconds=config.context_turns * config.turn_frames / FRAME_RATE)
    recipe = Recipe(
        name="distill",
        objective="distill",
        crops=crops,
        peak_rate=5e-4,
        probe=0.0,
        teacher_steps=steps_in,
        head_alone=True,
    )
    return recipe, config.with_options(sampler=SAMPLER, steps=steps_out)
