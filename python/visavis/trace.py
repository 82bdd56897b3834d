"""Traces: what a head's turns, voices and frames did when, as a file that Perfetto and chrome://tracing open.

    with tracing("trace.json") as trace, BridgeServer(visavis.load(), trace=trace) as server:
        ...

or around a session of your own, after each `advance` or `poll`:

    head = trace.head("npc", turn_frames=5)
    head.turns(session.poll_turns())

The file is JSON in the Trace Event Format (Google's document of that name): a process for each head, with the rows
`turns` (each with its stages inside), `seen` (when a turn's frames are due to be seen), `out` (what was published) and
`voices in`.  Times are microseconds of the clock that the session is driven by.
"""

import json
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from visavis import __version__
from visavis.constants import FRAME_NS
from visavis.motion_file import check_output_path, write_whole
from visavis.turn_report import LateAction, TurnReport

MOST_EVENTS = 200_000  # the newest are kept: about 25 minutes of a head whose user speaks all the time
TURNS, SEEN, OUT, VOICES = ROWS = ("turns", "seen", "out", "voices in")
STAGES = ("speech", "backbone", "denoise")
Event = tuple[str, str, int, int, str, int, dict[str, Any]]  # kind, name, begin ns, length ns, row, process, arguments


class Trace:
    """Collects what happened and writes it; what is beyond `most_events` is forgotten, oldest first, and counted."""

    def __init__(self, most_events: int = MOST_EVENTS, **about: Any) -> None:
        """`about` goes into the file, under "otherData"."""
        self.about = {"visavis": __version__, "unix_time": round(time.time(), 3), **about}
        self.n_events = 0
        self._events: deque[Event] = deque(maxlen=most_events)
        self._names: list[str] = []
        self._heads: list[dict[str, Any]] = []

    def head(
        self, name: str, *, turn_frames: int = 5, start_ns: int = 0, delay_ns: int = 0, **more: Any
    ) -> "HeadTrace":
        """The rows of a head.  `start_ns`: when its session clock showed 0.  `delay_ns`: `Session.delay_ns`.  All this
        and `more` is in the file under "otherData"."""
        facts = {"head": name, "start_ns": start_ns, "turn_frames": turn_frames, "delay_ns": delay_ns, **more}
        return HeadTrace(self, self.process(name, facts), turn_frames, start_ns + delay_ns, start_ns)

    def process(self, name: str, facts: dict[str, Any] | None = None) -> int:
        """A new group of rows, and its number."""
        self._names.append(name)
        if facts is not None:
            self._heads.append({**facts, "process": len(self._names)})
        return len(self._names)

    def add(
        self, kind: str, name: str, begin_ns: int, length_ns: int, row: str, process: int, told: dict[str, Any]
    ) -> None:
        """An event: kind X (has a length) or i (a moment); `told`: its arguments."""
        self.n_events += 1
        self._events.append((kind, name, begin_ns, length_ns, row, process, told))

    def work(
        self, name: str, begin_ns: int, length_ns: int, stage_ns: dict[str, int], process: int, **told: Any
    ) -> None:
        """Work of that name in the row `turns`, with its stages inside, one after the other."""
        self.add("X", name, begin_ns, length_ns, TURNS, process, told)
        at_ns, end_ns = begin_ns, begin_ns + length_ns
        for stage, spent_ns in stage_ns.items():
            spent_ns = min(spent_ns, end_ns - at_ns)
            if spent_ns > 0:
                self.add("X", stage, at_ns, spent_ns, TURNS, process, {})
                at_ns += spent_ns

    def _format(self) -> Iterator[dict[str, Any]]:
        rows = {(event[5], event[4]) for event in self._events}
        for number, name in enumerate(self._names, 1):
            yield {"ph": "M", "name": "process_name", "pid": number, "tid": 0, "args": {"name": name}}
            for tid, row in enumerate(ROWS, 1):
                if (number, row) in rows:
                    yield {"ph": "M", "name": "thread_name", "pid": number, "tid": tid, "args": {"name": row}}
        for kind, name, begin_ns, length_ns, row, process, arguments in self._events:
            event: dict[str, Any] = {"ph": kind, "name": name, "pid": process, "tid": 1 + ROWS.index(row)}
            event |= {"ts": begin_ns / 1000, "args": arguments}
            yield event | ({"dur": length_ns / 1000} if kind == "X" else {"s": "t"})

    def document(self) -> dict[str, Any]:
        """All of it as the file has it."""
        about = {**self.about, "heads": self._heads, "forgotten_events": self.n_events - len(self._events)}
        return {"displayTimeUnit": "ms", "otherData": about, "traceEvents": list(self._format())}

    def write(self, path: str | Path) -> None:
        """The file; it appears whole or not at all.  Raises FileError."""
        text = json.dumps(self.document(), separators=(",", ":"), allow_nan=False)
        write_whole(Path(path), "trace", lambda file: file.write(text.encode()))


