"""What a run of the choice comes to: every axis that the table has a column for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from visavis import _core
from visavis.campaign.training import trained
from visavis.choice.campaign import Run
from visavis.constants import FRAME_RATE
from visavis.evaluation.lips import PLACES

Numbers = list[float]  # NaN: not measured
VOICE = "en"
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


def in_thousandths(*names: str) -> Callable[[Run], Numbers]:
    """The DualTalk protocol's metrics of conversations, times 1000."""
    numbers = in_section("Metrics", *names)
    return lambda run: [1000.0 * value for value in numbers(run)]


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
    from visavis.export.gguf import load_gguf

    n_weights = sum(parameter.numel() for parameter in load_gguf(run.model).parameters())
    return [n_weights / 1e6, run.model.stat().st_size / 1e6]


def reaction(run: Run) -> Numbers:
    """From a moment of the user to the first frame that can show it in a live session, ms: on average and at most."""
    metadata = _core.ModelFile(run.model).metadata()
    turn, lag = int(metadata["visavis.turn_frames"]), int(metadata["visavis.user_lag_frames"])
    most = max(lag, turn + LIVE_LAG_FRAMES)
    return [frames * 1000.0 / FRAME_RATE for frames in (most - turn / 2, most)]


def steps_made(run: Run) -> Numbers:
    """Steps of the training that gave the weights."""
    return [float((trained(run.base.folder) or {}).get("steps", "nan"))]


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
    Axis("FD: mouth / upper face / head, thousandths", in_thousandths("fid_mouth", "fid_upper", "fid_head")),
    Axis("MSE: mouth / upper face / head, thousandths", in_thousandths("mse_mouth", "mse_upper", "mse_head")),
    Axis("ms a turn / a second", cost),
    Axis("M weights / MB", size),
    Axis("reaction, ms: mean / most", reaction),
    Axis("steps trained", steps_made),
)
