"""From a voice that is sent to the face that is seen: a server, and a client in another process (docs/latency.md).

The server writes a trace (visavis.trace), the client notes what it sent and saw (talker.py), both on the system's
monotonic clock; here the two are joined.  Which frame shows what was said follows from the timeline, which is exact:
turn t hears the user up to a known session time.  tests/end_to_end/test_latency.py checks that with a face that moves.
"""

import json
import math
import signal
import subprocess
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from visavis.benchmark.figures import columns, shown, summary
from visavis.benchmark.machine import load, machine, one_line
from visavis.benchmark.talker import LOOK_S, Said, Seen, converse
from visavis.constants import FRAME_NS, SAMPLE_RATE
from visavis.errors import InternalError
from visavis.trace import OUT, ROWS, TURNS, VOICES

HEAD = "latency"
WAIT, LAG, SCHEDULING, COMPUTE, PUBLISH, TRANSPORT, BUFFER = PARTS = (
    "wait for the turn", "lag", "scheduling", "compute", "publish", "transport", "jitter buffer",
)  # fmt: skip
USER_WAY, AGENT_WAY = "user sample -> sampled frame", "agent audio -> its first frame"
REST = "all but wait and lag"
SAMPLE_NS = 1_000_000_000 // SAMPLE_RATE  # a session places voices on its own samples
TARGETS_MS = (("total_ms", "p50", 240), ("total_ms", "p99", 360), ("rest_ms", "p99", 60))  # of USER_WAY


@dataclass(frozen=True)
class Turn:
    """A turn on the monotonic clock."""

    due_ns: int
    begin_ns: int
    end_ns: int


def _ns(us: float) -> int:
    """Of microseconds in a trace, whose last digits are nanoseconds: what came as a turn began is not late for it."""
    return round(us * 1000)


class Served:
    """What the server did, out of its trace."""

    def __init__(self, trace: dict[str, Any], head: str) -> None:
        facts = next(facts for facts in trace["otherData"]["heads"] if facts["head"] == head)
        number = facts["process"]
        self.start_ns, self.turn_frames = int(facts["start_ns"]), int(facts["turn_frames"])
        self.user_lag_frames = int(facts["user_lag_frames"])
        events = [event for event in trace["traceEvents"] if event["pid"] == number and event["ph"] in "Xi"]
        rows = {row: [e for e in events if e["tid"] == 1 + ROWS.index(row)] for row in (TURNS, OUT, VOICES)}
        self.turns = {
            int(e["args"]["turn"]): Turn(e["args"]["due_ns"], _ns(e["ts"]), _ns(e["ts"]) + _ns(e["dur"]))
            for e in rows[TURNS]
            if "turn" in e["args"]
        }
        self.out = [e["args"] for e in rows[OUT] if "first_sent_ns" in e["args"]]
        self.voices = {who: [e["args"] for e in rows[VOICES] if e["name"] == who] for who in ("user", "agent")}

    def sent(self, frame: int) -> tuple[int, int] | None:
        """The first frame from that one on that went out, and when it had been handed to ZeroMQ."""
        i = bisect_left(self.out, frame, key=lambda out: int(out["frames"][-1]))
        if i == len(self.out):
            return None
        frames = self.out[i]["frames"]
        return int(frames[bisect_left(frames, frame)]), int(self.out[i]["first_sent_ns"])


