"""Retarget: the bounded solver against SciPy's, the neck, learned matrices, files and the command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf_bytes import RawTensor, model_file
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from visavis.data.corpus.layout import exp_map, pose_of
from visavis.errors import FileError, InvalidArgument, ModelFileError
from visavis.motion_file import read_motion
from visavis.motion_space import ARKIT55, HEAD_ANGLES
from visavis.retarget import (
    SHAPES,
    Retarget,
    fit_matrix,
    load_matrix,
    measure,
    read_flame,
    read_pairs,
    save_matrix,
)

AT = ARKIT55.index


def random_matrix(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((51, 103)) * rng.uniform(0.2, 2, (51, 1))).astype(np.float32)


def talking(n_frames: int, seed: int) -> np.ndarray:
    """Smooth arkit55 motion (n, 55) that leaves tongueOut alone."""
    rng = np.random.default_rng(seed)
    knots = np.clip(rng.normal(0.1, 0.3, (n_frames // 4 + 2, 55)), 0, 1)
    motion = np.stack([np.interp(np.arange(n_frames) / 4, np.arange(len(knots)), c) for c in knots.T], axis=1)
    motion[:, 51] = 0
    motion[:, 52:] = 0.6 * motion[:, 52:] - 0.3
    return motion.astype(np.float32)


def as_flame(motion: np.ndarray) -> np.ndarray:
    pose = pose_of(motion)
    return np.concatenate([motion[:, :51] @ exp_map(), pose[:, 3:], pose[:, :3]], axis=1).astype(np.float32)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "visavis", "retarget", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("costs", [{}, {"jaw_weight": 1.0, "symmetry": 0.5, "l2": 0.05}])
def test_equal_to_scipys_bounded_solver_on_random_problems(seed, costs):
    rng = np.random.default_rng(seed)
    solver = Retarget(random_matrix(seed), **costs)
    rows = solver._native.rows()
    flame = (rng.standard_normal((6, 56)) * rng.choice([0.3, 1, 5])).astype(np.float32)
    out = solver.apply(flame)
    for frame, weights in zip(flame, out, strict=True):
        seen = np.zeros(len(rows))
        seen[:53] = frame[:53].astype(float) * np.r_[np.ones(50), np.full(3, costs.get("jaw_weight", 10.0))]
        expected = lsq_linear(rows, seen, (0, 1), method="bvls", tol=1e-12).x
        np.testing.assert_allclose(weights[:51], expected, atol=1e-4)
        assert weights[51] == 0


def test_rows_are_observations_symmetry_and_size():
    matrix = random_matrix(1)
    rows = Retarget(matrix, jaw_weight=3, symmetry=0.1, l2=0.01)._native.rows()
    np.testing.assert_allclose(rows[:50], matrix[:, :50].T, rtol=1e-6)
    np.testing.assert_allclose(rows[50:53], 3 * matrix[:, 100:].T, rtol=1e-6)
    mean = np.square(rows[:53]).sum() / 51
    np.testing.assert_allclose(rows[-51:], np.sqrt(0.01 * mean) * np.eye(51))
    pairs = {tuple(sorted(SHAPES[i] for i in np.flatnonzero(row))) for row in rows[53:-51]}
    assert len(pairs) == 18 and ("mouthSmileLeft", "mouthSmileRight") in pairs
    assert ("eyeLookInLeft", "eyeLookOutRight") in pairs  # both look to the right
    assert not any("jawLeft" in pair or "mouthLeft" in pair for pair in pairs)  # directions, no sides
    np.testing.assert_allclose(np.abs(rows[53:-51]).max(axis=1), np.sqrt(0.1 * mean))


def test_a_warm_start_changes_nothing_but_the_time():
    flame = as_flame(talking(200, 3))
    warm = Retarget(random_matrix(3))
    cold = Retarget(random_matrix(3))
    together = warm.apply(flame)
    alone = []
    for frame in flame:
        cold.reset()
        alone.append(cold.apply(frame[None])[0])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert warm.n_factorisations < cold.n_factorisations


def test_neck_becomes_head_angles():
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((500, 3)) * rng.uniform(0, 1.2, (500, 1))
    vectors[0] = 0
    vectors[1] = [1e-9, 0, -1e-9]
    flame = np.zeros((500, 56), np.float32)
    flame[:, 53:] = vectors
    angles = Retarget(random_matrix(4)).apply(flame)[:, [AT(name) for name in HEAD_ANGLES]]
    rebuilt = Rotation.from_euler("YXZ", angles)
    assert (rebuilt * Rotation.from_rotvec(flame[:, 53:]).inv()).magnitude().max() < 1e-5
    assert np.abs(angles[:, 1]).max() <= np.pi / 2 + 1e-6
    straight_up = np.zeros((1, 56), np.float32)
    straight_up[0, 53] = -np.pi / 2
    np.testing.assert_allclose(Retarget(random_matrix(4)).apply(straight_up)[0, 52:], [0, -np.pi / 2, 0], atol=1e-3)


def test_a_learned_matrix_brings_the_shapes_back():
    train, test = talking(3000, 5), talking(300, 6)
    learned = fit_matrix(train[:, :51], as_flame(train)[:, :53], ridge=1e-6)
    assert learned.explained_expression > 0.9999 and learned.explained_jaw > 0.9999 and not learned.unmoved
    np.testing.assert_allclose(learned.matrix[:, :50], exp_map(), atol=0.02)
    assert not learned.matrix[:, 50:100].any()
    # The 51 shapes go through 50 numbers and the jaw, so they come back almost exactly.
    back = Retarget(learned.matrix, symmetry=0, l2=1e-7).apply(as_flame(test))
    np.testing.assert_allclose(back[:, :51], test[:, :51], atol=0.05)
    np.testing.assert_allclose(back[:, 52:], test[:, 52:], atol=1e-4)


def test_shapes_that_never_move_are_named():
    motion = talking(200, 7)
    motion[:, AT("cheekPuff")] = 0.1
    learned = fit_matrix(motion[:, :51], as_flame(motion)[:, :53])
    assert learned.unmoved == ("cheekPuff",)
    assert not learned.matrix[AT("cheekPuff")].any()
    with pytest.raises(InvalidArgument, match="no shape moves"):
        fit_matrix(np.ones((10, 51)), np.zeros((10, 53)))
    with pytest.raises(InvalidArgument, match=r"expected \(T, 51\) and \(T, 53\)"):
        fit_matrix(np.ones((10, 52)), np.zeros((10, 53)))


def test_bad_values_in_a_frame_count_as_zero():
    flame = np.zeros((2, 56), np.float32)
    flame[1] = np.nan
    out = Retarget(random_matrix(8)).apply(flame)
    np.testing.assert_array_equal(out, 0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((51, 100)), r"shape \(51, 100\); expected numbers \(51, 103\)"),
        (np.zeros((103, 51)), "the other way round, transpose it"),
        (np.zeros(51), r"shape \(51,\)"),
        (np.full((51, 103), "x"), "is <U1"),
        (np.zeros((51, 103)), "are all 0"),
        (np.full((51, 103), np.nan), "row 0, column 0 is nan"),
    ],
)
def test_wrong_matrices_are_refused(matrix, message):
    with pytest.raises(InvalidArgument, match=message):
        Retarget(matrix)


@pytest.mark.parametrize("costs", [{"l2": 0}, {"l2": np.nan}, {"jaw_weight": -1}, {"symmetry": np.inf}])
def test_wrong_costs_are_refused(costs):
    with pytest.raises(InvalidArgument, match=f"{next(iter(costs))} is .*; expected"):
        Retarget(random_matrix(0), **costs)


@pytest.mark.parametrize("shape", [(3, 55), (56,), (0, 57)])
def test_wrong_motion_is_refused(shape):
    with pytest.raises(InvalidArgument, match=r"expected numbers \(n, 56\)"):
        Retarget(random_matrix(0)).apply(np.zeros(shape))
    assert Retarget(random_matrix(0)).apply(np.zeros((0, 56))).shape == (0, 55)


def test_matrix_files(tmp_path: Path):
    matrix = random_matrix(9)
    save_matrix(tmp_path / "a.npz", matrix)
    np.testing.assert_array_equal(load_matrix(tmp_path / "a.npz"), matrix)
    order = sorted(range(51), key=lambda i: SHAPES[i])
    np.save(tmp_path / "b.npy", matrix[order])
    np.testing.assert_array_equal(load_matrix(tmp_path / "b.npy", rows="alphabetical"), matrix)
    np.savez(tmp_path / "c.npz", matrix=matrix[order], channels=np.array(SHAPES)[order])
    np.testing.assert_array_equal(load_matrix(tmp_path / "c.npz"), matrix)
    np.savez(tmp_path / "d.npz", matrix=matrix, channels=np.array([*SHAPES[:50], "tongueOut"]))
    with pytest.raises(InvalidArgument, match="channels differ in noseSneerRight, tongueOut"):
        load_matrix(tmp_path / "d.npz")
    with pytest.raises(InvalidArgument, match="rows is 'x'; expected one of live-link, alphabetical"):
        load_matrix(tmp_path / "a.npz", rows="x")
    with pytest.raises(InvalidArgument, match=r"suffix '.npy'; expected .npz"):
        save_matrix(tmp_path / "e.npy", matrix)
    (tmp_path / "f.npz").write_bytes(b"not a zip file")
    (tmp_path / "g.npy").write_bytes(b"not an array")
    for name in ("f.npz", "g.npy", "missing.npz"):
        with pytest.raises(FileError, match=name):
            load_matrix(tmp_path / name)


def test_a_matrix_in_a_model_file(tmp_path: Path):
    path = tmp_path / "model.gguf"
    file = model_file()
    path.write_bytes(file.to_bytes())
    with pytest.raises(ModelFileError, match="has no tensor retarget.matrix; give a matrix file"):
        load_matrix(path)
    matrix = random_matrix(12)
    for dims in ((103, 51), (51, 103)):  # fastest first
        file.tensors = [RawTensor("retarget.matrix", dims, matrix.tobytes())]
        path.write_bytes(file.to_bytes())
        if dims == (103, 51):
            np.testing.assert_array_equal(load_matrix(path), matrix)
    with pytest.raises(ModelFileError, match=r"shape \(103, 51\); expected \(51, 103\)"):
        load_matrix(path)


def test_pairs_and_flame_files(tmp_path: Path):
    motion = talking(20, 10)
    flame = as_flame(motion)
    np.savez(tmp_path / "both.npz", arkit55=motion, exp=flame[:, :50], pose=pose_of(motion))
    pairs = read_pairs(tmp_path / "both.npz")
    np.testing.assert_allclose(pairs.flame, flame[:, :53])
    np.testing.assert_array_equal(read_flame(tmp_path / "both.npz"), flame)
    np.savez(tmp_path / "short.npz", arkit55=motion, exp=flame[:5, :50], pose=pose_of(motion))
    np.savez(tmp_path / "poor.npz", arkit55=motion)
    for name in ("short.npz", "poor.npz"):
        with pytest.raises(FileError, match=r"expected arrays arkit55 \(T, 55\)"):
            read_pairs(tmp_path / name)
    with pytest.raises(FileError, match=r"expected values \(n, 56\), or exp"):
        read_flame(tmp_path / "poor.npz")


def test_fit_and_apply_on_the_command_line(tmp_path: Path):
    motion = talking(400, 11)
    np.savez(tmp_path / "pairs.npz", arkit55=motion, exp=as_flame(motion)[:, :50], pose=pose_of(motion))
    fit = run("fit", tmp_path / "pairs.npz", "--out", tmp_path / "matrix.npz", "--ridge", "1e-6")
    assert fit.returncode == 0, fit.stderr
    assert "from 400 frames; explains 100.0% of the expression's variance, 100.0% of the jaw's" in fit.stdout
    out = tmp_path / "out.npz"
    options = ("--matrix", tmp_path / "matrix.npz", "--out", out, "--l2", "1e-6", "--symmetry", "0")
    applied = run("apply", tmp_path / "pairs.npz", *options)
    assert applied.returncode == 0, applied.stderr
    read = read_motion(out)
    assert read.channels == ARKIT55.channels
    np.testing.assert_allclose(read.values, motion, atol=0.1)
    failed = run("apply", tmp_path / "pairs.npz", "--matrix", tmp_path / "pairs.npz", "--out", out)
    assert failed.returncode == 2 and "no array 'matrix' in it" in failed.stderr and failed.stderr.count("\n") == 1


def test_a_frame_is_cheap():
    times = measure(n_frames=1000)
    assert times["smooth"].p50 < 50 and times["smooth"].factorisations < 4
