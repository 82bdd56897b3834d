"""`visavis bench latency`: the accounting against known times and against a face that moves, and the verb."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from echo_engine import EchoEngine
from native_client import MANUAL, NEXT, NativeClient, load

import visavis
from visavis import cli
from visavis.benchmark.latency import AGENT_WAY, PARTS, USER_WAY, Served, Way, joined
from visavis.benchmark.talker import BLOCK_NS, N_BLOCKS, Said, Seen, Talker
from visavis.bridge.demo_run import SteppedClock
from visavis.bridge.server import BridgeServer
from visavis.constants import FRAME_NS
from visavis.runtime import Runtime
from visavis.session import Model
from visavis.trace import Trace, tracing
from visavis.turn_report import LateAction, TurnReport

MS = 1_000_000
LAG, F = 7, 5
AWAKE = 0.01  # radians: between the echo of the user's quiet voice and of the loud one
PACKAGED = Path(visavis.__file__).parent / "native" / "libvisavis_client.so"


# --------------------------------------------------------------------------------------- known times, to the nanosecond


def known(shown_late_ns: int = 0) -> tuple[dict[str, Any], Seen]:
    """Ten turns of a head whose session began at 1 s of the clock: everything takes a time of its own."""
    start_ns, trace, seen = 1_000 * MS, Trace(), Seen()
    head = trace.head("npc", start_ns=start_ns, user_lag_frames=LAG)
    for turn in range(10):
        due_ns = turn * 200 * MS - 40 * MS
        begin_ns, end_ns = due_ns + 3 * MS, due_ns + 5 * MS
        report = TurnReport(turn, 0, due_ns, begin_ns, end_ns, MS, MS, 0, 3, LateAction.IN_TIME, 0)
        head.turns([report])
        sent_ns = [start_ns + end_ns + (10 * i + 4) * MS // 10 for i in range(F + 1)]  # 1 ms a frame
        head.published(range(turn * F, turn * F + F), sent_ns, 0)
        seen.arrived.append((sent_ns[-1] + 2 * MS, (turn + 1) * F))
        for frame in range(turn * F, turn * F + F):
            seen.shown_ns[frame] = start_ns + frame * FRAME_NS + 8 * MS + shown_late_ns
    head.voice("agent", start_ns + 590 * MS, 600 * MS, 2400, 24_000)
    head.voice("user", start_ns + 401 * MS, 380 * MS, 960, 48_000)  # 380 to 400 ms
    head.voice("user", start_ns + 565 * MS, 500 * MS, 960, 48_000)  # after the turn that it belongs to had begun
    return trace.document(), seen


def test_the_parts_of_a_users_sample() -> None:
    traced, seen = known()
    way = Way(Served(traced, "npc"), seen)
    said = Said(intended_ns=1_400 * MS, sent_ns=1_430 * MS, session_ns=400 * MS - 1)
    # 400 ms lies in [320, 520): turn 3, due at 560 ms, whose first frame stands at 600 ms and is shown 8 ms later
    parts = way.user(said)
    assert parts is not None and tuple(parts) == PARTS
    assert list(parts.values()) == pytest.approx([120, 40, 3, 2, 1.4, 6, 35.6])
    assert sum(parts.values()) == pytest.approx(208)  # from 1400, when it was to be sent, to 1608


def test_the_parts_of_an_agents_voice() -> None:
    traced, seen = known()
    parts = Way(Served(traced, "npc"), seen).agent(Said(intended_ns=1_500 * MS, sent_ns=1_580 * MS))
    assert parts is not None and "lag" not in parts
    assert list(parts.values()) == pytest.approx([60, 3, 2, 1.4, 6, 35.6]) and sum(parts.values()) == pytest.approx(108)


def test_what_no_turn_heard_takes_for_ever() -> None:
    """A voice that came when its turn had begun, one that never came, one whose turn was skipped."""
    traced, seen = known()
    way = Way(Served(traced, "npc"), seen)
    for session_ns in (510 * MS, 450 * MS, 5_000 * MS):
        assert way.user(Said(1_000 * MS + session_ns, 1_000 * MS + session_ns, session_ns)) is None
    seen.user = [Said(1_400 * MS, 1_400 * MS, 400 * MS - 1)] * 3 + [Said(1_510 * MS, 1_510 * MS, 510 * MS)]
    report = joined(traced, seen, "npc")["ways"][USER_WAY]
    assert (report["n"], report["never_seen"]) == (4, 1)
    assert report["total_ms"]["p50"] == pytest.approx(208) and report["total_ms"]["p95"] is None
    assert report["rest_ms"]["p50"] == pytest.approx(48)


def test_a_frame_that_was_dropped_is_seen_with_the_next() -> None:
    traced, seen = known()
    for event in traced["traceEvents"]:
        if 15 in event["args"].get("frames", ()):  # the first two of turn 3 never went out
            event["args"]["frames"] = [17, 18, 19]
    seen.arrived = [(at_ns, count - 2 * (count > 15)) for at_ns, count in seen.arrived]
    seen.shown_ns |= {15: seen.shown_ns[17], 16: seen.shown_ns[17]}
    parts = Way(Served(traced, "npc"), seen).user(Said(1_400 * MS, 1_400 * MS, 400 * MS - 1))
    assert parts is not None and sum(parts.values()) == pytest.approx(288)


# ------------------------------------------------------------------------------------------------- a face that moves


class SteppedClient:
    """The real server and the native client, without a socket between them, on a clock that goes on when it is told."""

    def __init__(self, trace: Trace, began_ns: int) -> None:
        self.clock, self.looks = SteppedClock(), list[tuple[int, int, float]]()  # looks: when, frame, pitch
        self.clock.now_ns = began_ns
        self.server = BridgeServer(Runtime(Model(EchoEngine()), clock=self.clock), port=0, trace=trace)
        self._native = NativeClient(load(PACKAGED), flags=MANUAL)
        self.server.taps.append(lambda message: self._native.feed(message, self.clock()) and None)
        self.handle = self._native.follow("npc")
        self._head = self.server.open_head("npc")
        self.began_ns = self._head.start_ns

    def send(self, who: str, _: int, samples: Any, rate: int, session_ns: int = NEXT) -> None:
        push = self._head.push_user_audio if who == "user" else self._head.push_agent_audio
        push(samples, rate, None if session_ns == NEXT else session_ns)

    def sample(self, head: int) -> Any:
        frame = self._native.sample(head, self.clock())
        self.looks.append((self.clock(), frame.frame, frame.pitch))
        return frame

    def stats(self, head: int) -> Any:
        return self._native.stats(head)

    def sleep(self, _: float) -> None:
        """A millisecond; the server looks at its clock every ten."""
        self.clock.now_ns += MS
        if self.clock.now_ns % (10 * MS) < MS:
            self.server.tick()
            self._native.drain(self.clock())

    def close(self) -> None:
        self._native.close()
        self.server.close()


# The session rounds the place of the last block in the second one to a sample that ends before what was said.
@pytest.mark.parametrize("began_ns", [433_758_079_019_981, 444_539_763_028_279, 10**10])
def test_the_accounting_is_what_a_face_does(tmp_path: Path, began_ns: int) -> None:
    """An engine that nods when it hears the user: the nod begins in the frame that the timeline says."""
    with tracing(tmp_path / "trace.json") as trace:
        assert trace is not None
        client = SteppedClient(trace, began_ns)
        talker = Talker(
            client, client.handle, client.began_ns, seconds=6, settle_s=4, clock=client.clock, sleep=client.sleep
        )
        talker.run()
        client.close()
    traced, seen = json.loads((tmp_path / "trace.json").read_bytes()), talker.seen
    way = Way(Served(traced, "npc"), seen)
    nods = [said for said in seen.user if said.block % N_BLOCKS == 0]  # each second of voice begins with a loud block
    assert len(nods) == 6
    for said in nods:
        parts = way.user(said)
        assert parts is not None and said.session_ns is not None
        nod = (said.session_ns - BLOCK_NS) // FRAME_NS + LAG  # the frame that shows the block's first sample
        turn = (said.session_ns // FRAME_NS + LAG) // F
        assert turn * F - 1 <= nod < turn * F + F
        around = [look for look in client.looks if nod - 4 <= look[1] < nod + 5]
        at_ns, frame, _ = next(look for look in around if look[2] > AWAKE)
        assert around[0][2] < AWAKE and frame in (nod - 1, nod)  # from the frame before on, as it is interpolated
        shown_ns = said.intended_ns + sum(parts.values()) * 1e6
        assert shown_ns == pytest.approx(seen.shown_ns[turn * F], abs=1000)
        assert shown_ns - FRAME_NS <= at_ns <= seen.shown_ns[turn * F + F - 1] + FRAME_NS
    report = joined(traced, seen, "npc")
    user, agent = report["ways"][USER_WAY], report["ways"][AGENT_WAY]
    assert user["n"] > 550 and user["never_seen"] == agent["never_seen"] == 0 and agent["n"] >= 7
    assert 0 <= user["parts_ms"]["wait for the turn"]["best"] < 4
    assert 196 < user["parts_ms"]["wait for the turn"]["max"] <= 200
    assert user["parts_ms"]["lag"] == dict.fromkeys(("best", "p50", "p95", "p99", "max", "mean"), 40.0)
    assert user["parts_ms"]["scheduling"]["max"] <= 10
    assert user["total_ms"]["p50"] < 240 and user["total_ms"]["p99"] < 360  # what an engine that takes no time allows
    for way in (user, agent):
        assert 40 <= way["rest_ms"]["best"] <= way["rest_ms"]["max"] < 60  # lead, the client's delay, a look
    assert report["client"]["sent_late_ms"]["max"] <= 1


# ------------------------------------------------------------------------------------------------------------ the verb


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot, trace = tmp_path / "latency.json", tmp_path / "latency.png", tmp_path / "trace.json"
    words = ["bench", "latency", "--seconds", "2", "--heads", "2", "--steps", "2"]
    words += ["--out", str(out), "--plot", str(plot), "--trace", str(trace)]
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    printed = capsys.readouterr()
    assert (
        "jitter buffer" in printed.out
        and "in all, p50 <= 240 ms: " in printed.out
        and "never seen" in printed.out
        and "bench latency" in printed.err
    )
    report = json.loads(out.read_bytes())
    assert report["what"] == "latency" and report["heads"] == 2 and report["serve"][-2:] == ["--steps", "2"]
    assert {"processor", "commit", "visavis"} <= set(report["machine"]) and len(report["load"]) == 2
    user, agent = report["ways"][USER_WAY], report["ways"][AGENT_WAY]
    assert user["n"] == pytest.approx(2e9 / BLOCK_NS, abs=2) and 2 <= agent["n"] <= 4
    for way in (user, agent):
        times = [way["total_ms"][rank] for rank in ("best", "p50", "p95", "p99", "max")]
        known_times = [time for time in times if time is not None]
        assert known_times == sorted(known_times) and times[: len(known_times)] == known_times
    if user["total_ms"]["best"] is not None:  # not even a busy machine shows a sample before its turn is to be seen
        assert user["total_ms"]["best"] > 75
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(trace.read_bytes())["otherData"]["heads"]) == 2
