"""Retarget: FLAME motion (flame56) to ARKit shapes and head angles (arkit55) by a matrix of yours (docs/retarget.md).

    matrix = load_matrix("matrix.npz")
    arkit = Retarget(matrix).apply(flame)  # (n, 56) to (n, 55)

A matrix (51, 103) maps the first 51 shapes of arkit55 to FLAME's 100 expression coefficients and the jaw's rotation
vector; the expression's first 50 columns and the jaw's 3 are used.  None is shipped: `fit_matrix` learns one from
motion that is known in both.
"""

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.audio import check_readable
from visavis.errors import FileError, InvalidArgument, ModelFileError
from visavis.motion_file import BadFile, check_output_path, read_array, write_whole
from visavis.motion_space import ARKIT_SHAPES, FLAME56

N_SHAPES, N_COLUMNS, N_EXPRESSION, JAW = 51, 103, 50, slice(100, 103)
SHAPES = ARKIT_SHAPES[:N_SHAPES]  # the rows of a matrix
ROW_ORDERS = {"live-link": SHAPES, "alphabetical": tuple(sorted(SHAPES))}
MODEL_TENSOR = "retarget.matrix"
FLAME_WIDTH, POSE_WIDTH = len(FLAME56.channels), 6
UNREADABLE = (BadFile, OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError)
EXPECTED_PAIRS = "expected arrays arkit55 (T, 55), exp (T, 50 or more) and pose (T, 6: neck, jaw) or jaw (T, 3)"


class Retarget:
    """The solver for one stream of frames: each starts from the one before."""

    def __init__(self, matrix: ArrayLike, jaw_weight: float = 10.0, symmetry: float = 0.02, l2: float = 0.002) -> None:
        """Weight of a jaw radian against an expression unit; cost of uneven left and right, and of large weights."""
        from visavis import _core

        array = check_matrix(np.asarray(matrix))
        self._native = _core.Retarget(array, jaw_weight=jaw_weight, symmetry=symmetry, l2=l2)

    def apply(self, flame: ArrayLike) -> NDArray[np.float32]:
        """The next frames: (n, 56) to (n, 55)."""
        motion = np.asarray(flame)
        if motion.ndim != 2 or motion.shape[1] != FLAME_WIDTH or motion.dtype.kind not in "fiu":
            raise InvalidArgument(
                f"retarget: motion is {motion.dtype} of shape {motion.shape}; expected numbers (n, {FLAME_WIDTH}), "
                "the channels of flame56: expression 50, jaw 3, neck 3"
            )
        return self._native.apply(motion.astype(np.float32))

    def reset(self) -> None:
        """Forget the frame before."""
        self._native.reset()

    @property
    def n_factorisations(self) -> int:
        """How many matrices were factored so far: what the time goes to."""
        return self._native.n_factorisations


@dataclass(frozen=True)
class Fit:
    """A learned matrix and how well it explains its data."""

    matrix: NDArray[np.float32]  # (51, 103)
    n_frames: int
    explained_expression: float  # share of the variance, 0 to 1
    explained_jaw: float
    unmoved: tuple[str, ...]  # shapes that never move in the data: their rows are 0 and they stay 0


class Pairs(NamedTuple):
    """Frames that are known in both spaces."""

    shapes: NDArray[np.float64]  # (T, 51)
    flame: NDArray[np.float64]  # (T, 53) expression 50, jaw 3


def check_matrix(matrix: NDArray[np.generic], what: str = "retarget matrix") -> NDArray[np.float32]:
    """The matrix as float32 (51, 103); raises InvalidArgument for anything else."""
    if matrix.shape != (N_SHAPES, N_COLUMNS) or matrix.dtype.kind not in "fiu":
        hint = "; it is the other way round, transpose it" if matrix.shape == (N_COLUMNS, N_SHAPES) else ""
        raise InvalidArgument(
            f"{what} is {matrix.dtype} of shape {matrix.shape}; expected numbers ({N_SHAPES}, {N_COLUMNS}), ARKit "
            f"shapes by FLAME coefficients{hint}"
        )
    return np.ascontiguousarray(matrix, np.float32)


