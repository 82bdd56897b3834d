"""Outside protocols over real sockets: what a server sends to others' decoders, and what trackers send to it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import Bench
from echo_engine import JAW, SMILE
from pylivelinkface import PyLiveLinkFace
from pythonosc.osc_bundle import OscBundle

from visavis.bridge.client import Client
from visavis.bridge.outside import live_link_face, osc, rates
from visavis.bridge.outside.address import Address
from visavis.bridge.outside.face import face_of
from visavis.bridge.outside.receivers import FaceReceivers
from visavis.bridge.outside.senders import FaceSenders, Target
from visavis.errors import InvalidArgument, StateError

WALL_NS = 1_700_000_000_000_000_000
SPOKEN = (0.5 * np.sign(np.sin(np.arange(8000) * 0.3))).astype(np.float32)


@contextmanager
def inbox(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """A UDP socket of a receiver, large enough for a test."""
    with socket.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_000_000)
        receiver.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        receiver.setblocking(False)
        yield receiver


@contextmanager
def sending(bench: Bench, *targets: Target, rate: Fraction = Fraction(60)) -> Iterator[FaceSenders]:
    with FaceSenders(bench.server, targets, rate, wall_clock=lambda: WALL_NS) as senders:
        try:
            yield senders
        finally:
            bench.halt()


def datagrams(receiver: socket.socket) -> list[bytes]:
    received = list[bytes]()
    while True:
        try:
            received.append(receiver.recv(70_000))
        except BlockingIOError:
            return received


def target(protocol: str, receiver: socket.socket, head: str | None = None) -> Target:
    host, port = receiver.getsockname()[:2]
    return Target(protocol, Address(host, port, head))


def live_link(packets: list[bytes]) -> list[PyLiveLinkFace]:
    decoded = [PyLiveLinkFace.decode(packet) for packet in packets]
    return [face for found, face in decoded if found]


def frame_time(face: PyLiveLinkFace) -> float:
    """Seconds since midnight."""
    return float((face._frames + face._sub_frame) * face._denominator / face.fps)


@pytest.mark.parametrize("rate", [Fraction(60), Fraction(30_000, 1001), Fraction(24_000, 1001)])
def test_all_protocols_at_once_show_the_same_face_on_the_audio_clock(bench: Bench, rate: Fraction) -> None:
    with inbox() as one, inbox() as two, inbox() as three, inbox(socket.AF_INET6) as four:
        targets = [target("livelink-face", one), target("vmc", two), target("ifacialmocap", three)]
        with sending(bench, *targets, target("livelink-face", four), rate=rate) as senders:
            bench.open()
            bench.run_for(0.5)
            bench.say(SPOKEN, 16_000)
            bench.run_for(3)
            sent = bench.client.request("describe")["senders"]
        packets = datagrams(one)
        assert packets == datagrams(four)
        faces = live_link(packets)
        assert len(faces) > 3 * rate and len(packets) == len(faces) + 1, "the last one says that there is no face"
        assert [b._frames - a._frames for a, b in pairwise(faces)] == [1] * (len(faces) - 1), (
            "no frame twice, none lost"
        )
        assert len({face._sub_frame for face in faces}) == 1 and 0 <= faces[0]._sub_frame < 1
        assert {(face.fps, face._denominator) for face in faces} == {(rate.numerator, rate.denominator)}
        check_motion(bench, faces, check_vmc(datagrams(two), faces))
        texts = [packet.decode() for packet in datagrams(three)][: len(faces)]
        jaws = [int(text.split("jawOpen-")[1].split("|")[0]) for text in texts]
        assert jaws == pytest.approx([100 * face._blend_shapes[JAW] for face in faces], abs=0.5)
        assert max(jaws) == 50
        assert [entry["protocol"] for entry in sent] == [t.protocol for t in senders.targets]
        assert all(entry["counters"]["datagrams"] > 0 and not entry["counters"]["failed"] for entry in sent)


def check_motion(bench: Bench, faces: list[PyLiveLinkFace], session_times: list[float]) -> None:
    """Each face is the motion that subscribers got, at the frame's own session time."""
    frames = [m for m in bench.of("VVM1") if m.values]
    times, jaws = [m.presentation_ns / 1e9 for m in frames], [m.values[JAW] for m in frames if m.values]
    sent = [(t, face._blend_shapes[JAW]) for t, face in zip(session_times, faces, strict=False) if t <= times[-1]]
    expected = np.interp([t for t, _ in sent], times, jaws)
    np.testing.assert_allclose([jaw for _, jaw in sent], expected, atol=1e-4)
    day = [frame_time(face) - t for face, t in zip(faces, session_times, strict=False)]
    assert max(day) - min(day) < 1e-3, "the time of day runs with the audio clock"
    assert abs(rates.ns_of_day(WALL_NS) / 1e9 - day[0]) < 2, "and shows the time at which the session was at 0"


