"""A suite on disk: suite.json for scripts, suite.md for people, suite.png, one page of plots."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from visavis.constants import FRAME_RATE
from visavis.evaluation import events, lips
from visavis.evaluation.lips import PLACES
from visavis.evaluation.measures import Measure
from visavis.evaluation.report import markdown as evaluation_markdown
from visavis.evaluation.suite import ACTIVITY, CLOSED, FALSELY_CLOSED, MOUTH_R, OFFSET_MS, Suite, curve_of
from visavis.motion_space import MotionSpace

VOICE_COLUMNS = ("r", "closed", "false", "pressed", "jaw", "lag", "jitter")
PLACE_COLUMNS = tuple(f"{what}_{place}" for what in ("r", "closed") for place in PLACES)
LOUDNESS_COLUMNS = ("loudness_jaw", "loudness_lag", "loudness_dip", "loudness_dip_lag", "loudness_count")
EXAMPLE_S = 8


def write_suite(suite: Suite, out: Path, about: dict[str, Any], space: MotionSpace) -> str:
    """Write the report's files into `out` and return the Markdown text."""
    out.mkdir(parents=True, exist_ok=True)
    result = suite.evaluation
    about = {**about, "clips": len(result.clips), "minutes": round(result.minutes, 2)}
    document = {
        "about": about,
        "left_out": suite.left_out,
        "sections": {s.title: [vars(m) for m in s.measures] for s in suite.sections},
        "voices": {name: {k: vars(m) for k, m in row.items()} for name, row in suite.voices.items()},
        "checks": [vars(c) for c in result.checks],
        "performer": [vars(c) for c in result.performer],
        "metrics": result.metrics,
    }
    (out / "suite.json").write_text(json.dumps(document, indent=1, default=str) + "\n")
    text = markdown(suite, about, space)
    (out / "suite.md").write_text(text)
    plot_page(suite, out / "suite.png")
    return text


def markdown(suite: Suite, about: dict[str, Any], space: MotionSpace) -> str:
    """All tables; an interval is 95 % of a bootstrap over conversations, prompts or stretches of 5 s."""
    lines = ["; ".join(f"{key}: {value}" for key, value in about.items()), ""]
    lines += [f"Left out: {what}." for what in suite.left_out]
    for section in suite.sections:
        lines += [f"## {section.title}", "", f"{section.about[0].upper()}{section.about[1:]}.", ""]
        lines += ["| | value | 95 % | wanted | passed | |", "| --- |" + " --- |" * 5]
        lines += [_row(m) for m in section.measures]
        lines.append("")
        if section.title == "Targets" and suite.voices:
            lines += _voice_tables(suite)
    lines += ["## The fixed checks", "", evaluation_markdown(suite.evaluation, {}, space)]
    return "\n".join(lines)


def _row(m: Measure) -> str:
    verdict = {None: "", True: "yes", False: "**no**"}[m.passed]
    return f"| {m.name} | {m.value:.3g} | {_interval(m)} | {m.required} | {verdict} | {m.note} |"


def _interval(m: Measure) -> str:
    return f"{m.low:.3g} to {m.high:.3g}" if np.isfinite(m.low) else ""


