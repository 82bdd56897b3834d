"""The table of a choice: every axis for every variant, mean and spread over seeds, what differs from the default."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.campaign.page import spread
from visavis.choice.axes import AXES, Numbers
from visavis.choice.campaign import ENGINE, Choice, Run
from visavis.choice.factors import DEFAULT, FACTORS, Variant
from visavis.choice.rows import Row
from visavis.errors import InvalidArgument

Array = npt.NDArray[np.float64]
CLEAR = 2  # standard deviations over seeds


def results(choice: Choice, rows: list[Row]) -> str:
    """The table as Markdown, from the runs that are done, with what was varied and how."""
    if not rows:
        raise InvalidArgument(f"{choice.out}: no run is done yet")
    about, machines = rows[0].about, sorted({row.machine for row in rows})
    machine = "; ".join(machines) + ("; times of different machines stand in one column" if len(machines) > 1 else "")
    voices = "no real voices" if choice.voices is None else f"voices {about['voices']}"
    head = (
        f"{len(rows)} runs, {choice.about}; conversations {about['conversations']} "
        f"({about['clips']} clips, {about['minutes']} min), {voices}; a turn of one head on {ENGINE}, processor time "
        f"at best; {machine}. Mean ± standard deviation over seeds. **Bold**: with the same seed it differs from the "
        f"default, on average, by over {CLEAR} standard deviations, of these differences and of the default's values."
    )
    return "\n\n".join([head, axes_table(rows), levels_table(choice, rows), commands(choice)]) + "\n"


def axes_table(rows: list[Row]) -> str:
    """A row for each variant."""
    lines = ["| | seeds | " + " | ".join(axis.title for axis in AXES) + " |", "| --- |" + " --- |" * (len(AXES) + 1)]
    found = by_variant(rows)
    for variant, seeds in found.items():
        cells = [str(len(seeds))]
        for column in range(len(AXES)):
            ours, base = ({s: axes[column] for s, axes in found.get(v, {}).items()} for v in (variant, DEFAULT))
            cells.append(cell(ours, {} if variant is DEFAULT else base))
        lines.append(f"| {title(variant)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_variant(rows: Iterable[Row]) -> dict[Variant, dict[int, list[Numbers]]]:
    """Variant -> seed -> the numbers of each axis."""
    found: dict[Variant, dict[int, list[Numbers]]] = {}
    for row in rows:
        found.setdefault(row.variant, {})[row.seed] = [row.numbers[axis.title] for axis in AXES]
    return found


def cell(ours: Mapping[int, Numbers], base: Mapping[int, Numbers]) -> str:
    """The numbers of an axis by seed, each with its spread, bold where it is clearly another than the default's."""
    parts = []
    for i in range(len(next(iter(ours.values())))):
        values = np.array([numbers[i] for numbers in ours.values()])
        if not np.isfinite(values).all():
            parts.append("-")
            continue
        text = spread(values) if np.ptp(values) > 0 else _plain(values[0])
        both = [seed for seed in ours if seed in base]
        pairs = np.array([[ours[seed][i], base[seed][i]] for seed in both]).reshape(-1, 2)
        parts.append(f"**{text}**" if clear(*pairs.T) else text)
    return " / ".join(parts)


def _plain(value: float) -> str:
    """Three digits; whole numbers as they are."""
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"


def clear(ours: Array, base: Array) -> bool:
    """Whether values of two seeds or more, seed by seed, lie further from the default's than seeds alone explain."""
    if len(ours) < 2 or not np.isfinite(base).all():
        return False
    differences = ours - base
    return bool(abs(differences.mean()) > CLEAR * max(differences.std(ddof=1), base.std(ddof=1)))


def title(variant: Variant) -> str:
    """Of a row."""
    return DEFAULT.factor if variant is DEFAULT else f"{FACTORS[variant.factor][0]}: {variant.level}"


def levels_table(choice: Choice, rows: list[Row]) -> str:
    """What the rows are, as words of the commands."""
    given = dict(setting.split("=", 1) for setting in choice.settings)
    lines = ["| factor | default | row | `--set` of train, or of export --to gguf |", "| --- |" + " --- |" * 3]
    for variant in dict.fromkeys(row.variant for row in rows if row.variant is not DEFAULT):
        words, level = FACTORS[variant.factor]
        if variant.trained:  # around another default, perhaps
            level = given.get(variant.settings[0].split("=", 1)[0], level)
        lines.append(f"| {words} | {level} | {variant.level} | {', '.join(variant.settings or variant.changes)} |")
    return "\n".join(lines)


def commands(choice: Choice) -> str:
    """What makes and measures the default again; a variant has its `--set` besides."""
    named = choice if choice.model is None else replace(choice, model=Path(choice.model.name))
    run = Run(named, DEFAULT, choice.seeds[0])
    out, data = f"runs/{run.folder.name}", choice.data.name
    voices = None if choice.voices is None else choice.voices.name
    words = (run.making(data, out), run.evaluation(data, voices, out), run.timing(out))
    return "\n".join(["```", *(" ".join(["visavis", *line]) for line in words), "```"])
