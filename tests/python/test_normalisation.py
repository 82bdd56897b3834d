import numpy as np
import pytest

from visavis.errors import InvalidArgument
from visavis.model.config import live_config
from visavis.model.normalisation import RESIDUAL_FLOOR, STD_FLOOR, Normalisation


def test_measured_over_recordings() -> None:
    config = live_config()
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(4000, 55)), 0).astype(np.float32)
    walk[:, 20] = 0.5  # a channel that does not move
    motions = [walk[:1000], walk[1000:]]
    measured = Normalisation.measure(motions, config)
    np.testing.assert_allclose(measured.mean, walk.mean(0), rtol=1e-4, atol=1e-4)
    assert measured.std[20] == np.float32(STD_FLOOR)
    assert set(np.flatnonzero(measured.weight == 0)) == set(config.space.eye_layer)
    scale = measured.residual_scale
    assert scale is not None and scale.shape == (5, 55)
    free = [c for c in range(55) if c not in (*config.space.eye_layer, 20)]
    growth = scale[:, free] * measured.std[free]  # a walk's distance after n steps has std sqrt(n)
    np.testing.assert_allclose(growth, np.sqrt(np.arange(1, 6))[:, None].repeat(len(free), 1), rtol=0.15)
    np.testing.assert_array_equal(scale[:, 20], np.float32(RESIDUAL_FLOOR))
    assert (scale[:, list(config.space.eye_layer)] == 1).all()
    gain = measured.residual_gain
    assert gain is not None and (gain[:, free] > 0.97).all() and (gain <= 1).all()


def test_fast_channels_start_from_nothing_and_slow_ones_go_on() -> None:
    rng = np.random.default_rng(1)
    motion = np.zeros((20000, 55), np.float32)
    for frame in range(1, len(motion)):
        motion[frame, 30] = 0.99 * motion[frame - 1, 30] + rng.normal()
        motion[frame, 31] = 0.9 * motion[frame - 1, 31] + rng.normal()
    measured = Normalisation.measure([motion], live_config())
    assert measured.residual_gain is not None and measured.residual_scale is not None
    np.testing.assert_allclose(measured.residual_gain[:, 30], 0.99 ** np.arange(1, 6), rtol=0.01)
    np.testing.assert_allclose(measured.residual_scale[0, 30], np.sqrt(1 - 0.99**2), rtol=0.1)
    assert not measured.residual_gain[:, 31].any()
    np.testing.assert_allclose(measured.residual_scale[:, 31], 1, rtol=0.01)


def test_absolute_rows_need_no_residual_scale() -> None:
    config = live_config(denoise_target="absolute", eyes="model")
    measured = Normalisation.measure([np.random.default_rng(0).normal(size=(50, 55)).astype(np.float32)], config)
    assert measured.residual_scale is None and (measured.weight == 1).all()


def test_wrong_values_are_refused() -> None:
    ones = np.ones(4, np.float32)
    with pytest.raises(InvalidArgument, match=r"std \(3,\) is not one finite value a channel"):
        Normalisation(ones, ones[:3], ones)
    with pytest.raises(InvalidArgument, match="std must be over 0"):
        Normalisation(ones, 0 * ones, ones)
    with pytest.raises(InvalidArgument, match=r"residual_scale \(2, 3\)"):
        Normalisation(ones, ones, ones, np.ones((2, 3), np.float32))
