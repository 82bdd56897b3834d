"""Metrics against the golden numbers of the DualTalk protocol."""

import json
from pathlib import Path

import numpy as np
import pytest

from visavis.errors import InvalidArgument
from visavis.evaluation.metrics import all_metrics, clip_metrics, frechet_distance, mean_metrics
from visavis.motion_space import FLAME56

GOLDEN = Path(__file__).parents[1] / "data" / "metrics"


@pytest.fixture(scope="module")
def clips() -> list[dict[str, float]]:
    arrays = np.load(GOLDEN / "metrics.npz")
    return [clip_metrics(arrays[f"pred{i}"], arrays[f"gt{i}"], arrays[f"anchor{i}"], FLAME56) for i in range(3)]


def test_every_metric_equals_the_golden_numbers(clips: list[dict[str, float]]) -> None:
    golden = json.loads((GOLDEN / "metrics.json").read_text())
    for clip, expected in zip(clips, golden["samples"], strict=True):
        for name, value in expected.items():
            tolerance = 4e-6 if name.startswith("sts") else 1e-6  # their float32 sum
            assert clip[name] == pytest.approx(value, rel=tolerance), name


def test_processes_share_the_clips_and_give_the_same_numbers(clips: list[dict[str, float]]) -> None:
    arrays = np.load(GOLDEN / "metrics.npz")
    rows = [(arrays[f"pred{i}"], arrays[f"gt{i}"], arrays[f"anchor{i}"]) for i in range(3)]
    for found, expected in zip(all_metrics(rows, FLAME56, workers=2), clips, strict=True):
        assert found == pytest.approx(expected, rel=1e-9)


def test_mean_over_clips(clips: list[dict[str, float]]) -> None:
    golden = json.loads((GOLDEN / "metrics.json").read_text())
    mean = mean_metrics(clips)
    for name, value in golden["average"].items():
        assert mean[name] == pytest.approx(value, rel=4e-6), name


def test_frechet_distance_of_equal_and_of_shifted_data() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 4))
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(rows, rows + 0.5) == pytest.approx(4 * 0.25)


def test_a_clip_too_short_for_the_metrics_is_refused() -> None:
    motion = np.zeros((20, 56), dtype=np.float32)
    with pytest.raises(InvalidArgument, match="20 frames"):
        clip_metrics(motion, motion, motion, FLAME56)
