"""Build a corpus: plan the dialogues, perform them in parallel worker processes, describe the whole in corpus.json.

A dialogue depends on (seed, its index, engines) alone: not on workers, order or interruption.  A killed build goes on
where it stopped when the same command is given again.
"""

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLE_RATE
from visavis.data.corpus import (
    curves,
    dialogue,
    engines,
    eyes,
    layout,
    listening,
    performer,
    person,
    speaking,
    visemes,
)
from visavis.data.corpus import text as grammar
from visavis.data.corpus.bank import Utterance, utterance
from visavis.data.corpus.performer import Performance
from visavis.data.corpus.statistics import dialogue_statistics, summary
from visavis.data.corpus.v2 import dialogue as dialogue2
from visavis.data.corpus.v2 import listening as listening2
from visavis.data.corpus.v2 import performer as performer2
from visavis.data.corpus.v2 import person as person2
from visavis.data.corpus.v2 import prosody as prosody2
from visavis.data.corpus.v2 import requests as requests2
from visavis.data.corpus.v2 import rooms
from visavis.data.corpus.v2 import speaking as speaking2
from visavis.data.corpus.v2 import voices as voices2
from visavis.data.corpus.voices import SPLIT_SHARE, SPLITS, Voice, draw_pair, voices_of
from visavis.errors import FileError, InvalidArgument

ENGINES_OF = {1: engines.ENGINES, 2: voices2.ENGINES}  # by version: the same seed gives another corpus in each
Audio = npt.NDArray[np.float32]
DIALOGUE_S = (84.0, 144.0)  # planned length
NOTE = "Synthetic: hand-written rules on synthetic voices. It is no recording of people and no DualTalk data."


@dataclass(frozen=True)
class Plan:
    """What identifies a build; a folder holds one plan."""

    hours: float
    seed: int
    engines: tuple[str, ...]
    version: int = 1

    def voices(self, split: str) -> list[Voice]:
        """The voices of a split."""
        return (voices_of if self.version == 1 else voices2.voices_of)(split, self.engines, self.seed)


@dataclass(frozen=True)
class Task:
    """One dialogue to be built."""

    index: int
    split: str
    duration_s: float
    plan: Plan
    folder: Path

    @property
    def name(self) -> str:
        """File stem of the dialogue."""
        return f"{self.split}_{self.index:04d}"

    @property
    def receipt(self) -> Path:
        """Written last: its statistics, and the sign that the dialogue is complete."""
        return self.folder / "done" / f"{self.name}.json"


def plan_tasks(plan: Plan, folder: Path) -> list[Task]:
    """The dialogues of a plan; every split gets its share of the hours, at least one dialogue each."""
    rng = np.random.default_rng([plan.seed, 1])
    tasks: list[Task] = []
    for split in SPLITS:
        left = plan.hours * 3600.0 * SPLIT_SHARE[split]
        first = True
        while first or left > 0.5 * DIALOGUE_S[0]:
            length = float(rng.uniform(*DIALOGUE_S))
            length = length if plan.hours * 3600.0 > 300.0 else min(length, max(12.0, left))  # small test corpora
            tasks.append(Task(len(tasks), split, length, plan, folder))
            left, first = left - length, False
    return tasks


