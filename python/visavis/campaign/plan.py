"""What a campaign's folder was begun for, and on which machine."""

import json
import os
from pathlib import Path
from typing import Any

import visavis
from visavis.benchmark.machine import processor
from visavis.errors import InvalidArgument


def check_plan(folder: Path, plan: dict[str, Any]) -> None:
    """A folder holds one campaign: the plan is written into a new one; another than the one there is InvalidArgument.

    `plan`: what must stay as it is for a campaign to go on, values that JSON has.
    """
    file = folder / "plan.json"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**plan, "machine": machine()}, indent=1) + "\n")
        return
    check_same(read_plan(folder), plan, folder)


def check_same(known: dict[str, Any], plan: dict[str, Any], where: Path) -> None:
    """Raises InvalidArgument where the plan that `where` was begun with is another one."""
    plan = json.loads(json.dumps(plan))
    if changed := [f"{k} {known.get(k)} (now {plan[k]})" for k in plan if known.get(k) != plan[k]]:
        raise InvalidArgument(f"{where} holds another campaign: {', '.join(changed)}; choose another place")


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan with the key "machine": the processor and the versions that the numbers hold for."""
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return plan


def machine() -> str:
    """The processor and the versions that numbers hold for."""
    from importlib.metadata import version

    return f"{processor()}, {os.cpu_count()} cores; torch {version('torch')}, visavis {visavis.__version__}"
