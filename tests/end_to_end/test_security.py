"""Keys, who may come in, and the bounds on what one peer may send."""

import json
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq
import zmq.auth
from bench import Bench
from echo_engine import EchoEngine

from visavis.bridge import wire
from visavis.bridge.client import Client
from visavis.bridge.inputs import MESSAGES
from visavis.bridge.keys import ClientKeys, ServerKeys, new_keys
from visavis.bridge.limits import MOST_PEERS, Allowance, RateLimit
from visavis.bridge.receiver import Receiver, why_nothing
from visavis.bridge.server import REQUESTS, BridgeServer
from visavis.errors import FileError, InvalidArgument, StateError
from visavis.session import Model

SECOND = 1_000_000_000
SPOKEN = np.full(1600, 0.5, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_keys(tmp_path / "keys", ["alice", "bob"])
    return tmp_path / "keys"


@contextmanager
def serving(folder: Path, bind: str = "127.0.0.1") -> Iterator[BridgeServer]:
    with BridgeServer(Model(EchoEngine()), bind, port=0, keys=ServerKeys(folder)) as server:
        stop = threading.Event()
        server.open_head("npc")
        thread = threading.Thread(target=server.run, args=(stop.is_set,))
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()


def frames(receiver: Receiver, seconds: float) -> int:
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until and not n:
        n += sum(message.magic == "VVM1" for _, message in receiver.receive(50))
    return n


# ------------------------------------------------------------------------------------------------------------ files


def test_key_files_are_for_their_owner_and_other_tools_read_them(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [path.name for path in files] == ["alice.key", "bob.key", "alice.pub", "bob.pub", "server.key", "server.pub"]
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        public, secret = zmq.auth.load_certificate(path)
        assert (secret is None) == (path.suffix == ".pub")
        assert secret is None or zmq.curve_public(secret) == public
    assert stat.S_IMODE((folder / "clients").stat().st_mode) == 0o700
    alice, server = ClientKeys.load(folder / "alice.key"), ServerKeys(folder)
    assert alice.server == server.public and alice.secret not in repr(alice)


def test_a_second_call_keeps_the_server_and_never_overwrites(folder: Path) -> None:
    before = (folder / "server.key").read_bytes()
    assert [path.name for path in new_keys(folder, ["carol"])] == ["carol.key", "carol.pub"]
    assert (folder / "server.key").read_bytes() == before
    with pytest.raises(FileError, match=r"alice.key exists"):
        new_keys(folder, ["alice"])
    for name in ("", "../x", "a/b", "server", ".hidden", "x" * 64):
        with pytest.raises(InvalidArgument, match="expected 1 to 63 letters"):
            new_keys(folder, [name])


def test_other_tools_certificates_are_read(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    public, secret = zmq.auth.create_certificates(tmp_path, "server")
    Path(secret).rename(tmp_path / "server.key")
    (tmp_path / "server.key").chmod(0o600)
    assert ServerKeys(tmp_path).public.encode() == zmq.auth.load_certificate(public)[0]


def test_bad_key_files_are_said(folder: Path) -> None:
    with pytest.raises(FileError, match="nothing/server.key: cannot be read"):
        ServerKeys(folder / "nothing")
    with pytest.raises(InvalidArgument, match="no server-key"):
        ClientKeys.load(folder / "server.key")
    path = folder / "bob.key"
    path.chmod(0o640)
    with pytest.raises(FileError, match=f"mode 0640 lets others read it; expected 0600: chmod 600 {path}"):
        ClientKeys.load(path)
    path.chmod(0o600)
    for text in ("", "x" * 5000, 'secret-key = "short"', 'secret-key = "' + "~" * 40 + '"', "\xff\0"):
        path.write_text(text, "latin-1")
        with pytest.raises((FileError, InvalidArgument), match=r"bob.key"):
            ClientKeys.load(path)


# ---------------------------------------------------------------------------------------------------------- sockets


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1"])
def test_clients_with_keys_come_in(folder: Path, bind: str) -> None:
    alice = ClientKeys.load(folder / "alice.key")
    with serving(folder, bind) as server, Client(server.ports.endpoint, alice) as client:
        assert client.request("describe")["heads"][0]["head"] == "npc"
        client.send_user_audio("npc", SPOKEN, 16_000)
        with Receiver(server.ports.endpoint, keys=alice) as receiver:
            assert frames(receiver, 5)
            receiver.measure_clock()
        clients = client.request("describe")["clients"]
        assert clients["accepted"] >= 4 and not clients["refused"]


def test_clients_without_keys_or_with_others_stay_outside(folder: Path, tmp_path: Path) -> None:
    new_keys(tmp_path / "others", ["mallory"])
    others = ClientKeys.load(tmp_path / "others" / "mallory.key")
    mallory = ClientKeys(others.public, others.secret, ServerKeys(folder).public)  # knows the server, is on no list
    with serving(folder) as server:
        endpoint = server.ports.endpoint
        for keys in (None, mallory, others):
            with Client(endpoint, keys) as client, Receiver(endpoint, keys=keys) as receiver:
                with pytest.raises(StateError, match="no answer"):
                    client.request("describe", timeout_s=0.4)
                assert not frames(receiver, 0.3)
        assert "does the server want a key" in why_nothing(endpoint)
        assert "is the key not in its folder" in why_nothing(endpoint, mallory)
        with Client(endpoint, ClientKeys.load(folder / "bob.key")) as client:
            clients = client.request("describe")["clients"]
        assert clients["refused"] >= 2 and clients["accepted"] in (1, 2)


def test_a_client_comes_and_goes_with_its_file(folder: Path) -> None:
    bob = ClientKeys.load(folder / "bob.key")
    held = folder / "clients" / "bob.pub"
    text = held.read_text()
    with serving(folder) as server:
        for there in (True, False, True):
            if there:
                held.write_text(text)
            else:
                held.unlink()
            with Client(server.ports.endpoint, bob) as client:
                if there:
                    assert client.request("describe")["ok"]
                else:
                    with pytest.raises(StateError, match="no answer"):
                        client.request("describe", timeout_s=0.4)


def test_keys_or_insecure_are_needed_for_an_address_that_others_reach(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"other machines could reach it.*--keys DIR.*or --insecure"):
        BridgeServer(Model(EchoEngine()), "0.0.0.0", port=0)
    with (
        serving(folder, "0.0.0.0") as server,
        Client(server.ports.endpoint, ClientKeys.load(folder / "bob.key")) as client,
    ):
        assert client.request("describe")["ok"]
        with pytest.raises(StateError), Client(server.ports.endpoint) as stranger:
            stranger.request("describe", timeout_s=0.3)


def test_the_verbs_make_and_use_keys(tmp_path: Path, model_file: Path) -> None:
    visavis, folder = [sys.executable, "-m", "visavis"], str(tmp_path / "keys")
    made = subprocess.run(
        [*visavis, "keys", "new", folder, "--client", "eve"], capture_output=True, text=True, check=True
    )
    assert made.stdout.splitlines()[2].endswith("eve.key") and ServerKeys(folder).public in made.stdout
    command = [*visavis, "serve", "--model", str(model_file), "--port", "0", "--keys", folder, "--bind", "0.0.0.0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().split()[1].rstrip(",")
        watch = [*visavis, "watch", "--endpoint", endpoint, "--json", "--seconds"]
        found = subprocess.run([*watch, "2", "--key", f"{folder}/eve.key"], capture_output=True, text=True, check=False)
        assert found.returncode == 0 and json.loads(found.stdout)["heads"][0]["frames"] > 10
        found = subprocess.run([*watch, "1"], capture_output=True, text=True, check=False)
        assert found.returncode == 1 and "--key FILE" in json.loads(found.stdout)["reason"]
    finally:
        process.kill()
        process.communicate()


# ----------------------------------------------------------------------------------------------------------- bounds


def test_a_rate_limit_gives_back_what_time_brings() -> None:
    limit = RateLimit(Allowance(a_second=10, at_once=20))
    assert sum(limit.take("a", 1, 0) for _ in range(50)) == 20
    assert limit.take("b", 20, 0) and not limit.take("b", 1, 0)
    assert sum(limit.take("a", 1, SECOND) for _ in range(50)) == 10
    assert not limit.take("a", 21, 100 * SECOND) and limit.take("a", 20, 100 * SECOND)
    assert not limit.take("a", 1, 99 * SECOND), "a clock that goes back gives nothing"
    for peer in range(5 * MOST_PEERS):
        limit.take(peer, 1, 0)
    assert len(limit._left) == MOST_PEERS


def test_what_one_sender_floods_is_dropped_and_the_others_are_served(bench: Bench) -> None:
    bench.open()
    packet = wire.encode_voice("VVU1", "nobody", [0.5], 16_000)
    n = int(MESSAGES.at_once) + 4000
    with zmq.Context() as context, context.socket(zmq.DEALER) as flood:
        flood.linger = 0
        flood.sndhwm = 0
        flood.connect(f"tcp://127.0.0.1:{bench.server.ports.input}")
        for _ in range(n):
            flood.send(packet)
        bench.wait(lambda: sum(bench.server.counters[f"dropped_{kind}"] for kind in ("no_head", "too_many")) == n, 20)
    assert bench.server.counters["dropped_too_many"] > 500
    bench.client.send_user_audio("npc", SPOKEN, 16_000)
    bench.wait(lambda: bench.counters()["user_pushed_ms"] == 100)


def test_each_kind_of_dropped_input_is_counted(bench: Bench) -> None:
    epoch = bench.open()["epoch"]
    voice = [0.1] * 160
    with zmq.Context() as context, context.socket(zmq.DEALER) as sender:
        sender.linger = 2000
        sender.connect(f"tcp://127.0.0.1:{bench.server.ports.input}")
        sender.send(b"VVU1" + bytes(70_000))
        sender.send(wire.encode_voice("VVU1", "npc", voice, 16_000)[:-2])
        sender.send_multipart([b"two", b"parts"])
        sender.send(wire.encode_voice("VVU1", "nobody", voice, 16_000))
        sender.send(wire.encode_voice("VVU1", "npc", voice, 16_000, epoch=epoch + 1))
        sender.send(wire.encode_voice("VVU1", "npc", voice, 4_000))
        for sequence in (5, 5):
            sender.send(wire.encode_voice("VVU1", "npc", voice, 16_000, sequence=sequence))
        bench.wait(lambda: bench.server.counters["dropped_inputs"] == 7)
    counters = bench.client.request("describe")["counters"]
    kinds = {"oversized": 1, "malformed": 2, "no_head": 1, "epoch": 1, "refused": 1, "replayed": 1}
    assert {f"dropped_{kind}": n for kind, n in kinds.items()} | {"dropped_inputs": 7} == counters


def test_too_many_requests_of_one_client_are_told_so_and_the_others_are_answered(bench: Bench) -> None:
    n = int(REQUESTS.at_once) + 500
    with zmq.Context() as context, context.socket(zmq.DEALER) as flood:
        flood.linger, flood.sndhwm, flood.rcvhwm = 0, 0, 0
        flood.connect(f"tcp://127.0.0.1:{bench.server.ports.control}")
        for i in range(n):
            flood.send(json.dumps({"request": "clock", "client_ns": i}).encode())
        codes = Counter[str]()
        while flood.poll(1000) and not codes["busy"]:
            reply = json.loads(flood.recv())
            codes["ok" if reply["ok"] else reply["error"]["code"]] += 1
    assert codes["ok"] > 100 and codes["busy"] == 1
    assert bench.server.counters["busy_replies"] > 0
    assert bench.client.request("describe")["ok"]


def test_a_request_after_a_refusal_does_not_wait_for_ever(folder: Path, tmp_path: Path) -> None:
    new_keys(tmp_path / "others", ["mallory"])
    others = ClientKeys.load(tmp_path / "others" / "mallory.key")
    mallory = ClientKeys(others.public, others.secret, ServerKeys(folder).public)
    with serving(folder) as server, Client(server.ports.endpoint, mallory) as client:
        time.sleep(0.5)  # refused meanwhile: the socket has nobody left to send to
        for _ in range(2):
            start = time.monotonic()
            with pytest.raises(StateError, match="no answer"):
                client.request("describe", timeout_s=0.2)
            assert time.monotonic() - start < 2
