"""Numbers with their uncertainty: sums of units (conversations, prompts), a value of them, a bootstrap over units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
RESAMPLES = 1000
FLIPS = 10_000
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass
class Measure:
    """One line of a report: a value, its 95 % interval, what is required and whether it passes (None: no verdict)."""

    name: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    required: str = ""
    passed: bool | None = None
    note: str = ""


def measure(
    name: str, units: npt.ArrayLike, value: Callable[[Array], Array] | None = None, note: str = "", seed: int = 0
) -> Measure:
    """A statistic of sums over units with its bootstrap interval.

    `units` (n, k): the sums of each unit.  `value`: (..., k) sums to (...,) values; by default first over second.
    Units are drawn with replacement, so the interval says how much another choice of them would change the value.
    """
    sums = np.asarray(units, np.float64)
    of = ratio if value is None else value
    if sums.ndim != 2 or not len(sums):
        return Measure(name, float("nan"), note=note or "nothing to measure")
    n = len(sums)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), RESAMPLES)
    values = of(drawn @ sums)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, INTERVAL) if len(values) else (float("nan"),) * 2
    return Measure(name, float(of(sums.sum(0))), float(low), float(high), note=note)


def ratio(sums: Array) -> Array:
    """First over second."""
    return divided(sums[..., 0], sums[..., 1])


def ratio_of_ratios(sums: Array) -> Array:
    """(a / b) / (c / d)."""
    return divided(divided(sums[..., 0], sums[..., 1]), divided(sums[..., 2], sums[..., 3]))


def root_ratio(sums: Array) -> Array:
    """Square root of first over second."""
    return np.sqrt(ratio(sums))


def divided(a: Array, b: Array) -> Array:
    """a / b; infinite where only b is 0, NaN where both are."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(a / b)


MOMENTS = 6  # sums of a pair of signals: n, x, y, xx, yy, xy


def moments(x: Array, y: Array) -> Array:
    """The sums of two signals (T, ...) from which a correlation over many units is made, (..., 6)."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    n = np.full(x.shape[1:], float(len(x)))
    return np.stack([n, x.sum(0), y.sum(0), (x * x).sum(0), (y * y).sum(0), (x * y).sum(0)], axis=-1)


def correlation(sums: Array) -> Array:
    """Pearson's r of pooled moments (..., 6)."""
    n, x, y, xx, yy, xy = (sums[..., i] for i in range(MOMENTS))
    covariance = n * xy - x * y
    spread = np.sqrt(np.maximum(n * xx - x * x, 0.0) * np.maximum(n * yy - y * y, 0.0))
    return np.where(spread > 0, divided(covariance, spread), np.nan)


def mean_correlation(sums: Array) -> Array:
    """Mean of the correlations of several channels, sums (..., channels * 6); a channel that stands still counts 0."""
    each = correlation(sums.reshape(*sums.shape[:-1], -1, MOMENTS))
    return np.asarray(np.nan_to_num(each).mean(axis=-1))


def lagged_moments(x: Array, y: Array, most: int) -> Array:
    """Moments of x against y for x later by -most..most samples, (2 most + 1, 6); signals (T,)."""
    rows = []
    for lag in range(-most, most + 1):
        n = max(len(x) - abs(lag), 0)
        rows.append(moments(x[max(lag, 0) :][:n], y[max(-lag, 0) :][:n]))
    return np.stack(rows)


def peak_lag(sums: Array) -> Array:
    """By how many samples x is late: the top of a parabola through the highest correlation and its neighbours.

    sums (..., lags * 6) of `lagged_moments`; NaN where the highest lies at the border.
    """
    r = correlation(sums.reshape(*sums.shape[:-1], -1, MOMENTS))
    most = r.shape[-1] // 2
    flat = np.nan_to_num(r.reshape(-1, r.shape[-1]), nan=-2.0)
    best = flat.argmax(1)
    inside = (best > 0) & (best < 2 * most)
    at = np.clip(best, 1, 2 * most - 1)
    rows = np.arange(len(flat))
    left, top, right = (flat[rows, at + i] for i in (-1, 0, 1))
    shift = 0.5 * divided(left - right, left - 2 * top + right)
    lags = np.where(inside, at - most + np.nan_to_num(shift), np.nan)
    return np.asarray(lags.reshape(r.shape[:-1]))


def percentile_of(histogram: Array, share: float, edges: Array) -> Array:
    """The value below which a share of the counts (..., bins) lies, linear inside a bin."""
    total = histogram.sum(-1, keepdims=True)
    below = np.cumsum(histogram, axis=-1)
    target = share * total
    k = np.argmax(below >= target, axis=-1)[..., None]
    count = np.take_along_axis(histogram, k, -1)
    before = np.take_along_axis(below, k, -1) - count
    inside = np.clip(divided(target - before, count), 0.0, 1.0)
    values = edges[k] + inside * (edges[k + 1] - edges[k])
    return np.asarray(np.where(total > 0, values, np.nan)[..., 0])


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """How probable so large a sum is if each unit's difference had either sign (one-sided permutation test)."""
    d = np.asarray([x for x in differences if x], np.float64)
    if not len(d):
        return 1.0
    if len(d) <= 13:  # all sign patterns
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
        return float((signs @ d >= d.sum() - 1e-9).mean())
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, len(d)))
    return float(((signs @ d >= d.sum() - 1e-9).sum() + 1) / (FLIPS + 1))


def require(found: Measure, low: float | None = None, high: float | None = None) -> Measure:
    """The measure with the range that it is held against; an undefined value fails."""
    if low is not None and high is not None:
        found.required = f"{low:g}..{high:g}"
    else:
        found.required = f">= {low:g}" if low is not None else f"<= {high:g}"
    found.passed = bool((low is None or found.value >= low) and (high is None or found.value <= high))
    return found
