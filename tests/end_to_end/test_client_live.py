"""The native client against real ZeroMQ publishers and the real server, in real time."""

import ctypes
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from client_server import FRAME_NS, FakeHead, Publisher
from echo_engine import JAW, PITCH, SMILE
from live_server import serving
from native_client import (
    CONNECTED,
    EASING,
    FULL,
    HELD,
    INVALID,
    LISTENING,
    NEUTRAL,
    NEXT,
    NO_CONTROL,
    OK,
    PENDING,
    REFUSED,
    SPEAKING,
    NativeClient,
)

RATE = 16_000
TONE = (0.5 * np.sign(np.sin(np.arange(2 * RATE) * 0.3))).astype(np.float32)  # 2 s


def wait(condition: Callable[[], bool], seconds: float = 8.0) -> float:
    """Seconds until the condition held."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited too long"
        time.sleep(0.005)
    return time.monotonic() - start


def test_a_head_is_followed_live(client_library: ctypes.CDLL) -> None:
    head = FakeHead()
    with Publisher() as publisher, NativeClient(client_library, publisher.endpoint) as client:
        npc, other = client.follow("npc"), client.follow("other")
        assert (npc, other, client.follow("npc")) == (0, 1, 0)
        wait(lambda: client.stats().connection == CONNECTED)
        time.sleep(0.1)
        start = time.monotonic_ns()
        publisher.send(head.describe(1, start))
        shown = []
        for frame in range(30):
            while time.monotonic_ns() < start + frame * FRAME_NS:
                sample = client.sample(npc)
                shown.append((sample.session_ns, sample.shapes[17], sample.yaw))
                time.sleep(0.004)
            publisher.send(head.motion(frame, frame / 100, time.monotonic_ns()))
        wait(lambda: client.stats(npc).frames == 30)
        stats = client.stats(npc)
        assert stats.lost == stats.dropped == stats.malformed == 0
        moving = [(s, jaw, yaw) for s, jaw, yaw in shown if 10 * FRAME_NS < s < 25 * FRAME_NS]
        assert len(moving) > 20
        near = [jaw == pytest.approx(s / FRAME_NS / 100, abs=0.01) and yaw == jaw for s, jaw, yaw in moving]
        assert np.mean(near) > 0.9
        assert "live" in client.status(npc) and client.heads() == ["npc"]
        assert "other" in client.status(other) and "it has: npc" in client.status(other)
        assert client.sample(other).state & NEUTRAL
        client.library.vvc_unfollow(client.client, npc)
        time.sleep(0.1)
        publisher.send(head.motion(30, 0.5, time.monotonic_ns()))
        time.sleep(0.05)
        assert client.stats(npc).frames == 30 and "not followed" in client.status(npc)
        assert client.follow("npc") == npc
        time.sleep(0.1)
        publisher.send(head.motion(31, 0.5, time.monotonic_ns()))
        wait(lambda: client.stats(npc).frames == 31)
        assert client.stats(npc).lost == 0


def test_voices_faces_dials_and_barge_in_through_the_real_server(client_library: ctypes.CDLL) -> None:
    with serving() as server, NativeClient(client_library, server.ports.endpoint) as client:
        npc = client.follow("npc")
        wait(lambda: client.sample(npc).state == LISTENING and client.stats(npc).round_trip_ns >= 0)
        assert "live" in client.status(npc) and client.heads() == ["npc"]
        truth_ns = server.heads["npc"].session_ns()
        assert client.library.vvc_session_time(client.client, npc, time.monotonic_ns()) == pytest.approx(
            truth_ns, abs=20_000_000
        )
        assert 0 < client.sample(npc).delay_ns < 200_000_000

        assert client.send("agent_audio", npc, TONE, RATE, NEXT) == OK
        heard, spoke = [], False
        for _ in range(150):
            heard.append(client.read_audio(npc, 480, 48_000)[0])
            sample = client.sample(npc)
            spoke |= bool(sample.state & SPEAKING) and sample.shapes[JAW] > 0.3
            time.sleep(0.01)
            if spoke and len(heard) > 60:
                break
        assert spoke and np.abs(np.concatenate(heard)).max() > 0.4
        request = client.library.vvc_cancel(client.client, npc, NEXT)
        wait(lambda: client.reply(request)[0] != PENDING)
        assert client.reply(request) == (OK, "")
        wait(lambda: client.sample(npc).state == LISTENING and client.sample(npc).shapes[JAW] == 0)
        assert client.stats(npc).cuts == 1 and client.stats(npc).audio_packets > 0

        face = np.zeros(55, np.float32)
        face[SMILE] = 0.75
        smiled = nodded = 0.0
        deadline = time.monotonic() + 6
        while (smiled < 0.7 or nodded < 0.3) and time.monotonic() < deadline:
            assert client.send("user_audio", npc, TONE[: RATE // 25], RATE, NEXT) == OK
            assert client.send("user_face", npc, face, NEXT) == OK
            time.sleep(0.04)
            sample = client.sample(npc)
            smiled, nodded = max(smiled, sample.shapes[SMILE]), max(nodded, sample.pitch)
        assert smiled > 0.7 and nodded > 0.3, (smiled, nodded)
        assert client.stats().unsent == 0 and PITCH == 53

        request = client.library.vvc_set_dial(client.client, npc, b"headYaw.offset", 0.25)
        wait(lambda: client.sample(npc).yaw == pytest.approx(0.25, abs=1e-6))
        assert client.reply(request)[0] == OK
        refused = client.library.vvc_set_dial(client.client, npc, b"no such dial", 1)
        wait(lambda: client.reply(refused)[0] != PENDING)
        assert client.reply(refused)[0] == REFUSED and "no such dial" in client.reply(refused)[1]
        assert any("no such dial" in line for line in client.log())


def test_heads_are_opened_and_closed(client_library: ctypes.CDLL) -> None:
    with serving(heads=()) as server, NativeClient(client_library, server.ports.endpoint) as client:
        guard = client.follow("guard")
        wait(lambda: "has no heads" in client.status(guard))
        opened = client.library.vvc_open_head(client.client, b"guard", None)
        wait(lambda: client.sample(guard).state == LISTENING)
        assert client.reply(opened)[0] == OK
        again = client.library.vvc_open_head(client.client, b"guard", None)
        wait(lambda: client.reply(again)[0] == REFUSED)
        assert "open already" in client.reply(again)[1]
        closed = client.library.vvc_close_head(client.client, b"guard")
        wait(lambda: "closed on the server" in client.status(guard))
        wait(lambda: bool(client.sample(guard).state & NEUTRAL))
        assert client.reply(closed)[0] == OK
        assert client.library.vvc_open_head(client.client, b"", None) == -INVALID


def test_requests_and_voices_without_a_server_are_given_up(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, "127.0.0.1:1", outgoing_bytes=8192) as client:
        npc = client.follow("npc")
        wait(lambda: "nothing listens there" in client.status(npc))
        assert "visavis serve" in client.status() and client.sample(npc).state & NEUTRAL
        assert "no connection to tcp://127.0.0.1:1" in client.log()[0]
        request = client.library.vvc_set_dial(client.client, npc, b"temperature", 1)
        results = [client.send("user_audio", npc, TONE[:640], RATE, NEXT) for _ in range(5)]
        assert results == [OK, OK, OK, FULL, FULL]
        wait(lambda: client.reply(request)[0] == REFUSED)
        assert "no connection" in client.reply(request)[1]
        wait(lambda: client.stats().unsent == 3)
        assert client.send("user_audio", npc, TONE[:640], RATE, NEXT) == OK
        assert client.send("user_audio", npc, np.array([np.nan], np.float32), RATE, NEXT) == INVALID


@pytest.mark.parametrize(
    ("kind", "message"),
    [("silent", "handshake"), ("http", "does not speak ZeroMQ"), ("control", "no motion port"), ("full", "closed")],
)
def test_other_things_on_the_port_are_named(client_library: ctypes.CDLL, kind: str, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, serving() as server:
        port = listener.getsockname()[1] if kind != "control" else server.ports.control

        def answer() -> None:
            peer = listener.accept()[0]
            if kind == "http":
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            if kind != "full":
                peer.recv(1)
                peer.recv(1000)
                time.sleep(4 if kind == "silent" else 0.2)
            peer.close()

        thread = threading.Thread(target=answer)
        if kind != "control":
            thread.start()
        with NativeClient(client_library, f"127.0.0.1:{port}", flags=NO_CONTROL) as client:
            wait(lambda: message in client.status())
        if kind != "control":
            thread.join()


def test_an_idle_connection_is_kept(client_library: ctypes.CDLL) -> None:
    with Publisher() as publisher, NativeClient(client_library, publisher.endpoint, flags=NO_CONTROL) as client:
        wait(lambda: client.stats().connection == CONNECTED)
        time.sleep(3.6)
        assert client.stats().n_connects == 1 and client.stats().connection == CONNECTED, "PING was answered"


def test_a_server_that_falls_silent_is_noticed(client_library: ctypes.CDLL) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    with listener, NativeClient(client_library, endpoint, flags=NO_CONTROL) as client:
        peer = listener.accept()[0]
        peer.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48))
        peer.sendall(b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB")
        wait(lambda: client.stats().connection == CONNECTED)
        seconds = wait(lambda: client.stats().connection != CONNECTED)
        assert 2.5 < seconds < 4 and "nothing was heard" in client.status()
        peer.close()


@contextmanager
def server_process(port: int, model_file: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "visavis", "serve", "--port", str(port), "--model", str(model_file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"motion tcp://127.0.0.1:(\d+)", process.stdout.readline())
        assert found
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def test_a_killed_server_is_survived(client_library: ctypes.CDLL, model_file: Path) -> None:
    with server_process(0, model_file) as (process, port):
        client = NativeClient(client_library, f"127.0.0.1:{port}")
        npc = client.follow("npc")
        wait(lambda: client.sample(npc).state == LISTENING)
        process.send_signal(signal.SIGKILL)
        process.wait()
        states = set()
        wait(lambda: client.stats().connection != CONNECTED)
        wait(lambda: states.add(client.sample(npc).state) or bool(client.sample(npc).state & NEUTRAL))
        assert any(state & HELD for state in states) and any(state & EASING for state in states)
        assert "no connection" in client.status(npc) and "nothing listens" in client.status(npc)
    epoch = client.stats(npc).epoch
    with server_process(port, model_file), client:
        seconds = wait(lambda: client.sample(npc).state == LISTENING and client.sample(npc).epoch != epoch)
        stats = client.stats(npc)
        assert seconds < 1.0 and stats.restarts == 1 and stats.n_connects == 2
        time.sleep(0.5)
        assert 0 <= client.sample(npc).delay_ns < 200_000_000
