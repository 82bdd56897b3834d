"""`visavis doctor` against real servers, each broken in another way: the finding, and its one next step."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import zmq
from echo_engine import FRAMES, EchoEngine
from live_server import serving

from visavis import cli
from visavis.bridge import control
from visavis.bridge.client import Client
from visavis.bridge.keys import ClientKeys, ServerKeys, new_keys
from visavis.bridge.outside.setup import outside
from visavis.bridge.receiver import Receiver
from visavis.diagnosis import knock, machine
from visavis.diagnosis.check import Check, why
from visavis.diagnosis.server import diagnose_server
from visavis.engine import ModelInfo, TurnInput, TurnOutput
from visavis.motion_space import FLAME56

RATE = 16_000
LOUD = np.full(RATE, 0.3, np.float32)  # 1 s


def examine(endpoint: str, head: str | None = None, keys: ClientKeys | None = None) -> dict[str, Check]:
    checks = list(diagnose_server(endpoint, head, keys, seconds=0.5))
    assert all(check.status == "ok" or check.remedy for check in checks), "a next step for each"
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def gravest(endpoint: str, head: str | None = None, keys: ClientKeys | None = None) -> Check:
    check = why(list(examine(endpoint, head, keys).values()))
    assert check is not None
    return check


# ---------------------------------------------------------------------------------------------------- who is there


@contextmanager
def listener(backlog: int = 5) -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server, server.getsockname()[1]


def test_a_port_on_which_nobody_listens() -> None:
    with listener() as (_, port):
        pass
    check = gravest(f"127.0.0.1:{port}")
    assert (check.name, check.status) == (f"port {port}", "fail") and "nothing listens" in check.found
    assert check.remedy == f"start a server: `visavis serve --port {port}`"


def test_a_neighbour_port_that_a_server_would_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knock, "ANSWER_S", 0.3)
    with listener() as (_, port):
        checks = examine(f"127.0.0.1:{port - 1}")
    assert "taken by" in checks[f"port {port}"].found and "visavis serve --port" in checks[f"port {port}"].remedy


class Page(BaseHTTPRequestHandler):
    server_version = "Shop/1.0"

    def log_message(self, *_: object) -> None:
        pass


def test_a_web_server_on_the_port_is_named() -> None:
    server = HTTPServer(("127.0.0.1", 0), Page)
    server.timeout = 5
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        check = gravest(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    assert (
        check.status == "fail" and "a web server (Shop/1.0" in check.found and "not by a Visavis server" in check.found
    )
    assert "visavis serve --port 5600" in check.remedy
    if sys.platform == "linux":
        assert f"process {os.getpid()} (" in check.found


def test_a_service_that_says_nothing_and_one_that_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knock, "ANSWER_S", 0.3)
    with listener() as (_, port):
        assert "says nothing" in gravest(f"127.0.0.1:{port}").found
    with listener() as (server, port):

        def greet() -> None:
            for _ in range(2):
                peer, _ = server.accept()
                with peer:
                    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert knock.knock("127.0.0.1", port).detail == "an SSH server"
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()


def test_a_firewall_that_drops_is_told_from_a_refusal() -> None:
    with listener(backlog=0) as (_, port):
        full = [
            socket.socket() for _ in range(4)
        ]  # the queue of a listener that never accepts: the next SYN is dropped
        try:
            for one in full:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            time.sleep(0.1)
            door = knock.knock("127.0.0.1", port, connect_s=0.5)
            check = gravest(f"127.0.0.1:{port}")
        finally:
            for one in full:
                one.close()
    assert door.state == "dropped"
    assert "a firewall drops what comes" in check.found and f"TCP ports {port} to {port + 2}" in check.remedy


def test_names_and_addresses_that_lead_nowhere() -> None:
    assert "no known name" in gravest("tcp://no-such-machine.invalid:5570").found


def test_the_control_port_given_as_the_motion_port() -> None:
    with serving() as server:
        for wrong, use in ((server.ports.control, "control"), (server.ports.input, "input")):
            check = gravest(f"127.0.0.1:{wrong}")
            assert check.found == f"the {use} port of a server"
            assert check.remedy == f"--endpoint tcp://127.0.0.1:{server.ports.motion}"


def three_sockets(context: "zmq.Context[zmq.Socket[bytes]]") -> "tuple[int, list[zmq.Socket[bytes]]]":
    """As a server's, on three ports in a row; the first of them."""
    sockets = [context.socket(kind) for kind in (zmq.PUB, zmq.ROUTER, zmq.ROUTER)]
    port = sockets[0].bind_to_random_port("tcp://127.0.0.1", 30_001, 32_000)
    for i, one in enumerate(sockets[1:], 1):
        one.bind(f"tcp://127.0.0.1:{port + i}")
    return port, sockets


def test_another_publisher_is_no_server() -> None:
    context = zmq.Context()
    try:
        port, _sockets = three_sockets(context)
        check = gravest(f"127.0.0.1:{port}")
    finally:
        context.destroy(linger=0)
    assert check.name == "server" and "no Visavis server answers" in check.found