def load_matrix(path: str | Path, rows: str = "live-link") -> NDArray[np.float32]:
    """A matrix from .npz (`matrix`, perhaps `channels`), .npy, or a model file's tensor `retarget.matrix`.

    `rows` is the order of the shapes in files that do not name them: "live-link" or "alphabetical".
    """
    path = Path(path)
    if rows not in ROW_ORDERS:
        raise InvalidArgument(f"rows is {rows!r}; expected one of {', '.join(ROW_ORDERS)}")
    if path.suffix.lower() == ".gguf":
        return _matrix_of_model(path)
    check_readable(path, "retarget matrix", "expected .npz, .npy or a model file")
    names: tuple[str, ...] = ROW_ORDERS[rows]
    try:
        if path.suffix.lower() == ".npy":
            matrix = np.load(path, allow_pickle=False)
        else:
            with zipfile.ZipFile(path) as archive:
                matrix = read_array(archive, "matrix", 2, "fiu")
                if "channels.npy" in archive.namelist():
                    names = tuple(str(name) for name in read_array(archive, "channels", 1, "U"))
    except UNREADABLE as error:
        raise FileError(f"retarget matrix {path}: cannot be read ({' '.join(str(error).split())})") from None
    array = check_matrix(matrix, f"retarget matrix {path}")
    if sorted(names) != sorted(SHAPES):
        wrong = sorted(set(names) ^ set(SHAPES))
        raise InvalidArgument(
            f"retarget matrix {path}: channels differ in {', '.join(wrong)}; expected {', '.join(SHAPES)}"
        )
    return np.ascontiguousarray(array[[names.index(shape) for shape in SHAPES]])


