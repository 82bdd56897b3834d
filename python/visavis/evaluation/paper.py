"""Metrics as the papers print them: order of the columns, scale of each number, and the published rows."""

from collections.abc import Mapping

# Column, metric, and the factors of exp, jaw and pose by which the papers scale it.
COLUMNS: tuple[tuple[str, str, tuple[float, float, float]], ...] = (
    ("FD exp / jaw / pose", "fid", (1, 1e3, 1e2)),
    ("P-FD", "p_fid", (1, 1e3, 1e2)),
    ("MSE", "mse", (10, 1e3, 1e2)),
    ("SID", "sid", (1, 1, 1)),
    ("rPCC", "rpcc", (1e2, 10, 10)),
)
GROUPS = ("exp", "jaw", "pose")
# On the DualTalk test set with a context of 7 turns (arXiv 2512.15340), scaled.
PUBLISHED: dict[str, tuple[tuple[float, float, float], ...]] = {
    "DualTalk": ((11.26, 1.67, 3.29), (12.41, 1.78, 3.53), (4.20, 1.20, 1.92), (3.28, 2.27, 1.77), (4.84, 1.23, 2.18)),
    "TIMAR": ((8.97, 1.57, 3.08), (9.93, 1.65, 3.28), (3.58, 1.07, 1.61), (3.53, 2.35, 1.85), (4.12, 1.22, 2.18)),
    "TIMAR, MLP head": (
        (9.48, 1.67, 3.36),
        (10.45, 1.76, 3.56),
        (3.43, 1.12, 1.71),
        (3.50, 2.34, 1.77),
        (4.40, 1.38, 2.41),
    ),
    "TIMAR, full attention": (
        (9.12, 1.82, 3.04),
        (10.13, 1.91, 3.25),
        (3.67, 1.18, 1.62),
        (3.54, 2.27, 1.86),
        (4.12, 1.40, 2.21),
    ),
}


def scaled(metrics: Mapping[str, float]) -> list[list[float | None]]:
    """A row of the papers' table; None where a metric was not taken."""
    found = [
        [(metrics.get(f"{name}_{g}"), factor) for g, factor in zip(GROUPS, factors, strict=True)]
        for _, name, factors in COLUMNS
    ]
    return [[None if value is None else value * factor for value, factor in cell] for cell in found]


def table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown: one row for whatever made the motion, then the published ones."""
    lines = ["| | " + " | ".join(title for title, _, _ in COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    rows = {name: scaled(values) for name, values in metrics.items()}
    rows |= {f"{name}, published (DualTalk test set)": [list(cell) for cell in row] for name, row in PUBLISHED.items()}
    for name, row in rows.items():
        cells = [
            "" if cell == [None] * 3 else " / ".join("-" if v is None else f"{v:.2f}" for v in cell) for cell in row
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
