"""Traces: valid files of the Trace Event Format, stages inside turns, times as they were measured."""

import itertools
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from recording_engine import RecordingEngine

import visavis
from visavis import cli
from visavis.bridge.demo_run import SteppedClock
from visavis.bridge.server import BridgeServer
from visavis.engine import TurnInput, TurnOutput
from visavis.errors import FileError
from visavis.runtime import Runtime
from visavis.session import Model
from visavis.trace import ROWS, STAGES, Trace, tracing
from visavis.turn_report import LateAction

MS = 1_000_000
TICK_NS = 10 * MS


class SlowEngine(RecordingEngine):
    """Takes 6 ms a turn by the stepped clock, and half a second for turn 20."""

    def __init__(self, clock: SteppedClock) -> None:
        super().__init__()
        self._clock = clock

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        self._clock.now_ns += 500 * MS if inputs[0].turn == 20 else 6 * MS
        outputs = super().step(inputs)
        for output in outputs:
            output.stage_ns = {"speech": MS, "backbone": 3 * MS, "denoise": 2 * MS}
        return outputs


def read(path: Path) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The file's facts, and its events by row; checks that every event is one of the format."""
    whole = json.loads(path.read_bytes())
    assert set(whole) == {"traceEvents", "displayTimeUnit", "otherData"} and whole["displayTimeUnit"] == "ms"
    rows, names = defaultdict(list), {}
    for event in whole["traceEvents"]:
        assert isinstance(event["name"], str) and isinstance(event["pid"], int) and isinstance(event["tid"], int)
        assert isinstance(event["args"], dict) and event["ph"] in "MXi"
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            names[event["pid"], event["tid"]] = event["args"]["name"]
            continue
        assert isinstance(event["ts"], float) and (event["ph"] == "i") == ("s" in event) == ("dur" not in event)
        assert event.get("dur", 0) >= 0
        rows[names[event["pid"], event["tid"]]].append(event)  # a row that was named before
    check_nesting(whole["traceEvents"])
    return whole["otherData"], rows


def check_nesting(events: list[dict[str, Any]]) -> None:
    """Slices of a row lie beside or inside each other, never across: viewers refuse to draw those."""
    rows: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            rows[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in rows.values():
        open_ends: list[float] = []
        for begin, end in sorted(slices, key=lambda piece: (piece[0], -piece[1])):
            while open_ends and open_ends[-1] <= begin + 1e-3:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1] + 1e-3, "a slice that crosses another"
            open_ends.append(end)


def test_what_crosses_is_noticed() -> None:
    slices = [{"ph": "X", "pid": 1, "tid": 1, "ts": float(t), "dur": 2.0} for t in (0, 1)]
    with pytest.raises(AssertionError, match="crosses"):
        check_nesting(slices)


def test_a_server_that_is_late_once(tmp_path: Path) -> None:
    clock = SteppedClock()
    voice = (0.1 * np.sin(np.arange(9600) * 0.1)).astype(np.float32)  # 200 ms at 48 kHz
    with (
        tracing(tmp_path / "trace.json", model="recording") as trace,
        BridgeServer(Runtime(Model(SlowEngine(clock)), max_load=math.inf, clock=clock), port=0, trace=trace) as server,
    ):
        head = server.open_head("npc")
        begin_ns = head.start_ns
        clock.now_ns += 3 * MS
        for tick in range(800):
            clock.now_ns += TICK_NS
            if tick % 20 == 0:
                head.push_user_audio(voice, 48_000)
            if tick == 300:
                head.push_agent_audio(voice, 48_000)
            if tick == 310:
                cut_ns = server.cancel("npc")
            server.tick()
        stats = head.count()
    facts, rows = read(tmp_path / "trace.json")
    assert facts["model"] == "recording" and facts["forgotten_events"] == 0
    (about,) = facts["heads"]
    assert (about["head"], about["start_ns"], about["turn_frames"], about["user_lag_frames"]) == ("npc", begin_ns, 5, 7)

    turns = [event for event in rows["turns"] if "turn" in event["args"]]
    assert len(turns) == stats["turns"] > 30
    for turn in turns:
        number, begin, end = turn["args"]["turn"], turn["ts"], turn["ts"] + turn["dur"]
        assert turn["name"] == f"turn {number}"
        assert turn["dur"] == pytest.approx(500_000 if number == 20 else 6_000)
        due_us = begin_ns / 1000 + number * 200_000 - 40_000  # the lead before its first frame
        assert turn["args"]["due_ns"] / 1000 == pytest.approx(due_us) and begin >= due_us - 1
        inside = [e for e in rows["turns"] if e["name"] in STAGES and begin <= e["ts"] < end]
        assert [e["name"] for e in inside] == list(STAGES)
        assert [e["dur"] for e in inside] == [1000, 3000, 2000]
        assert [e["ts"] - begin for e in inside] == pytest.approx([0, 1000, 4000], abs=0.01)
    assert {e["name"] for e in rows["turns"] if e["ph"] == "i"} == {f"due: {turn['name']}" for turn in turns}

    seen = {event["name"]: event for event in rows["seen"] if event["ph"] == "X"}
    assert len(seen) == len(turns) and seen["turn 7"]["ts"] == pytest.approx(begin_ns / 1000 + 1_400_000)
    late = {e["args"].get("dropped_frames") for e in rows["seen"] if e["name"] == "late"}
    assert late and sum(e["args"].get("turns", 0) for e in rows["seen"]) == stats["skipped_turns"]
    assert sum(e["args"]["dropped_frames"] for e in rows["seen"] if e["name"] == "late") == stats["dropped_frames"] > 0
    assert {t["args"]["action"] for t in turns} <= {action.name.lower() for action in LateAction}
    assert {t["args"]["turn"] for t in turns if t["args"]["action"] != "in_time"} >= {20}

    out = [event["args"] for event in rows["out"] if event["ph"] == "X"]
    assert sum(len(o["frames"]) for o in out) == stats["frames"] and sum(o["late"] for o in out) == stats["late_frames"]
    assert all(o["first_sent_ns"] >= begin_ns - 200 * MS for o in out)  # the session begins within a turn
    assert [e["args"]["from_ns"] for e in rows["out"] if e["name"] == "cut"] == [cut_ns]
    voices = [event for event in rows["voices in"] if event["name"] == "user"]
    assert len(voices) == 40 and {v["args"]["length_ns"] for v in voices} == {200 * MS}
    assert [e["args"]["start_ns"] % (200 * MS) for e in rows["voices in"] if e["name"] == "agent"] == [0]