# ------------------------------------------------------------------------------------------------ version, heads, keys


def test_a_head_that_is_not_open() -> None:
    with serving(heads=("Guard", "smith")) as server:
        endpoint = server.ports.endpoint
        wrong, missing = gravest(endpoint, "guard"), gravest(endpoint, "npc")
        both = examine(endpoint)
    assert "no head 'guard'; open: Guard, smith" in wrong.found
    assert wrong.remedy == "use its name as it is written: Guard"
    assert "visavis serve --head npc" in missing.remedy
    assert {"Guard: frames", "smith: voices"} <= set(both)
    with serving(heads=()) as server:
        assert gravest(server.ports.endpoint).found == "no head is open"


def test_other_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setattr(control, "__version__", "9.1.0")
        check = examine(server.ports.endpoint)["server"]
        assert check.status == "warn" and "Visavis 9.1.0" in check.found and "the same version" in check.remedy
        answer = control.HANDLERS["describe"]
        monkeypatch.setitem(control.HANDLERS, "describe", lambda *a: {**answer(*a), "protocol": 2})
        assert gravest(server.ports.endpoint).found == "wire protocol 2; expected 1"


class FlameEngine(EchoEngine):
    """The same, with FLAME coefficients."""

    def __init__(self) -> None:
        super().__init__()
        self.config = replace(self.config, motion_space="flame56")
        self.info = ModelInfo("flame", FLAME56.channels, FLAME56.units, FRAMES, 7, 2, 40, 5, 0.0)

    def _turn(self, turn: TurnInput) -> TurnOutput:
        return TurnOutput(np.zeros((FRAMES, 56), np.float32), {"speech": 1, "backbone": 1, "denoise": 1}, 5)


def test_a_schema_that_no_rig_takes() -> None:
    with serving(engine=FlameEngine()) as server:
        checks = examine(server.ports.endpoint)
    assert checks["schema"].status == "fail" and "0x2061b684555a4689" in checks["schema"].found
    assert "arkit55" in checks["schema"].remedy and checks["frames"].status != "fail"


@pytest.fixture
def keyring(tmp_path: Path) -> dict[str, ClientKeys]:
    new_keys(tmp_path / "one", ["alice", "bob"])
    new_keys(tmp_path / "two", ["carol"])
    (tmp_path / "one" / "clients" / "bob.pub").unlink()
    paths = {"alice": "one/alice.key", "bob": "one/bob.key", "carol": "two/carol.key"}
    return {name: ClientKeys.load(tmp_path / path) for name, path in paths.items()}


def test_keys_that_are_missing_unknown_or_too_many(tmp_path: Path, keyring: dict[str, ClientKeys]) -> None:
    with serving() as server:
        check = gravest(server.ports.endpoint, keys=keyring["alice"])
        assert "lets everybody in" in check.found and check.remedy == "leave out --key"
    with serving(keys=ServerKeys(tmp_path / "one")) as server:
        endpoint = server.ports.endpoint
        none, bob, carol = (gravest(endpoint, keys=keyring.get(name)) for name in ("nobody", "bob", "carol"))
        alice = examine(endpoint, keys=keyring["alice"])
    assert "wants a key" in none.found and "--key NAME.key" in none.remedy
    assert "does not know this client's key" in bob.found and "DIR/clients" in bob.remedy
    assert "of another server" in carol.found
    assert alice["keys"].status == "ok" and alice["frames"].status != "fail"
    assert "refused" in alice["clients"].found


# ------------------------------------------------------------------------------------------------ what comes


def test_voices_that_were_never_sent_are_silent_or_speak() -> None:
    with serving() as server:
        endpoint = server.ports.endpoint
        checks = examine(endpoint, "npc")
        assert checks["schema"].status == checks["server"].status == checks["inputs"].status == "ok"
        assert checks["frames"].status != "fail", "late ones on a busy machine"
        assert "the face only blinks" in checks["voices"].found
        with Client(endpoint) as client:
            client.send_user_audio("npc", LOUD, RATE)
            wait_for(client, "user_pushed_ms", 900)
            assert "the character has no voice" in examine(endpoint)["voices"].found
            client.send_agent_audio("npc", LOUD * 0, RATE)
            wait_for(client, "agent_pushed_ms", 900)
            time.sleep(1.2)
            assert "none in the last 0.5 s" in examine(endpoint)["voices"].found
            talking = threading.Event()
            silent = threading.Thread(target=speak, args=(endpoint, LOUD[:1600] * 1e-3, talking))
            silent.start()
            check = examine(endpoint)["voices"]
            talking.set()
            silent.join()
            assert "below -45 dBFS" in check.found and "muted" in check.remedy
            client.send_agent_audio("npc", LOUD.repeat(4), RATE)
            wait_for(client, "agent_pushed_ms", 4_900)
            time.sleep(0.5)
            said = examine(endpoint)["voices"]
            assert said.status == "ok" and said.found.endswith("speaks")


def speak(endpoint: str, piece: np.ndarray, stop: threading.Event) -> None:
    with Client(endpoint) as client:
        while not stop.is_set():
            client.send_agent_audio("npc", piece, RATE)
            time.sleep(0.1)


