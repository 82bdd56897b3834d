"""The metrics of the DualTalk protocol, per clip, then the mean over clips (formulas: docs/training.md).

Each is taken for every group of the motion space on its own.  They equal the authors' numbers on golden data, but for
STS, whose float32 running sum is up to 3e-6 off the exact value that is computed here.  SID depends on scikit-learn's
k-means, whose labels may change between its versions (constraints.txt pins the one that the golden numbers hold for).
"""

import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.errors import InvalidArgument
from visavis.motion_space import MotionSpace

Array = npt.NDArray[np.floating[Any]]
CLUSTERS = {"exp": 40, "mouth": 40}  # k of SID by group; all others 10
METRIC_NAME = {"neck": "pose"}  # the protocol calls the neck "pose"
DIVERSITY_PAIRS = 100


def frechet_distance(a: Array, b: Array) -> float:
    """Frechet distance between Gaussians fitted to the rows of a and b."""
    from scipy import linalg

    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    with warnings.catch_warnings(record=True) as singular:
        warnings.simplefilter("always")
        root = linalg.sqrtm(cov_a @ cov_b)
        if singular or not np.isfinite(root).all():
            ridge = np.eye(len(cov_a)) * 1e-6
            root = linalg.sqrtm((cov_a + ridge) @ (cov_b + ridge))
    offset = mean_a - mean_b
    return float(offset @ offset + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(np.real(root)))


def label_entropy(fitted: Array, labelled: Array, clusters: int) -> float:
    """SID: entropy in bits of the k-means labels of `labelled`, the clusters fitted on `fitted`."""
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct frames than clusters: a face at rest
        kmeans = KMeans(n_clusters=clusters, random_state=0, n_init="auto").fit(fitted)
    share = np.bincount(kmeans.predict(labelled), minlength=clusters) / len(labelled)
    return float(-(share * np.log2(share + 1e-6)).sum())


def step_difference(prediction: Array, truth: Array) -> float:
    """STS: how far the frame-to-frame steps are apart; the 0.1 divides the square."""
    d = np.diff(prediction.astype(np.float64), axis=0) - np.diff(truth.astype(np.float64), axis=0)
    return float(np.sqrt((d**2 / 0.1).sum()))


def partner_correlation(a: Array, partner: Array) -> float:
    """Pearson's r of two motions over all their flattened values; NaN where one does not move."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(a.ravel(), partner.ravel())[0, 1])


def diversity(motion: Array, seed: int = 0) -> float:
    """Mean distance of 100 random pairs of frames."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, len(motion), (2, DIVERSITY_PAIRS))
    return float(np.linalg.norm(motion[first] - motion[second], axis=1).mean())


def clip_metrics(prediction: Array, truth: Array, partner: Array, space: MotionSpace) -> dict[str, float]:
    """Every metric of one clip, (T, C) each, cut to the shortest of the three; keys are metric_group."""
    n = min(len(prediction), len(truth), len(partner))
    if n < max(CLUSTERS.values()):
        raise InvalidArgument(f"clip of {n} frames; the metrics need at least {max(CLUSTERS.values())}")
    out: dict[str, float] = {}
    for group, channels in space.groups.items():
        live = [c for c in channels if c not in space.eye_layer]
        p, t, a = (m[:n][:, live] for m in (prediction, truth, partner))
        name, k = METRIC_NAME.get(group, group), CLUSTERS.get(group, 10)
        out[f"fid_{name}"] = frechet_distance(p, t)
        out[f"p_fid_{name}"] = frechet_distance(np.concatenate([a, p], axis=1), np.concatenate([a, t], axis=1))
        out[f"mse_{name}"] = float(((p - t) ** 2).mean())
        out[f"sid_{name}"] = label_entropy(t, p, k)
        out[f"reverse_sid_{name}"] = label_entropy(p, t, k)
        out[f"sts_{name}"] = step_difference(p, t)
        out[f"variance_pre_{name}"] = float(p.var(axis=0).mean())
        out[f"variance_gt_{name}"] = float(t.var(axis=0).mean())
        out[f"rpcc_{name}"] = abs(partner_correlation(t, a) - partner_correlation(p, a))
        out[f"diversity_pre_{name}"] = diversity(p)
        out[f"diversity_gt_{name}"] = diversity(t)
    return out


def all_metrics(
    clips: Sequence[tuple[Array, Array, Array]], space: MotionSpace, workers: int
) -> list[dict[str, float]]:
    """`clip_metrics` of (prediction, truth, partner) clips, shared among processes; the numbers are the same."""
    workers = min(workers, len(clips))
    if workers <= 1:
        return [clip_metrics(*clip, space) for clip in clips]
    with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
        tasks = [pool.submit(clip_metrics, *clip, space) for clip in clips]
        return [task.result() for task in tasks]


def _one_thread() -> None:
    """In each process: its linear algebra must not start a thread for every core."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def mean_metrics(clips: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric over clips; clips where it is undefined (a motionless prediction) do not count."""
    columns = {name: [clip[name] for clip in clips if np.isfinite(clip[name])] for name in clips[0]}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in columns.items()}
