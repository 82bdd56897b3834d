"""The campaign: each model trained and evaluated with several seeds, run by run; it can be stopped at any time."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.campaign.plan import check_plan
from visavis.campaign.schedule import run_jobs
from visavis.campaign.training import Length, resumed, trained, training
from visavis.reproduction.entries import ENTRIES, N_MAIN, Entry, chosen

# Of a campaign that goes on, these must stay as they were; beside them the name of the data.
FIXED = ("processor_minutes", "steps", "settings", "test_minutes")


@dataclass(frozen=True)
class Campaign:
    """What is asked for; the length of a training in processor minutes or in steps."""

    data: Path
    out: Path
    processor_minutes: float | None = None
    steps: int | None = None
    seeds: tuple[int, ...] = (1, 2, 3)
    only: tuple[str, ...] = ()
    jobs: int = 1  # runs side by side
    threads: int = 1  # of each
    settings: tuple[str, ...] = ()  # of every training, after the entry's own
    test_minutes: float | None = None  # of the test split; None: all of it

    def __post_init__(self) -> None:
        Length(self.processor_minutes, self.steps)  # raises

    @property
    def length(self) -> Length:
        """Of each training."""
        return Length(self.processor_minutes, self.steps)

    def runs(self) -> list["Run"]:
        """Every run, the main models with all seeds first."""
        pairs = [(entry, seed) for seed in self.seeds for entry in chosen(list(self.only))]
        return [Run(self, *pair) for pair in sorted(pairs, key=lambda pair: pair[0] not in ENTRIES[:N_MAIN])]


@dataclass(frozen=True)
class Run:
    """One model with one seed: a job of the schedule."""

    campaign: Campaign
    entry: Entry
    seed: int

    @property
    def folder(self) -> Path:
        """Of everything that belongs to it."""
        return self.campaign.out / f"{self.entry.name}-{self.seed}"

    @property
    def waits_for(self) -> str | None:
        """No run needs another."""
        return None

    def training(self, data: str, out: str) -> list[str]:
        """The words of its training command after `visavis`."""
        settings = (*self.entry.settings, *self.campaign.settings)
        return training(data, out, self.entry.recipe, settings, self.campaign.length, self.seed)

    def evaluation(self, data: str, model: str, out: str, offline: bool) -> list[str]:
        """The words of an evaluation command after `visavis`."""
        minutes = [] if self.campaign.test_minutes is None else ["--minutes", f"{self.campaign.test_minutes:g}"]
        how = ["--engine", "torch", "--no-controls", "--workers", "1", "--seed", str(self.seed), *minutes]
        sees = ["--offline"] if offline else []
        return ["evaluate", "--data", data, "--model", model, "--split", "test", *how, *sees, "--out", out]

    @property
    def model(self) -> Path:
        """The trained model; a model for comparison is no model file."""
        files = [self.folder / name for name in ("model.gguf", "model.pt")]
        return next((file for file in files if file.is_file()), files[0])

    def views(self) -> dict[str, bool]:
        """Report folder -> whether it is of windows that see what is to come."""
        return {"report": False, **({"offline": True} if self.entry.offline else {})}

    def report(self, view: str) -> dict[str, Any] | None:
        """The report of a view; None before."""
        file = self.folder / view / "report.json"
        return json.loads(file.read_text()) if file.is_file() else None

    def next_command(self) -> list[str] | None:
        """The words after `visavis` of what is to be done next; None where nothing is left."""
        data = str(self.campaign.data)
        if trained(self.folder) is None:
            return resumed(self.training(data, str(self.folder)), self.folder)
        for view, offline in self.views().items():
            if self.report(view) is None:
                return self.evaluation(data, str(self.model), str(self.folder / view), offline)
        return None


def run_campaign(campaign: Campaign, say: Callable[[str], None] = print) -> list[Run]:
    """Finish every run that is not done; returns all runs.  A failed one hinders no other and is an Error at the end.

    SIGINT and SIGTERM end the commands that run (KeyboardInterrupt); the same call goes on from their checkpoints.
    """
    runs = campaign.runs()
    fixed = {name: getattr(campaign, name) for name in FIXED}
    check_plan(campaign.out, {"data": campaign.data.name, **fixed})
    run_jobs(runs, campaign.jobs, campaign.threads, say)
    return runs
