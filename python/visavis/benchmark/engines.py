"""Engines and precisions side by side: each in a process of its own, one turn of each after the other.

What else the machine does falls on all alike, every engine finds caches that others have used since, and the threads of
one do not wait for those of another.  The peer is ONNX Runtime with the graph that it is fastest with (export profile
`ort`), on one thread, in float32.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from visavis.benchmark.figures import columns, shown, summary
from visavis.benchmark.machine import load, machine, one_line
from visavis.benchmark.spec import PEER, EngineSpec, default_specs
from visavis.constants import FRAME_RATE
from visavis.engine import model_path
from visavis.errors import Error, InternalError, InvalidArgument, Unsupported
from visavis.trace import STAGES

if TYPE_CHECKING:
    from visavis.trace import Trace

WARM_UP_TURNS = 5  # after the history is full


class Worker:
    """The process of one engine (worker.py); use in a `with` block."""

    def __init__(
        self, spec: EngineSpec, path: Path, options: dict[str, Any], threads: int, heads: Sequence[int]
    ) -> None:
        self.spec = spec
        environment = os.environ | spec.environment(threads)
        command = [sys.executable, "-m", "visavis.benchmark.worker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            self.about = self.ask(path=str(path), engine=spec.kind, options=options, heads=list(heads))
        except BaseException:
            self.close()
            raise

    def ask(self, **command: Any) -> dict[str, Any]:
        """One command and its reply.  Raises Unsupported for what the engine refuses."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # there is no answer either
        line = self._process.stdout.readline()
        if not line:
            raise InternalError(f"bench: the process of {self.spec.name} ended with {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise Unsupported(f"{self.spec.name}: {reply['error']}")
        return reply

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bench_engines(
    model: str | Path | None = None,
    engines: Sequence[EngineSpec] | None = None,
    *,
    heads: Sequence[int] = (1, 24),
    turns: int = 200,
    threads: int = 1,
    steps: int | None = None,
    window: str | None = None,
    cold_starts: int = 5,
    progress: Callable[[float], object] | None = None,
    trace: "Trace | None" = None,
) -> dict[str, Any]:
    """What a turn takes on each engine: the report that `visavis bench --out` writes (docs/speed.md).

    `engines` None: engine cpu in each precision, and the peer.  What cannot run here is left out where it was not asked
    for.  `heads`: how many are stepped together, one measurement each.  `threads` of each engine.  `window`: exact or
    amortised, for the models that have a choice.  `cold_starts`: fresh processes of each.  `trace` gets every step.
    Raises Unsupported, InvalidArgument.
    """
    if not heads or min(heads) < 1 or turns < 1:
        raise InvalidArgument(f"bench: heads {list(heads)}, turns {turns}; expected at least 1 each")
    path, before, left_out = model_path(model), load(), {}
    with _folders(path, steps) as folder_of, ExitStack() as stack:
        workers = []
        for spec in engines or default_specs():
            options = spec.options(threads, steps, window)
            try:
                workers.append(stack.enter_context(Worker(spec, folder_of(spec), options, threads, heads)))
            except Error as error:
                if engines:
                    raise
                left_out[spec.name] = str(error)
        rows = _measure(workers, heads, turns, progress, trace)
        measured = [
            {
                "engine": worker.spec.name,
                **{name: worker.about[name] for name in ("isa", "precision", "steps")},
                "heads": [_figures(rows[worker, n], n, worker.about) for n in heads],
                "memory": worker.ask(memory=True),
            }
            for worker in workers
        ]
        about = workers[0].about
        stack.close()
        specs = [worker.spec for worker in workers]
        colds = _cold_starts(specs, folder_of, threads, window, cold_starts)
    for engine, cold in zip(measured, colds, strict=True):
        engine["cold_start_ms"] = cold
    return {
        "what": "engines",
        "machine": machine(),
        "load": [before, load()],
        "model": {"name": about["model"], "file": path.name, "turn_ms": _turn_ms(about)},
        "turns": turns,
        "threads": threads,
        "window": window,
        "engines": measured,
        "left_out": left_out,
        "ratios": _ratios(measured),
    }


@contextmanager
def _folders(path: Path, steps: int | None) -> Iterator[Callable[[EngineSpec], Path]]:
    """What an engine loads: the model file, or the folder of graphs that was made of it."""
    with TemporaryDirectory(prefix="visavis-bench-") as scratch:

        def folder_of(spec: EngineSpec) -> Path:
            if spec.kind != "onnx":
                return path
            from visavis.export.onnx import export_onnx

            folder = Path(scratch) / spec.variant
            if not folder.exists():
                export_onnx(path, folder, spec.variant, steps)
            return folder

        yield folder_of


Rows = dict[tuple[Worker, int], list[dict[str, Any]]]


def _measure(
    workers: Sequence[Worker],
    heads: Sequence[int],
    n_turns: int,
    progress: Callable[[float], object] | None,
    trace: "Trace | None",
) -> Rows:
    """The turns of every worker and number of heads, after their histories are full."""
    if not workers:
        raise Unsupported("bench: no engine runs here; `visavis doctor` says why")
    rows: Rows = {(worker, n): [] for worker in workers for n in heads}
    processes = {} if trace is None else {worker: trace.process(worker.spec.name) for worker in workers}
    warm_up = max(worker.about["context_turns"] for worker in workers) + WARM_UP_TURNS
    for turn in range(warm_up + n_turns):
        for worker, n_heads in rows:
            row = worker.ask(turn=n_heads)
            if turn < warm_up:
                continue
            rows[worker, n_heads].append(row)
            if trace is not None:
                name = f"turn of {n_heads} head{'s' if n_heads > 1 else ''}"
                trace.work(name, row["begin_ns"], row["wall_ns"], row["stage_ns"], processes[worker])
        if progress is not None:
            progress((turn + 1) / (warm_up + n_turns))
    return rows


def _figures(rows: list[dict[str, Any]], n_heads: int, about: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds a turn and head."""
    wall, processor = (np.array([row[name] for row in rows]) / 1e6 / n_heads for name in ("wall_ns", "processor_ns"))
    stages = {name: np.array([row["stage_ns"].get(name, 0) for row in rows]) / 1e6 / n_heads for name in STAGES}
    computed = np.array([sum(row["stage_ns"].values()) for row in rows]) / 1e6 / n_heads
    wall_ms, processor_ms, turn_ms = summary(wall), summary(processor), _turn_ms(about)
    return {
        "heads": n_heads,
        "turn_ms": wall_ms,
        "compute_ms": summary(computed),
        "processor_ms": processor_ms,
        "stages_ms": {name: summary(values) for name, values in stages.items() if values.any()},
        "real_time_factor": {name: round((wall_ms[name] or 0) / turn_ms, 5) for name in ("mean", "p50", "p99")},
        "heads_per_core": {name: round(turn_ms / (processor_ms[name] or np.inf), 1) for name in ("best", "p50", "p99")},
        "p99_over_p50": round((wall_ms["p99"] or 0) / (wall_ms["p50"] or np.inf), 3),
    }


def _turn_ms(about: dict[str, Any]) -> float:
    return 1000 * int(about["turn_frames"]) / FRAME_RATE


def _ratios(measured: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How many times as long the peer takes for a turn of one head: p50 and best of the time in its graph by the clock
    (ours: in the stages), and p50 of the processor time of the whole step."""
    alone = {
        engine["engine"]: {
            "p50": figures["compute_ms"]["p50"],
            "best": figures["compute_ms"]["best"],
            "processor": figures["processor_ms"]["p50"],
        }
        for engine in measured
        for figures in engine["heads"]
        if figures["heads"] == 1
    }
    peer = alone.pop(PEER, {})
    return {name: {what: round(peer[what] / ours[what], 3) for what in peer} for name, ours in alone.items() if peer}


def _cold_starts(
    specs: Sequence[EngineSpec], path_of: Callable[[EngineSpec], Path], threads: int, window: str | None, n_starts: int
) -> list[dict[str, Any]]:
    """From load() to the first frame in fresh processes, one of each engine after the other."""
    times: list[list[dict[str, float]]] = [[] for _ in specs]
    for _ in range(n_starts):
        for spec, rows in zip(specs, times, strict=True):
            told = {"path": str(path_of(spec)), "engine": spec.kind, **spec.options(threads, None, window)}
            environment = os.environ | spec.environment(threads)
            command = [sys.executable, "-m", "visavis.benchmark.cold", json.dumps(told)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
            if done.returncode:
                raise InternalError(f"bench: a cold start of {spec.name} ended with {done.returncode}")
            rows.append(json.loads(done.stdout))
    return [
        {name: summary([row[name] for row in rows]) for name in ("import", "load", "first_frame", "processor")}
        if rows
        else {}
        for rows in times
    ]


def table(report: dict[str, Any]) -> str:
    """For people."""
    model = report["model"]
    lines = [
        f"{model['name']}, turns of {model['turn_ms']:.0f} ms, {report['turns']} of each, interleaved; "
        f"{report['threads']} thread{'s' if report['threads'] > 1 else ''}",
        one_line(report["machine"], report["load"]),
        "",
    ]
    titles = ["ms a turn and head", "p50", "p95", "p99", "max", "p99/p50", *STAGES, "cpu best", "cpu p50"]
    titles += ["real-time factor", "heads a core"]
    rows = []
    for engine in report["engines"]:
        for figures in engine["heads"]:
            turn, processor, stages = figures["turn_ms"], figures["processor_ms"], figures["stages_ms"]
            cells = [*(turn[rank] for rank in ("p50", "p95", "p99", "max")), figures["p99_over_p50"]]
            cells += [stages[stage]["p50"] if stage in stages else None for stage in STAGES]
            cells += [processor["best"], processor["p50"]]
            name = f"{engine['engine']}{_isa(engine)}, {figures['heads']} head{'s' if figures['heads'] > 1 else ''}"
            factor, n_heads = figures["real_time_factor"]["mean"], figures["heads_per_core"]["p99"]
            rows.append([name, *map(shown, cells), shown(factor, 4), shown(n_heads, 0)])
    lines += [columns(titles, rows), ""]
    rows = []
    for engine in report["engines"]:
        memory, cold = engine["memory"], engine["cold_start_ms"]
        first, spent = cold.get("first_frame", {}), cold.get("processor", {})
        cells = [_megabytes(memory["head_bytes"]), _megabytes(memory["process_bytes"])]
        cells += [shown(first.get("p50"), 0), shown(first.get("max"), 0), shown(spent.get("p50"), 0)]
        rows.append([engine["engine"], *cells])
    lines += [columns(("", "MB a head", "MB a process", "load() to first frame ms: p50", "max", "cpu p50"), rows), ""]
    for name, ratio in report["ratios"].items():
        lines.append(
            f"{PEER} takes {ratio['processor']:.2f} times the processor time of {name} (p50); by the clock "
            f"{ratio['best']:.2f} times as long at best, {ratio['p50']:.2f} (p50)"
        )
    lines += [f"{name} was left out: {reason}" for name, reason in report["left_out"].items()]
    return "\n".join(lines)


def _isa(engine: dict[str, Any]) -> str:
    return f" ({engine['isa']})" if engine["isa"] else ""


def _megabytes(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else f"{n_bytes / 1e6:.1f}"
