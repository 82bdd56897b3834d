"""What benchmarks/calibration.py says of draws whose calibration is known."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import calibration


@pytest.mark.parametrize(("scale", "width"), [(1.0, 1.0), (0.8, 1.0), (1.25, 0.5), (1.0, 1.4)])
def test_slope_and_spread_of_known_draws(scale: float, width: float) -> None:
    """The mean is `scale` times what it should be; draws lie about it at `width` times the right deviation."""
    rng = np.random.default_rng(1)
    known, open_ = rng.normal(0, 2.0, (20000, 5)), 0.7
    truth = known + rng.normal(0, open_, known.shape)
    made = scale * known + rng.normal(0, width * open_, (8, *known.shape))
    missed = open_**2 + ((1 - scale) * 2.0) ** 2
    slope, spread = calibration.calibration(truth.astype(np.float32), made.astype(np.float32))
    assert slope == pytest.approx(1 / scale, rel=0.02)
    assert spread == pytest.approx((width * open_) ** 2 / missed, rel=0.03)
