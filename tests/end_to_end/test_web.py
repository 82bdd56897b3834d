"""The relay for browsers: real connections of an independent WebSocket client, and of the modules in node."""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from bench import Bench
from echo_engine import PITCH

from visavis.bridge import wire
from visavis.bridge.outside.address import Address
from visavis.bridge.web import UP_MESSAGES, WebRelay
from visavis.bridge.web_client import QUEUE_MESSAGES, WebClient
from visavis.errors import InvalidArgument, StateError

SPOKEN = (0.5 * np.sign(np.sin(np.arange(80_000) * 0.3))).astype(np.float32)
Talk = Callable[[aiohttp.ClientSession], Awaitable[Any]]


@pytest.fixture
def relay(bench: Bench) -> Iterator[WebRelay]:
    relay = WebRelay(bench.server, Address("127.0.0.1", 0), origins=["https://scene.example"])
    try:
        yield relay
    finally:
        bench.halt()
        relay.close()


def stream_url(relay: WebRelay, query: str = "") -> str:
    return f"ws://{relay.address}/stream{query}"


def talk(what: Talk) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            return await asyncio.wait_for(what(session), 20)

    return asyncio.run(run())


async def messages(connection: aiohttp.ClientWebSocketResponse, n: int) -> list[wire.Message]:
    return [wire.decode(await connection.receive_bytes()) for _ in range(n)]


async def answer(connection: aiohttp.ClientWebSocketResponse, **request: Any) -> dict[str, Any]:
    await connection.send_str(json.dumps(request))
    return await next_text(connection)


