"""The fuzzer of the Python parsers (benchmarks/fuzz_wire.py), 100,000 messages of it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from fuzz_wire import fuzz


def test_mutated_messages_are_taken_or_refused_and_nothing_else() -> None:
    counts = fuzz(100_000, seed=2)
    assert sum(kind["tried"] for kind in counts.values()) == 100_000
    for kind in counts.values():
        assert 0.02 * kind["tried"] < kind["taken"] < 0.98 * kind["tried"], counts
