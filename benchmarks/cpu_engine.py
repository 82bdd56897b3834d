"""What the CPU engine reaches on one core: GFLOP/s of its products, time of a turn by stage, heads per core.

    python benchmarks/cpu_engine.py                       # about two minutes; cmake, ninja, a C++ compiler
    python benchmarks/cpu_engine.py --turns 100 --out cpu.json --no-kernels

Every instruction set and precision that this processor runs, in turns of one interleaved run, so that what else the
machine does falls on all alike.  Times are processor time of the thread (stages: wall time): p50 and p99, and the best,
which is what a quiet machine gives.  "crowd" heads are driven in two ways: one after the other, each with its own
history, and together in one step.  Heads per core: how many turns of 200 ms fit into 200 ms at p99.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from visavis import _core
from visavis.benchmark.machine import processor
from visavis.constants import FRAME_RATE, SAMPLES_PER_FRAME
from visavis.engine import TurnInput, model_path
from visavis.errors import Unsupported

ROOT = Path(__file__).parents[1]
VARIANTS = (("base", "f32"), ("neon", "f32"), ("avx2", "f32"), ("avx512", "f32"), ("avx512bf16", "bf16"))
STAGES = ("speech", "backbone", "denoise")


def kernels() -> dict[str, Any]:
    """What benchmarks/cpu_kernels.cpp prints, compiled as the engine ships."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-G", "Ninja", "-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON"]
        subprocess.run(["cmake", "-S", ROOT, "-B", folder, *options], check=True, stdout=sys.stderr)
        subprocess.run(["cmake", "--build", folder, "--target", "cpu_kernels"], check=True, stdout=sys.stderr)
        program = Path(folder) / "tests" / "native" / "cpu_kernels"
        return dict(json.loads(subprocess.run([program], check=True, capture_output=True, text=True).stdout))


class Heads:
    """Heads of one engine, driven together or one after the other."""

    def __init__(self, path: Path, isa: str, precision: str, n_heads: int, together: bool) -> None:
        os.environ["VISAVIS_ISA"] = isa
        self.engine = _core.CpuEngine(path, precision=precision)
        info, rng = self.engine.info, np.random.default_rng(0)
        frames, ahead = info.turn_frames, info.agent_lookahead_frames

        def noise(*shape: int) -> np.ndarray:
            return 0.1 * rng.standard_normal(shape, np.float32)

        self.turns = [
            TurnInput(
                self.engine.open(),
                user_audio=noise(frames * SAMPLES_PER_FRAME),
                agent_audio=noise((frames + ahead) * SAMPLES_PER_FRAME),
                user_motion=noise(frames, len(info.channels)),
            )
            for _ in range(n_heads)
        ]
        self.steps = [self.turns] if together else [[turn] for turn in self.turns]
        self.rows: list[list[float]] = []  # us a head: stages, processor time

    def turn(self) -> None:
        """One turn of every head."""
        start, outputs = time.thread_time_ns(), []
        for step in self.steps:
            outputs += self.engine.step(step)
        spent = time.thread_time_ns() - start
        stages = [sum(out.stage_ns[stage] for out in outputs) for stage in STAGES]
        self.rows.append([x / 1e3 / len(outputs) for x in (*stages, spent)])

    def figures(self, turn_us: float) -> dict[str, Any]:
        """Of the turns so far, us a head."""
        *stages, spent = np.array(self.rows).T
        p99 = float(np.percentile(spent, 99))
        return {
            "turn_us": {"best": float(spent.min()), "p50": float(np.median(spent)), "p99": p99},
            "stage_wall_us": {
                name: {"best": float(column.min()), "p50": float(np.median(column))}
                for name, column in zip(STAGES, stages, strict=True)
            },
            "heads_per_core": {"p99": turn_us / p99, "best": turn_us / float(spent.min())},
        }


def runnable(path: Path) -> list[tuple[str, str]]:
    """The variants that this processor and build run."""
    found = []
    for isa, precision in VARIANTS:
        os.environ["VISAVIS_ISA"] = isa
        try:
            _core.CpuEngine(path, precision=precision)
        except Unsupported:
            continue
        found.append((isa, precision))
    return found


def engines(path: Path, n_turns: int, crowd: int) -> list[dict[str, Any]]:
    """The figures of every variant and way of driving, interleaved turn by turn."""
    runs = {
        (isa, precision, way): Heads(path, isa, precision, n_heads, way != "one by one")
        for isa, precision in runnable(path)
        for way, n_heads in (("alone", 1), ("one by one", crowd), ("together", crowd))
    }
    info = next(iter(runs.values())).engine.info
    for turn in range(info.context_turns + n_turns):
        for heads in runs.values():
            heads.turn()
            if turn < info.context_turns:
                heads.rows.clear()  # until the ring is full
    turn_us = 1e6 * info.turn_frames / FRAME_RATE
    return [
        {"isa": isa, "precision": precision, "way": way, "heads": len(heads.turns), **heads.figures(turn_us)}
        for (isa, precision, way), heads in runs.items()
    ]


def print_table(report: dict[str, Any]) -> None:
    """For people."""
    print(f"{report['model']} on {report['processor']}, load {report['load'][0]:.1f} to {report['load'][1]:.1f} "
          f"on {report['cores']} cores, {report['turns']} turns")  # fmt: skip
    titles = ("turn best", "p50", "p99", *STAGES, "heads/core p99", "best")
    print(f"{'us a turn and head':32}" + "".join(f"{title:>{max(9, len(title) + 2)}}" for title in titles))
    for row in report["engine"]:
        turn, stages, heads = row["turn_us"], row["stage_wall_us"], row["heads_per_core"]
        values = [turn["best"], turn["p50"], turn["p99"], *(stages[s]["best"] for s in STAGES), *heads.values()]
        name = f"{row['isa']} {row['precision']}, {row['heads']} {row['way']}"
        cells = (f"{v:>{max(9, len(title) + 2)}.0f}" for v, title in zip(values, titles, strict=True))
        print(f"{name:32}" + "".join(cells))
    for row in report.get("kernels", {}).get("gemm", []):
        shape = f"{row['m']} x {row['k']} -> {row['n']}"
        print(f"{row['isa'] + ' ' + row['precision']:20}{shape:>22}{row['gflops']:8.0f} GFLOP/s")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model file (default: the packaged one)")
    parser.add_argument("--turns", type=int, default=200, help="measured turns (default: 200)")
    parser.add_argument("--crowd", type=int, default=24, help="heads of the crowd (default: 24)")
    parser.add_argument("--no-kernels", action="store_true", help="leave the kernels' own figures out")
    parser.add_argument("--out", type=Path, help="write the figures here, too (JSON)")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    report: dict[str, Any] = {} if options.no_kernels else {"kernels": kernels()}
    path = model_path(options.model)
    report["engine"] = engines(path, options.turns, options.crowd)
    report |= {"model": path.name, "turns": options.turns, "processor": processor(), "cores": os.cpu_count()}
    report["load"] = [before, os.getloadavg()[0]]
    print_table(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
