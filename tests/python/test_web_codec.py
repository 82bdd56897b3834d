"""The JavaScript codec (engine_plugins/web/wire.js) under node: golden messages, and against the Python one."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wire_mutations import GOLDEN, MALFORMED, mutated

from visavis.bridge import wire
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55

pytestmark = pytest.mark.system  # node

WEB = Path(__file__).parents[1] / "web"
EXACT = ("magic", "head", "flags", "epoch", "state", "channels", "dtype", "revision", "rate")
AS_TEXT = ("sequence", "frame", "presentation_ns", "publish_ns")
NAMES, UNITS = list(ARKIT55.channels), list(ARKIT55.units)


def node(script: str, task: dict[str, Any] | None = None, *arguments: object) -> Any:
    command = ["node", str(WEB / script), *map(str, arguments)]
    result = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def some_inputs(rng: random.Random) -> list[dict[str, Any]]:
    inputs = list[dict[str, Any]]()
    for i in range(60):
        options = {
            "sequence": rng.randrange(2**64),
            "frame": rng.randrange(-(2**63), 2**63),
            "epoch": rng.randrange(2**32),
        }
        options |= {"epoch": rng.randrange(2**32), "publish_ns": rng.randrange(-(2**63), 2**63)}
        options["time_ns"] = rng.choice((None, rng.randrange(2**62)))
        magic = ("VVU1", "VVG1", "VVT1")[i % 3]
        values = [rng.uniform(-4, 4) for _ in range(55 if magic == "VVT1" else rng.randrange(1, 500))]
        options["dtype"] = rng.choice(("f32", "norm16" if magic == "VVT1" else "s16"))
        if magic != "VVT1":
            options["end"] = rng.random() < 0.2
        inputs.append({"magic": magic, "head": "Zoë", "values": values, "rate": rng.randrange(4000, 9000)})
        inputs[-1] |= {"options": options, "names": NAMES, "units": UNITS}
    inputs.append(inputs[0] | {"values": [], "options": inputs[0]["options"] | {"end": True}})
    return inputs


def as_text(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """JavaScript's JSON reads whole numbers up to 2^53."""
    long = ("sequence", "frame", "publish_ns", "time_ns")
    return [
        entry | {"options": {n: str(v) if n in long and v is not None else v for n, v in entry["options"].items()}}
        for entry in inputs
    ]


def as_python_encodes(entry: dict[str, Any]) -> str:
    if entry["magic"] == "VVT1":
        return wire.encode_face("Zoë", entry["values"], NAMES, UNITS, rate=entry["rate"], **entry["options"]).hex()
    return wire.encode_voice(entry["magic"], "Zoë", entry["values"], entry["rate"], **entry["options"]).hex()


def agrees(theirs: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in EXACT:
        assert theirs[name] == expected[name], name
    for name in AS_TEXT:
        assert int(theirs[name]) == expected[name], name
    assert int(theirs["schema_hash"], 16) == expected["schema_hash"]
    assert theirs["json"] == expected["json"] and theirs["values"] == expected["values"]


def expected_of(message: wire.Message) -> dict[str, Any]:
    values = None if message.values is None else list(message.values)
    return {**{name: getattr(message, name) for name in (*EXACT, *AS_TEXT, "schema_hash", "json")}, "values": values}


def test_the_javascript_codec_is_the_python_one() -> None:
    rng = random.Random(8)
    inputs = some_inputs(rng)
    raw = [bytes.fromhex(entry["hex"]) for entry in [*GOLDEN, *MALFORMED]]
    packets = [mutated(rng, rng.choice(raw)) for _ in range(4000)] + [bytes(65_536), bytes(65_537), b""]
    task = {"golden": GOLDEN, "malformed": MALFORMED, "names": NAMES, "units": UNITS}
    result = node("codec.mjs", task | {"packets": [packet.hex() for packet in packets], "inputs": as_text(inputs)})
    for entry, theirs in zip(GOLDEN, result["golden"], strict=True):
        message = entry["message"]
        values = [] if "json" in message else message["values"]
        schema = int(message["schema_hash"], 16)
        agrees(theirs, {"json": None, **message, "schema_hash": schema, "values": values})
    assert set(result["described"]) == {1}
    assert len(result["malformed"]) == len(MALFORMED) > 10
    assert all("refused" in theirs for theirs in result["malformed"])
    assert result["inputs"] == [as_python_encodes(entry) for entry in inputs]
    assert int(result["hash"]) == 0xC4F7F0CAC81CD3C2
    taken = 0
    for packet, theirs in zip(packets, result["packets"], strict=True):
        try:
            message = wire.decode(packet)
        except InvalidArgument:
            assert "refused" in theirs, packet.hex()
        else:
            taken += 1
            agrees(theirs, expected_of(message))
    assert 300 < taken < 3800


def test_the_jitter_buffer_keeps_its_bound_through_loss_jitter_stalls_and_drift() -> None:
    ideal, fast, slow = node("head.mjs")
    assert ideal["p99"] <= 3.5 and ideal["mostDelay"] == 0
    for run in (fast, slow):
        assert run["backwards"] == 0 and run["mostDelay"] <= 60, run
        assert run["p50"] <= 10 and run["p99"] <= 100 and run["most"] <= 600, run
        assert run["afterStall"] <= 160, "back inside the bound 2 s after a stall of 500 ms (160: lost frames in a row)"
        assert run["counters"]["frames"] + run["counters"]["lost"] > 14_950


def test_the_javascript_decoder_survives_mutated_messages() -> None:
    told = node("fuzz.mjs", {"packets": [entry["hex"] for entry in [*GOLDEN, *MALFORMED]]}, 200_000, 1)
    assert told["n"] == 200_000 and 20_000 < told["taken"] < 180_000
