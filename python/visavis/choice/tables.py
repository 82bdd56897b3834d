"""The table of a choice: every axis for every variant, mean and spread over seeds, what differs from the default."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis import _core
from visavis.campaign.page import spread
from visavis.campaign.plan import read_plan
from visavis.campaign.training import trained
from visavis.choice.campaign import ENGINE, Choice, Run
from visavis.choice.factors import DEFAULT, FACTORS, Variant
from visavis.constants import FRAME_RATE
from visavis.errors import InvalidArgument
from visavis.evaluation.lips import PLACES

Array = npt.NDArray[np.float64]
Numbers = list[float]  # NaN: not measured
VOICE = "en"
CLEAR = 2  # standard deviations over seeds
LIVE_LAG_FRAMES = 2  # beyond F, the least that a live session keeps: the lead and the user's own way (docs/clock.md)


@dataclass(frozen=True)
class Axis:
    """A column: its title and its numbers of a run, always as many."""

    title: str
    of: Callable[[Run], Numbers]


def in_section(section: str, *names: str) -> Callable[[Run], Numbers]:
    """Values of measures in a section of the suite."""

    def numbers(run: Run) -> Numbers:
        rows = (run.suite() or {})["sections"][section]
        values = {row["name"]: row["value"] for row in rows}
        return [_number(values.get(name)) for name in names]

    return numbers


def by_place(what: int) -> Callable[[Run], Numbers]:
    """Mouth r (0) or closures (1) of conversations at the places in the turn."""

    def numbers(run: Run) -> Numbers:
        rows = (run.suite() or {})["sections"]["Places in the turn"]
        return [_number(row["value"]) for row in rows[what * len(PLACES) : (what + 1) * len(PLACES)]]

    return numbers


def of_voice(*keys: str) -> Callable[[Run], Numbers]:
    """Values of the real English voice; NaN where there was none."""

    def numbers(run: Run) -> Numbers:
        voice = (run.suite() or {})["voices"].get(VOICE, {})
        return [_number(voice[key]["value"]) if key in voice else float("nan") for key in keys]

    return numbers


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def cost(run: Run) -> Numbers:
    """Processor milliseconds of a turn at best, and of a second of motion."""
    bench = run.bench() or {}
    best = float(bench["engines"][0]["heads"][0]["processor_ms"]["best"])
    return [best, best * 1000.0 / float(bench["model"]["turn_ms"])]


def size(run: Run) -> Numbers:
    """Millions of weights, megabytes of the model file."""
    return [(trained(run.base.folder) or {})["weights"] / 1e6, run.model.stat().st_size / 1e6]


def reaction(run: Run) -> Numbers:
    """From a moment of the user to the first frame that can show it in a live session, ms: on average and at most."""
    metadata = _core.ModelFile(run.model).metadata()
    turn, lag = int(metadata["visavis.turn_frames"]), int(metadata["visavis.user_lag_frames"])
    most = max(lag, turn + LIVE_LAG_FRAMES)
    return [frames * 1000.0 / FRAME_RATE for frames in (most - turn / 2, most)]


def steps_made(run: Run) -> Numbers:
    """Steps of the training that gave the weights."""
    return [float((trained(run.base.folder) or {})["steps"])]


_LIPS, _HEAD, _ANSWERS = "Lips in conversations", "Head and smiles", "Answers to the partner"
_SHUT = ("lips shut on p, b, m", "lips shut on open vowels")
_JITTER = tuple(f"rms second difference / performer's, {group}" for group in ("mouth", "upper", "head"))
_ASKED = tuple(f"{what} after phrases / with another user's voice" for what in ("nods", "smiles"))
AXES = (
    Axis("mouth r, held-out", in_section(_LIPS, "mouth r (7 channels)")),
    Axis("shut on p, b, m / on vowels, held-out", in_section(_LIPS, *_SHUT)),
    Axis("mouth r by place, held-out", by_place(0)),
    Axis("shut by place, held-out", by_place(1)),
    Axis("mouth r, real", of_voice("r")),
    Axis("shut on p, b, m / on vowels, real", of_voice("closed", "false")),
    Axis("mouth r by place, real", of_voice(*(f"r_{place}" for place in PLACES))),
    Axis("shut by place, real", of_voice(*(f"closed_{place}" for place in PLACES))),
    Axis("unsteady: mouth / upper face / head", in_section(_HEAD, *_JITTER)),
    Axis("head pitch over 8 Hz", in_section(_HEAD, "head pitch power over 8 Hz / performer's")),
    Axis("nods / smiles answered", in_section(_ANSWERS, *_ASKED)),
    Axis("ms a turn / a second", cost),
    Axis("M weights / MB", size),
    Axis("reaction, ms: mean / most", reaction),
    Axis("steps trained", steps_made),
)


def results(choice: Choice, runs: list[Run]) -> str:
    """The table as Markdown, from the runs that are done, with what was varied and how."""
    done = [run for run in runs if run.next_command() is None]
    if not done:
        raise InvalidArgument(f"{choice.out}: no run is done yet")
    about, machine = (done[0].suite() or {})["about"], read_plan(choice.out)["machine"]
    voices = "no real voices" if choice.voices is None else f"voices {about['voices']}"
    head = (
        f"{len(done)} of {len(runs)} runs, {choice.length} of training each; conversations {about['conversations']} "
        f"({about['clips']} clips, {about['minutes']} min), {voices}; a turn of one head on {ENGINE}, processor time "
        f"at best; {machine}. Mean ± standard deviation over seeds. **Bold**: with the same seed it differs from the "
        f"default, on average, by over {CLEAR} standard deviations, of these differences and of the default's values."
    )
    return "\n\n".join([head, axes_table(done), levels_table(done), commands(choice)]) + "\n"


def axes_table(runs: list[Run]) -> str:
    """A row for each variant."""
    lines = ["| | seeds | " + " | ".join(axis.title for axis in AXES) + " |", "| --- |" + " --- |" * (len(AXES) + 1)]
    found = by_variant(runs)
    for variant, seeds in found.items():
        cells = [str(len(seeds))]
        for column in range(len(AXES)):
            ours, base = ({s: axes[column] for s, axes in found.get(v, {}).items()} for v in (variant, DEFAULT))
            cells.append(cell(ours, {} if variant is DEFAULT else base))
        lines.append(f"| {title(variant)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_variant(runs: Iterable[Run]) -> dict[Variant, dict[int, list[Numbers]]]:
    """Variant -> seed -> the numbers of each axis."""
    found: dict[Variant, dict[int, list[Numbers]]] = {}
    for run in runs:
        found.setdefault(run.variant, {})[run.seed] = [axis.of(run) for axis in AXES]
    return found


def cell(ours: Mapping[int, Numbers], base: Mapping[int, Numbers]) -> str:
    """The numbers of an axis by seed, each with its spread, bold where it is clearly another than the default's."""
    parts = []
    for i in range(len(next(iter(ours.values())))):
        values = np.array([numbers[i] for numbers in ours.values()])
        if not np.isfinite(values).all():
            parts.append("-")
            continue
        text = spread(values) if np.ptp(values) > 0 else f"{values[0]:.3g}"
        both = [seed for seed in ours if seed in base]
        pairs = np.array([[ours[seed][i], base[seed][i]] for seed in both]).reshape(-1, 2)
        parts.append(f"**{text}**" if clear(*pairs.T) else text)
    return " / ".join(parts)


