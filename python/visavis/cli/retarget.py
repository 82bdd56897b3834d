"""`visavis retarget`: FLAME motion to ARKit shapes by a matrix of the user's."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = {
    "fit": ("visavis retarget fit one.npz two.npz --out matrix.npz",),
    "apply": ("visavis retarget apply flame.npz --matrix matrix.npz --out motion.npz",),
    "bench": ("visavis retarget bench --frames 2000",),
}

app = typer.Typer(help="Turn FLAME motion into ARKit shapes, by a matrix of yours.", no_args_is_help=True)

Matrix = Annotated[Path, typer.Option(help="Matrix (51, 103): .npz, .npy, or a model file that has one.")]
Rows = Annotated[
    str, typer.Option(help="Order of the shapes in a matrix that does not name them: live-link or alphabetical.")
]


@app.command()
def fit(
    pairs: Annotated[list[Path], typer.Argument(help=".npz with arkit55, exp and pose (or jaw); several are joined.")],
    out: Annotated[Path, typer.Option(help="Matrix to write (.npz).")],
    ridge: Annotated[float, typer.Option(help="Pull of small weights, a share of their energy.", min=0)] = 1e-3,
) -> None:
    """Learn a matrix from frames that are known both as ARKit shapes and as FLAME coefficients."""
    import numpy as np

    from visavis.cli.progress import progress_bar
    from visavis.retarget import fit_matrix, read_pairs, save_matrix

    read = [read_pairs(path) for path in pairs]
    with progress_bar("fit"):
        learned = fit_matrix(np.concatenate([p.shapes for p in read]), np.concatenate([p.flame for p in read]), ridge)
    save_matrix(out, learned.matrix)
    print(
        f"{out}: from {learned.n_frames} frames; explains {learned.explained_expression:.1%} of the expression's "
        f"variance, {learned.explained_jaw:.1%} of the jaw's"
    )
    if learned.unmoved:
        print(f"never moved in the data, so they stay 0: {', '.join(learned.unmoved)}")


@app.command()
def apply(
    motion: Annotated[Path, typer.Argument(help="FLAME motion: .npz with values (n, 56), or with exp and pose.")],
    matrix: Matrix,
    out: Annotated[Path, typer.Option(help="Motion file to write: .npz, or .csv in Live Link Face's columns.")],
    rows: Rows = "live-link",
    jaw_weight: Annotated[float, typer.Option(help="Weight of a jaw radian against an expression unit.", min=0)] = 10.0,
    symmetry: Annotated[float, typer.Option(help="Cost of uneven left and right shapes.", min=0)] = 0.02,
    l2: Annotated[float, typer.Option(help="Cost of large weights.", min=1e-9)] = 0.002,
) -> None:
    """Turn FLAME motion into ARKit shapes and head angles, 25 frames a second."""
    import numpy as np

    from visavis.cli.progress import progress_bar
    from visavis.constants import FRAME_NS, FRAME_RATE
    from visavis.motion_file import MotionData, check_motion_path, write_motion
    from visavis.motion_space import ARKIT55
    from visavis.retarget import Retarget, load_matrix, read_flame

    check_motion_path(out, ARKIT55.channels)
    solver = Retarget(load_matrix(matrix, rows), jaw_weight, symmetry, l2)
    flame = read_flame(motion)
    with progress_bar("retarget"):
        values = solver.apply(flame)
    times = np.arange(len(values), dtype=np.int64) * FRAME_NS
    write_motion(out, MotionData(values, ARKIT55.channels, float(FRAME_RATE), times))
    print(f"{out}: {len(values)} frames of {len(ARKIT55.channels)} channels")


@app.command()
def bench(
    matrix: Annotated[Path | None, typer.Option(help="Matrix to time.", show_default="a random one")] = None,
    rows: Rows = "live-link",
    frames: Annotated[int, typer.Option(help="Frames to retarget.", min=100, max=1_000_000)] = 5000,
) -> None:
    """Time a frame of retargeting, on smooth motion and on frames that have nothing to do with each other."""
    from visavis.cli.progress import progress_bar
    from visavis.retarget import load_matrix, measure

    with progress_bar("bench"):
        measured = measure(None if matrix is None else load_matrix(matrix, rows), frames)
    for name, times in measured.items():
        print(
            f"{name}: {times.cpu_mean:.1f} us of CPU a frame (by the clock p50 {times.p50:.1f}, p99 {times.p99:.1f}), "
            f"{times.factorisations:.2f} factorisations a frame"
        )
