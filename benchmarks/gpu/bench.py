"""What engine cuda reaches beside PyTorch on one GPU; benchmarks/gpu_check.sh runs these one by one.

    python benchmarks/gpu/bench.py exact --model large.gguf --out exact.json

exact, amortised           a turn of TIMAR-large, wav2vec2 included, turn by turn beside PyTorch: eager in fp32 and
                           bf16, and compiled as a CUDA graph in bf16
denoiser                   the head alone, fused and as single kernels, beside the PyTorch loop and that loop as a graph
sessions, sessions-exact   how many sessions of TIMAR-large keep up with real time, in one step a turn
heads                      the same for heads of the packaged model
renderer                   a frame of 16 ms with 8 ms of GPU work in it, alone and beside 50 heads

Turns of all that is compared come by turns in one process.  Wall times go from numpy to numpy, or from pinned memory to
pinned memory for PyTorch, the copies included; between turns the GPU is waited for, and what an engine does behind a
turn (keys and values written anew) is counted apart.  `--tiny` runs everything small and without a GPU, against the
emulator of tests/native if VISAVIS_CUDA_LIBRARY names it: its figures mean nothing.
"""

import argparse
import copy
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import random_model
from peer import Peer, as_graph, synchronise

from visavis import _core
from visavis.benchmark.machine import machine
from visavis.constants import FRAME_RATE
from visavis.engine import TurnInput, model_path
from visavis.errors import FullError

FRAME_MS = 1000 / FRAME_RATE


class Turns:
    """Random turns of one session, with noise for the engines that are compared."""

    def __init__(self, config: Any, seed: int = 0) -> None:
        self.config, self.rng = config, np.random.default_rng(seed)

    def next(self, slot: int = 0) -> TurnInput:
        """The next one."""
        c, normal = self.config, self.rng.standard_normal
        return TurnInput(
            slot,
            user_audio=0.1 * normal(c.turn_samples, np.float32),
            agent_audio=0.1 * normal(c.turn_samples, np.float32),
            user_motion=0.3 * normal((c.turn_frames, c.n_channels), np.float32),
            noise=normal((1 + c.steps, c.turn_frames, c.n_channels), np.float32),
        )


def microseconds(values: list[float]) -> dict[str, float]:
    """Of times in seconds."""
    us = np.array(values) * 1e6
    return {"best": float(us.min()), "p50": float(np.median(us)), "p99": float(np.percentile(us, 99)), "n": len(us)}


