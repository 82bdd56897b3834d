"""The paper's training objective (reference: TIMAR, section Training); the live one is training/objective.py."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from visavis.errors import InvalidArgument
from visavis.model.batch import LossTerms, TurnBatch
from visavis.model.motion_model import channel_errors
from visavis.model.process import N_STEPS

if TYPE_CHECKING:
    from visavis.model.timar import Timar

MASK_RATE_STD, MASK_RATE_MIN = 0.25, 0.7  # truncated normal of mean 1 in [0.7, 1]


def paper_loss(
    model: "Timar",
    batch: TurnBatch,
    generator: torch.Generator | None,
    mask_rate: float | None,
    user_dropout: float,
    repeats: int,
) -> LossTerms:
    """Random agent-motion tokens are hidden and are the targets; user tokens drop out one by one."""
    config = model.config
    if config.denoise_unit != "frame" or config.own_past == "lagged":
        raise InvalidArgument(
            f"the paper's loss masks single frames; denoise_unit={config.denoise_unit} own_past={config.own_past} "
            "train with the live one"
        )
    user = model.user_tokens(batch.user_audio, batch.user_motion, batch.user_motion_present, batch.user_bands)
    fake = model.fake_latent.to(user[0].dtype)
    heard, seen = (torch.where(_coin(tokens, user_dropout, generator), fake, tokens) for tokens in user)
    speech = model.by_turn(model.agent_speech_tokens(batch.agent_audio, batch.lookahead_present, batch.agent_bands))
    target = model.normalise(batch.agent_motion)  # (B, L, C)
    hidden = _random_mask(target, draw_mask_rate(generator) if mask_rate is None else mask_rate, generator)  # (B, L)
    x = model.embed(
        (model.by_turn(heard), model.by_turn(seen)),
        speech,
        model.by_turn(model.motion_encoder(target)),
        model.by_turn(hidden),
        batch.agent_style,
    )
    z = model.encode(x, model.band(x.shape[1])).flatten(1, 2)  # (B, L, D)
    return _repeated(model, target[hidden], z[hidden], repeats, generator)


def draw_mask_rate(generator: torch.Generator | None = None) -> float:
    """One draw of the truncated normal, by its inverse distribution function."""
    low = 0.5 * (1 + math.erf((MASK_RATE_MIN - 1) / MASK_RATE_STD / math.sqrt(2)))
    share = low + (0.5 - low) * torch.rand((), generator=generator, dtype=torch.float64, device=_device(generator))
    rate = 1 + MASK_RATE_STD * math.sqrt(2) * float(torch.erfinv(2 * share - 1))
    return min(1.0, max(MASK_RATE_MIN, rate))


def row_terms(
    model: "Timar", x0: Tensor, t: Tensor, noise: Tensor, condition: Tensor
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Per row (n,): the mean squared x_0 error of each channel group, the variational term in bits and the mean of
    `out_of_range(v)`.

    x0, noise (n, R) normalised, t (n,), condition (n, W) = cond_embed(z).
    """
    error, bits, excess = model.diffloss.loss_terms(x0, t, noise, condition)
    error = error.view(len(error), -1, model.config.n_channels).mean(1)  # (n, C)
    return channel_errors(model, error), bits.sum(-1) / model.diffloss.mask.sum(), excess.mean(-1)


def _repeated(
    model: "Timar",
    rows: Tensor,
    condition: Tensor,
    repeats: int,
    generator: torch.Generator | None,
) -> LossTerms:
    """Mean loss over rows (N, R), each at `repeats` fresh timesteps with fresh noise."""
    embedded = model.diffloss.net.cond_embed(condition).repeat(repeats, 1)  # (repeats*N, W)
    rows = rows.repeat(repeats, 1)
    t = torch.randint(N_STEPS, (len(rows),), generator=generator, device=rows.device)
    noise = torch.randn(rows.shape, generator=generator, device=rows.device)
    mse, bits, excess = row_terms(model, rows, t, noise, embedded)
    means = {name: value.mean() for name, value in mse.items()}
    vb = bits.mean()
    total = torch.stack([*means.values(), vb]).sum()
    return LossTerms(total, {name: value.detach() for name, value in means.items()}, vb.detach(), excess.mean())


def _coin(tokens: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """True with `probability`, one draw a token: (B, L, 1)."""
    return torch.rand((*tokens.shape[:2], 1), generator=generator, device=tokens.device) < probability


def _random_mask(target: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """ceil(rate * L) random positions of each crop, (B, L) bool."""
    L = target.shape[1]
    order = torch.rand(target.shape[:2], generator=generator, device=target.device).argsort(1).argsort(1)
    return order < math.ceil(L * rate)


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
