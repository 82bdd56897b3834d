"""Mutated messages through every parser written in Python: wire protocol (against the C++ codec), Live Link Face, VMC.

    python benchmarks/fuzz_wire.py --n 1000000 --seed 1

Each message is taken, or refused with InvalidArgument; anything else ends the run with the message.  Prints counts.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "python"))
from wire_mutations import GOLDEN, MALFORMED, mutated, mutated_datagram

from visavis import _core
from visavis.bridge import wire
from visavis.bridge.outside import live_link_face, osc, vmc
from visavis.bridge.outside.face import Face, face_of
from visavis.errors import InvalidArgument

SHARES = {"wire": 6, "livelink": 2, "vmc": 2}


def tried(decode: Callable[..., Any], *arguments: Any) -> Any:
    """What a decoder says, None where it refuses."""
    try:
        return decode(*arguments)
    except InvalidArgument:
        return None


def check_wire(packet: bytes) -> bool:
    """Both codecs take it, with the same result, or neither does."""
    native, plain = tried(_core.wire.decode, packet), tried(wire.decode, packet)
    assert (native is None) == (plain is None), "one codec takes it, the other does not"
    if plain is None:
        return False
    assert (native["head"], native["sequence"], native["dtype"]) == (plain.head, plain.sequence, plain.dtype)
    if plain.values is not None and native.get("values") is not None:
        assert native["values"].tolist() == list(plain.values)
    if plain.magic == "VVD1":
        tried(plain.description)
    return True


def check_face(face: Face) -> None:
    """Whatever was read can be handed to a session."""
    motion = face.motion()
    assert motion.shape == (55,) and np.isfinite(motion).all() and 0 <= motion[:52].min() <= motion[:52].max() <= 1


def check_live_link(datagram: bytes) -> bool:
    """A packet that is taken has a face, or none, and a time."""
    packet = tried(live_link_face.decode, datagram)
    if packet is not None and packet.face is not None:
        check_face(packet.face)
        assert 0 <= packet.seconds < 1e12
    return packet is not None


class VmcCheck:
    """One decoder sees all datagrams, as a port does."""

    def __init__(self) -> None:
        self.decoder = vmc.Decoder()

    def __call__(self, datagram: bytes) -> bool:
        """Faces that come out are whole."""
        faces = tried(self.decoder.decode, datagram)
        for _, face in faces or ():
            check_face(face)
        return faces is not None


def seeds() -> dict[str, list[bytes]]:
    """Well-formed messages to begin from."""
    face = face_of(np.linspace(0, 1, 55).astype(np.float32))
    link = live_link_face.Packet(live_link_face.device_id("npc"), "npc", face, 100, 0.5, Fraction(30_000, 1001))
    links = [live_link_face.encode(packet) for packet in (link, live_link_face.Packet("d", "Zoë"))]
    single = [osc.message("/VMC/Ext/Blend/Val", "sf", "JawOpen", 0.5), osc.message("/VMC/Ext/Blend/Apply")]
    nested = osc.bundles([osc.bundles(single, 9999)[0], *single], 9999)
    return {
        "wire": [bytes.fromhex(entry["hex"]) for entry in [*GOLDEN, *MALFORMED]],
        "livelink": links,
        "vmc": [*vmc.Encoder().encode(face, 1.5), *single, *nested],
    }


def fuzz(n: int, seed: int) -> dict[str, dict[str, int]]:
    """Run n messages; how many of each kind were tried and taken."""
    rng, starts = random.Random(seed), seeds()
    checks = {"wire": check_wire, "livelink": check_live_link, "vmc": VmcCheck()}
    counts = {kind: {"tried": 0, "taken": 0} for kind in SHARES}
    for kind in rng.choices(list(SHARES), list(SHARES.values()), k=n):
        start = rng.choice(starts[kind])
        packet = mutated(rng, start) if kind == "wire" else mutated_datagram(rng, start)
        try:
            taken = checks[kind](packet)
        except BaseException:
            print(f"seed {seed}, {kind}: {packet.hex()}", file=sys.stderr)
            raise
        counts[kind]["tried"] += 1
        counts[kind]["taken"] += taken
    return counts


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000, help="messages")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    counts = fuzz(arguments.n, arguments.seed)
    print(f"{arguments.n} messages, seed {arguments.seed}, {time.monotonic() - began:.0f} s: {counts}")


if __name__ == "__main__":
    main()
