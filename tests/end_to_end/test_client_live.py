"""The native client against real ZeroMQ publishers and the real server, in real time."""

import ctypes
import time
from collections.abc import Callable

import pytest
from client_server import FRAME_NS, FakeHead, Publisher
from native_client import CONNECTED, NEUTRAL, NativeClient


def wait(condition: Callable[[], bool], seconds: float = 5.0) -> float:
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
        moving = [(s, jaw, yaw) for s, jaw, yaw in shown if 5 * FRAME_NS < s < 25 * FRAME_NS]
        assert len(moving) > 50
        for session_ns, jaw, yaw in moving:
            assert jaw == pytest.approx(session_ns / FRAME_NS / 100, abs=0.01) and yaw == jaw
        assert "live" in client.status(npc) and client.heads() == ["npc"]
        assert "other" in client.status(other) and "it has: npc" in client.status(other)
        assert client.sample(other).state & NEUTRAL


def test_the_status_says_why_nothing_moves(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, "127.0.0.1:1") as client:
        npc = client.follow("npc")
        wait(lambda: "nothing listens there" in client.status(npc))
        assert "visavis serve" in client.status() and client.sample(npc).state & NEUTRAL
        assert "no connection to tcp://127.0.0.1:1" in client.log()[0]