class Bench:
    """The machine, the model file and how much is measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.path, self.tiny = str(options.model), bool(options.tiny)
        self.device = "cpu" if self.tiny else "cuda"
        self.n_turns = options.turns or (3 if self.tiny else 200)

    def engine(self, **options: Any) -> Any:
        """Engine cuda, in the precision that it takes by itself."""
        return _core.CudaEngine(self.path, precision="auto", **options)

    def peers(self, names: list[str]) -> dict[str, Peer]:
        """PyTorch with the weights of the model file: that file is random_model's."""
        model, backend = random_model(self.tiny), "aot_eager" if self.tiny else "inductor"
        types = {"fp32": torch.float32, "bf16": torch.bfloat16}
        return {
            name: Peer(copy.deepcopy(model), self.device, types[name[-4:]], name.startswith("compiled"), backend)
            for name in names
        }

    # ---- a turn of TIMAR-large

    def exact(self) -> dict[str, Any]:
        """The whole window each turn."""
        engine = self.engine(window="exact")
        peers = self.peers(["eager fp32", "eager bf16", "graph bf16", "compiled graph bf16"])
        works = {name: peer.exact for name, peer in peers.items()}
        for name, peer in peers.items():
            if "graph" in name:
                works[name] = as_graph(peer.exact, self.device)
            peer.past.zero_()
        return self.beside(engine, peers, lambda name, turn: works[name], compare=True)

    def amortised(self) -> dict[str, Any]:
        """Cached keys; places of a full window come round as in the engine."""
        engine = self.engine(window="amortised")
        peers, W = self.peers(["eager bf16", "compiled graph bf16"]), engine.config.context_turns
        works = {
            (name, place): as_graph(peer.cached(place), self.device) if "graph" in name else peer.cached(place)
            for name, peer in peers.items()
            for place in range(W // 2, W)
        }
        return self.beside(engine, peers, lambda name, turn: works[name, W // 2 + turn % (W - W // 2)])

    def beside(
        self, engine: Any, peers: dict[str, Peer], work: Callable[[str, int], Any], compare: bool = False
    ) -> Any:
        """An engine and its peers, turn by turn; `compare`: how far apart they are, with the same past."""
        config, slot = engine.config, engine.open()
        turns, times = Turns(config), {name: list[float]() for name in ("cuda", "behind a turn", *peers)}
        stages: dict[str, list[float]] = {}
        errors = {name: list[float]() for name in peers}
        warm = config.context_turns + 2
        for index in range(warm + self.n_turns):
            if index == warm:
                for measured in (*times.values(), *errors.values()):
                    measured.clear()
                stages.clear()
            turn = turns.next(slot)
            synchronise(self.device)
            begin = time.perf_counter()
            (output,) = engine.step([turn])
            end = time.perf_counter()
            synchronise(self.device)
            times["cuda"].append(end - begin)
            times["behind a turn"].append(time.perf_counter() - end)
            for stage, ns in output.stage_ns.items():
                stages.setdefault(stage, []).append(ns / 1e9)
            for name, peer in peers.items():
                begin = time.perf_counter()
                peer.audio_in[0], peer.audio_in[1] = map(torch.from_numpy, (turn.user_audio, turn.agent_audio))
                peer.motion_in.copy_(torch.from_numpy(turn.user_motion))
                peer.noise_in.copy_(torch.from_numpy(turn.noise))
                work(name, index)()
                synchronise(self.device)
                times[name].append(time.perf_counter() - begin)
                if compare:
                    found = peer.motion_out.numpy()
                    errors[name].append(float(np.linalg.norm(found - output.motion) / np.linalg.norm(output.motion)))
        report: dict[str, Any] = {
            "precision": engine.precision,
            "us": {name: microseconds(spent) for name, spent in times.items()},
            "stage_us": {name: microseconds(spent) for name, spent in stages.items()},
        }
        if compare:
            report["relative_difference"] = {name: float(np.median(values)) for name, values in errors.items()}
        return report

    # ---- the head alone

    def denoiser(self) -> dict[str, Any]:
        """The stage `denoise` of the engine: noise, modulation, all steps, the copy back; by the GPU's clock."""
        engines = {
            "fused": self.engine(window="amortised"),
            "single kernels": self.engine(window="amortised", fuse=False),
        }
        peers = self.peers(["eager bf16", "graph bf16", "compiled graph bf16"])
        works = {
            name: as_graph(peer.denoise_alone, self.device) if "graph" in name else peer.denoise_alone
            for name, peer in peers.items()
        }
        config = engines["fused"].config
        turns, times = Turns(config), {name: list[float]() for name in (*engines, *peers)}
        slots = {name: engine.open() for name, engine in engines.items()}
        for index in range(10 + self.n_turns):
            if index == 10:
                for spent in times.values():
                    spent.clear()
            for name, engine in engines.items():
                times[name].append(engine.step([turns.next(slots[name])])[0].stage_ns["denoise"] / 1e9)
                synchronise(self.device)
            for name in peers:
                times[name].append(self.gpu_seconds(works[name]))
        head = {"width": config.head_width, "frames": config.turn_frames, "steps": config.steps}
        return {"head": head, "us": {name: microseconds(spent) for name, spent in times.items()}}

    def gpu_seconds(self, work: Callable[[], None]) -> float:
        """What the GPU took from the first to the last of it; without one the processor."""
        if self.device == "cpu":
            begin = time.perf_counter()
            work()
            return time.perf_counter() - begin
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        work()
        last.record()
        torch.cuda.synchronize()
        return float(first.elapsed_time(last)) / 1e3

    # ---- crowds

    def crowd(self, engine: Any, counts: list[int]) -> dict[str, Any]:
        """Steps of n heads each, one turn of all: heads in real time are n * (length of a turn) / (longest step)."""
        config, rows, slots = engine.config, [], list[int]()
        turns = Turns(config)
        turn_ms, some = FRAME_MS * config.turn_frames, [turns.next() for _ in range(8)]
        for n in counts:
            try:
                while len(slots) < n:
                    slots.append(engine.open())
            except FullError as error:
                rows.append({"heads": n, "refused": str(error)})
                break
            batch = []
            for i, slot in enumerate(slots):
                model = some[i % len(some)]
                user, agent = model.user_audio, model.agent_audio
                batch.append(TurnInput(slot, user_audio=user, agent_audio=agent, user_motion=model.user_motion, seed=i))
            spent = list[float]()
            for index in range(config.context_turns + (2 if self.tiny else 12)):
                begin = time.perf_counter()
                engine.step(batch)
                synchronise(self.device)
                if index >= config.context_turns:
                    spent.append(time.perf_counter() - begin)
            longest_ms = max(spent) * 1e3
            rows.append({"heads": n, "step_us": microseconds(spent), "in_real_time": longest_ms <= turn_ms,
                         "per_turn_length": n * turn_ms / longest_ms})  # fmt: skip
            print(rows[-1], flush=True)
            if longest_ms > turn_ms:
                break
        kept = [row["heads"] for row in rows if row.get("in_real_time")]
        return {"turn_ms": turn_ms, "rows": rows, "in_real_time": max(kept, default=0)}

    def sessions(self, window: str = "amortised") -> dict[str, Any]:
        """TIMAR-large; some of the sessions write keys and values anew behind each turn."""
        return self.crowd(self.engine(window=window), [2, 3] if self.tiny else [64, 128, 256, 400, 600, 800, 1000])

    def sessions_exact(self) -> dict[str, Any]:
        """The same with the whole window each turn."""
        return self.sessions("exact")

    def heads(self) -> dict[str, Any]:
        """The packaged model."""
        self.path = str(model_path())
        return self.crowd(self.engine(), [2] if self.tiny else [1000, 2500, 5000, 7500, 10_000, 12_500, 15_000, 20_000])

    # ---- a renderer on the same GPU

    def renderer(self) -> dict[str, Any]:
        """Frames alone, beside 50 heads, and beside them on an eighth of the GPU; by turns of 200 frames."""
        self.path = str(model_path())
        frame = Frame(self.device, self.tiny)
        whole = self.engine()
        share = max(1, whole.multiprocessors // 8)
        engines = {"whole GPU": whole, f"{share} multiprocessors": self.engine(multiprocessors=share)}
        crowds = {name: Heads(engine, 2 if self.tiny else 50) for name, engine in engines.items()}
        frames = {name: list[float]() for name in ("alone", *crowds)}
        for _ in range(1 if self.tiny else 5):
            for name, spent in frames.items():
                n = 3 if self.tiny else 200
                if name == "alone":
                    spent += frame.loop(n)
                else:
                    with crowds[name]:
                        spent += frame.loop(n)
        turns = {name: crowd.report() for name, crowd in crowds.items()}
        return {
            "work_ms": frame.work_ms,
            "frame_us": {name: microseconds(spent) for name, spent in frames.items()},
            "turns": turns,
        }


class Frame:
    """A renderer: each 16 ms some milliseconds of matrix products on a stream of high priority, started at once."""

    def __init__(self, device: str, tiny: bool) -> None:
        self.device, size = device, 64 if tiny else 2048
        self.period, self.work_ms, self.n = 0.016, 0.0, 1
        self.a = torch.randn(size, size, device=device)
        self.stream = None if device == "cpu" else torch.cuda.Stream(priority=-1)
        self.start = self.work if tiny else self.recorded()
        while not tiny and self.work_ms < 8:  # as many products as take half a frame
            self.n += 1
            self.start = self.recorded()
            self.work_ms = min(self.draw() for _ in range(3)) * 1e3

    def work(self) -> None:
        """What a frame costs."""
        for _ in range(self.n):
            self.a @ self.a

    def recorded(self) -> Callable[[], None]:
        """The work as one CUDA graph: Python then takes no part in a frame's time."""
        with torch.cuda.stream(self.stream):
            self.work()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self.work()
        return graph.replay

    def draw(self) -> float:
        """One frame's work; seconds from its start to its end, by the GPU's clock."""
        if self.stream is None:
            begin = time.perf_counter()
            self.start()
            return time.perf_counter() - begin
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.stream(self.stream):
            first.record()
            self.start()
            last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1e3

    def loop(self, n: int) -> list[float]:
        """Seconds of n frames, one begun every 16 ms."""
        spent, due = [], time.perf_counter()
        for _ in range(n):
            due += self.period
            time.sleep(max(0.0, due - time.perf_counter()))
            spent.append(self.draw())
        return spent


class Heads:
    """Heads that live on a thread of their own while a `with` lasts: their turns come due one after the other."""

    def __init__(self, engine: Any, n: int) -> None:
        self.engine, info, turns = engine, engine.info, Turns(engine.config)
        self.batches: list[list[TurnInput]] = [[] for _ in range(min(n, 16))]  # places in a turn, as the scheduler has
        for i in range(n):
            turn = turns.next(engine.open())
            turn.noise = None
            self.batches[i % len(self.batches)].append(turn)
        self.beat = FRAME_MS / 1e3 * info.turn_frames / len(self.batches)
        for batch in self.batches:
            engine.step(batch)
        self.spent: list[float] = []
        self.n_late = 0

    def __enter__(self) -> None:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.live)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def live(self) -> None:
        """Until it is stopped."""
        due, at = time.perf_counter(), 0
        while not self.stopped.wait(max(0.0, due - time.perf_counter())):
            begin = time.perf_counter()
            self.engine.step(self.batches[at % len(self.batches)])
            self.spent.append(time.perf_counter() - begin)
            due, at = due + self.beat, at + 1
            self.n_late += time.perf_counter() > due

    def report(self) -> dict[str, Any]:
        """Their steps."""
        return {"heads": sum(map(len, self.batches)), "step_us": microseconds(self.spent), "late": self.n_late}


NAMES = ("exact", "amortised", "denoiser", "sessions", "sessions-exact", "heads", "renderer")


def gpu() -> dict[str, Any]:
    """What was measured on."""
    if not torch.cuda.is_available():
        return {"name": "none"}
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_mib": properties.total_memory >> 20,
        "cuda_of_torch": torch.version.cuda,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--model", type=Path, help="what models.py wrote; heads and renderer take the packaged model")
    parser.add_argument("--turns", type=int, default=0, help="measured turns (default: 200, tiny 3)")
    parser.add_argument("--tiny", action="store_true", help="small, without a GPU")
    parser.add_argument("--out", type=Path, help="write the figures here (JSON)")
    options = parser.parse_args()
    if options.model is None and options.name not in ("heads", "renderer"):
        parser.error(f"{options.name} needs --model (python benchmarks/gpu/models.py large.gguf)")
    before = os.getloadavg()[0]
    figures = getattr(Bench(options), options.name.replace("-", "_"))()
    report = {"name": options.name, "tiny": options.tiny, "gpu": gpu(), "machine": machine(), **figures}
    report["load"] = [before, os.getloadavg()[0]]
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