def build(
    folder: Path,
    hours: float,
    seed: int = 0,
    chosen: tuple[str, ...] | None = None,
    workers: int = 1,
    progress: Callable[[int, int, float], None] | None = None,
    version: int = 1,
) -> dict[str, Any]:
    """Build (or finish) a corpus in `folder` and return what corpus.json says.

    `chosen`: speech engines, by default all of the version.  `progress(done, total, hours)` is called after each
    dialogue.
    """
    _check(hours, seed, workers)
    if version not in ENGINES_OF:
        raise InvalidArgument(f"--version is {version}; expected one of {', '.join(map(str, ENGINES_OF))}")
    chosen = ENGINES_OF[version] if chosen is None else chosen
    for engine in chosen:
        if engine in engines.KNOWN and engine not in ENGINES_OF[version]:
            raise InvalidArgument(
                f"--engines {engine}: not in version {version}, which has {', '.join(ENGINES_OF[version])}"
            )
        engines.check_engine(engine)
    plan = Plan(float(hours), int(seed), tuple(sorted(set(chosen))), version)
    for split in SPLITS:
        if len(plan.voices(split)) < 2:
            raise InvalidArgument(f"--engines {','.join(chosen)}: no two voices in split {split}; add espeak")
    _claim(folder, plan)
    tasks = plan_tasks(plan, folder)
    done = {task.name: json.loads(task.receipt.read_text()) for task in tasks if task.receipt.exists()}
    open_tasks = [task for task in tasks if task.name not in done]
    try:
        for name, receipt in _run(open_tasks, workers):
            done[name] = receipt
            if progress is not None:
                progress(len(done), len(tasks), sum(r["statistics"]["seconds"] for r in done.values()) / 3600.0)
        description = _describe(plan, tasks, done)
        layout.write_text(folder / "corpus.json", json.dumps(description, indent=1) + "\n")
    except OSError as error:
        raise FileError(
            f"{error.filename or folder}: {error.strerror or error}; expected space and rights to write there "
            f"(an hour takes about 0.7 GB); the same command goes on from here"
        ) from None
    return description


def _check(hours: float, seed: int, workers: int) -> None:
    if not 0.0 < hours <= 1000.0:
        raise InvalidArgument(f"--hours is {hours}; expected more than 0 and at most 1000")
    if seed < 0:
        raise InvalidArgument(f"--seed is {seed}; expected 0 or more")
    if not 1 <= workers <= 256:
        raise InvalidArgument(f"--workers is {workers}; expected 1 to 256")


