"""Messages of wire protocol v1, golden and malformed, and structure-aware mutations of them."""

import json
import random
import struct
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "wire"
GOLDEN: list[dict[str, Any]] = [
    entry for name in ("outputs", "inputs") for entry in json.loads((DATA / f"{name}.json").read_text("utf-8"))
]
MALFORMED: list[dict[str, str]] = json.loads((DATA / "malformed.json").read_text("utf-8"))

FIELDS = (
    (0, "<4s", (b"VVM1", b"VVA1", b"VVC1", b"VVD1", b"VVU1", b"VVG1", b"VVT1")),
    (20, "<H", (0, 79, 80, 84, 88, 65_535)),
    (22, "<H", (0, 1, 2, 3)),
    (70, "<H", (0, 1, 2, 55, 65_535)),
    (72, "<B", (0, 1, 2, 3, 4, 5, 255)),
    (76, "<I", (0, 25, 3_999, 4_000, 16_000, 384_001)),
)


def mutated(rng: random.Random, packet: bytes) -> bytes:
    raw = bytearray(packet)
    for _ in range(rng.randrange(1, 3)):
        how = rng.choices(range(4), (6, 6, 1, 1))[0]
        if how == 0 and raw:
            raw[rng.randrange(len(raw))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif how == 1 and len(raw) >= 80:
            at, layout, values = rng.choice(FIELDS)
            struct.pack_into(layout, raw, at, rng.choice(values))
        elif how == 2:
            del raw[rng.randrange(len(raw) + 1) :]
        else:
            raw += rng.randbytes(rng.randrange(1, 9))
    return bytes(raw)


def mutated_datagram(rng: random.Random, packet: bytes) -> bytes:
    """A datagram of another protocol, mutated where lengths, counts and texts may stand."""
    raw = bytearray(packet)
    for _ in range(rng.randrange(1, 4)):
        how = rng.randrange(6)
        if how == 0 and raw:
            raw[rng.randrange(len(raw))] = rng.choice((0, 1, 0x24, 0x2C, 0x2F, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif how == 1 and len(raw) >= 4:
            value = rng.choice((0, 1, 4, 36, 61, len(raw), 2**31 - 1, -1, -(2**31), rng.randrange(1000)))
            struct.pack_into(">i", raw, rng.randrange((len(raw) - 4) // 4 + 1) * 4, value)
        elif how == 2 and len(raw) >= 4:
            value = rng.choice((float("nan"), float("inf"), -1e30, 1e-40, rng.uniform(-2, 2)))
            struct.pack_into(">f", raw, rng.randrange(len(raw) - 3), value)
        elif how == 3:
            del raw[rng.randrange(len(raw) + 1) :]
        elif how == 4 and raw:
            first, last = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
            raw[first:first] = raw[first:last][:200]
        else:
            raw += rng.randbytes(rng.randrange(1, 9))
    return bytes(raw)
