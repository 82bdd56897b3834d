"""The diffusion process and the times that its samplers evaluate: tables in float64, numpy alone.

Times are indices 0..999 of the full process, also where a sampler skips most of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.errors import InvalidArgument

N_STEPS = 1000
N_TIME_FEATURES = 256  # of the sinusoid of a time
DPM_FIRST, DPM_LAST = 980, 30  # noisiest and cleanest time that dpm2m evaluates
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Process:
    """The cosine process, or its restriction to some of its times; float64, one entry a step, cleanest first."""

    times: npt.NDArray[np.int64]  # (S,) original timestep indices
    alpha_bar: Doubles  # (S,)
    log_beta: Doubles  # (S,)
    posterior_log_variance: Doubles  # (S,) clipped: entry 0 repeats entry 1
    x0_weight: Doubles  # (S,) posterior mean = x0_weight * x_0 + xt_weight * x_t
    xt_weight: Doubles  # (S,)

    @classmethod
    def full(cls) -> "Process":
        """All 1000 steps: cosine alpha-bar with s = 0.008, beta at most 0.999."""

        def curve(u: Doubles) -> Doubles:
            return np.asarray(np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2)

        u = np.arange(N_STEPS) / N_STEPS
        beta = np.minimum(1 - curve(u + 1 / N_STEPS) / curve(u), 0.999)
        return cls._of(np.arange(N_STEPS), np.cumprod(1 - beta))

    @classmethod
    def spaced(cls, steps: int) -> "Process":
        """`steps` evenly spaced steps of the 1000 (halves round to even), betas recomputed from the kept alpha-bars."""
        if not 2 <= steps <= N_STEPS:
            raise InvalidArgument(f"ancestral sampling takes 2 to {N_STEPS} steps, not {steps}")
        times = np.round(np.arange(steps) * (N_STEPS - 1) / (steps - 1)).astype(np.int64)
        return cls._of(times, cls.full().alpha_bar[times])

    @classmethod
    def _of(cls, times: npt.NDArray[np.int64], alpha_bar: Doubles) -> "Process":
        before = np.append(1.0, alpha_bar[:-1])
        beta = 1 - alpha_bar / before
        variance = beta * (1 - before) / (1 - alpha_bar)
        return cls(
            times=times,
            alpha_bar=alpha_bar,
            log_beta=np.log(beta),
            posterior_log_variance=np.log(np.append(variance[1], variance[1:])),
            x0_weight=beta * np.sqrt(before) / (1 - alpha_bar),
            xt_weight=(1 - before) * np.sqrt(1 - beta) / (1 - alpha_bar),
        )


def dpm2m_times(steps: int) -> list[int]:
    """The times that dpm2m evaluates, noisiest first; halves round to even."""
    most = DPM_FIRST - DPM_LAST + 1  # more would evaluate a time twice
    if not 1 <= steps <= most:
        raise InvalidArgument(f"dpm2m sampling takes 1 to {most} steps, not {steps}")
    return [int(t) for t in np.round(np.linspace(DPM_FIRST, DPM_LAST, steps))]
