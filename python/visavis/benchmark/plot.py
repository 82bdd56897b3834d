"""Pictures of the reports (needs matplotlib)."""

import io
from pathlib import Path
from typing import Any

from visavis.errors import Unsupported
from visavis.motion_file import check_output_path, write_whole

COLOURS = ("#0b7a75", "#c8553d", "#7a6c5d", "#4f6d9c", "#b08900", "#7b4b94", "#2f2f2f")
RANKS = ("best", "p50", "p95", "p99", "max")


def plot_engines(report: dict[str, Any], path: str | Path) -> None:
    """Percentiles of a turn on each engine, and its stages.  Raises Unsupported without matplotlib, FileError."""
    figure, (left, right) = _figure(2)
    names, bottom = [], [0.0] * len(report["engines"])
    for i, engine in enumerate(report["engines"]):
        names.append(engine["engine"])
        for figures, style in zip(engine["heads"], ("-o", "--s", ":^", "-.d"), strict=False):
            label = f"{engine['engine']}, {figures['heads']} heads" if figures["heads"] > 1 else engine["engine"]
            values = [figures["turn_ms"][rank] for rank in RANKS]
            left.plot(RANKS, values, style, color=COLOURS[i % len(COLOURS)], label=label)
    left.set(yscale="log", ylabel="ms a turn and head", title=f"{report['model']['name']}: a turn")
    figure.legend(handles=left.get_lines(), loc="outside lower center", ncols=5, fontsize=8)
    for stage, colour in zip(("speech", "backbone", "denoise"), COLOURS, strict=False):
        stages = [engine["heads"][0]["stages_ms"].get(stage, {}).get("p50") or 0 for engine in report["engines"]]
        right.bar(names, stages, bottom=bottom, label=stage, color=colour)
        bottom = [a + b for a, b in zip(bottom, stages, strict=True)]
    whole = [(e["heads"][0]["compute_ms"]["p50"] or 0) - b for e, b in zip(report["engines"], bottom, strict=True)]
    if any(rest > 0.01 for rest in whole):
        right.bar(names, whole, bottom=bottom, label="not divided", color="#cccccc")
    right.set(ylabel=f"ms, p50, {report['engines'][0]['heads'][0]['heads']} head", title="stages")
    right.tick_params(axis="x", rotation=30)
    right.legend(fontsize=8)
    _save(figure, Path(path))


def plot_latency(report: dict[str, Any], path: str | Path) -> None:
    """The parts of both ways at p50 and p99.  Raises Unsupported without matplotlib, FileError."""
    figure, axes = _figure(len(report["ways"]))
    parts = dict.fromkeys(part for way in report["ways"].values() for part in way["parts_ms"])
    colours = dict(zip(parts, COLOURS, strict=True))
    for axis, (name, way) in zip(axes, report["ways"].items(), strict=True):
        for rank, at in (("p50", 1.0), ("p99", 0.0)):
            left = 0.0
            for part, times in way["parts_ms"].items():
                width = max(times[rank] or 0, 0)
                axis.barh(at, width, left=left, color=colours[part])
                left += width
            if (whole := way["total_ms"][rank]) is not None:
                axis.plot([whole, whole], [at - 0.4, at + 0.4], color="black")
        axis.set(yticks=[1, 0], yticklabels=["p50", "p99"], title=name)
        axis.set_xlabel("ms; each part at its own percentile, the line: the whole way at its own")
    keys = [axes[0].barh(0, 0, color=colour, label=part) for part, colour in colours.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), fontsize=8)
    _save(figure, Path(path))


def check_plot(path: Path | None) -> None:
    """Before anything is measured.  Raises Unsupported without matplotlib, FileError where nothing can be written."""
    if path is None:
        return
    check_output_path(path, "plot")
    _figure(1)


def _figure(n_panels: int) -> tuple[Any, Any]:
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise Unsupported(f"a plot needs the package {error.name}: pip install 'visavis[plot]'") from error
    return plt.subplots(1, n_panels, figsize=(6 * n_panels, 4.2), layout="constrained", squeeze=True)


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format=path.suffix.lstrip(".") or "png")
    plt.close(figure)
    write_whole(path, "plot", lambda file: file.write(picture.getvalue()))