class HeadTrace:
    """What one head does."""

    def __init__(self, trace: Trace, process: int, turn_frames: int, seen_ns: int, start_ns: int) -> None:
        self._trace, self._process, self._turn_frames = trace, process, turn_frames
        self._seen_ns, self._start_ns = seen_ns, start_ns
        self._free_ns = -(1 << 62)  # the end of the turn before

    def turns(self, reports: Iterable[TurnReport]) -> None:
        """Turns that were made: their work, when they were due and are seen, and marks on those that were late."""
        for report in reports:
            due_ns, length_ns = self._start_ns + report.due_ns, report.end_ns - report.begin_ns
            begin_ns = max(self._start_ns + report.begin_ns, self._free_ns)  # offline a turn does not wait for another
            self._free_ns = begin_ns + length_ns
            stages = dict(zip(STAGES, (report.speech_ns, report.backbone_ns, report.denoise_ns), strict=True))
            name, action = f"turn {report.turn}", report.action.name.lower()
            told = {"turn": report.turn, "steps": report.steps, "due_ns": due_ns, "action": action}
            self._trace.work(name, begin_ns, length_ns, stages, self._process, **told)
            self._mark(f"due: {name}", due_ns, TURNS)
            first_ns = self._seen_ns + report.turn * self._turn_frames * FRAME_NS
            self._trace.add("X", name, first_ns, self._turn_frames * FRAME_NS, SEEN, self._process, {})
            if report.skipped_turns:
                self._mark("skipped", begin_ns, SEEN, turns=report.skipped_turns)
            if report.action is not LateAction.IN_TIME or report.dropped_frames:
                self._mark("late", max(begin_ns, first_ns), SEEN, action=action, dropped_frames=report.dropped_frames)

    def published(self, frames: Sequence[int], times_ns: Sequence[int], n_late: int) -> None:
        """Frames that went out together, and when, on the clock of the session: before the first, then behind each."""
        begin_ns, end_ns = times_ns[0], times_ns[-1]
        told = {"frames": list(frames), "late": n_late, "first_sent_ns": times_ns[1]}
        name = f"frames {frames[0]} to {frames[-1]}"
        self._trace.add("X", name, begin_ns, end_ns - begin_ns, OUT, self._process, told)
        if n_late:
            self._mark("late", end_ns, OUT, frames=n_late)

    def voice(self, who: str, came_ns: int, start_ns: int, n_samples: int, rate: int) -> None:
        """Voice that came in; `start_ns`: its place on the session clock."""
        told = {"came_ns": came_ns, "start_ns": start_ns, "length_ns": round(n_samples * 1e9 / rate)}
        self._mark(who, came_ns, VOICES, **told)

    def cut(self, at_ns: int, from_ns: int) -> None:
        """Barge-in, from that time of the session clock on."""
        self._mark("cut", at_ns, OUT, from_ns=from_ns)

    def _mark(self, name: str, at_ns: int, row: str, **told: Any) -> None:
        self._trace.add("i", name, at_ns, 0, row, self._process, told)


@contextmanager
def tracing(path: str | Path | None, **about: Any) -> Iterator[Trace | None]:
    """A trace that is written to `path` when the block is left; None where there is no path.  Raises FileError."""
    if path is None:
        yield None
        return
    check_output_path(Path(path), "trace")
    trace = Trace(**about)
    try:
        yield trace
    finally:
        trace.write(path)
