"""The schedule of a campaign: jobs side by side, each some commands of `visavis`, one after the other.

Every command runs in a process of its own, on its own processor threads.  What is done is seen from what lies in the
job's folder, so a campaign can be stopped at any time and goes on with what is left.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from visavis.bridge.stopping import Stopping
from visavis.errors import Error

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
POLL_S = 0.2


class Job(Protocol):
    """A run of a campaign."""

    @property
    def folder(self) -> Path:
        """Of everything that belongs to it; its name is the job's."""

    @property
    def waits_for(self) -> str | None:
        """The job whose result it needs and that is not there yet; None where it can begin."""

    def next_command(self) -> list[str] | None:
        """The words after `visavis` of what is to be done next; None where nothing is left."""


class Call:
    """A command of a job, in a process of its own; what it says goes to the job's log."""

    def __init__(self, job: Job, words: list[str], threads: int) -> None:
        self.job, self.words, self.threads, self.begin = job, words, threads, time.monotonic()
        job.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "visavis", *words]
            environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def log(self) -> Path:
        """Of all commands of the job."""
        return self.job.folder / "log.txt"

    def ended(self) -> bool:
        """Whether the command has ended; raises Error where it failed, notes its time where it did not."""
        code = self.process.poll()
        if code is None:
            return False
        if code != 0:
            last = self.log.read_text().strip().splitlines()[-1:]
            raise Error(f"{self.job.folder.name}: {self.words[0]} failed ({' '.join(last)}); see {self.log}")
        with (self.job.folder / "calls.jsonl").open("a") as calls:
            wall_s = round(time.monotonic() - self.begin, 1)
            calls.write(json.dumps({"verb": self.words[0], "wall_s": wall_s}) + "\n")
        return True


def wall_s(folder: Path, verb: str) -> float:
    """Wall seconds that the commands of a verb took in a job's folder."""
    calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    return float(sum(call["wall_s"] for call in calls if call["verb"] == verb))


def run_jobs(jobs: Sequence[Job], at_once: int, threads: int, say: Callable[[str], None]) -> None:
    """Finish every job that is not done, in order, `at_once` side by side.

    A job that fails hinders none but those that wait for it, and is an Error at the end.  SIGINT and SIGTERM end the
    commands that run (KeyboardInterrupt).
    """
    left = [job for job in jobs if job.next_command() is not None]
    say(f"{len(jobs)} runs, {len(jobs) - len(left)} done; {at_once} at a time, {threads} threads each")
    failures: list[str] = []
    calls: list[Call] = []
    with Stopping() as stop:
        try:
            while left or calls:
                while len(calls) < at_once and (ready := [job for job in left if job.waits_for is None]):
                    left.remove(ready[0])
                    calls.append(Call(ready[0], ready[0].next_command() or [], threads))
                if not calls:
                    failures += [f"{job.folder.name}: {job.waits_for} is not done" for job in left]
                    break
                calls = [call for old in calls for call in _went_on(old, failures, say)]
                if stop():
                    raise KeyboardInterrupt
                time.sleep(POLL_S)
        finally:
            for call in calls:
                call.process.terminate()
                call.process.wait()
    if failures:
        raise Error(f"{len(failures)} of {len(jobs)} runs failed: {'; '.join(failures)}")


def _went_on(call: Call, failures: list[str], say: Callable[[str], None]) -> list[Call]:
    """The call itself while it runs, then the next one of its job; nothing where that is done or failed."""
    name = call.job.folder.name
    try:
        if not call.ended():
            return [call]
        words = call.job.next_command()
        if words is not None and words[0] == call.words[0] and words[-1] == call.words[-1]:
            raise Error(f"{name}: {words[0]} ended and left no result; see {call.log}")
    except Error as error:
        failures.append(str(error))
        say(str(error))
        return []
    say(f"{name}: {call.words[0]} done")
    return [] if words is None else [Call(call.job, words, call.threads)]
