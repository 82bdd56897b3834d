"""Percentiles, and columns for people."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

RANKS = {"p50": 50, "p95": 95, "p99": 99, "max": 100}


def summary(values: ArrayLike) -> dict[str, float | None]:
    """Best, p50, p95, p99, max and mean; None where that is not a number: a percentile that falls on what never came.

    No interpolation: each but the mean is one of the values.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    if not len(ordered):
        return dict.fromkeys(("best", *RANKS, "mean"))
    picked = {"best": 0} | {name: max(0, -(-len(ordered) * rank // 100) - 1) for name, rank in RANKS.items()}
    found = {name: float(ordered[i]) for name, i in picked.items()} | {"mean": float(ordered.mean())}
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in found.items()}


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right."""
    table = [list(titles), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(titles))]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def shown(value: float | None, digits: int = 3) -> str:
    """A number, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"