async def next_text(connection: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    while (message := await connection.receive()).type != aiohttp.WSMsgType.TEXT:
        assert message.type == aiohttp.WSMsgType.BINARY, message
    reply: dict[str, Any] = json.loads(message.data)
    return reply


def test_pages_get_what_subscribers_get_beginning_with_the_description(bench: Bench, relay: WebRelay) -> None:
    bench.open("one")
    bench.open("two")
    bench.say(SPOKEN, 16_000, "two")

    async def look(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(stream_url(relay)) as connection:
            received = await messages(connection, 300)
            assert {m.magic for m in received[:2]} == {"VVD1"} and {m.head for m in received[:2]} == {"one", "two"}
            assert {m.magic for m in received} == {"VVM1", "VVA1", "VVD1"}
            one = [m.sequence for m in received if (m.magic, m.head) == ("VVM1", "one")]
            assert one == list(range(one[0], one[0] + len(one)))
        async with session.ws_connect(stream_url(relay, "?head=two&audio=0")) as connection:
            received = await messages(connection, 100)
            assert {(m.magic, m.head) for m in received} == {("VVM1", "two"), ("VVD1", "two")}
            assert received[0].magic == "VVD1"

    talk(look)
    report = bench.client.request("describe")["web"]
    assert report["counters"]["clients"] == 2


def test_a_page_speaks_sets_dials_and_interrupts_but_owns_nothing(bench: Bench, relay: WebRelay) -> None:
    bench.open()

    async def use(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(stream_url(relay)) as connection:
            for sequence in range(60):
                packet = wire.encode_voice("VVU1", "npc", SPOKEN[:1600], 16_000, sequence=sequence)
                await connection.send_bytes(packet)
                await asyncio.sleep(0.004)
            reply = await answer(connection, request="dials", head="npc", set={"temperature": 0.5}, id="d")
            assert reply["id"] == "d" and reply["dials"]["temperature"]["value"] == 0.5
            assert (await answer(connection, request="cancel", head="npc"))["ok"]
            assert (await answer(connection, request="clock", client_ns=1))["client_ns"] == 1
            for request in ({"request": "open", "head": "x"}, {"request": "close", "head": "npc"}):
                error = (await answer(connection, **request))["error"]
                assert error["code"] == "unsupported" and "describe, clock, dials, cancel" in error["message"]
            await connection.send_str("{")
            assert (await next_text(connection))["error"]["code"] == "bad_json"

    talk(use)
    bench.run_for(1)
    assert max(bench.values(PITCH)) > 0.3 and list(bench.server.heads) == ["npc"]


def test_what_a_page_may_not_send_is_refused_and_counted(bench: Bench, relay: WebRelay) -> None:
    bench.open()

    async def misbehave(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(stream_url(relay)) as connection:
            for packet in (wire.encode_voice("VVG1", "npc", [0.5], 16_000), b"", b"VV", b"VVM1" + bytes(76)):
                await connection.send_bytes(packet)
            await connection.send_bytes(b"VVU1" + bytes(100))  # handed on, and dropped as malformed
            assert (await answer(connection, request="describe"))["counters"]["dropped_inputs"] == 1
        async with session.ws_connect(stream_url(relay), autoping=False) as connection:
            await connection.send_bytes(b"VVU1" + bytes(70_000))
            while (message := await connection.receive()).type == aiohttp.WSMsgType.BINARY:
                pass
            assert message.type == aiohttp.WSMsgType.CLOSE and message.data == 1009, "too big"

    talk(misbehave)
    bench.wait(lambda: bench.client.request("describe")["web"]["open"] == 0)
    assert bench.client.request("describe")["web"]["counters"]["refused"] == 4
    assert bench.counters()["agent_pushed_ms"] == 0


def test_a_flood_of_one_page_is_bounded(bench: Bench, relay: WebRelay) -> None:
    bench.open()

    async def flood(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(stream_url(relay)) as connection:
            packet = wire.encode_voice("VVU1", "nobody", [0.5], 16_000)
            bench._paused.set()
            for _ in range(n):
                await connection.send_bytes(packet)
            await connection.receive()
        bench._paused.clear()

    n, begun = 3 * int(UP_MESSAGES.at_once), time.monotonic()
    talk(flood)
    allowed = UP_MESSAGES.at_once + UP_MESSAGES.a_second * (time.monotonic() - begun)  # a busy machine sends slowly
    bench.wait(lambda: bench.client.request("describe")["web"]["open"] == 0)
    counters = bench.client.request("describe")["web"]["counters"]
    assert counters["received"] + counters["refused"] == n and UP_MESSAGES.at_once <= counters["received"] <= allowed
    n_before = len(bench.of("VVM1"))
    bench.run_for(1)
    assert len(bench.of("VVM1")) > n_before + 15


def test_a_page_that_reads_nothing_loses_its_oldest_messages_and_the_server_does_not_grow(
    bench: Bench, relay: WebRelay
) -> None:
    bench.open()
    host, port = relay.address.host, relay.address.port
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, port))
        request = f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        slow.sendall((request + key).encode())
        bench.wait(lambda: len(relay._clients) == 1)
        (client,) = relay._clients
        for _ in range(200):
            bench.say(SPOKEN, 16_000)
            bench.run_for(5)
            if client.counters["dropped"]:
                break
        assert client.counters["dropped"] > 0
        assert len(client._waiting) <= QUEUE_MESSAGES and client._n_bytes <= 1_000_000
        assert client._n_bytes == sum(map(len, client._waiting))


def test_voices_are_left_out_for_who_wants_none() -> None:
    deaf, all_ears = (WebClient(b"web1", frozenset(["npc"]), audio=audio) for audio in (False, True))
    for magic, heard in ((b"VVM1", True), (b"VVA1", False), (b"VVU1", False)):
        message = magic + b"npc".ljust(16, b"\0")
        assert deaf.wants(message) is heard and all_ears.wants(message)


def test_the_oldest_messages_make_room() -> None:
    client = WebClient(b"web1", frozenset(), audio=True)
    for i in range(QUEUE_MESSAGES + 100):
        client.put(b"%d" % i)
    assert len(client._waiting) == QUEUE_MESSAGES and client._waiting[0] == b"100" and client.counters["dropped"] == 100
    for _ in range(50):
        client.put(bytes(65_000))
    assert len(client._waiting) == 15 and client._n_bytes == 15 * 65_000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Origin": "http://{here}"}, 101),
        ({"Origin": "https://scene.example"}, 101),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost:80", "Origin": "http://localhost:80"}, 101),
        ({"Host": "localhost:80", "Origin": "http://localhost:81"}, 403),
    ],
)
def test_pages_of_other_origins_and_bent_names_are_refused(
    relay: WebRelay, headers: dict[str, str], status: int
) -> None:
    told = {name: value.format(here=relay.address) for name, value in headers.items()}

    async def knock(session: aiohttp.ClientSession) -> int:
        try:
            async with session.ws_connect(stream_url(relay), headers=told):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    assert talk(knock) == status
    assert relay.counters["refused_clients"] == (status == 403)


def test_the_page_and_the_modules_are_served_and_nothing_else(relay: WebRelay) -> None:
    async def get(session: aiohttp.ClientSession) -> None:
        for path, kind, part in (
            ("", "text/html", "/visavis/view/main.js"),
            ("visavis/view/main.js", "text/javascript", "./live.js"),
            ("visavis/view/view.css", "text/css", "#stage"),
            ("visavis/three/three.js", "text/javascript", "three.js 0."),
            ("visavis/example/index.html", "text/html", "bars.js"),
            ("about.json", "application/json", '"stream": true'),
            ("visavis/wire.js", "text/javascript", "export function decode"),
            ("visavis/voice.js", "text/javascript", "HeadVoice"),
        ):
            async with session.get(relay.url + path) as response:
                assert response.status == 200 and kind in response.headers["Content-Type"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "frame-ancestors 'self'" in response.headers["Content-Security-Policy"]
                assert part in await response.text()
        async with session.get(relay.url + "head.glb") as response:
            assert response.status == 200 and (await response.read()).startswith(b"glTF")
        for path in ("..%2fpyproject.toml", "visavis/..%2f..%2fpyproject.toml", "visavis/", "nothing"):
            async with session.get(relay.url + path) as response:
                assert response.status in (403, 404), path

    talk(get)


def test_the_relay_listens_on_loopback_unless_told(bench: Bench, relay: WebRelay) -> None:
    with pytest.raises(InvalidArgument, match="--web 0.0.0.0: other machines"):
        WebRelay(bench.server, Address("0.0.0.0", 0))
    with pytest.raises(StateError, match=f"--web 127.0.0.1:{relay.address.port}: cannot be bound"):
        WebRelay(bench.server, Address("127.0.0.1", relay.address.port))
    with pytest.raises(InvalidArgument, match="--web-origin 'example.org'"):
        WebRelay(bench.server, Address("127.0.0.1", 0), origins=["example.org"])


@pytest.mark.system  # node
def test_the_javascript_modules_follow_a_head_and_act_on_it(bench: Bench, relay: WebRelay) -> None:
    bench.open()
    script = Path(__file__).parents[1] / "web" / "stream.mjs"
    bench.say(np.tile(SPOKEN, 12), 16_000)
    process = subprocess.Popen(
        ["node", script, stream_url(relay)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    bench.wait(lambda: process.poll() is not None, 30)
    out, error = process.communicate()
    assert process.returncode == 0, error
    told = json.loads(out)
    assert told["events"] == ["open", "head"] and told["voice"] > 0 and told["dials"] == 0.5
    assert "not for this connection" in told["refusals"][0] and len(told["refusals"]) == 3
    assert told["head"]["lost"] == told["counters"]["malformed"] == told["head"]["undescribed"] == 0
    assert bench.counters()["user_motion_frames"] > 0