def check_vmc(packets: list[bytes], faces: list[PyLiveLinkFace]) -> list[float]:
    """The weights are those of the faces; returns the session times."""
    assert max(map(len, packets)) <= 1400
    frames, weights, order = list[dict[str, Any]](), dict[str, Any](), list[str]()
    for packet in packets:
        for message in OscBundle(packet):
            order.append(message.address)
            arguments = list(message)
            if message.address == "/VMC/Ext/Blend/Val":
                weights[arguments[0]] = arguments[1]
            elif message.address == "/VMC/Ext/T":
                weights["T"] = arguments[0]
            elif message.address == "/VMC/Ext/Blend/Apply":
                frames.append(weights)
                weights = {}
    assert order[-1] == "/VMC/Ext/Blend/Apply" and all(len(frame) == 53 for frame in frames)
    assert len(frames) == len(faces) + 1 and not any(v for k, v in frames[-1].items() if k != "T"), (
        "the last is neutral"
    )
    for frame, face in zip(frames, faces, strict=False):
        assert frame["JawOpen"] == pytest.approx(face._blend_shapes[JAW], abs=1e-6)
    steps = np.diff([frame["T"] for frame in frames])
    assert steps == pytest.approx(np.full(len(steps), faces[0]._denominator / faces[0].fps), abs=1e-4)
    return [frame["T"] for frame in frames[:-1]]


def test_heads_have_their_own_receivers_and_a_closed_one_says_farewell(bench: Bench) -> None:
    with inbox() as every, inbox() as named, inbox() as first, inbox() as nobody:
        targets = [target("livelink-face", every), target("livelink-face", named, "two")]
        targets += [target("vmc", first), target("ifacialmocap", nobody, "three")]
        with sending(bench, *targets):
            bench.open("one")
            bench.open("two", dtype="norm16")
            bench.run_for(0.5)
            bench.say(SPOKEN, 16_000, "two")
            bench.run_for(1)
            faces = live_link(datagrams(every))
            assert {face.name for face in faces} == {"one", "two"} and len({face.uuid for face in faces}) == 2
            assert max(face._blend_shapes[JAW] for face in faces if face.name == "one") == 0
            assert max(face._blend_shapes[JAW] for face in faces if face.name == "two") == pytest.approx(0.5, abs=0.02)
            assert {face.name for face in live_link(datagrams(named))} == {"two"}
            assert not datagrams(nobody)
            bench.client.request("close", head="two")
            bench.wait(lambda: bench.track("two").closed)
            rest = [PyLiveLinkFace.decode(packet) for packet in datagrams(named)]
            assert rest and not rest[-1][0], "the last one says that there is no face"
            bench.run_for(0.5)
            assert live_link(datagrams(every))[-1].name == "one"
            weights = [list(m)[1] for packet in datagrams(first) for m in OscBundle(packet) if "Val" in m.address]
            assert weights and not any(weights), "head one alone"


def test_after_a_cut_the_old_voice_is_not_shown(bench: Bench) -> None:
    with inbox() as receiver, sending(bench, target("livelink-face", receiver)):
        bench.open()
        bench.say(np.tile(SPOKEN, 20), 16_000)
        bench.wait(lambda: max(bench.values(JAW), default=0) > 0.1)
        bench.run_for(0.5)
        bench.client.request("cancel", head="npc")
        bench.run_for(2)
        jaws = [face._blend_shapes[JAW] for face in live_link(datagrams(receiver))]
        assert max(jaws) > 0.4 and not any(jaws[-60:])
        assert np.abs(np.diff(jaws)).max() <= 0.51 * 25 / 60, "no jump of more than a frame's way"


def test_a_late_server_makes_up_for_a_few_frames_and_counts_the_rest(bench: Bench) -> None:
    with inbox() as receiver, sending(bench, target("livelink-face", receiver)) as senders:
        bench.open()
        bench.run_for(1)
        bench.clock.now_ns += 1_000_000_000
        bench.run_for(1)
        frames = [face._frames for face in live_link(datagrams(receiver))]
        (gap,) = [b - a for a, b in pairwise(frames) if b - a != 1]
        assert senders.targets[0].counters["skipped"] == gap - 1 > 50