def _voice_tables(suite: Suite) -> list[str]:
    """One row for each voice and condition."""
    lines = ["## Voices never trained on", ""]
    for columns in (VOICE_COLUMNS, PLACE_COLUMNS, LOUDNESS_COLUMNS):
        rows = {name: row for name, row in suite.voices.items() if any(c in row for c in columns)}
        names = {c: next((row[c].name for row in rows.values() if c in row), c) for c in columns}
        lines += ["| voice | " + " | ".join(names.values()) + " |", "| --- |" + " --- |" * len(columns)]
        for name, row in rows.items():
            cells = [f"{row[c].value:.3g} ({_interval(row[c])})" if c in row else "" for c in columns]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def plot_page(suite: Suite, path: Path) -> None:
    """Everything on one page."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 3, figsize=(16.5, 18))
    draw = (_plot_r, _plot_closures, _plot_offset, _plot_example, _plot_jaw, _plot_sounds, _plot_response,
            _plot_answers, _plot_spectrum, _plot_behaviour, _plot_seeds, _plot_targets)  # fmt: skip
    for axis, panel in zip(axes.flat, draw, strict=True):
        panel(axis, suite)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _section(suite: Suite, title: str) -> list[Measure]:
    return next(s.measures for s in suite.sections if s.title == title)


def _bars(axis: Any, measures: list[Measure], names: list[str], colour: str = "C3", shift: float = 0.0) -> None:
    at = np.arange(len(measures)) + shift
    values = np.nan_to_num([m.value for m in measures], posinf=0.0)
    finite = [m if np.isfinite(m.low) else Measure(m.name, v, v, v) for m, v in zip(measures, values, strict=True)]
    spread = np.array([[max(v - m.low, 0.0), max(m.high - v, 0.0)] for m, v in zip(finite, values, strict=True)])
    axis.barh(at, values, 0.35 if shift else 0.6, color=colour, xerr=spread.T if len(at) else None, ecolor="0.3")
    axis.set_yticks(np.arange(len(names)), names, fontsize=8)
    axis.invert_yaxis()


def _of_voices(suite: Suite, column: str) -> tuple[list[Measure], list[str]]:
    rows = {name: row[column] for name, row in suite.voices.items() if column in row}
    return list(rows.values()), list(rows)


def _plot_r(axis: Any, suite: Suite) -> None:
    measures, names = _of_voices(suite, "r")
    _bars(axis, measures, names)
    axis.axvline(MOUTH_R, color="k", ls=":")
    axis.set_title("mouth r against performer v1, voices never trained on")


def _plot_closures(axis: Any, suite: Suite) -> None:
    measures, names = _of_voices(suite, "closed")
    _bars(axis, measures, names, "C0", -0.18)
    axis.invert_yaxis()
    _bars(axis, _of_voices(suite, "false")[0], names, "C1", 0.18)
    axis.axvline(CLOSED, color="C0", ls=":")
    axis.axvline(FALSELY_CLOSED, color="C1", ls=":")
    axis.set_title("lips shut on p, b, m (blue) and on open vowels (orange)")


def _plot_offset(axis: Any, suite: Suite) -> None:
    measures, names = _of_voices(suite, "lag")
    _bars(axis, measures, names)
    for limit in (-OFFSET_MS, OFFSET_MS):
        axis.axvline(limit, color="k", ls=":")
    axis.set_title("mouth behind the reference, ms")


def _plot_example(axis: Any, suite: Suite) -> None:
    """A few seconds of the English voice, or of a conversation."""
    if "en" in suite.curves:
        clips, motions = suite.curves["en"]["clips"], suite.curves["en"]["motions"]
        i = int(np.argmax([min(len(m), EXAMPLE_S * FRAME_RATE) for m in motions]))
        motion, truth, title = motions[i], clips[i].person.motion, f"{clips[i].name}: {clips[i].text[:40]}"
    else:
        clip = suite.evaluation.clips[0]
        motion, truth, title = clip.motion, clip.truth, clip.name
    n = min(len(motion), EXAMPLE_S * FRAME_RATE)
    time = np.arange(n) / FRAME_RATE
    for offset, channel in ((0.0, 0), (0.8, 5)):  # jawOpen, mouthPress
        axis.plot(time, offset + lips.mouth(truth[:n])[:, channel], color="0.55", lw=1)
        axis.plot(time, offset + lips.mouth(motion[:n])[:, channel], color="C3", lw=1)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("s; below jawOpen, above mouthPress; grey: reference")


def _plot_jaw(axis: Any, suite: Suite) -> None:
    clips = suite.evaluation.clips
    inside = [lips.spoken(c.agent, len(c.motion)) for c in clips]
    motions = {"performer": [c.truth for c in clips], "model": [c.motion for c in clips]}
    for label, colour in (("performer", "0.55"), ("model", "C3")):
        pairs = zip(motions[label], inside, strict=True)
        counts = np.sum([lips.jaw_histogram(m, s) for m, s in pairs], axis=0)
        axis.stairs(counts / max(counts.sum(), 1), lips.JAW_BINS, color=colour, label=label)
    axis.set_xlim(0, 0.7)
    axis.legend()
    axis.set_title("jawOpen while speaking (conversations)")


def _plot_sounds(axis: Any, suite: Suite) -> None:
    measures = _section(suite, "Sounds that are no speech")
    _bars(axis, measures, [m.name for m in measures])
    axis.axvline(ACTIVITY, color="k", ls=":")
    axis.set_title("travel of the mouth / while speaking")


def _plot_response(axis: Any, suite: Suite) -> None:
    curves = suite.curves["response"]
    for name, colour in (("performer", "0.55"), ("another user's voice", "C0"), ("model", "C3")):
        axis.plot(curves["times"], curves[name], color=colour, label=name)
    axis.axvline(0, color="k", lw=0.8)
    axis.legend(fontsize=8)
    axis.set_xlabel("s after the partner's phrase end")
    axis.set_title("nods that begin, a second")


def _plot_answers(axis: Any, suite: Suite) -> None:
    measures = _section(suite, "Answers to the partner")
    _bars(axis, measures, [m.name.replace(" / ", " /\n") for m in measures])
    axis.set_title("answers to the partner")


def _plot_spectrum(axis: Any, suite: Suite) -> None:
    clips = suite.evaluation.clips
    for label, colour, motions in (
        ("performer", "0.55", [c.truth for c in clips]),
        ("model", "C3", [c.motion for c in clips]),
    ):
        hz, power = curve_of(motions, events.PITCH)
        axis.semilogy(hz[1:], np.maximum(power[1:], 1e-12), color=colour, label=label)
    axis.legend()
    axis.set_xlabel("Hz")
    axis.set_title("head pitch, power")


def _plot_behaviour(axis: Any, suite: Suite) -> None:
    """Values in units of the published range: 0 its lower end, 1 its upper one."""
    measures = [m for title in ("Head and smiles", "Eyes") for m in _section(suite, title) if ".." in m.required]
    for i, m in enumerate(measures):
        low, high = (float(x) for x in m.required.split(".."))
        scaled = [(x - low) / (high - low) for x in (m.value, m.low, m.high)]
        axis.plot(scaled[1:], [i, i], color="0.3")
        axis.plot(scaled[0], i, "o", color="C3")
    axis.axvspan(0, 1, color="C2", alpha=0.2)
    axis.set_xlim(-2, 3)
    axis.set_yticks(range(len(measures)), [m.name for m in measures], fontsize=8)
    axis.invert_yaxis()
    axis.set_title("inside the published range (green)?")


def _plot_seeds(axis: Any, suite: Suite) -> None:
    takes = suite.curves["takes"]
    for i, motions in enumerate(takes):
        n = min(len(motions[0]), 20 * FRAME_RATE)
        time = np.arange(n) / FRAME_RATE
        axis.plot(time, np.degrees(motions[0][:n, events.PITCH]), lw=1, color=f"C{i}")
        axis.plot(time, 20 + 30 * motions[0][:n, events.JAW], lw=1, color=f"C{i}")
    spread = ", ".join(f"{m.name.split(', ')[1]} {m.value:.2f}" for m in _section(suite, "Diversity"))
    axis.set_title(f"four seeds: head pitch (degrees), jaw above; {spread}", fontsize=9)
    axis.set_xlabel("s")


def _plot_targets(axis: Any, suite: Suite) -> None:
    axis.axis("off")
    lines = [
        f"{'yes' if m.passed else 'NO ':4} {m.value:9.3g}  {m.required:>9}  {m.name[:52]}"
        for m in _section(suite, "Targets")
    ]
    axis.text(0, 1, "\n".join(["targets", "", *lines]), va="top", family="monospace", fontsize=7)
