"""The diffusion head: process, network, loss terms and samplers of TIMAR (x_0 prediction, learned variance).

A *row* is what is denoised together: one frame (C values) or, with the turn unit, the F frames of a turn (F*C,
frame-major).  Times are indices 0..999 of the full process, also where a sampler skips most of them.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.errors import InvalidArgument
from visavis.model.config import EPS
from visavis.model.process import N_TIME_FEATURES, Process, dpm2m_times

BIN = 1 / 255  # half-width of the likelihood bins at t = 0
OPEN_END = 0.999
FLAME_LOW = [-3.0] * 50 + [0.0, -0.1, -0.1] + [-0.5, -1.2, -0.7]  # expression, jaw (rad), neck (rad)
FLAME_HIGH = [3.0] * 50 + [0.9, 0.1, 0.1] + [0.7, 1.2, 0.7]
FLAME_RANGE = FLAME_LOW, FLAME_HIGH
Predict = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # x (n, R), t (n,) -> x_0, v (n, R) each
PredictAt = Callable[[Tensor, int], tuple[Tensor, Tensor]]  # the same with one time for all rows
Range = tuple[Tensor, Tensor]


class TimeEmbedding(nn.Module):
    """Sinusoid of the timestep index, then Linear, SiLU, Linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(N_TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """(n,) timestep indices -> (n, W)."""
        half = N_TIME_FEATURES // 2
        frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
        angle = t.float()[:, None] * frequency  # (n, 128)
        out: Tensor = self.mlp(torch.cat([angle.cos(), angle.sin()], -1))
        return out


class ResBlock(nn.Module):
    """x + gate * MLP(LN(x) * (1 + scale) + shift), modulated by time and condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, W), (n, W) -> (n, W)."""
        shift, scale, gate = self.adaLN_modulation(y).chunk(3, -1)
        out: Tensor = x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)
        return out


class FinalLayer(nn.Module):
    """Modulated LayerNorm and the output linear: x_0, then v."""

    def __init__(self, width: int, row_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * row_width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, W), (n, W) -> (n, 2R)."""
        shift, scale = self.adaLN_modulation(y).chunk(2, -1)
        normed = functional.layer_norm(x, x.shape[-1:], eps=EPS)
        out: Tensor = self.linear(normed * (1 + scale) + shift)
        return out


class HeadNetwork(nn.Module):
    """The denoising network: a small residual MLP over one row."""

    def __init__(self, row_width: int, condition_width: int, width: int, depth: int) -> None:
        super().__init__()
        self.time_embed = TimeEmbedding(width)
        self.cond_embed = nn.Linear(condition_width, width)
        self.input_proj = nn.Linear(row_width, width)
        self.res_blocks = nn.ModuleList(ResBlock(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, row_width)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, R), t (n,), condition (n, W) = cond_embed(z) -> x_0 and v, (n, R) float32 each."""
        y = self.time_embed(t) + condition
        x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, y)
        x0, v = self.final_layer(x, y).float().chunk(2, -1)
        return x0, v


class DiffusionHead(nn.Module):
    """Network, process and channel mask together; `mask` (R,) is 0 for values that are never generated."""

    mask: Tensor

    def __init__(self, row_width: int, condition_width: int, width: int, depth: int) -> None:
        super().__init__()
        self.net = HeadNetwork(row_width, condition_width, width, depth)
        self.register_buffer("mask", torch.ones(row_width), persistent=False)
        full = Process.full()
        for name in ("log_beta", "posterior_log_variance", "x0_weight", "xt_weight"):
            self.register_buffer(name, torch.from_numpy(getattr(full, name)).float(), persistent=False)
        self.register_buffer("signal", torch.from_numpy(np.sqrt(full.alpha_bar)).float(), persistent=False)
        self.register_buffer("sigma", torch.from_numpy(np.sqrt(1 - full.alpha_bar)).float(), persistent=False)

    def set_mask(self, weight: Tensor) -> None:
        """Channels of weight (C,) 0 are never generated; a row holds whole frames."""
        self.mask.copy_((weight > 0).repeat(len(self.mask) // len(weight)))

    def predict(self, x: Tensor, t: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """The network between channel masks: x_0 and v, (n, R) each; condition = net.cond_embed(z)."""
        x0, v = self.net(x * self.mask, t, condition)
        return x0 * self.mask, v

    def loss_terms(self, x0: Tensor, t: Tensor, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Squared x_0 error, variational term in bits and `out_of_range(v)`, (n, R) each; masked values count nothing
        in the first two."""
        xt = self.noised(x0, t, noise)
        x0_hat, v = self.predict(xt, t, condition)
        x0 = x0 * self.mask
        bits = self.variational(x0, x0_hat.detach(), xt, v, t) * self.mask
        return (x0_hat - x0).square(), bits, out_of_range(v)

    def noised(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t of rows x0 (n, R) at times t (n,)."""
        return self._at("signal", t) * x0 + self._at("sigma", t) * noise

    def _at(self, name: str, t: Tensor) -> Tensor:
        table: Tensor = getattr(self, name)
        return table[t][:, None]  # (n, 1)

    def variational(self, x0: Tensor, x0_hat: Tensor, xt: Tensor, v: Tensor, t: Tensor) -> Tensor:
        """KL(true posterior || predicted Gaussian), at t = 0 the negative log-likelihood of x_0's bin; bits, (n, R)."""
        from_x0, from_xt = self._at("x0_weight", t), self._at("xt_weight", t)
        true_log_variance = self._at("posterior_log_variance", t)
        log_variance = log_variance_of(v, self._at("log_beta", t), true_log_variance)
        mean = from_x0 * x0_hat + from_xt * xt
        difference = from_x0 * (x0 - x0_hat)  # of the two means
        kl = 0.5 * (
            log_variance
            - true_log_variance
            - 1
            + torch.exp(true_log_variance - log_variance)
            + difference.square() * torch.exp(-log_variance)
        )
        first = (t == 0).nonzero()[:, 0]
        if len(first):  # one row in a thousand
            likelihood = binned_log_likelihood(x0[first], mean[first], 0.5 * log_variance[first])
            kl = kl.index_copy(0, first, -likelihood)
        return kl / math.log(2)


def log_variance_of(v: Tensor, log_beta: Tensor | float, posterior: Tensor | float) -> Tensor:
    """The learned variance: v in about [-1, 1] moves between the posterior's and beta."""
    share = (v + 1) / 2
    return share * log_beta + (1 - share) * posterior


def out_of_range(v: Tensor) -> Tensor:
    """What keeps v in [-1, 1] in training: squares of how far it is outside.

    v hardly matters at most of the 1000 times, so that the variational term lets it go anywhere, and at t = 0 drives it
    up; a sampler of few steps takes it at times where it matters.
    """
    return torch.relu(v.abs() - 1.0).square()


def binned_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log probability of x's bin of half-width 1/255, open below -0.999 and above 0.999 (the authors' image habit)."""

    def cdf(u: Tensor) -> Tensor:  # the tanh approximation of the normal cdf
        return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))

    precision = torch.exp(-log_scale)
    upper = cdf(precision * (x - mean + BIN))
    lower = cdf(precision * (x - mean - BIN))
    probability = torch.where(x < -OPEN_END, upper, torch.where(x > OPEN_END, 1 - lower, upper - lower))
    return torch.log(probability.clamp(min=1e-12))


def sample(
    predict: Predict,
    noise: Tensor,
    sampler: str,
    steps: int,
    temperature: float = 1.0,
    noise_scale: Tensor | None = None,
    x0_range: Range | None = None,
) -> Tensor:
    """Draws rows from noise (1 + steps, n, R), x_T first; `x0_range` clamps every x_0 estimate.

    Temperature scales the step noise of `ancestral`, never x_T; `dpm2m` has no step noise, there it scales x_T.
    `noise_scale` (R,) or (n, R) multiplies all noise, 0 where nothing is generated.  With `dpm2m`, values that begin
    without noise keep the x_0 of the first, noisiest step.
    """
    if noise.shape[0] < 1 + (steps if sampler == "ancestral" else 0):
        raise InvalidArgument(f"noise has {noise.shape[0]} entries; {steps} steps take {1 + steps} (x_T first)")
    if noise_scale is not None:
        noise = noise * noise_scale

    def clamped(x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        x0, v = predict(x, torch.full((x.shape[0],), t, device=x.device))
        return (x0 if x0_range is None else x0.clamp(*x0_range)), v

    if sampler == "ancestral":
        return _ancestral(clamped, noise, steps, temperature)
    return _dpm2m(clamped, temperature * noise[0], steps, None if noise_scale is None else noise_scale == 0)


def _ancestral(predict: PredictAt, noise: Tensor, steps: int, temperature: float) -> Tensor:
    """Posterior mean plus temperature * learned deviation * noise, from the noisiest step to the cleanest."""
    process = Process.spaced(steps)
    x = noise[0]
    for i in reversed(range(steps)):
        x0, v = predict(x, int(process.times[i]))
        x = float(process.x0_weight[i]) * x0 + float(process.xt_weight[i]) * x
        if i > 0:
            log_variance = log_variance_of(v, float(process.log_beta[i]), float(process.posterior_log_variance[i]))
            x = x + temperature * torch.exp(0.5 * log_variance) * noise[steps - i]
    return x


def _dpm2m(predict: PredictAt, x: Tensor, steps: int, held: Tensor | None) -> Tensor:
    """DPM-Solver++(2M) on x_0: first order at the first step; the last one lands on its x_0.

    `held` values keep the x_0 of the first step: the mean of what the condition leaves open.  Later ones follow what
    was drawn for the others, which says nothing of them.
    """
    times = dpm2m_times(steps)
    alpha_bar = Process.full().alpha_bar[times]
    signal, sigma = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    log_snr = np.log(signal / sigma)
    before: Tensor | None = None
    for i, t in enumerate(times):
        x0, _ = predict(x, t)
        if before is not None and held is not None:
            x0 = torch.where(held, before, x0)
        if i + 1 == steps:
            return x0
        step = log_snr[i + 1] - log_snr[i]
        estimate = x0
        if before is not None:
            ratio = float((log_snr[i] - log_snr[i - 1]) / step)
            estimate = (1 + 0.5 / ratio) * x0 - (0.5 / ratio) * before
        x = float(sigma[i + 1] / sigma[i]) * x - float(signal[i + 1] * math.expm1(-step)) * estimate
        before = x0
    return x
