"""Wire protocol v1: golden bytes, the C++ codec against the plain Python one, and what both must refuse."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wire_mutations import GOLDEN, MALFORMED, mutated

from visavis import _core
from visavis.bridge import wire
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55, FLAME56

NUMBERS = ("flags", "sequence", "frame", "presentation_ns", "publish_ns", "epoch", "state", "channels", "rate")


def encode_natively(message: dict[str, Any], units: list[str] | None) -> bytes:
    fields = {name: message[name] for name in NUMBERS}
    payload: dict[str, Any] = {"json": message["json"]} if "json" in message else {"units": units or []}
    return _core.wire.encode(
        message["magic"],
        message["head"],
        np.asarray(message.get("values", ()), np.float32),
        dtype=message["dtype"],
        schema_hash=int(message["schema_hash"], 16),
        **fields,
        **payload,
    )


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: entry["name"])
def test_golden_bytes_are_what_the_cpp_encoder_writes_and_both_decoders_read(entry: dict[str, Any]) -> None:
    packet, expected, units = bytes.fromhex(entry["hex"]), entry["message"], entry["units"]
    if not entry.get("decode_only"):
        assert encode_natively(expected, units).hex() == entry["hex"]
    native = _core.wire.decode(packet, units)
    plain = wire.decode(packet, units)
    for name in ("magic", "head", "dtype", "revision", *NUMBERS):
        assert native[name] == getattr(plain, name) == expected[name], name
    assert native["schema_hash"] == plain.schema_hash == int(expected["schema_hash"], 16)
    if "json" in expected:
        assert native["json"] == plain.json == expected["json"]
        assert plain.description()["protocol"] == 1
    else:
        assert native["values"].tolist() == list(plain.values or ()) == expected["values"]


@pytest.mark.parametrize("entry", MALFORMED, ids=lambda entry: entry["name"])
def test_both_decoders_refuse_malformed_messages(entry: dict[str, str]) -> None:
    packet = bytes.fromhex(entry["hex"])
    for decode in (_core.wire.decode, wire.decode):
        with pytest.raises(InvalidArgument, match="wire message"):
            decode(packet)


def test_messages_beyond_64_kib_are_refused_by_all() -> None:
    head = _core.wire.encode("VVA1", "npc", [0.0], rate=16_000)[:80]
    assert (
        _core.wire.decode(head + bytes(65_456))["values"].size
        == len(wire.decode(head + bytes(65_456)).values)
        == 16_364
    )
    for decode in (_core.wire.decode, wire.decode):
        with pytest.raises(InvalidArgument, match="65536"):
            decode(head + bytes(65_460))
    with pytest.raises(InvalidArgument, match="65536"):
        _core.wire.encode("VVA1", "npc", np.zeros(16_365), rate=16_000)
    with pytest.raises(InvalidArgument, match="65536"):
        wire.encode_voice("VVU1", "npc", [0.0] * 16_365, 16_000)


def test_schema_hashes_are_those_of_the_document() -> None:
    for space, expected in ((ARKIT55, 0xC4F7F0CAC81CD3C2), (FLAME56, 0x2061B684555A4689)):
        assert wire.schema_hash(space.channels, space.units) == expected
        assert _core.wire.schema_hash(list(space.channels), list(space.units)) == expected
    document = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
    assert "0xc4f7f0cac81cd3c2" in document and "0x2061b684555a4689" in document
    with pytest.raises(InvalidArgument, match="2 names and 1 units"):
        _core.wire.schema_hash(["a", "b"], ["1"])


def random_values(rng: random.Random, n: int) -> list[float]:
    """Float32 values over and beyond the ranges of weights and angles, ends included."""
    edges = (0.0, 1.0, -1.0, math.pi, -math.pi, 0.5, 1e-7, -0.0)
    drawn = [rng.choice(edges) if rng.random() < 0.1 else rng.uniform(-4, 4) for _ in range(n)]
    return [float(np.float32(value)) for value in drawn]


def test_python_inputs_equal_the_cpp_encoder_on_random_messages() -> None:
    rng = random.Random(3)
    names, units = list(ARKIT55.channels), list(ARKIT55.units)
    for _ in range(300):
        common = {"frame": rng.randrange(2**40), "sequence": rng.randrange(2**64), "epoch": rng.randrange(2**32)}
        common["publish_ns"] = rng.randrange(-(2**63), 2**63)
        time_ns = rng.choice((None, rng.randrange(-(2**63), 2**63)))
        timing = {"presentation_ns": time_ns or 0}
        timed = 0 if time_ns is None else wire.TIMED
        samples, end = random_values(rng, rng.randrange(1, 900)), rng.random() < 0.2
        dtype, rate, magic = rng.choice(("f32", "s16")), rng.randrange(4_000, 384_001), rng.choice(("VVU1", "VVG1"))
        voice = wire.encode_voice(magic, "npc", samples, rate, time_ns=time_ns, dtype=dtype, end=end, **common)
        flags = timed | (wire.END if end else 0)
        assert voice == _core.wire.encode(
            magic, "npc", samples, dtype=dtype, rate=rate, flags=flags, **common, **timing
        )
        values, dtype = random_values(rng, 55), rng.choice(("f32", "norm16"))
        face = wire.encode_face("Zoë", values, names, units, time_ns=time_ns, dtype=dtype, rate=rate % 120, **common)
        schema = wire.schema_hash(names, units)
        native = _core.wire.encode(
            "VVT1",
            "Zoë",
            values,
            units=units,
            dtype=dtype,
            rate=rate % 120,
            flags=timed,
            schema_hash=schema,
            **common,
            **timing,
        )
        assert face == native
        assert _core.wire.decode(voice)["values"].tolist() == list(wire.decode(voice).values or ())
        assert _core.wire.decode(face, units)["values"].tolist() == list(wire.decode(face, units).values or ())


def test_norm16_is_within_half_a_step_and_clamps() -> None:
    units = ["1", "1", "rad", "rad", "1"]
    values = np.array([0.3, 1.7, 0.2, -9.0, -0.5], np.float32)
    packet = _core.wire.encode("VVM1", "npc", values, units=units, dtype="norm16", rate=25)
    back = _core.wire.decode(packet, units)["values"]
    np.testing.assert_allclose(back, [0.3, 1.0, 0.2, -math.pi, 0.0], atol=5e-5)
    assert abs(back[0] - 0.3) <= 0.5 / 65_535 + 1e-7 and abs(back[2] - 0.2) <= 0.5 * math.pi / 32_767 + 1e-7
    assert len(packet) == 80 + 2 * 5


def test_norm16_without_units_is_said_and_the_header_still_read() -> None:
    packet = _core.wire.encode("VVM1", "npc", [0.5, 0.5], units=["1", "rad"], dtype="norm16", rate=25)
    assert _core.wire.decode(packet)["values"] is None and wire.decode(packet).values is None
    for decode in (_core.wire.decode, wire.decode):
        with pytest.raises(InvalidArgument, match="unit"):
            decode(packet, ["1"])
    with pytest.raises(InvalidArgument, match="unit"):
        _core.wire.encode("VVM1", "npc", [0.5, 0.5], units=["1"], dtype="norm16", rate=25)
    with pytest.raises(InvalidArgument, match='unit is "deg"'):
        _core.wire.decode(packet, ["1", "deg"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("VVX1", "npc", [0.0]), {}, "unknown magic"),
        (("VVM1", "", [0.0]), {}, "head id"),
        (("VVM1", "seventeen-bytes-x", [0.0]), {}, "head id"),
        (("VVM1", "tab\t", [0.0]), {}, "head id"),
        (("VVM1", "npc", [0.0]), {"dtype": "f16"}, "dtype is"),
        (("VVM1", "npc", [0.0]), {"dtype": "s16"}, "dtype is not one of this kind"),
        (("VVM1", "npc", [float("nan")]), {}, "NaN"),
        (("VVM1", "npc", [0.0]), {"channels": 2}, "payload"),
        (("VVM1", "npc"), {}, "channels"),
        (("VVA1", "npc", [0.0]), {"rate": 0}, "rate"),
        (("VVA1", "npc"), {"rate": 16_000, "dtype": "none"}, "dtype"),
        (("VVC1", "npc", [0.0]), {"dtype": "none"}, "payload"),
        (("VVD1", "npc"), {"dtype": "json"}, "payload"),
        (("VVD1", "npc"), {"dtype": "json", "json": "x" * 65_500}, "65536"),
    ],
)
def test_the_encoder_refuses_what_no_decoder_would_take(
    arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        _core.wire.encode(*arguments, **options)


def test_the_python_encoder_refuses_what_no_decoder_would_take() -> None:
    for call, message in (
        (lambda: wire.encode_voice("VVU1", "npc", [], 16_000), "do not go together"),
        (lambda: wire.encode_voice("VVU1", "npc", [0.0], 3_999), "rate 3999"),
        (lambda: wire.encode_voice("VVU1", "npc", [math.inf], 16_000), "infinite"),
        (lambda: wire.encode_voice("VVU1", "a" * 17, [0.0], 16_000), "head id"),
        (lambda: wire.encode_face("npc", [0.0], ["a", "b"], ["1", "1"]), "do not go together"),
        (lambda: wire.encode_face("npc", [math.nan], ["a"], ["1"]), "NaN"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            call()


def test_descriptions_that_are_no_objects_are_refused() -> None:
    for text, message in (("[1]", "is list"), ("{", "cannot be read"), ("[" * 60_000, "cannot be read")):
        packet = _core.wire.encode("VVD1", "npc", json=text, dtype="json", channels=1)
        with pytest.raises(InvalidArgument, match=message):
            wire.decode(packet).description()


def test_topics_are_the_first_bytes_of_messages() -> None:
    packet = _core.wire.encode("VVM1", "Zoë", [0.0], rate=25)
    assert packet.startswith(wire.topic("VVM1", "Zoë")) and len(wire.topic("VVM1", "Zoë")) == 20


def test_both_decoders_agree_on_20000_mutated_messages() -> None:
    rng = random.Random(11)
    packets = [bytes.fromhex(entry["hex"]) for entry in [*GOLDEN, *MALFORMED]]
    taken = 0
    for _ in range(20_000):
        packet = mutated(rng, rng.choice(packets))
        results: list[Any] = []
        for decode in (_core.wire.decode, wire.decode):
            try:
                results.append(decode(packet))
            except InvalidArgument:
                results.append(None)
        native, plain = results
        assert (native is None) == (plain is None), packet.hex()
        if native is not None:
            taken += 1
            for name in ("magic", "head", "dtype", "schema_hash", *NUMBERS):
                assert native[name] == getattr(plain, name)
            if native.get("values") is not None:
                assert native["values"].tolist() == list(plain.values)
    assert 2_000 < taken < 18_000