def wait_for(client: Client, counter: str, least: int) -> None:
    deadline = time.monotonic() + 10
    while client.request("describe")["heads"][0]["counters"][counter] < least:
        assert time.monotonic() < deadline
        time.sleep(0.02)


class SlowEngine(EchoEngine):
    """Takes 0.3 s for a turn of 0.2 s."""

    def step(self, inputs: list[TurnInput]) -> list[TurnOutput]:  # type: ignore[override]
        time.sleep(0.3)
        return super().step(inputs)


def test_an_engine_that_is_too_slow() -> None:
    with serving(engine=SlowEngine()) as server:
        check = list(diagnose_server(server.ports.endpoint, seconds=1.5))
    frames = next(c for c in check if c.name == "frames")
    assert frames.status in ("warn", "fail") and "--late fewer_steps" in frames.remedy


def test_motion_that_is_made_but_does_not_arrive() -> None:
    """A relay that lets requests through and no motion, as a proxy with one rule too few."""
    context, stop = zmq.Context(), threading.Event()
    with serving() as server:
        asked = context.socket(zmq.DEALER)
        asked.connect(f"tcp://127.0.0.1:{server.ports.control}")
        port, sockets = three_sockets(context)

        def relay() -> None:
            while not stop.is_set():
                for one, other in ((sockets[1], asked), (asked, sockets[1])):
                    if one.poll(5):
                        other.send_multipart(one.recv_multipart())

        thread = threading.Thread(target=relay)
        thread.start()
        try:
            check = examine(f"127.0.0.1:{port}")["frames"]
        finally:
            stop.set()
            thread.join()
            context.destroy(linger=0)
    assert check.status == "fail" and "none arrived here" in check.found


def wait_for_subscribers(client: Client, expected: dict[str, int]) -> None:
    deadline = time.monotonic() + 10
    while (found := client.request("describe")["subscribers"]) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_subscribers_are_counted_by_head() -> None:
    with serving() as server, Client(server.ports.endpoint) as client:
        endpoint = server.ports.endpoint
        assert "nobody follows" in examine(endpoint)["subscribers"].found
        with Receiver(endpoint, "NPC"):
            wait_for_subscribers(client, {"NPC": 1})
            check = examine(endpoint)["subscribers"]
            assert "somebody follows 'NPC'" in check.found and "'npc'" in check.remedy
        with Receiver(endpoint, "npc"), Receiver(endpoint):
            wait_for_subscribers(client, {"npc": 1, "": 1})
            assert examine(endpoint)["subscribers"].found == "2 besides us"
        wait_for_subscribers(client, {})  # who went is not counted


def test_inputs_that_were_dropped_and_what_goes_out_beside_it() -> None:
    with listener() as (_, tracker), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        to = {"vmc": ["255.255.255.255:39539"], "livelink-face": [f"127.0.0.1:{taken.getsockname()[1]}"]}
        with (
            serving() as server,
            outside(server, to, "60", "arkit", {"livelink": [str(tracker)]}, False),
            Client(server.ports.endpoint) as client,
        ):
            client.send_agent_audio("nobody", LOUD[:100], RATE)
            while not client.request("describe")["counters"].get("dropped_inputs"):
                time.sleep(0.02)
            while not client.request("describe")["senders"][0]["counters"].get("failed"):  # once the head shows a face
                time.sleep(0.02)
            checks = examine(server.ports.endpoint)
    assert "1 no_head" in checks["inputs"].found and "open head" in checks["inputs"].remedy
    assert checks["vmc"].status == "warn" and "cannot send there" in checks["vmc"].remedy
    assert checks["livelink-face"].status == "ok" and "0 failed" in checks["livelink-face"].found
    assert "0 datagrams on" in checks["user livelink"].found and "let UDP through" in checks["user livelink"].remedy


# ------------------------------------------------------------------------------------------------ the command


def test_the_command_says_it_for_people_and_for_scripts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def doctor(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["visavis", "doctor", "--seconds", "0.5", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, capsys.readouterr().out

    monkeypatch.setattr(machine, "diagnose_machine", lambda model: iter([Check("numpy", "ok", "2")]))
    with serving() as server:
        code, text = doctor("--endpoint", server.ports.endpoint, "--head", "nbc")
        assert code == 1 and "no head 'nbc'; open: npc" in text
        assert text.splitlines()[-1].startswith("next: use npc")
        code, text = doctor("--endpoint", server.ports.endpoint, "--json")
    report = json.loads(text)
    assert code == 0 and report["ok"] and report["reason"]
    assert {check["name"] for check in report["checks"]} > {"numpy", "frames", "subscribers", "server"}
    assert report["next"] in [check["remedy"] for check in report["checks"] if check["status"] == "warn"]
    with listener() as (_, port):
        pass
    assert doctor("--endpoint", f":{port}")[0] == 1, "asked for"
    monkeypatch.setattr("visavis.cli.doctor.LOOPBACK", f":{port}")
    assert doctor()[0] == 0, "not asked for"
