"""Numbers with intervals: pooled sums, delays, percentiles, permutation tests, on data whose answers are known."""

import numpy as np
import pytest

from visavis.evaluation import measures
from visavis.evaluation.measures import lagged_moments, measure, moments, percentile_of, require, sign_flip_p


def test_an_interval_holds_the_value_and_shrinks_with_more_units() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (10, 400):
        units = np.stack([rng.binomial(50, 0.3, n), np.full(n, 50)], axis=1)
        found = measure("share", units)
        assert found.low < found.value < found.high and found.value == pytest.approx(units[:, 0].sum() / (50 * n))
        assert vars(measure("share", units)) == vars(found), "the same numbers give the same interval"
        widths.append(found.high - found.low)
    assert widths[0] == pytest.approx(0.083, abs=0.04) and widths[1] < 0.25 * widths[0]  # 4 sqrt(0.21 / 500)


def test_undefined_values_have_no_verdict_but_fail_what_is_required() -> None:
    nothing = measure("share", np.zeros((0, 2)))
    assert np.isnan(nothing.value) and nothing.note == "nothing to measure"
    assert require(nothing, low=0.5).passed is False
    assert np.isinf(measure("ratio", [[3.0, 0.0]]).value)
    assert require(measure("ratio", [[3.0, 0.0]]), low=2.0).passed
    inside = require(measure("x", [[1.0, 2.0]]), 0.4, 0.6)
    assert (inside.passed, inside.required) == (True, "0.4..0.6")


def test_pooled_moments_are_the_correlation_of_all_frames() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((300, 2))
    y = x * [0.5, -0.2] + 0.4 * rng.standard_normal((300, 2))
    parts = [moments(x[a:b], y[a:b]).reshape(-1) for a, b in ((0, 40), (40, 41), (41, 300))]
    each = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in (0, 1)]
    assert measures.mean_correlation(np.sum(parts, axis=0)) == pytest.approx(np.mean(each))
    still = moments(np.ones(9), np.arange(9.0))
    assert np.isnan(measures.correlation(still))


@pytest.mark.parametrize("late", [-2.0, 0.0, 0.4, 3.0])
def test_a_delay_is_found_between_frames(late: float) -> None:
    time = np.arange(400) / 25
    signals = [np.sin(2 * np.pi * 0.7 * t) + np.sin(2 * np.pi * 1.9 * t + 1) for t in (time - late / 25, time)]
    sums = lagged_moments(*signals, most=6).reshape(-1)
    assert measures.peak_lag(sums) == pytest.approx(late, abs=0.1)
    assert lagged_moments(np.ones(2), np.ones(2), 3)[:, 0].tolist() == [0, 0, 1, 2, 1, 0, 0], "shorter than the lags"
    assert np.isnan(measures.peak_lag(lagged_moments(np.arange(9.0), np.arange(9.0), 3).reshape(-1)))


def test_percentiles_of_summed_histograms() -> None:
    values, edges = np.random.default_rng(2).beta(2, 5, 4000), np.linspace(0, 1, 201)
    histogram = sum(np.histogram(part, edges)[0].astype(float) for part in np.split(values, 4))
    for share in (0.05, 0.5, 0.95):
        assert percentile_of(histogram, share, edges) == pytest.approx(np.quantile(values, share), abs=0.004)


def test_sign_flips_count_how_many_patterns_are_as_large() -> None:
    assert sign_flip_p([1.0, 2.0, 3.0]) == pytest.approx(1 / 8)
    assert sign_flip_p([-1.0, 2.0, 3.0]) == pytest.approx(2 / 8)
    assert sign_flip_p([0.0, 0.0]) == 1.0
    assert sign_flip_p([1.0] * 40) < 1e-3 < sign_flip_p([1.0, -1.0] * 20)