def save_matrix(path: str | Path, matrix: ArrayLike) -> None:
    """Write a matrix as .npz with the names of its rows."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InvalidArgument(f"retarget matrix {path}: suffix {path.suffix!r}; expected .npz")
    array = check_matrix(np.asarray(matrix))
    check_output_path(path, "retarget matrix")
    write_whole(path, "retarget matrix", lambda file: np.savez(file, matrix=array, channels=np.asarray(SHAPES)))


def read_pairs(path: str | Path) -> Pairs:
    """The paired frames of an .npz, such as one of a corpus folder."""
    path = Path(path)
    arrays = _arrays(path, ("arkit55", "exp", "pose", "jaw"), EXPECTED_PAIRS)
    if "arkit55" not in arrays or "exp" not in arrays or not {"pose", "jaw"} & set(arrays):
        raise FileError(f"pairs {path}: has {', '.join(arrays) or 'none of them'}; {EXPECTED_PAIRS}")
    shapes, expression = arrays["arkit55"], arrays["exp"]
    jaw = arrays["jaw"] if "jaw" in arrays else arrays["pose"][:, 3:]
    if not (shapes.shape[1] >= N_SHAPES and expression.shape[1] >= N_EXPRESSION and jaw.shape[1] == 3) or not (
        len(shapes) == len(expression) == len(jaw) > 0
    ):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise FileError(f"pairs {path}: {found}; {EXPECTED_PAIRS}")
    flame = np.concatenate([expression[:, :N_EXPRESSION], jaw], axis=1)
    if not (np.isfinite(shapes).all() and np.isfinite(flame).all()):
        raise FileError(f"pairs {path}: values that are not finite; expected finite numbers")
    return Pairs(shapes[:, :N_SHAPES], flame)


def read_flame(path: str | Path) -> NDArray[np.float32]:
    """flame56 frames (n, 56) of a motion file, or of an .npz with `exp` and `pose` as DualTalk has them."""
    path = Path(path)
    arrays = _arrays(path, ("values", "exp", "pose"), "expected values (n, 56), or exp (n, 50 or more) and pose (n, 6)")
    if "values" in arrays:
        flame = arrays["values"]
    elif {"exp", "pose"} <= set(arrays) and len(arrays["exp"]) == len(arrays["pose"]):
        pose = arrays["pose"]
        flame = np.concatenate([arrays["exp"][:, :N_EXPRESSION], pose[:, 3:6], pose[:, :3]], axis=1)
    else:
        flame = np.zeros((0, 0))
    if flame.shape[1] != FLAME_WIDTH:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none of them"
        raise FileError(
            f"FLAME motion {path}: {found}; expected values (n, 56), or exp (n, 50 or more) and pose (n, 6)"
        )
    return flame.astype(np.float32)


def fit_matrix(shapes: ArrayLike, flame: ArrayLike, ridge: float = 1e-3) -> Fit:
    """Learn a matrix from shapes (T, 51) and FLAME (T, 53: expression 50, jaw 3) by ridge regression without constant.

    `ridge` is a share of the shapes' mean energy.  Expression columns 50-99 stay 0.
    """
    W, Y = np.asarray(shapes, np.float64), np.asarray(flame, np.float64)
    if W.ndim != 2 or Y.ndim != 2 or W.shape[1] != N_SHAPES or Y.shape[1] != N_EXPRESSION + 3 or len(W) != len(Y):
        raise InvalidArgument(f"fit: shapes {W.shape} and flame {Y.shape}; expected (T, 51) and (T, 53)")
    if not (np.isfinite(ridge) and ridge >= 0):
        raise InvalidArgument(f"ridge is {ridge}; expected a number of at least 0")
    moved = np.ptp(W, axis=0) > 1e-4 if len(W) else np.zeros(N_SHAPES, bool)
    if not moved.any():
        raise InvalidArgument(f"fit: no shape moves in {len(W)} frames; expected frames of a talking face")
    A = W[:, moved]
    gram = A.T @ A
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    learned = np.linalg.lstsq(gram, A.T @ Y, rcond=None)[0]
    matrix = np.zeros((N_SHAPES, N_COLUMNS), np.float32)
    matrix[np.ix_(moved, [*range(N_EXPRESSION), *range(JAW.start, JAW.stop)])] = learned
    rest = Y - A @ learned
    return Fit(
        matrix,
        len(W),
        _explained(rest[:, :N_EXPRESSION], Y[:, :N_EXPRESSION]),
        _explained(rest[:, N_EXPRESSION:], Y[:, N_EXPRESSION:]),
        tuple(name for name, moves in zip(SHAPES, moved, strict=True) if not moves),
    )


def _explained(rest: NDArray[np.float64], data: NDArray[np.float64]) -> float:
    variance = float(data.var(axis=0).sum())
    return 1.0 - float(np.square(rest).mean(axis=0).sum()) / variance if variance > 0 else 1.0


def _matrix_of_model(path: Path) -> NDArray[np.float32]:
    from visavis import _core

    file = _core.ModelFile(path)
    if MODEL_TENSOR not in file.tensors():
        raise ModelFileError(f"model file {path}: has no tensor {MODEL_TENSOR}; give a matrix file")
    return file.floats(MODEL_TENSOR, [N_SHAPES, N_COLUMNS])


def _arrays(path: Path, names: tuple[str, ...], expected: str) -> dict[str, NDArray[np.float64]]:
    """Those of the named matrices that an .npz has."""
    check_readable(path, "motion", expected)
    try:
        with zipfile.ZipFile(path) as archive:
            present = [name for name in names if f"{name}.npy" in archive.namelist()]
            return {name: read_array(archive, name, 2, "fiu").astype(np.float64) for name in present}
    except UNREADABLE as error:
        raise FileError(f"file {path}: cannot be read ({' '.join(str(error).split())}); {expected}") from None


class FrameTimes(NamedTuple):
    """Time of a frame in microseconds."""

    cpu_mean: float  # of the processor, so without waiting for other programs
    p50: float  # by the clock
    p99: float
    factorisations: float  # a frame


def measure(matrix: NDArray[np.float32] | None = None, n_frames: int = 5000) -> dict[str, FrameTimes]:
    """Times a frame of a matrix (None: a random one) on smooth motion of 12 shapes and on unrelated frames."""
    rng = np.random.default_rng(1)
    if matrix is None:
        matrix = rng.standard_normal((N_SHAPES, N_COLUMNS)).astype(np.float32)
    n_knots = n_frames // 5 + 2
    smooth = np.zeros((n_frames, N_SHAPES))
    for shape in rng.choice(N_SHAPES, 12, replace=False):
        knots = np.clip(rng.normal(0.15, 0.3, n_knots), 0, 1)
        smooth[:, shape] = np.interp(np.arange(n_frames) / 5, np.arange(n_knots), knots)
    unrelated = np.clip(rng.normal(0.1, 0.4, (n_frames, N_SHAPES)), 0, 1)
    return {name: _frame_times(matrix, shapes, rng) for name, shapes in (("smooth", smooth), ("unrelated", unrelated))}


def _frame_times(matrix: NDArray[np.float32], shapes: NDArray[np.float64], rng: np.random.Generator) -> FrameTimes:
    flame = np.zeros((len(shapes), FLAME_WIDTH), np.float32)
    image = shapes @ matrix
    flame[:, :N_EXPRESSION] = image[:, :N_EXPRESSION]
    flame[:, N_EXPRESSION : N_EXPRESSION + 3] = image[:, JAW]
    flame[:, :N_EXPRESSION] += rng.normal(0, 0.05 * flame[:, :N_EXPRESSION].std(), (len(shapes), N_EXPRESSION))
    solver = Retarget(matrix)
    solver.apply(flame[:50])
    before = solver.n_factorisations
    times_us, cpu_began = [], time.process_time_ns()
    for start in range(50, len(flame), 5):  # blocks of a turn, so that the call itself hardly counts
        began = time.perf_counter_ns()
        block = solver.apply(flame[start : start + 5])
        times_us.append((time.perf_counter_ns() - began) / 1000 / len(block))
    cpu_us = (time.process_time_ns() - cpu_began) / 1000 / (len(flame) - 50)
    n_factorisations = (solver.n_factorisations - before) / (len(flame) - 50)
    p50, p99 = np.percentile(times_us, [50, 99])
    return FrameTimes(cpu_us, float(p50), float(p99), n_factorisations)