def _claim(folder: Path, plan: Plan) -> None:
    """Make the folder's tree, or raise FileError where it holds another corpus."""
    path = folder / "plan.json"
    text = json.dumps(asdict(plan), indent=1) + "\n"
    try:
        if path.exists() and path.read_text() != text:
            raise FileError(
                f"{folder} holds another corpus ({' '.join(path.read_text().split())}); "
                f"expected {' '.join(text.split())}; give another --out or remove it"
            )
        for name in (*SPLITS, "bank", "done"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for part in (folder / name).rglob(".*"):  # left by a build that was killed while writing
                part.unlink()
        layout.write_text(path, text)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{folder} cannot be written: {error.strerror}; expected a writable folder for --out") from None


def _run(tasks: list[Task], workers: int) -> Any:
    """Yield (name, receipt) of each task as it is done."""
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield task.name, build_dialogue(task)
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(build_dialogue, task): task.name for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def build_dialogue(task: Task) -> dict[str, Any]:
    """Schedule, speak, perform and write one dialogue; returns its receipt."""
    rng = np.random.default_rng([task.plan.seed, 2, task.index])
    pair = draw_pair(task.plan.voices(task.split), rng)
    make = _dialogue if task.plan.version == 1 else _dialogue2
    phrases, played, recorded, styles = make(task, pair, rng)
    for i in (0, 1):
        stem = task.folder / task.split / f"{task.name}_speaker{i + 1}"
        layout.write_person(stem, recorded[i], played[i], phrases[i], styles[i])
    receipt = {
        "name": task.name,
        "split": task.split,
        "voices": [voice.name for voice in pair],
        "statistics": dialogue_statistics(phrases, played),
    }
    layout.write_text(task.receipt, json.dumps(receipt) + "\n")
    return receipt


Phrases = tuple[list[dialogue.Phrase], list[dialogue.Phrase]]
Styles = tuple[tuple[float, ...] | None, tuple[float, ...] | None]
Made = tuple[Phrases, tuple[Performance, Performance], tuple[Audio, Audio], Styles]


def _dialogue(task: Task, pair: tuple[Voice, Voice], rng: np.random.Generator) -> Made:
    """Phrases, motion and recordings of a dialogue of version 1."""
    persons = (person.draw_person(rng), person.draw_person(rng))

    def speak(who: int, text: str) -> Utterance:
        return utterance(task.folder / "bank", text, pair[who].settings)

    scheduler = dialogue.Scheduler(dialogue.Pair.draw(rng), task.duration_s, speak, rng)
    scheduler.run()
    phrases = scheduler.phrases
    n_frames = dialogue.n_frames_of(phrases, rng)
    dry = (dialogue.mix(phrases[0], n_frames), dialogue.mix(phrases[1], n_frames))
    played = performer.perform(phrases, dry, persons, n_frames, rng)
    recorded = [dialogue.record(dry[i], played[i].speaking, persons[i], rng) for i in (0, 1)]
    return phrases, played, (recorded[0], recorded[1]), (None, None)


def _dialogue2(task: Task, pair: tuple[Voice, Voice], rng: np.random.Generator) -> Made:
    """The same of version 2, with the styles of the persons."""
    persons = (person2.draw_person(rng), person2.draw_person(rng))
    bank = task.folder / "bank"
    speakers = (voices2.Speaker(pair[0], bank), voices2.Speaker(pair[1], bank))
    scheduler = dialogue2.Scheduler(dialogue2.draw_pair(persons, rng), task.duration_s, speakers, rng)
    scheduler.run()
    phrases = scheduler.phrases
    n_frames = dialogue.n_frames_of(phrases, rng)
    dry = (dialogue.mix(phrases[0], n_frames), dialogue.mix(phrases[1], n_frames))
    played = performer2.perform(phrases, dry, persons, n_frames, rng)
    recorded = rooms.record(dry, (played[0].speaking, played[1].speaking), persons, rng)
    return phrases, played, recorded, (persons[0].style, persons[1].style)


def _describe(plan: Plan, tasks: list[Task], done: dict[str, Any]) -> dict[str, Any]:
    receipts = [done[task.name] for task in tasks]
    speech: dict[str, float] = {}
    for receipt in receipts:
        for name, seconds in zip(receipt["voices"], receipt["statistics"]["speech_s"], strict=True):
            engine = name.split("-")[0]
            speech[engine] = speech.get(engine, 0.0) + seconds
    total = max(sum(speech.values()), 1e-9)
    used = {s: sorted({v for r in receipts if r["split"] == s for v in r["voices"]}) for s in SPLITS}
    return {
        "note": NOTE,
        "command": f"visavis corpus build --hours {plan.hours:g} --seed {plan.seed} --engines {','.join(plan.engines)}"
        + ("" if plan.version == 1 else f" --version {plan.version}"),
        "plan": asdict(plan),
        "hours": round(sum(r["statistics"]["seconds"] for r in receipts) / 3600.0, 4),
        "rates": {"sample_rate": SAMPLE_RATE, "frame_rate": FRAME_RATE},
        "licences": {engine: engines.LICENCES[engine] for engine in plan.engines} | {"text": "own grammar, Apache-2.0"},
        "voices": used,
        "voice_settings": {
            v.name: asdict(v.settings) for v in _all_voices(plan) if any(v.name in u for u in used.values())
        },
        "speech_share_by_engine": {engine: round(s / total, 4) for engine, s in sorted(speech.items())},
        "statistics": {
            "all": summary(r["statistics"] for r in receipts),
            **{s: summary(r["statistics"] for r in receipts if r["split"] == s) for s in SPLITS},
        },
        "constants": _constants(plan.version),
        "text": layout.fingerprint_of(grammar, *((requests2,) if plan.version == 2 else ())),
        "dialogues": [{"name": r["name"], "split": r["split"], "voices": r["voices"]} for r in receipts],
    }


def _constants(version: int) -> dict[str, Any]:
    found: dict[str, Any] = layout.constants_of(
        curves, dialogue, engines, eyes, layout, listening, performer, person, speaking, visemes
    )
    if version == 2:
        found["v2"] = layout.constants_of(
            dialogue2, listening2, performer2, person2, prosody2, rooms, speaking2, voices2
        )
    return found


def _all_voices(plan: Plan) -> list[Voice]:
    return [voice for split in SPLITS for voice in plan.voices(split)]
