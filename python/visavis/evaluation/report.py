"""An evaluation on disk: report.json for scripts, report.md for people, plots of curves and spectra."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from visavis.constants import FRAME_RATE
from visavis.data.statistics import speaks
from visavis.evaluation import events, paper
from visavis.evaluation.checks import Check, Clip
from visavis.evaluation.run import Evaluation
from visavis.motion_space import MotionSpace

CURVES = {
    "arkit55": ("jawOpen", "mouthClose", "mouthPucker", "mouthSmileLeft", "browInnerUp", "headPitch", "headYaw"),
    "flame56": ("exp0", "exp1", "exp2", "jawX", "neckX", "neckY", "neckZ"),
}
SPECTRA = {
    "arkit55": ("jawOpen", "mouthSmileLeft", "headPitch", "headYaw"),
    "flame56": ("exp0", "jawX", "neckX", "neckY"),
}
PLOT_S = 30


def write_report(result: Evaluation, out: Path, about: dict[str, Any], space: MotionSpace) -> str:
    """Write the report's files into `out` and return the Markdown text."""
    out.mkdir(parents=True, exist_ok=True)
    about = {**about, "clips": len(result.clips), "minutes": round(result.minutes, 2)}
    document = {
        "about": about,
        "checks": [vars(c) for c in result.checks],
        "performer": [vars(c) for c in result.performer],
        "metrics": result.metrics,
    }
    (out / "report.json").write_text(json.dumps(document, indent=1, default=str) + "\n")
    text = markdown(result, about, space)
    (out / "report.md").write_text(text)
    plot_curves(result.clips[:2], out, space)
    plot_spectra(result.clips, out, space)
    return text


def markdown(result: Evaluation, about: dict[str, Any], space: MotionSpace) -> str:
    """The tables of a report; for the papers' motion space also theirs."""
    lines = ["; ".join(f"{key}: {value}" for key, value in about.items()), ""]
    if result.checks:
        lines += ["| check | required | model | passed | performer | numbers |", "| --- |" + " --- |" * 5]
        performer = {c.name: c for c in result.performer}
        lines += [_check_row(c, performer.get(c.name)) for c in result.checks]
        lines.append("")
    if space.name == "flame56":
        lines += [paper.table(result.metrics), ""]
    names = list(result.metrics["model"])
    lines += ["| metric | " + " | ".join(result.metrics) + " |", "| --- |" + " --- |" * len(result.metrics)]
    for name in names:
        cells = [f"{table[name]:.4g}" if name in table else "" for table in result.metrics.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _check_row(check: Check, performer: Check | None) -> str:
    theirs = "" if performer is None else f"{performer.value:.3g}" + ("" if performer.passed else " (fails)")
    verdict = "yes" if check.passed else "**no**"
    return f"| {check.name} | {check.required} | {check.value:.3g} | {verdict} | {theirs} | {check.note} |"


def plot_curves(clips: list[Clip], out: Path, space: MotionSpace) -> None:
    """A few channels of the first clips, model over performer, with who speaks when."""
    plt, names = _pyplot(), CURVES[space.name]
    for number, clip in enumerate(clips):
        n = min(len(clip.motion), PLOT_S * FRAME_RATE)
        time = np.arange(n) / FRAME_RATE
        figure, axes = plt.subplots(len(names) + 1, 1, figsize=(14, 2 * len(names)), sharex=True)
        for axis, name in zip(axes, names, strict=False):
            channel = space.index(name)
            axis.plot(time, clip.truth[:n, channel], lw=0.8, color="0.55", label="performer")
            axis.plot(time, clip.motion[:n, channel], lw=0.9, color="C3", label="model")
            axis.set_ylabel(name)
        axes[0].legend(loc="upper right")
        for person, height, colour in ((clip.agent, 1, "C0"), (clip.user, 0, "C1")):
            axes[-1].fill_between(time, height, height + 0.8 * speaks(person)[:n], color=colour)
        ends = [float(t) for t in clip.user.labels.get("phrase_end", ()) if float(t) < PLOT_S]
        axes[-1].vlines(ends, 0, 1, color="k", lw=0.8)
        axes[-1].set_ylabel("user | agent")
        axes[-1].set_xlabel(f"seconds of {clip.name}")
        figure.tight_layout()
        figure.savefig(out / f"curves_{number + 1}.png", dpi=70)
        plt.close(figure)


def plot_spectra(clips: list[Clip], out: Path, space: MotionSpace) -> None:
    """Power spectra of jaw, smile and head, model over performer."""
    plt = _pyplot()
    names = SPECTRA[space.name]
    clips = [c for c in clips if len(c.motion) >= 5 * FRAME_RATE]
    if not clips:
        return
    figure, axes = plt.subplots(1, len(names), figsize=(16, 4))
    for axis, name in zip(axes, names, strict=True):
        channel = space.index(name)
        for label, colour in (("performer", "0.55"), ("model", "C3")):
            spectra = [events.spectrum((c.motion if label == "model" else c.truth)[:, channel]) for c in clips]
            hz, power = spectra[0][0], np.maximum(np.mean([p for _, p in spectra], axis=0), 1e-12)
            axis.semilogy(hz[1:], power[1:], color=colour, label=label)
        axis.set_title(name)
        axis.set_xlabel("Hz")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(out / "spectra.png", dpi=70)
    plt.close(figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt
