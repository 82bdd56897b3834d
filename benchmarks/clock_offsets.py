"""How far voice and face are apart as both go out, in ten simulated minutes of each kind of trouble (docs/clock.md).

    PYTHONPATH=tests/python python benchmarks/clock_offsets.py [--minutes 10] [--seed 3]

Virtual time: the numbers do not depend on the machine.  An offset is the distance between the moment of the agent's
voice that is heard while a frame is seen and the moment that the frame was made from.
"""

import argparse
from dataclasses import replace

import numpy as np
from simulator import MS, Simulation, World, percentile


def slow(extra_ms: float, begin_s: float = 60, end_s: float = 120) -> World:
    """A world whose engine is slower by so much for a minute."""
    return World(
        cost_ms=lambda rng, now_s, steps: rng.uniform(3, 12) + extra_ms * steps / 5 * (begin_s < now_s < end_s)
    )


WORLDS = {
    "TTS in bursts": World(),
    "the same, microphone +200 ppm, 40 % interrupted": World(drift_ppm=200, barge_in=0.4),
    "actor, both microphones -200 ppm": World(drift_ppm=-200, options={"agent_audio": "live"}),
    "actor, both microphones +200 ppm": World(drift_ppm=200, options={"agent_audio": "live"}),
    "caller stalls 0.2 to 0.8 s, each 20 s": World(stall_s=(0.2, 0.8), stall_every_s=20),
    "engine +100 ms for a minute, hold": slow(100),
    "engine +300 ms for a minute, fewer_steps, lead 80 ms": replace(
        slow(300), options={"late": "fewer_steps", "lead_ns": 80 * MS}
    ),
    "engine +260 ms for a minute, idle": replace(slow(260), options={"late": "idle"}),
}


def main() -> None:
    """Print a line of a table for each world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    columns = (
        "world",
        "frames",
        "dropped",
        "turns skipped",
        "offset p50, p99, worst (ms)",
        "user's voice p99, worst (ms)",
    )
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name, world in WORLDS.items():
        run = Simulation(replace(world, seed=given.seed, seconds=given.minutes * 60)).run()
        stats, offsets, delays = run.session.stats, np.abs(run.offsets_ms()), np.abs(run.user_delays_ms())
        print(
            f"| {name} | {len(run.shown)} | {stats['dropped_frames']} | {stats['skipped_turns']} "
            f"| {percentile(offsets, 50):.2f}, {percentile(offsets, 99):.2f}, {offsets.max():.2f} "
            f"| {percentile(delays, 99):.1f}, {delays.max():.1f} |"
        )


if __name__ == "__main__":
    main()
