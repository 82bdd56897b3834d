"""Wrong requests and malformed inputs: refused or counted, and the server lives on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from bench import Bench

from visavis.bridge import wire
from visavis.bridge.receiver import why_nothing
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55

WIRE_DATA = Path(__file__).parents[1] / "data" / "wire"


def raw_request(bench: Bench, payload: bytes, kind: int = zmq.DEALER) -> dict[str, Any]:
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{bench.server.ports.control}")
        socket.send(payload)
        assert socket.poll(3000)
        reply: dict[str, Any] = json.loads(socket.recv())
        return reply


WRONG: list[tuple[bytes, str, str]] = [
    (b"\xff\xfe", "bad_json", "not JSON"),
    (b"{", "bad_json", "not JSON"),
    (b"[1]", "bad_json", "expected a JSON object"),
    (b"[" * 40_000, "bad_json", "not JSON"),
    (b'"' + b"x" * 70_000 + b'"', "bad_json", "at most 65536"),
    (b"{}", "unknown_request", "describe, clock, open, close, pair, cancel, dials"),
    (b'{"request": "dance"}', "unknown_request", "'dance'"),
    (b'{"request": "describe", "id": [1]}', "bad_value", "id"),
    (b'{"request": "describe", "head": "none"}', "unknown_head", "open: npc"),
    (b'{"request": "clock"}', "bad_value", "client_ns is missing"),
    (b'{"request": "clock", "client_ns": "now"}', "bad_value", "an integer"),
    (b'{"request": "open", "head": "npc"}', "head_exists", "already"),
    (b'{"request": "open"}', "bad_value", "head is missing"),
    (b'{"request": "open", "head": "a name of more than 16 bytes"}', "bad_value", "1 to 16 bytes"),
    (b'{"request": "open", "head": ""}', "bad_value", "1 to 16 bytes"),
    (b'{"request": "open", "head": "x", "seed": -1}', "bad_value", "seed"),
    (b'{"request": "open", "head": "x", "seed": true}', "bad_value", "seed"),
    (b'{"request": "open", "head": "x", "dtype": "f64"}', "bad_value", "f32, norm16"),
    (b'{"request": "open", "head": "x", "agent_audio": "soon"}', "bad_value", "ahead or live"),
    (b'{"request": "open", "head": "x", "dials": {"joy": 1}}', "bad_value", "'joy'"),
    (b'{"request": "close", "head": "none"}', "unknown_head", "'none'"),
    (b'{"request": "cancel", "head": "npc", "from_ns": 1e9}', "bad_value", "an integer"),
    (b'{"request": "cancel", "head": "npc", "from_ns": 99999999999999999999}', "bad_value", "64-bit"),
    (b'{"request": "dials", "head": "npc", "set": {"joy": 1}}', "unknown_dial", "temperature"),
    (b'{"request": "dials", "head": "npc", "set": {"temperature": NaN}}', "bad_value", "0 to 2"),
    (b'{"request": "dials", "head": "npc", "set": {"temperature": 3}}', "bad_value", "0 to 2"),
]


def test_a_wrong_request_gets_its_code_and_the_server_lives_on(bench: Bench) -> None:
    bench.client.request("open", head="npc")
    for request, code, text in WRONG:
        error = raw_request(bench, request)["error"]
        assert (error["code"], text in error["message"]) == (code, True), f"{request[:60]!r}: {error}"
    assert [head["head"] for head in bench.client.request("describe")["heads"]] == ["npc"]


def test_a_demos_head_cannot_be_closed(bench: Bench) -> None:
    bench.client.request("open", head="npc")
    bench.server.owned_heads.add("npc")
    assert raw_request(bench, b'{"request": "close", "head": "npc"}')["error"]["code"] == "unsupported"


def test_req_clients_work_and_ids_come_back(bench: Bench) -> None:
    reply = raw_request(bench, b'{"request": "clock", "id": "a", "client_ns": -5}', zmq.REQ)
    assert reply["id"] == "a" and reply["client_ns"] == -5
    assert reply["server_send_ns"] >= reply["server_receive_ns"]


def test_there_are_only_so_many_heads_and_all_can_be_closed(bench: Bench) -> None:
    for i in range(bench.server.max_heads):
        bench.client.request("open", head=f"npc{i}")
    with pytest.raises(InvalidArgument, match="at most 16"):
        bench.client.request("open", head="one more")
    for i in range(bench.server.max_heads):
        bench.client.request("close", head=f"npc{i}")
    assert not bench.engine.open_slots


def test_malformed_inputs_are_counted_and_survived(bench: Bench) -> None:
    epoch = bench.open()["epoch"]
    bad = [bytes.fromhex(entry["hex"]) for entry in json.loads((WIRE_DATA / "malformed.json").read_text())]
    rng = np.random.default_rng(5)
    bad += [rng.bytes(int(n)) for n in rng.integers(0, 300, 200)] + [bytes(70_000)]
    voice = [0.1] * 160
    refused = [
        wire.encode_voice("VVU1", "npc", voice, 16_000, epoch=epoch + 7),
        wire.encode_voice("VVU1", "npc", voice, 4_000),  # below what sessions take
        wire.encode_voice("VVG1", "npc", voice, 16_000, time_ns=1 << 62),
        wire.encode_face("npc", [0.0] * 52, ARKIT55.channels[:52], ARKIT55.units[:52]),
        wire.encode_face("npc", [0.0] * 55, ARKIT55.channels[::-1], ARKIT55.units[::-1]),
    ]
    n_dropped = len(bad) + len(refused) + 2
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 2000
        socket.connect(f"tcp://127.0.0.1:{bench.server.ports.input}")
        for packet in [*bad, *refused, wire.encode_voice("VVU1", "nobody", voice, 16_000)]:
            socket.send(packet)
        socket.send_multipart([b"two", b"parts"])
        socket.send(wire.encode_voice("VVU1", "npc", voice, 16_000))
        bench.wait(lambda: bench.counters()["user_pushed_ms"] == 10)
    assert bench.client.request("describe")["counters"]["dropped_inputs"] == n_dropped
    assert bench.counters()["dropped_inputs"] == len(refused)
    n_before = len(bench.of("VVM1"))
    bench.run_for(1)
    assert len(bench.of("VVM1")) > n_before + 15


def test_repeated_inputs_are_dropped_and_lost_ones_counted(bench: Bench) -> None:
    bench.open()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 2000
        socket.connect(f"tcp://127.0.0.1:{bench.server.ports.input}")
        for sequence in (0, 1, 1, 5, 4, 6):
            socket.send(wire.encode_voice("VVU1", "npc", [0.1] * 160, 16_000, sequence=sequence))
        bench.wait(lambda: bench.counters()["user_pushed_ms"] == 40)
    counters = bench.counters()
    assert (counters["dropped_inputs"], counters["lost_inputs"]) == (2, 3)


def test_malformed_messages_are_counted_by_receivers(bench: Bench) -> None:
    bench.open()
    track = bench.track()
    for packet in (b"VVM1", b"VVM1" + bytes(200)):
        bench.server.publish(packet)
    bench.wait(lambda: bench.receiver.malformed == 2)
    bench.run_for(0.5)
    assert track.counts["lost"] == 0


def test_why_nothing_arrives_is_said(bench: Bench) -> None:
    assert "no head open" in why_nothing(bench.endpoint)
    assert "nothing listens on 127.0.0.1:1 " in why_nothing("tcp://127.0.0.1:1")
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        assert "no Visavis server answers" in why_nothing(f"127.0.0.1:{port}")
    bench.open()
    assert "heads (npc)" in why_nothing(bench.endpoint)
