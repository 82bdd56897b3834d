"""The process that one engine is measured in: takes commands as lines of JSON, answers each with a line.

    python -m visavis.benchmark.worker

It measures; engines.py decides when.  Voices and face are noise, so that no stage is skipped.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import Engine, TurnInput, load_engine
from visavis.errors import Error

SPARE_HEADS = 4  # opened to see what a head takes


def private_bytes() -> int | None:
    """Memory that this process has for itself; None where the system does not say (other than Linux)."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


class Group:
    """Heads that are stepped together."""

    def __init__(self, engine: Engine, n_heads: int) -> None:
        self._engine, info = engine, engine.info
        rng = np.random.default_rng(0)
        ahead = info.turn_frames + info.agent_lookahead_frames
        self.turns = [
            TurnInput(
                engine.open(),
                user_audio=0.1 * rng.standard_normal(info.turn_frames * SAMPLES_PER_FRAME, np.float32),
                agent_audio=0.1 * rng.standard_normal(ahead * SAMPLES_PER_FRAME, np.float32),
                user_motion=0.1 * rng.standard_normal((info.turn_frames, len(info.channels)), np.float32),
            )
            for _ in range(n_heads)
        ]

    def turn(self) -> dict[str, Any]:
        """One turn of every head, in one step: when it began, what it took, by stage (sums over the heads)."""
        begin_ns, processor_ns = time.monotonic_ns(), time.process_time_ns()
        outputs = self._engine.step(self.turns)
        processor_ns, end_ns = time.process_time_ns() - processor_ns, time.monotonic_ns()
        stages: dict[str, int] = {}
        for output in outputs:
            for stage, spent_ns in output.stage_ns.items():
                stages[stage] = stages.get(stage, 0) + spent_ns
        return {"begin_ns": begin_ns, "wall_ns": end_ns - begin_ns, "processor_ns": processor_ns, "stage_ns": stages}

    def close(self) -> None:
        """Give the slots back."""
        for turn in self.turns:
            self._engine.close(turn.slot)


class Worker:
    """An engine, its groups of heads, and what can be asked of them."""

    def __init__(self, path: str, engine: str, options: dict[str, Any], heads: list[int]) -> None:
        self.engine = load_engine(path, engine, **options)
        self.groups = {n_heads: Group(self.engine, n_heads) for n_heads in heads}

    def about(self) -> dict[str, Any]:
        """What it runs."""
        info, engine = self.engine.info, self.engine
        return {
            "model": info.name,
            "turn_frames": info.turn_frames,
            "context_turns": info.context_turns,
            "steps": info.steps,
            "isa": getattr(engine, "isa", None),
            "precision": getattr(engine, "precision", "f32"),
        }

    def memory(self) -> dict[str, int | None]:
        """Bytes of the process, and of one head more, its history full."""
        before = private_bytes()
        group = Group(self.engine, SPARE_HEADS)
        for _ in range(self.engine.info.context_turns):
            group.turn()
        after = private_bytes()
        group.close()
        head = None if before is None or after is None else max(0, (after - before) // SPARE_HEADS)
        return {"process_bytes": before, "head_bytes": head}


def main() -> None:
    """Serve until the input ends."""
    worker: Worker | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if worker is None:
                worker = Worker(**command)
                reply = worker.about()
            elif "turn" in command:
                reply = worker.groups[command["turn"]].turn()
            else:
                reply = worker.memory()
        except (Error, ImportError) as error:
            reply = {"error": " ".join(str(error).split())}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
