"""The Unity package's stream component under Mono, with the real client library, against live servers."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from client_server import FRAME_NS, FakeHead, Publisher
from live_server import serving
from native_client import LISTENING, SPEAKING
from unity_mono import Unity

from visavis import _core
from visavis.motion_space import ARKIT55

pytestmark = pytest.mark.system
JAW, BLINK_LEFT, BLINK_RIGHT, YAW, PITCH, ROLL = 17, 0, 7, 52, 53, 54


@contextmanager
def publishing(
    publisher: Publisher, head: FakeHead, frames: int, names: tuple[str, ...] = ARKIT55.channels
) -> Iterator[None]:
    """In a thread, in real time: jawOpen rises by 1/100 a frame, eyes and head stand elsewhere."""
    stop, start = threading.Event(), time.monotonic_ns()
    schema = _core.wire.schema_hash(list(names), list(ARKIT55.units))
    values = np.zeros(55)
    values[[BLINK_LEFT, BLINK_RIGHT, YAW, PITCH, ROLL]] = 0.5, 0.25, 0.3, -0.2, 0.1

    def publish() -> None:
        for frame in range(frames):
            if stop.wait(max(0.0, (start + frame * FRAME_NS - time.monotonic_ns()) * 1e-9)):
                return
            values[JAW] = frame / 100
            if frame % 25 == 0:
                publisher.send(head.describe(frame * FRAME_NS, time.monotonic_ns(), channels=names))
            publisher.send(head.motion(frame, values.tolist(), time.monotonic_ns(), schema_hash=schema))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_meshes_and_bones_show_what_is_published(unity: Unity) -> None:
    with Publisher() as publisher, publishing(publisher, FakeHead(), 99):
        found = unity.check("follow", publisher.endpoint, "npc", 3)
    rows = np.array(found["rows"])
    rows = rows[(rows[:, 11] == LISTENING) & (rows[:, 0] > 18 * FRAME_NS)]  # it has eased in
    assert len(rows) > 50
    # each spelling is driven by the same shape, in percent or in ones as its mesh counts
    assert (rows[:, 1] == rows[:, 2]).all() and (rows[:, 1] == rows[:, 3]).all()
    np.testing.assert_allclose(rows[:, 4] * 100, rows[:, 1], atol=2e-4)
    apart = abs(rows[:, 1] - rows[:, 0] / FRAME_NS)  # percent, linear between the frames
    assert np.median(apart) < 0.01 and apart.max() < 5, "but for what came too late on a busy machine"
    np.testing.assert_allclose(rows[:, 5:7], [[50, 25]] * len(rows), atol=0.02)
    assert (rows[:, 7] == 0).all(), "a shape that is none of the 52 is left alone"
    np.testing.assert_allclose(rows[:, 8:11], [[0.3, -0.2, 0.1]] * len(rows), atol=1e-3)
    assert (found["driven"], found["found"]) == (6, 3)
    assert "live" in found["status"] and "frames" in found["figures"]
    assert found["log"] == [f"info: Visavis: connected to {publisher.endpoint}"]


def test_the_demo_of_the_real_server_moves_the_face(unity: Unity) -> None:
    command = [sys.executable, "-m", "visavis", "serve", "--demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().split()[1].rstrip(",")
        found = unity.check("follow", endpoint, "demo", 4)
        server.terminate()
    rows = np.array(found["rows"])
    live = rows[(rows[:, 11] == LISTENING) | (rows[:, 11] == SPEAKING)]
    assert len(live) > 60 and "live" in found["status"]
    assert np.ptp(live[:, 1]) > 1, "the jaw moves, in percent"
    assert np.ptp(live[:, 8:11], axis=0).max() > 0.003, "so does the head, in radians"


def test_voice_and_face_go_together_and_an_interruption_silences_both(unity: Unity) -> None:
    """The voice rises by 0.27 a second, the engine opens the jaw as far: their difference is their distance in time."""
    with serving() as server:
        rows = np.array(unity.check("talk", server.ports.endpoint, "npc")["rows"])
    seconds, left, right, jaw, state, _ = rows.T
    assert (left == right).all(), "both loudspeakers"
    loud = np.flatnonzero(left > 0.6)
    assert len(loud), "the player interrupts at 0.6"
    speaking = slice(np.flatnonzero(left > 0.2)[0], loud[0])
    apart_ms = (jaw[speaking] - left[speaking]) / 0.27 * 1000
    assert abs(np.median(apart_ms)) < 25 and np.percentile(abs(apart_ms), 90) < 45
    after = seconds > seconds[loud[0]] + 1.0
    assert (left[after] == 0).all() and (jaw[after] < 0.02).all() and (state[after].astype(int) & LISTENING).all()


def test_the_player_is_heard_and_seen_and_dials_are_set(unity: Unity) -> None:
    with serving(heads=()) as server:
        found = unity.check("listen", server.ports.endpoint, "guard")  # the package opens it
        assert server.heads["guard"].describe()["dials"]["temperature"]["value"] == 0.5
    assert found["pitch"] > 0.3 and found["smile"] > 0.7
    errors = [line for line in found["log"] if line.startswith("error")]
    assert len(errors) == 1 and "dial 'no such dial' is unknown" in errors[0]


def test_frames_and_sound_leave_no_garbage(unity: Unity) -> None:
    with serving() as server:
        found = unity.check("garbage", server.ports.endpoint, "npc", 600)
        nobody = unity.check("garbage", server.ports.endpoint, "nobody", 150)
    assert found["hundred"] >= 100, "the counter counts"
    assert found["moved"] > 100, "something was heard meanwhile"
    assert (found["bytes"], found["collections"]) == (0, 0)
    assert nobody["bytes"] == 0
    assert unity.check("garbage", "tcp://127.0.0.1:1", "nobody", 150)["bytes"] == 0


def test_switching_off_and_on_beside_the_audio_thread(unity: Unity) -> None:
    with serving() as server:
        found = unity.check("toggle", server.ports.endpoint, "npc")
    assert found["moves"] and found["threads"] <= 1
    assert found["worst_disable"] < 0.2, "closing does not join the client's thread in the game's"


def test_a_server_that_goes_and_comes_again(unity: Unity) -> None:
    with Publisher() as publisher, unity.running("gone", publisher.endpoint, "npc") as game:
        assert game.stdout is not None
        with publishing(publisher, FakeHead(), 250):
            assert game.stdout.readline() == "moving\n"
        publisher.close()
        assert game.stdout.readline() == "neutral\n"
        with Publisher(publisher.port) as again, publishing(again, FakeHead(epoch=8), 250):
            found = json.loads(game.stdout.readline())
    jaw = np.array(found["rows"])[:, 1]
    assert found["back"] and jaw[0] > 20 and jaw[-1] == 0
    on_the_way = (jaw > 0.05 * jaw[0]) & (jaw < 0.95 * jaw[0])
    assert np.diff(jaw).max() < 2 and on_the_way.sum() > 5, "it eases, it does not jump"
    assert found["worst_frame"] < 0.2
    assert any("warning" in line and "no connection" in line for line in found["log"])