def test_a_whole_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, where turns begin when they would be due; more turns in one go than reports are kept of."""
    soundfile.write(tmp_path / "voice.wav", np.full(16_000 * 15, 0.1, np.float32), 16_000)
    monkeypatch.chdir(tmp_path)
    words = ["animate", "--agent", "voice.wav", "--out", "motion.npz", "--trace", "trace.json", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    facts, rows = read(tmp_path / "trace.json")
    assert facts["engine"] == "cpu" and facts["visavis"] == visavis.__version__ and set(rows) <= set(ROWS)
    turns = [event for event in rows["turns"] if "turn" in event["args"]]
    assert [turn["args"]["turn"] for turn in turns] == list(range(75))
    assert turns[0]["ts"] == -40_000 and all(turn["dur"] > 0 for turn in turns)
    for before, turn in itertools.pairwise(turns):  # when it is due, or behind one that took longer than a turn
        at = max(turn["args"]["due_ns"] / 1000, before["ts"] + before["dur"])
        assert turn["ts"] == pytest.approx(at, abs=0.01)
    assert len([event for event in rows["turns"] if event["name"] == "backbone"]) == 75
    without = visavis.animate(agent="voice.wav")
    assert np.array_equal(without.values, np.load("motion.npz")["values"])


def test_reports_of_short_turns_are_all_there() -> None:
    """A poll of ten seconds has more turns than the session keeps reports of."""
    trace = Trace()
    voice = (np.zeros(16_000 * 12, np.float32), 16_000)
    visavis.animate(agent=voice, model=Model(RecordingEngine(turn_frames=2, lag=4)), trace=trace)
    turns = [event for event in trace.document()["traceEvents"] if "turn" in event["args"]]
    assert [turn["args"]["turn"] for turn in turns] == list(range(150))


def test_the_newest_events_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    trace = Trace(most_events=10)
    head = trace.head("npc")
    for i in range(25):
        head.voice("user", i * MS, i * MS, 160, 16_000)
    trace.write(tmp_path / "trace.json")
    facts, rows = read(tmp_path / "trace.json")
    assert facts["forgotten_events"] == 15 and [event["ts"] for event in rows["voices in"]] == [
        1000.0 * i for i in range(15, 25)
    ]


def test_a_file_that_cannot_be_written_is_said_before(tmp_path: Path) -> None:
    expected = pytest.raises(FileError, match="trace file .*no/trace.json: folder .* does not exist")
    with expected, tracing(tmp_path / "no" / "trace.json"):
        raise AssertionError("not entered")
    with tracing(None) as trace:
        assert trace is None


def test_a_clock_that_stands_is_not_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["visavis", "demo", "--fast", "--trace", str(tmp_path / "trace.json")])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2 and "--fast" in capsys.readouterr().err and not list(tmp_path.iterdir())