def test_a_receiver_that_is_not_there_is_counted_and_wrong_addresses_are_refused(bench: Bench) -> None:
    far = Target("vmc", Address("255.255.255.255", 9))
    with sending(bench, far):
        bench.open()
        bench.run_for(0.5)
        assert far.counters["failed"] > 10
    with pytest.raises(InvalidArgument, match="vmc to no.such.host.invalid:9: unknown"):
        FaceSenders(bench.server, [Target("vmc", Address("no.such.host.invalid", 9))], Fraction(60))
    assert not bench.server.taps and not bench.server.followers and not bench.server.deadlines
    assert set(bench.server.reports) == {"runtime", "subscribers"}


# -------------------------------------------------------------------------------------------------------- trackers


class Tracker:
    """Sends a smile to a server's face input, at 60 frames a second of the bench's clock."""

    def __init__(self, bench: Bench, receivers: FaceReceivers, place: int = 0) -> None:
        self.bench, self.receivers = bench, receivers
        self.place = receivers.receivers[place].socket.getsockname()[:2]
        self.socket = socket.socket(socket.AF_INET6 if ":" in self.place[0] else socket.AF_INET, socket.SOCK_DGRAM)
        motion = np.zeros(55, np.float32)
        motion[SMILE], motion[53] = 0.75, 0.2
        self.face = face_of(motion)

    def send(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.place)

    def packet(self, frame: int, device: str = "d" * 36) -> bytes:
        return live_link_face.encode(live_link_face.Packet(device, "Phone", self.face, frame, 0.0, Fraction(60)))

    def run(self, seconds: float, device: str = "d" * 36) -> None:
        until_ns = self.bench.clock.now_ns + round(seconds * 1e9)
        sent = -1
        while self.bench.clock.now_ns < until_ns:
            if (frame := self.bench.clock.now_ns * 60 // 10**9) > sent:
                self.send(self.packet(sent := frame, device))
            self.bench.take(1)

    def counters(self) -> dict[str, int]:
        (entry,) = self.bench.client.request("describe")["receivers"]
        counters: dict[str, int] = entry["counters"]
        return counters


@contextmanager
def tracking(bench: Bench, protocol: str, host: str = "127.0.0.1") -> Iterator[Tracker]:
    with ExitStack() as stack:
        receivers = stack.enter_context(FaceReceivers(bench.server, [(protocol, Address(host, 0))]))
        tracker = Tracker(bench, receivers)
        stack.callback(tracker.socket.close)
        stack.callback(bench.halt)
        yield tracker


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_tracked_face_reaches_the_engine(bench: Bench, host: str) -> None:
    with tracking(bench, "livelink", host) as tracker:
        bench.open()
        tracker.run(4)
        assert max(bench.values(SMILE)) == 0.75
        assert bench.counters()["user_motion_frames"] > 60
        counters = tracker.counters()
        assert counters["frames"] == counters["datagrams"] > 60 and not counters["dropped"]


def test_vmc_reaches_the_engine_in_several_datagrams(bench: Bench) -> None:
    with tracking(bench, "vmc") as tracker:
        bench.open()
        sent = -1
        while bench.clock.now_ns and len(bench.of("VVM1")) < 100:
            if (frame := bench.clock.now_ns * 30 // 10**9) > sent:
                sent = frame
                values = [osc.message("/VMC/Ext/Blend/Val", "sf", f"Other{i}", 0.5) for i in range(30)]
                values += [osc.message("/VMC/Ext/Blend/Val", "sf", "mouthSmileLeft", 0.75)]
                values += [osc.message("/VMC/Ext/T", "f", frame / 30)]
                for datagram in osc.bundles([*values, osc.message("/VMC/Ext/Blend/Apply")], 600):
                    tracker.send(datagram)
            bench.take(1)
        assert max(bench.values(SMILE)) == 0.75
        counters = tracker.counters()
        assert 60 < counters["frames"] < counters["datagrams"] / 2 and not counters["dropped"]


def test_hostile_datagrams_are_counted_by_reason_and_dropped(bench: Bench) -> None:
    with tracking(bench, "livelink") as tracker:
        tracker.send(tracker.packet(1))
        bench.wait(lambda: tracker.counters()["dropped"] == 1)
        assert tracker.counters()["no_head"] == 1
        bench.open()
        tracker.run(2)
        rng = np.random.default_rng(7)
        frame = bench.clock.now_ns * 60 // 10**9
        bad = [rng.bytes(int(n)) for n in rng.integers(1, 700, 40)] + [b"", tracker.packet(frame)[:-3]]
        for datagram in [*bad, bytes(5000)]:
            tracker.send(datagram)
        for _ in range(3):
            tracker.send(tracker.packet(frame))
        tracker.send(tracker.packet(frame + 1, device="another"))
        tracker.run(1)
        bench.wait(lambda: tracker.counters().get("foreign", 0) == 1)
        counters = tracker.counters()
        assert (counters["malformed"], counters["oversized"]) == (len(bad), 1)
        assert counters["stale"] >= 2 and counters["frames"] > 40
        assert max(bench.values(SMILE)[-10:]) == 0.75, "the face goes on"


def test_a_second_tracker_takes_over_when_the_first_is_silent(bench: Bench) -> None:
    with tracking(bench, "livelink") as tracker:
        bench.open()
        tracker.run(1)
        bench.run_for(1.2)
        before = tracker.counters()["frames"]
        tracker.run(1, device="another")
        assert tracker.counters()["frames"] > before + 10 and not tracker.counters().get("foreign")


def test_a_flood_is_bounded_and_the_head_lives_on(bench: Bench) -> None:
    with tracking(bench, "livelink") as tracker:
        bench.open()
        bench.run_for(0.2)
        bench._paused.set()
        for n in range(3000):
            tracker.send(tracker.packet(n))
            if n % 50 == 0:
                time.sleep(0.002)
        bench.wait(lambda: tracker.counters().get("too_many", 0) > 0)
        bench._paused.clear()
        n_before = len(bench.of("VVM1"))
        bench.run_for(2)
        assert len(bench.of("VVM1")) > n_before + 25
        counters = tracker.counters()
        assert counters["too_many"] > 100 and counters["datagrams"] - counters["too_many"] < 2000


def test_face_inputs_listen_on_loopback_unless_told(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="--user-livelink 0.0.0.0: other machines"):
        FaceReceivers(bench.server, [("livelink", Address("0.0.0.0", 0))])
    with FaceReceivers(bench.server, [("livelink", Address("0.0.0.0", 0))], insecure=True) as receivers:
        taken = receivers.receivers[0].socket.getsockname()[1]
        with pytest.raises(StateError, match="cannot be bound"):
            FaceReceivers(bench.server, [("vmc", Address("127.0.0.1", taken))])
    assert not bench.server.feeders and set(bench.server.reports) == {"runtime", "subscribers"}


# -------------------------------------------------------------------------------------------------------- the verb


def test_serve_speaks_all_protocols_in_real_time(model_file: Path) -> None:
    with inbox() as one, inbox() as two, inbox() as three:
        places = [f"127.0.0.1:{receiver.getsockname()[1]}" for receiver in (one, two, three)]
        command = [sys.executable, "-m", "visavis", "serve", "--model", model_file, "--port", 0, "--rate", 50]
        command += ["--livelink-face", f"npc@{places[0]}", "--vmc", places[1], "--ifacialmocap", places[2]]
        with inbox(socket.AF_INET6) as four, inbox() as five:  # ports that are free
            ports = [receiver.getsockname()[1] for receiver in (four, five)]
        command += ["--user-livelink", f"[::1]:{ports[0]}", "--user-vmc", ports[1]]
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            endpoint = process.stdout.readline().split()[1].rstrip(",")
            lines = [process.stdout.readline() for _ in range(5)]
            assert lines[0] == f"livelink-face to {places[0]}, 50 a second\n" and f"[::1]:{ports[0]}" in lines[3]
            while not (received := datagrams(one)):
                time.sleep(0.01)
            began = time.monotonic()
            phone = PyLiveLinkFace("Phone", "01234567-89AB-CDEF-0123-456789ABCDEF", fps=60)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                for _ in range(125):
                    sender.sendto(phone.encode(), ("::1", ports[0]))
                    time.sleep(0.02)
            received += datagrams(one)
            frames = [face._frames for face in live_link(received)]
            seconds = time.monotonic() - began
            assert 25 * seconds < len(frames) < 50 * seconds + 25, "fewer where the machine is busy, never more"
            assert min(b - a for a, b in pairwise(frames)) == 1, "none twice, none back"
            assert datagrams(two) and datagrams(three)
            with Client(endpoint) as client:
                report = client.request("describe")
            assert len(report["senders"]) == 3 and len(report["receivers"]) == 2
            counters = report["receivers"][0]["counters"]
            assert counters["frames"] >= 30 and report["heads"][0]["counters"]["user_motion_frames"] >= 10, counters
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert not PyLiveLinkFace.decode(datagrams(one)[-1])[0], "the farewell"
        finally:
            process.kill()
            process.communicate()
