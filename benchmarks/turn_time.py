"""How long one turn of one head takes on one thread: p50 and p99 by stage, and the real-time factor.

    python benchmarks/turn_time.py                              # the packaged default model
    python benchmarks/turn_time.py --random                     # live_config() with random weights (needs torch)
    VISAVIS_ISA=avx2 python benchmarks/turn_time.py --heads 8   # 8 sessions in a batch, on AVX2

A turn holds noise for both voices and a tracked face, so that nothing is skipped.  Stages are wall time, of which a
busy machine takes its share (its load is printed); "step, processor" is the processor time of the calling thread.
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

import visavis
from visavis.constants import FRAME_RATE, SAMPLES_PER_FRAME
from visavis.engine import Engine, TurnInput

STAGES = ("speech", "backbone", "denoise")


def random_model(folder: Path) -> Path:
    """A file of live_config() with random weights: the time does not depend on what they are."""
    from visavis.export.gguf import save_gguf
    from visavis.model.config import live_config
    from visavis.model.normalisation import Normalisation
    from visavis.model.timar import Timar

    config = live_config()
    ones = np.ones((config.turn_frames, config.n_channels), np.float32)
    plain = Normalisation.identity(config.n_channels)
    path = folder / "random.gguf"
    save_gguf(path, Timar(config, Normalisation(plain.mean, plain.std, plain.weight, 0.1 * ones)), name="random")
    return path


def measure(engine: Engine, n_heads: int, n_turns: int, warm_up: int) -> np.ndarray:
    """Milliseconds of every turn by stage, then wall and processor time of the step: (turns, 5), mean over heads."""
    F, C = engine.info.turn_frames, len(engine.info.channels)
    n_samples = F * SAMPLES_PER_FRAME
    ahead = engine.info.agent_lookahead_frames * SAMPLES_PER_FRAME
    rng = np.random.default_rng(0)
    slots = [engine.open() for _ in range(n_heads)]
    rows = []
    for _ in range(warm_up + n_turns):
        inputs = [
            TurnInput(
                slot,
                user_audio=0.1 * rng.standard_normal(n_samples, np.float32),
                agent_audio=0.1 * rng.standard_normal(n_samples + ahead, np.float32),
                user_motion=0.1 * rng.standard_normal((F, C), np.float32),
            )
            for slot in slots
        ]
        wall, processor = time.perf_counter_ns(), time.thread_time_ns()
        outputs = engine.step(inputs)
        wall, processor = time.perf_counter_ns() - wall, time.thread_time_ns() - processor
        rows.append([*(sum(out.stage_ns[stage] for out in outputs) for stage in STAGES), wall, processor])
    return np.array(rows[warm_up:]) / 1e6 / n_heads


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model file (default: the packaged one)")
    parser.add_argument("--random", action="store_true", help="live_config() with random weights instead")
    parser.add_argument("--engine", default="cpu", help="cpu or torch (default: cpu)")
    parser.add_argument("--heads", type=int, default=1, help="sessions in a batch (default: 1)")
    parser.add_argument("--turns", type=int, default=500, help="measured turns (default: 500)")
    parser.add_argument("--steps", type=int, help="denoising steps (default: the model's)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        path = random_model(Path(folder)) if options.random else options.model
        engine = visavis.load_engine(path, options.engine, steps=options.steps)
        ms = measure(engine, options.heads, options.turns, warm_up=engine.info.context_turns)
    turn_ms = 1000 * engine.info.turn_frames / FRAME_RATE
    isa = getattr(engine, "isa", options.engine)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    print(f"{engine.info.name}: {isa}, {engine.info.steps} steps, {options.heads} head(s), {options.turns} turns")
    print(f"{platform.processor() or platform.machine()}, one thread, {load}")
    print(f"{'ms a turn and head':>20} {'p50':>8} {'p99':>8}")
    for name, column in zip((*STAGES, "step", "step, processor"), ms.T, strict=True):
        print(f"{name:>20} {np.percentile(column, 50):8.3f} {np.percentile(column, 99):8.3f}")
    factors = [np.percentile(ms[:, -1], p) / turn_ms for p in (50, 99)]
    print(
        f"real-time factor of the processor {factors[0]:.4f} (p50), {factors[1]:.4f} (p99), turns of {turn_ms:.0f} ms"
    )


if __name__ == "__main__":
    main()
