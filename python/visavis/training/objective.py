"""What a step minimises.

Live recipe: the squared x_0 error of a turn in three quadratic forms that share one minimiser (the conditional mean):
the values, their first and their second differences, taken across the border to the previous turn.  Differences are
scaled by how much the channel really moves, so that slow channels (the head) learn to be smooth and fast ones (the
lips) to be quick.  Frames of shut lips weigh more in the values: that does move the answer, towards shut.  Times are
stratified over the repeats of a row.  Linear probes read rows, coming activity and the user's last second from z.
With `strangers` in the recipe lips are learnt in crops that have another crop's past, everything else in the others.
Paper recipe: TIMAR's loss.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from visavis.constants import SAMPLES_PER_FRAME
from visavis.data.corpus.visemes import lips_shut
from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig
from visavis.model.diffusion import out_of_range
from visavis.model.motion_model import MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.process import DPM_FIRST, N_STEPS
from visavis.model.timar import Timar, TurnBatch
from visavis.training.recipes import Recipe

Floats = npt.NDArray[np.float32]
ACTIVITY_FRAMES = 15
HEARD_FRAMES = 25
ACTIVITY_FLOOR = 0.05  # of a channel's mean square step
MOTION_FLOOR = 0.01  # normalised units a frame: slower motion than this is not blown up further
LOUDNESS_FLOOR = 1e-5  # mean square, -50 dBFS
LOUDNESS_REST = math.log(LOUDNESS_FLOOR) / 3.0 + 3.0  # before the crop
EASE_FRAMES = 15.0  # in which a session's face grows out of the mean face, where the model says nothing finer
EVENT = 2.5  # deviations of a channel's row: further than that it moves in a turn when something happens
STILL = 0.02  # a channel that moves less than this within every recording only rests somewhere: it is left out
# Weight of a channel in its group; 1 where not named: what closes and shapes the lips, what smiles and nods.
CHANNEL_WEIGHT = {
    "jawOpen": 4.0,
    "mouthClose": 2.0,
    "mouthFunnel": 2.0,
    "mouthPucker": 2.0,
    "mouthPressLeft": 2.0,
    "mouthPressRight": 2.0,
    "mouthRollLower": 2.0,
    "mouthRollUpper": 2.0,
    "mouthSmileLeft": 6.0,
    "mouthSmileRight": 6.0,
    "browInnerUp": 2.0,
    "headPitch": 3.0,
}


class Seen(NamedTuple):
    """A batch as a model sees it in training."""

    batch: TurnBatch
    clean: Tensor  # (B, F + L, C) own motion, normalised, from one turn before the crop
    z: Tensor  # (B, n, F, D) of the own motion with noise on it
    own: Tensor  # the past that the model is given, its own or another's, with the noise that the head sees


@dataclass
class Objective:
    """The loss of a recipe; `scales` (2, C) weigh the squared first and second differences of each channel."""

    recipe: Recipe
    scales: Tensor
    probes: "Probes"

    @classmethod
    def measure(
        cls, recipe: Recipe, config: ModelConfig, motions: Sequence[Floats], normalisation: Normalisation
    ) -> "Objective":
        """Scales from how the training motion moves, in normalised units."""
        scales = []
        for order in (1, 2):
            squares = [np.square(np.diff(m, n=order, axis=0)).sum(axis=0, dtype=np.float64) for m in motions]
            mean = np.sum(squares, axis=0) / sum(len(m) - order for m in motions) / normalisation.std**2
            scales.append(1.0 / (mean + MOTION_FLOOR**2))
        return cls(recipe, torch.from_numpy(np.stack(scales)).float(), Probes(config))

    def __call__(
        self, model: MotionModel, batch: TurnBatch, generator: torch.Generator, progress: float = 0.0
    ) -> dict[str, Tensor]:
        """Named scalars; "total" carries the gradient.  `progress` in [0, 1] of the run: the probes fade with it."""
        if self.recipe.objective == "paper":
            terms = model.paper_loss(batch, generator, repeats=self.recipe.repeats)
            total = terms.total
            if self.recipe.variance_range > 0 and terms.excess is not None:
                total = total + self.recipe.variance_range * terms.excess
            return {"total": total, **terms.mse, "variance": terms.vb}
        assert isinstance(model, Timar)
        return self._live(model, batch, generator, progress)

    def _live(self, model: Timar, batch: TurnBatch, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        recipe, head, config = self.recipe, model.diffloss, model.config
        n_crops = len(batch.agent_motion)
        strange = self.strange_crops(model, n_crops)
        batch, clean, z, own = self.seen(model, batch, generator, strange)
        before = model.by_turn(own[:, : batch.agent_motion.shape[1]])[:, :, -1]  # (B, n, C)
        target = model.by_turn(model.normalise(batch.agent_motion))  # (B, n, F, C)
        rows = model.rows(target, before).reshape(-1, config.row_width)  # (N, R)
        condition = model.head_condition(z, own).reshape(len(rows), -1)
        weight = self.error_weights(model, batch)  # (N, F or 1, C)
        taught = torch.ones(n_crops, config.n_channels, dtype=torch.bool, device=rows.device)
        if strange:
            taught[:strange], taught[strange:] = fast_channels(model), ~fast_channels(model)
        probe = z.sum() * 0.0
        if recipe.probe > 0:
            probe = self._probe(model, z, rows, clean, weight, taught, batch)
        n_strange = strange * (len(rows) // n_crops)  # rows

        def repeated(x: Tensor) -> Tensor:
            return torch.cat([x[n_strange:].repeat(recipe.repeats, *[1] * (x.dim() - 1)), x[:n_strange]])

        taught = taught.repeat_interleave(len(rows) // n_crops, 0) * self.importance(model, rows)  # (N, C)
        embedded, rows, weight, taught = map(repeated, (head.net.cond_embed(condition), rows, weight, taught))
        n_own = len(rows) - n_strange
        t = stratified_times(n_own, recipe.repeats, generator)
        t = torch.cat([t, torch.full((n_strange,), DPM_FIRST, device=t.device)])
        noise = torch.randn(rows.shape, generator=generator, device=rows.device)
        # What a stranger's row would say of slow channels, it says of the wrong past; lips are decided before, anyway.
        xt = torch.cat([head.noised(rows[:n_own], t[:n_own], noise[:n_own]), noise[n_own:]])
        x0, v = head.predict(xt * ~fast_values(model), t, embedded)
        error = (x0 - rows * head.mask).reshape(weight.shape) * (weight > 0)  # (N, F or 1, C)
        terms = {**self.errors(model, error, weight, taught), "probe": (1.0 - progress) * probe}
        x0, xt, v, rows, t = (x[:n_own] for x in (x0, xt, v, rows, t))
        bits = head.variational(rows * head.mask, x0.detach(), xt, v, t) * head.mask
        variance = bits.mean() * len(head.mask) / head.mask.sum()
        excess = recipe.variance_range * out_of_range(v).mean()
        total = torch.stack([*terms.values()]).sum() + recipe.variance_weight * variance + excess
        return {"total": total, **terms, "variance": variance}

    def strange_crops(self, model: Timar, n_crops: int) -> int:
        """How many of a batch's crops, the first ones, have another's past; at least one keeps its own.

        The true past of brows and head tells of stress, and so of the lips; what a model generated tells nothing, and
        lips that believe it follow the voice less well (docs/decisions.md 62).
        """
        if not bool(fast_channels(model).any()):
            return 0
        return min(round(self.recipe.strangers * n_crops), n_crops - 1)

    def seen(self, model: Timar, batch: TurnBatch, generator: torch.Generator, strange: int = 0) -> "Seen":
        """What the head is to draw the crop's turns from; `strange` crops, the first, have their neighbour's past."""
        batch = eased_in(model, batch)
        blind = ~fast_channels(model)  # (C,)
        batch = replace(batch, user_motion=torch.where(blind, batch.user_motion, model.motion_mean))
        clean = model.own_motion(batch) * blind
        past = torch.cat([clean.roll(1, 0)[:strange], clean[strange:]])
        z = model.condition_on(batch, self._noised(model, past, self.recipe.own_past_noise * blind, generator))
        # The head continues from the last own frames, so their noise goes with how far a channel moves in a frame.
        steps = self.recipe.head_past_noise * blind / self.scales[0].to(clean.device).sqrt()
        return Seen(batch, clean, z, self._noised(model, past, steps, generator))

    def error_weights(self, model: Timar, batch: TurnBatch) -> Tensor:
        """Weights of the errors of rows, (N, F or 1, C): of frames whose lips are shut, and 0 of those left out.

        A closure lasts two or three frames.  Where the voice leaves open when, the mean of all answers is a mouth that
        never shuts; a missed closure is seen, a too long one is not.
        """
        motion = batch.agent_motion  # (B, n*F, C), raw
        weight = torch.ones_like(motion)
        if self.recipe.closure != 1 and model.config.motion_space == "arkit55":
            shut = torch.from_numpy(lips_shut(motion.cpu().numpy())).to(motion.device)  # (B, n*F)
            weight = weight + (self.recipe.closure - 1) * (shut[..., None] & fast_channels(model))
        if batch.agent_motion_known is not None:
            weight = weight * batch.agent_motion_known[..., None]
        frames = 1 if model.config.denoise_unit == "frame" else model.config.turn_frames
        return weight.reshape(-1, frames, weight.shape[-1])

    def importance(self, model: Timar, rows: Tensor) -> Tensor:
        """Weights (N, C) of the errors of rows (N, R): `events` where a slow channel moves far, 1 elsewhere.

        What is weighed so seems as many times as frequent, wherever it was likely and wherever not: draws show more
        of what is rare, a smile, a nod, and as well timed.
        """
        more = torch.zeros(model.config.n_channels, device=rows.device)
        for channels, weight in zip(model.config.space.groups.values(), self.recipe.events, strict=True):
            more[list(channels)] = weight - 1.0
        far = rows.reshape(len(rows), -1, model.config.n_channels).abs().amax(1) > EVENT
        return 1.0 + more * (far & ~fast_channels(model))

    def _probe(
        self,
        model: Timar,
        z: Tensor,
        rows: Tensor,
        clean: Tensor,
        weight: Tensor,
        taught: Tensor,
        batch: TurnBatch,
    ) -> Tensor:
        """Errors of the probes: rows, how much slow channels are about to move, how loud the user was."""
        row, activity, heard = (probe.float() for probe in self.probes(z))  # (B, n, F, C), (B, n, C), (B, n, 25)
        squares = (row - rows.reshape(row.shape)).square() * weight.reshape(row.shape)
        squares = mean_of(squares.mean((1, 2)), taught)
        coming = upcoming_activity(clean, model.config.turn_frames, self.scales[0])  # (B, n', C)
        surprise = (activity[:, : coming.shape[1]] - coming).square().mean(1)
        surprise = mean_of(surprise, taught) * ~fast_channels(model)
        errors = self._weighted(model, squares + self.recipe.forecast * surprise)
        missed = (heard - user_loudness(batch.user_audio, model.config)).square().mean()
        total: Tensor = torch.stack([*errors.values()]).sum() + self.recipe.hearing * missed
        return self.recipe.probe * total

    def _noised(self, model: Timar, own: Tensor, largest: Tensor, generator: torch.Generator) -> Tensor:
        """The own past with white noise, its std drawn for each crop up to `largest` (C,)."""
        share = torch.rand(len(own), 1, 1, generator=generator, device=own.device)
        noise = torch.randn(own.shape, generator=generator, device=own.device)
        return own + share * largest * noise * (model.motion_weight > 0)

    def errors(self, model: Timar, error: Tensor, weight: Tensor, taught: Tensor) -> dict[str, Tensor]:
        """Weighted mean squares of the error (N, F, C) of rows, and of its differences in motion, by group.

        Means are over the rows, `taught` (N, C) of each, in shares or weights of a channel's own.
        """
        squares = mean_of((error.square() * weight).mean(1), taught)  # (C,)
        smooth = torch.zeros_like(squares)
        if model.config.denoise_target == "residual":
            error = error * model.residual_scale
        for order, scale in enumerate(self.scales.to(error.device), start=1):
            smooth = smooth + scale * mean_of(border_difference(error, order).square().mean(1), taught)
        terms = self._weighted(model, squares)
        if self.recipe.smoothness > 0:
            moves = self._weighted(model, smooth).items()
            terms |= {f"{name}_moves": self.recipe.smoothness * value for name, value in moves}
        return terms

    def _weighted(self, model: Timar, values: Tensor) -> dict[str, Tensor]:
        """The weighted mean of channel values (C,) in each group."""
        terms = {}
        for name, channels in model.config.space.groups.items():
            weight = model.motion_weight[list(channels)]
            weight = weight / weight.sum().clamp_min(1e-9) * (self.recipe.mouth if name == "mouth" else 1.0)
            terms[name] = (values[list(channels)] * weight).sum()
        return terms


class Probes(torch.nn.Module):
    """Linear readings of z, in training only: the shortest ways for a gradient to speech encoder and backbone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.row = torch.nn.Linear(config.width, config.n_channels)
        self.activity = torch.nn.Linear(config.width, config.n_channels)
        self.heard = torch.nn.Linear(config.width, HEARD_FRAMES)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, n, F, D) -> each frame's part of the row (B, n, F, C), activity to come (B, n, C), loudness heard
        (B, n, HEARD_FRAMES)."""
        whole = z.mean(2)
        return self.row(z), self.activity(whole), self.heard(whole)


def user_loudness(audio: Tensor, config: ModelConfig) -> Tensor:
    """How loud the user was in the newest HEARD_FRAMES frames that a turn sees, (B, n, HEARD_FRAMES), about -1..2.

    audio (B, context + n*F*640), lagged as the model gets it.  When to nod hangs on pauses of the user.  The motion
    loss says so too faintly: without this reading z knew no more of the user after 2,000 steps than that one is silent
    while the other speaks.
    """
    frames = audio.float()[:, config.context_samples :].reshape(len(audio), -1, SAMPLES_PER_FRAME)
    loudness = torch.log(frames.square().mean(-1) + LOUDNESS_FLOOR) / 3.0 + 3.0  # (B, n*F)
    padded = torch.nn.functional.pad(loudness, (HEARD_FRAMES - config.turn_frames, 0), value=LOUDNESS_REST)
    return padded.unfold(1, HEARD_FRAMES, config.turn_frames)


def upcoming_activity(own: Tensor, turn_frames: int, scale: Tensor) -> Tensor:
    """Log of how much each channel moves in the ACTIVITY_FRAMES from each turn on, for turns that see that far.

    own (B, F + L, C) begins one turn before the crop; scale (C,) weighs squared steps -> (B, n', C).  A nod that comes
    some time in the next half second says little about any one frame, but much about this.
    """
    steps = own[:, turn_frames:] - own[:, turn_frames - 1 : -1]  # (B, L, C)
    power = (steps.square() * scale.to(own.device)).unfold(1, ACTIVITY_FRAMES, turn_frames).mean(-1)
    return torch.log(power + ACTIVITY_FLOOR)


def border_difference(error: Tensor, order: int) -> Tensor:
    """Differences over frames of an error (N, F, C), the true frames before the turn counting as error 0."""
    padded = torch.nn.functional.pad(error, (0, 0, order, 0))
    return torch.diff(padded, n=order, dim=1)


def mean_of(values: Tensor, there: Tensor) -> Tensor:
    """The mean over rows of values (N, C), weighed by how much each is there (N, C): (C,); 0 where none is."""
    return (values * there).sum(0) / there.sum(0).clamp_min(1)


def stratified_times(n_rows: int, repeats: int, generator: torch.Generator) -> Tensor:
    """Times 0..999 (n_rows,), the repeats of a row each in their own part of the range."""
    part = torch.arange(repeats, device=generator.device).repeat_interleave(n_rows // repeats)
    u = torch.rand(n_rows, generator=generator, device=generator.device)
    return ((part + u) * N_STEPS / repeats).long().clamp(0, N_STEPS - 1)


def fast_channels(model: Timar) -> Tensor:
    """Which channels (C,) start every turn from nothing: the lips; without the residual target none is told apart."""
    if model.config.denoise_target != "residual":
        return torch.zeros_like(model.motion_weight, dtype=torch.bool)
    return (model.residual_gain[0] == 0) & (model.motion_weight > 0)


def fast_values(model: Timar) -> Tensor:
    """Which values of a row (R,) are of fast channels."""
    return fast_channels(model).repeat(model.config.row_width // model.config.n_channels)


def eased_in(model: Timar, batch: TurnBatch) -> TurnBatch:
    """Where a crop starts a session, the agent's motion grows out of the mean face, as it will at run time.

    It grows as fast as each channel moves anyway: a standard deviation of distance in steps of about two rms steps.
    """
    n_frames, C = batch.agent_motion.shape[1:]
    frames = torch.arange(1, n_frames + 1, device=batch.agent_motion.device)[:, None]
    lengths = torch.full((C,), EASE_FRAMES, device=frames.device)
    if model.config.denoise_target == "residual":
        lengths = (0.75 / model.residual_scale[0]).clamp(3.0, 50.0)
    x = (frames / lengths).clamp(max=1.0)
    share = torch.where(batch.previous_present[:, None, None], 1.0, x * x * (3 - 2 * x))  # (B, L, C)
    motion = model.motion_mean + share * (batch.agent_motion - model.motion_mean)
    return replace(batch, agent_motion=motion)


@torch.no_grad()
def blind_to_lips(model: Timar) -> None:
    """Take the fast channels out of what the model sees of motion; training keeps these weights at exactly 0.

    The past of true lips tells nearly all about their present, so a model that sees it learns to follow its own lips
    and, running free, its own mistakes.  Without it lips follow the voice.  Nor does the head see the lips of the noisy
    row: it gives the mean of what the voice leaves open, at every time of the process, instead of one guess that later
    steps take for evidence (docs/decisions.md 57).
    """
    fast, config = fast_channels(model), model.config
    model.diffloss.net.input_proj.weight[:, fast_values(model)] = 0.0
    first = model.motion_encoder[0]
    assert isinstance(first, torch.nn.Linear)
    first.weight[:, fast] = 0.0
    if config.denoise_unit == "turn" and config.head_context_frames:
        embed = model.diffloss.net.cond_embed.weight  # (W, F*D + frames*C)
        embed[:, config.turn_frames * config.width :][:, fast.repeat(config.head_context_frames)] = 0.0


@torch.no_grad()
def hide_own_past(model: Timar) -> None:
    """Let a model that saw its own past lagged begin with it masked: it sees the mean face, in the mask token."""
    rest = model.motion_encoder(torch.zeros(1, 1, model.config.n_channels, device=model.mask_token.device))
    token = model.z_proj(rest)
    if model.config.layout == "fused":  # there the token is added, to a projection with a bias
        token = token - model.z_proj(torch.zeros_like(rest))
    model.mask_token.copy_(token)


def train_head_alone(model: MotionModel) -> None:
    """Nothing but the denoising network gets a gradient.

    Raises InvalidArgument for a model that has none.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and name.startswith("diffloss."))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InvalidArgument("head_alone: the model has no denoising network; expected one of recipe live or paper")