def clear(ours: Array, base: Array) -> bool:
    """Whether values of two seeds or more, seed by seed, lie further from the default's than seeds alone explain."""
    if len(ours) < 2 or not np.isfinite(base).all():
        return False
    differences = ours - base
    return bool(abs(differences.mean()) > CLEAR * max(differences.std(ddof=1), base.std(ddof=1)))


def title(variant: Variant) -> str:
    """Of a row."""
    return DEFAULT.factor if variant is DEFAULT else f"{FACTORS[variant.factor][0]}: {variant.level}"


def levels_table(runs: list[Run]) -> str:
    """What the rows are, as words of the commands."""
    lines = ["| factor | default | row | `--set` of train, or of export --to gguf |", "| --- |" + " --- |" * 3]
    for variant in dict.fromkeys(run.variant for run in runs if run.variant is not DEFAULT):
        words, level = FACTORS[variant.factor]
        lines.append(f"| {words} | {level} | {variant.level} | {', '.join(variant.settings or variant.changes)} |")
    return "\n".join(lines)


def commands(choice: Choice) -> str:
    """What makes and measures the default again; a variant has its `--set` besides."""
    run = Run(choice, DEFAULT, choice.seeds[0])
    out, data = f"runs/{run.folder.name}", choice.data.name
    voices = None if choice.voices is None else choice.voices.name
    words = (run.making(data, out), run.evaluation(data, voices, out), run.timing(out))
    return "\n".join(["```", *(" ".join(["visavis", *line]) for line in words), "```"])
