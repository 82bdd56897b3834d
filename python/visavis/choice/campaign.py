"""The campaign: the default and its variants, each trained or changed, measured by the suite, and timed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.campaign.plan import check_plan
from visavis.campaign.schedule import run_jobs
from visavis.campaign.training import Length, resumed, trained, training
from visavis.choice.factors import DEFAULT, Variant, chosen
from visavis.data.corpus.layout import identity
from visavis.errors import InvalidArgument

SPLIT = "val"  # and the dev half of the voices: choices are made there
ENGINE = "cpu:f32"
TURNS = 100  # timed, after the history is full
# Of a campaign that goes on, these must stay as they were; beside them the names of data and voices, and
# where there are such files, the hashes of what a corpus was made from and of the model.
FIXED = ("processor_minutes", "steps", "settings", "minutes")


@dataclass(frozen=True)
class Choice:
    """What is asked for: the length of a training in processor minutes or in steps, or a model to be changed.

    With a model nothing is trained: the default is that file, and variants are changes of it.
    """

    data: Path
    out: Path
    voices: Path | None = None
    processor_minutes: float | None = None
    steps: int | None = None
    seeds: tuple[int, ...] = (1, 2)
    only: tuple[str, ...] = ()
    jobs: int = 1  # runs side by side
    threads: int = 1  # of each
    settings: tuple[str, ...] = ()  # of every training, before the variant's own
    minutes: float | None = None  # of conversations, and of each voice; None: all of them
    model: Path | None = None

    def __post_init__(self) -> None:
        if self.model is None:
            Length(self.processor_minutes, self.steps)  # raises
        elif self.processor_minutes is not None or self.steps is not None or self.settings:
            raise InvalidArgument("a model is changed, not trained: leave out processor minutes, steps and settings")

    @property
    def length(self) -> Length:
        """Of each training."""
        return Length(self.processor_minutes, self.steps)

    @property
    def about(self) -> str:
        """Of the table."""
        return f"{self.length} of training each" if self.model is None else f"the file {self.model.name}, changed"

    def plan(self) -> dict[str, Any]:
        """What all runs of the campaign have in common."""
        voices = None if self.voices is None else self.voices.name
        hashes = {} if (corpus := identity(self.data)) is None else {"corpus": corpus}
        if self.model is not None and self.model.is_file():
            hashes["model"] = hashlib.sha256(self.model.read_bytes()).hexdigest()
        return {"data": self.data.name, "voices": voices, **{name: getattr(self, name) for name in FIXED}, **hashes}

    def runs(self) -> list["Run"]:
        """Every run, all variants of a seed before the next seed, the default first."""
        variants = [v for v in chosen(list(self.only)) if self.model is None or v is DEFAULT or not v.trained]
        return [Run(self, variant, seed) for seed in self.seeds for variant in variants]


@dataclass(frozen=True)
class Run:
    """One variant with one seed: a job of the schedule."""

    choice: Choice
    variant: Variant
    seed: int

    @property
    def folder(self) -> Path:
        """Of everything that belongs to it."""
        return self.choice.out / f"{self.variant.name}-{self.seed}"

    @property
    def base(self) -> "Run":
        """The run whose training gave the weights."""
        return self if self.variant.trained else Run(self.choice, DEFAULT, self.seed)

    @property
    def waits_for(self) -> str | None:
        """The default's run of this seed, where its file is to be changed and is not there yet."""
        return None if self.base is self or self.base.made else self.base.folder.name

    @property
    def is_training(self) -> bool:
        """Whether its model file comes of a training."""
        return self.variant.trained and self.choice.model is None

    @property
    def made(self) -> bool:
        """Whether its model file is there and finished."""
        return trained(self.folder) is not None if self.is_training else self.model.is_file()

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.gguf"

    def making(self, data: str, out: str) -> list[str]:
        """The words after `visavis` that make the model file in a folder beside the default's."""
        if self.is_training:
            settings = (*self.choice.settings, *self.variant.settings)
            return training(data, out, "live", settings, self.choice.length, self.seed)
        base = self.choice.model or Path(out).parent / self.base.folder.name / self.model.name
        changes = [word for change in self.variant.changes for word in ("--set", change)]
        return ["export", "--to", "gguf", "--model", str(base), *changes, "--out", str(Path(out) / self.model.name)]

    def evaluation(self, data: str, voices: str | None, out: str) -> list[str]:
        """The words of the suite's command after `visavis`."""
        c = self.choice
        voice = [] if voices is None else ["--voices", voices]
        minutes = [] if c.minutes is None else ["--minutes", f"{c.minutes:g}"]
        how = ["--split", SPLIT, *minutes, "--workers", "1", "--seed", str(self.seed)]
        where = ["--model", f"{out}/{self.model.name}", "--out", f"{out}/suite"]
        return ["evaluate", "--suite", "default", "--data", data, *voice, *how, *where]

    def timing(self, out: str) -> list[str]:
        """The words of the benchmark's command after `visavis`."""
        what = ["--engine", ENGINE, "--heads", "1", "--threads", "1", "--turns", str(TURNS), "--cold", "0"]
        return ["bench", "--model", f"{out}/{self.model.name}", *what, "--out", f"{out}/bench.json"]

    def suite(self) -> dict[str, Any] | None:
        """What the suite found; None before."""
        return _read(self.folder / "suite" / "suite.json")

    def bench(self) -> dict[str, Any] | None:
        """What a turn takes; None before."""
        return _read(self.folder / "bench.json")

    def next_command(self) -> list[str] | None:
        """The words after `visavis` of what is to be done next; None where nothing is left."""
        c, folder = self.choice, str(self.folder)
        if not self.made:
            words = self.making(str(c.data), folder)
            if self.is_training:
                return resumed(words, self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            return words
        if self.suite() is None:
            return self.evaluation(str(c.data), None if c.voices is None else str(c.voices), folder)
        return self.timing(folder) if self.bench() is None else None


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text()) if file.is_file() else None


def run_choice(choice: Choice, runs: list[Run], say: Callable[[str], None] = print) -> None:
    """Finish every one of the runs that is not done.  A failed one hinders none but those that need its model.

    SIGINT and SIGTERM end the commands that run (KeyboardInterrupt); the same call goes on from their checkpoints.
    """
    check_plan(choice.out, choice.plan())
    if choice.model is None:
        say(f"{sum(run.is_training for run in runs)} trainings of {choice.length}")
    run_jobs(runs, choice.jobs, choice.threads, say)
