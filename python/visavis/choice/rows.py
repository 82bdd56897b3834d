"""Rows of a choice: what each run came to, in one small file, so that a campaign can go on on another machine."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.campaign.plan import check_same, read_plan
from visavis.choice.axes import AXES, Numbers
from visavis.choice.campaign import Choice, Run
from visavis.choice.factors import VARIANTS, Variant
from visavis.errors import FileError

BY_NAME = {variant.name: variant for variant in VARIANTS}


@dataclass(frozen=True)
class Row:
    """One run's numbers by the titles of AXES, and what they hold for."""

    variant: Variant
    seed: int
    machine: str
    about: dict[str, Any]  # the suite's: conversations, clips, minutes, voices
    numbers: dict[str, Numbers]

    @property
    def key(self) -> tuple[str, int]:
        """Variant and seed."""
        return self.variant.name, self.seed


def row_of(run: Run) -> Row:
    """Of a run that is done."""
    about = (run.suite() or {})["about"]
    kept = {name: about[name] for name in ("conversations", "clips", "minutes", "voices")}
    machine = str(read_plan(run.choice.out)["machine"])
    return Row(run.variant, run.seed, machine, kept, {axis.title: axis.of(run) for axis in AXES})


def read_rows(file: Path, choice: Choice) -> list[Row]:
    """The rows of a file, none where there is no file; another campaign's rows are an InvalidArgument."""
    if not file.is_file():
        return []
    try:
        document = json.loads(file.read_text(encoding="utf8"))
        plan, rows = document["plan"], [_row(entry) for entry in document["rows"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{file}: no rows of a choice ({error!r}); expected what --rows has written") from None
    check_same(plan, choice.plan(), file)
    return rows


def _row(entry: dict[str, Any]) -> Row:
    numbers = {axis.title: [math.nan if x is None else float(x) for x in entry["numbers"][axis.title]] for axis in AXES}
    return Row(BY_NAME[entry["variant"]], int(entry["seed"]), str(entry["machine"]), dict(entry["about"]), numbers)


def write_rows(file: Path, choice: Choice, rows: Iterable[Row]) -> None:
    """All of them with the plan that they belong to; what was not measured is null."""
    entries = [
        {
            "variant": row.variant.name,
            "seed": row.seed,
            "machine": row.machine,
            "about": row.about,
            "numbers": {t: [x if math.isfinite(x) else None for x in values] for t, values in row.numbers.items()},
        }
        for row in rows
    ]
    file.write_text(json.dumps({"plan": choice.plan(), "rows": entries}, indent=1) + "\n", encoding="utf8")


def left(runs: list[Run], known: Iterable[Row]) -> list[Run]:
    """Runs that have no row, and the defaults whose weights these need."""
    done = {row.key for row in known}
    missing = [run for run in runs if (run.variant.name, run.seed) not in done]
    needed = {run.base.folder for run in missing}
    return [run for run in runs if run in missing or run.folder in needed]


def merged(runs: list[Run], known: Iterable[Row]) -> list[Row]:
    """The known rows and those of the runs that are done, in the order of VARIANTS and seeds."""
    found = {row.key: row for row in known}
    found |= {row.key: row for row in (row_of(run) for run in runs if run.next_command() is None)}
    order = list(BY_NAME)
    return sorted(found.values(), key=lambda row: (order.index(row.variant.name), row.seed))
