"""The training of a run: how long, which command, whether it is finished."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.errors import InvalidArgument

SAVE_MINUTES = 2  # a stopped training loses at most so much


@dataclass(frozen=True)
class Length:
    """Of each training of a campaign: processor minutes or steps.  Raises InvalidArgument for both or neither."""

    processor_minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.processor_minutes is None) == (self.steps is None):
            raise InvalidArgument("give either processor minutes or steps")

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.processor_minutes:g} processor minutes"

    def words(self) -> list[str]:
        """On the command line."""
        if self.steps is not None:
            return ["--steps", str(self.steps)]
        return ["--processor-minutes", f"{self.processor_minutes:g}"]


def training(data: str, out: str, recipe: str, settings: Sequence[str], length: Length, seed: int) -> list[str]:
    """The words of a training command after `visavis`."""
    how = ["--recipe", recipe, *(word for setting in settings for word in ("--set", setting)), *length.words()]
    return ["train", "--data", data, "--out", out, *how, "--seed", str(seed), "--save-minutes", str(SAVE_MINUTES)]


def resumed(words: list[str], folder: Path) -> list[str]:
    """The command, or what goes on from the checkpoint that an earlier one left in its folder."""
    return [*words, "--resume"] if (folder / "checkpoint.pt").is_file() else words


def trained(folder: Path) -> dict[str, Any] | None:
    """What the finished training in a folder took; None before."""
    file = folder / "training.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return found if found.get("progress", 0.0) >= 1.0 else None