@torch.no_grad()
def see_velocity(model: Timar) -> None:
    """Let the head see from the start how fast its own last frames moved.

    The difference of two neighbouring frames is tiny beside the frames themselves, so a network learns it slowly; here
    random features of it, scaled to unit variance, are added to the initial weights of the condition.
    """
    config = model.config
    if config.denoise_target != "residual" or config.head_context_frames < 2:
        return
    embed = model.diffloss.net.cond_embed.weight  # (W, F*D + frames*C), oldest own frame first
    last, before = embed[:, -config.n_channels :], embed[:, -2 * config.n_channels : -config.n_channels]
    slow = (model.residual_gain[0] > 0) & (model.motion_weight > 0)
    features = torch.randn_like(last) * slow / (slow.sum().clamp_min(1).sqrt() * model.residual_scale[0])
    last += features
    before -= features


def live_normalisation(motions: Sequence[Floats], config: ModelConfig) -> Normalisation:
    """Measured over the training split, with channel weights; weight 0 also for what only rests."""
    measured = Normalisation.measure(motions, config)
    largest = np.max([np.ptp(m, axis=0) for m in motions], axis=0)
    named = np.array([CHANNEL_WEIGHT.get(name, 1.0) for name in config.space.channels])
    weight = np.where(largest < STILL, 0.0, measured.weight * named).astype(np.float32)
    return replace(measured, weight=weight)