class Way:
    """Joins what was said with what was seen of it."""

    def __init__(self, served: Served, seen: Seen) -> None:
        self._served, self._seen = served, seen
        self._arrived_ns = _arrivals(served, seen)
        self._user_starts = [voice["start_ns"] for voice in served.voices["user"]]
        self._agent_came = [voice["came_ns"] for voice in served.voices["agent"]]

    def user(self, said: Said) -> dict[str, float] | None:
        """Parts of the way of the last sample of a block; None: no turn heard it, or nothing was seen of it."""
        served = self._served
        assert said.session_ns is not None
        F, lag = served.turn_frames, served.user_lag_frames
        turn = (said.session_ns // FRAME_NS + lag) // F
        i = bisect_right(self._user_starts, said.session_ns) - 1
        voice = served.voices["user"][i] if i >= 0 else None
        if voice is None or turn not in served.turns:
            return None
        if said.session_ns >= voice["start_ns"] + voice["length_ns"] + SAMPLE_NS:
            return None
        if voice["came_ns"] > served.turns[turn].begin_ns:
            return None  # too late for it, and dropped
        heard_to_ns = served.start_ns + (turn * F + F - lag) * FRAME_NS
        return self._parts(said, turn, turn * F, heard_to_ns)

    def agent(self, said: Said) -> dict[str, float] | None:
        """Parts of the way of the first sample of a voice; there is no lag, the wait is for the turn to be due."""
        i = bisect_left(self._agent_came, said.sent_ns)
        if i == len(self._agent_came):
            return None
        frame = self._served.voices["agent"][i]["start_ns"] // FRAME_NS
        return self._parts(said, frame // self._served.turn_frames, frame, None)

    def _parts(self, said: Said, turn: int, frame: int, heard_to_ns: int | None) -> dict[str, float] | None:
        made, sent = self._served.turns.get(turn), self._served.sent(frame)
        if made is None or sent is None:
            return None
        first, sent_ns = sent
        arrived_ns, shown_ns = self._arrived_ns.get(first), self._seen.shown_ns.get(first)
        if arrived_ns is None or shown_ns is None:
            return None
        moments = [said.intended_ns, made.due_ns, made.begin_ns, made.end_ns, sent_ns, arrived_ns, shown_ns]
        names = [WAIT, SCHEDULING, COMPUTE, PUBLISH, TRANSPORT, BUFFER]
        if heard_to_ns is not None:
            moments.insert(1, heard_to_ns)
            names.insert(1, LAG)
        return {name: (b - a) / 1e6 for name, a, b in zip(names, moments[:-1], moments[1:], strict=True)}


def _arrivals(served: Served, seen: Seen) -> dict[int, int]:
    """When each frame had come, to the nearest look.  The client counts frames; which one was the first that it got is
    known from the moments at which all that was sent had come."""
    frames = [frame for out in served.out for frame in out["frames"]]
    sent = [out["first_sent_ns"] for out in served.out for _ in out["frames"]]
    missed = min((bisect_right(sent, at_ns) - count for at_ns, count in seen.arrived), default=0)
    times: dict[int, int] = {}
    before = 0
    for at_ns, count in seen.arrived:
        for frame in frames[max(0, missed + before) : max(0, missed + count)]:
            times[frame] = at_ns
        before = count
    return times


def bench_latency(
    *,
    seconds: float = 60.0,
    serve: Sequence[str] = (),
    heads: int = 1,
    seed: int = 0,
    trace: str | Path | None = None,
    progress: Callable[[float], object] | None = None,
) -> dict[str, Any]:
    """The report that `visavis bench latency --out` writes (docs/latency.md).

    `serve`: options of `visavis serve`, such as --precision bf16.  `heads` run on the server, the others listening to
    nothing.  `trace`: keep the server's trace there.  Raises the errors of the house.
    """
    before = load()
    with TemporaryDirectory(prefix="visavis-bench-") as scratch:
        path = Path(trace) if trace is not None else Path(scratch) / "trace.json"
        named = [word for i in range(heads) for word in ("--head", f"other{i}" if i else HEAD)]
        with _server(["--trace", str(path), *serve, *named]) as endpoint:
            seen = converse(endpoint, HEAD, seconds, seed, progress)
        traced = json.loads(path.read_bytes())
    report = joined(traced, seen, HEAD)
    about = {"engine": traced["otherData"]["engine"], "serve": list(serve), "heads": heads, "seconds": seconds}
    return {
        "what": "latency",
        "machine": machine(),
        "load": [before, load()],
        "model": {"name": traced["otherData"]["model"]},
        **about,
        **report,
    }


def joined(trace: dict[str, Any], seen: Seen, head: str) -> dict[str, Any]:
    """Both ways, by part: a server's trace of a head, and what a client of it sent and saw."""
    way = Way(Served(trace, head), seen)
    ways = {USER_WAY: [way.user(said) for said in seen.user], AGENT_WAY: [way.agent(said) for said in seen.agent]}
    late = [(said.sent_ns - said.intended_ns) / 1e6 for said in seen.user + seen.agent]
    return {
        "ways": {name: _figures(found) for name, found in ways.items()},
        "client": {**seen.counts, "look_ms": LOOK_S * 1000, "sent_late_ms": summary(late)},
    }


def _figures(found: Sequence[dict[str, float] | None]) -> dict[str, Any]:
    """Percentiles in milliseconds.  What was never seen is in the total as if it took for ever."""
    whole = [parts for parts in found if parts is not None]
    never = [math.inf] * (len(found) - len(whole))
    names = [name for name in PARTS if any(name in parts for parts in whole)]
    rest = [sum(spent for name, spent in parts.items() if name not in (WAIT, LAG)) for parts in whole]
    return {
        "n": len(found),
        "never_seen": len(never),
        "total_ms": summary([sum(parts.values()) for parts in whole] + never),
        "rest_ms": summary(rest + never),
        "parts_ms": {name: summary([parts[name] for parts in whole]) for name in names},
    }


@contextmanager
def _server(words: Sequence[str]) -> Iterator[str]:
    """`visavis serve` in another process; its motion endpoint.  Stopped as by Ctrl-C, when it writes its trace."""
    command = [sys.executable, "-m", "visavis", "serve", "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    try:
        line = process.stdout.readline()  # motion tcp://127.0.0.1:5570, control ...
        if not line.startswith("motion "):
            raise InternalError(f"latency: the server did not start: {_said(process.stderr)}")
        yield line.split()[1].rstrip(",")
        process.send_signal(signal.SIGINT)
        if process.wait(30) not in (0, 130):
            raise InternalError(f"latency: the server ended with {process.returncode}: {_said(process.stderr)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def _said(stream: IO[str]) -> str:
    return " ".join(stream.read().split())[-500:] or "without a word"


def table(report: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"{report['model']['name']} on {report['engine']} {' '.join(report['serve'])}".rstrip()
        + f", {report['heads']} head{'s' if report['heads'] > 1 else ''}, {report['seconds']:g} s",
        one_line(report["machine"], report["load"]),
    ]
    for name, way in report["ways"].items():
        titles = (name, "p50", "p95", "p99", "max")
        rows = [[part, *(shown(times[rank], 1) for rank in titles[1:])] for part, times in way["parts_ms"].items()]
        rows.append([REST, *(shown(way["rest_ms"][rank], 1) for rank in titles[1:])])
        rows.append(["in all, ms", *(shown(way["total_ms"][rank], 1) for rank in titles[1:])])
        lines += ["", columns(titles, rows), f"{way['n']} of them, {way['never_seen']} never seen"]
    client, user = report["client"], report["ways"][USER_WAY]
    for name, rank, most in TARGETS_MS:
        found, what = user[name][rank], f"{'in all' if name == 'total_ms' else REST}, {rank}"
        reached = "reached" if found is not None and found <= most else "missed"
        lines += [""] * (name == "total_ms" and rank == "p50") + [f"{USER_WAY}, {what} <= {most} ms: {reached}"]
    lines += [
        "",
        f"client: {client['lost']} frames lost, {client['late']} late, {client['starved']} looks without a next frame, "
        f"shown {client['delay_ns'] / 1e6:.1f} ms after the session clock; a look each {client['look_ms']:g} ms; "
        f"voices sent late by {shown(client['sent_late_ms']['p99'], 1)} ms (p99), which counts",
    ]
    return "\n".join(lines)
