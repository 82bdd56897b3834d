"""The demo: session, engine, server, a subscriber in another process, live view, plot."""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visavis.bridge.dashboard import milliseconds, render, summary_line
from visavis.bridge.demo import DemoVoices
from visavis.bridge.head import STAGES, Head, HeadOptions
from visavis.bridge.plot import Voice, plot_available, plot_conversation
from visavis.bridge.server import BridgeServer
from visavis.bridge.track import percentiles
from visavis.errors import FileError, InternalError
from visavis.motion_file import check_output_path, read_motion
from visavis.runtime import MAX_LOAD, Runtime

if TYPE_CHECKING:
    from visavis.session import Model
    from visavis.trace import Trace
    from visavis.viewer.view import Page

FAST_TICK_NS = 20_000_000  # a step of the clock that does not wait
REFRESH_S, LOG_S = 0.125, 5.0
PROCESS_TIMEOUT_S = 20.0


class SteppedClock:
    """A clock that goes on only when told: the demo without waiting."""

    def __init__(self) -> None:
        self.now_ns = time.monotonic_ns()

    def __call__(self) -> int:
        """The time."""
        return self.now_ns


class RecorderProcess:
    """The subscriber in another process; use in a `with` block, which ends it."""

    def __init__(self, endpoint: str, head: str, path: Path) -> None:
        self.arrived: dict[str, Any] = {}  # its newest report
        self.ready, self.done = threading.Event(), threading.Event()
        command = [sys.executable, "-m", "visavis.bridge.recorder", endpoint, head, str(path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, name="recorder reports")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            if "ready" in report:
                self.ready.set()
                continue
            self.arrived = report
            if "done" in report:
                self.done.set()

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Tell it what to record (session clock)."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"start_ns": start_ns, "end_ns": end_ns}) + "\n")
        self._process.stdin.flush()

    def check(self) -> None:
        """Raises InternalError if it ended before its work was done."""
        if self._process.poll() is not None:
            self._reader.join()
            if not self.done.is_set():
                raise InternalError(f"demo: the recorder ended early: {self._error_text() or 'without a word'}")

    def _error_text(self) -> str:
        assert self._process.stderr is not None
        return " ".join(self._process.stderr.read().split())

    def __enter__(self) -> "RecorderProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not self.done.is_set():
            self._process.terminate()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


@dataclass(frozen=True)
class Role:
    """One head of the demo: whose voices it has, and where its motion and picture go."""

    head: Head
    agent: Voice
    user: Voice
    motion_path: Path
    plot_path: Path
    recorder: RecorderProcess


def run_demo(
    model: "Model",
    out: Path,
    *,
    fast: bool,
    seed: int,
    port: int,
    stop: Callable[[], bool],
    pair: bool = False,
    take: Path | None = None,
    dials: dict[str, float] | None = None,
    page: "Page | None" = None,
    trace: "Trace | None" = None,
) -> Iterator[str]:
    """The whole demo, of one head or of two that talk to each other; gives lines to print.  Raises the errors of the
    house.  `take`: record it there, a pair as NAME-agent.npz and NAME-user.npz.  `page`: show it there meanwhile."""
    names = ("agent", "user") if pair else ("demo",)
    paths = [_output_paths(out, f"-{name}" if pair else "") for name in names]
    started = time.monotonic()
    clock = SteppedClock() if fast else None
    runtime = Runtime(model, max_load=math.inf if fast else MAX_LOAD, clock=clock)
    with BridgeServer(runtime, port=port, trace=trace) as server, ExitStack() as others:
        takes = [take and take.with_name(f"{take.stem}-{name}.npz") if pair else take for name in names]
        options = [HeadOptions(seed=seed + i, dials=dials or {}) for i in range(len(names))]
        heads = [server.open_head(*opened) for opened in zip(names, options, takes, strict=True)]
        server.owned_heads.update(names)
        if pair:
            server.pair_heads(*names)
        heard = server.publish if page and not pair else None  # the user's voice, which is no head's, on the page
        voices = DemoVoices(heads[0], partner=heads[1] if pair else None, publish=heard)
        if page is not None:
            from visavis.bridge.web import WebRelay

            yield page.show(others.enter_context(WebRelay(server, page.address)).url)
        roles = []
        for i, (head, (motion_path, plot_path)) in enumerate(zip(heads, paths, strict=True)):
            own, other = (voices.user, voices.agent) if i else (voices.agent, voices.user)
            recorder = others.enter_context(RecorderProcess(server.ports.endpoint, head.name, motion_path))
            roles.append(Role(head, own, other, motion_path, plot_path, recorder))
        late = yield from _converse(Pace(server, clock, [role.recorder for role in roles], stop), roles, voices)
    if stop():
        return
    for role, n_late in zip(roles, late, strict=True):
        yield from _report(role, n_late, fast, time.monotonic() - started)
        yield _draw(role)


def _converse(pace: "Pace", roles: list[Role], voices: DemoVoices) -> Generator[str, None, list[int]]:
    """From the moment that the recorders are ready until their files are written; how many frames of each were late."""
    pace.until(lambda: all(recorder.ready.is_set() for recorder in pace.recorders), "the recorder to be ready")
    late_before = [role.head.count()["late_frames"] for role in roles]
    voices.start()
    pace.server.feeders.append(voices)
    with_whom = ", two heads that hear and see each other" if len(roles) > 1 else ""
    yield f"a conversation of {voices.length_ns / 1e9:.1f} s{with_whom}; motion over {pace.server.ports.endpoint}"
    for role in roles:
        start_ns = voices.start_ns + role.head.session_ns(0) - roles[0].head.session_ns(0)
        role.recorder.begin(start_ns, start_ns + voices.length_ns)
    yield from _play(pace, roles, voices)
    pace.until(lambda: all(recorder.done.is_set() for recorder in pace.recorders), "the motion file")
    return [role.head.count()["late_frames"] - n for role, n in zip(roles, late_before, strict=True)]


def _draw(role: Role) -> str:
    if not plot_available():
        return f"{role.plot_path}: not drawn, matplotlib is not installed (pip install 'visavis[plot]')"
    title = f"Visavis: {role.head.model.name}, one conversation, motion as it arrived in another process"
    plot_conversation(role.plot_path, role.agent, role.user, read_motion(role.motion_path), title)
    return f"{role.plot_path}: voices, jaw, smile and nods over time"


class Pace:
    """Turns the server's crank, in real time or as fast as it goes."""

    def __init__(
        self,
        server: BridgeServer,
        clock: SteppedClock | None,
        recorders: list[RecorderProcess],
        stop: Callable[[], bool],
    ) -> None:
        self.server, self.clock, self.recorders, self.stop = server, clock, recorders, stop

    def step(self) -> None:
        """One turn of the crank."""
        if self.clock is None:
            self.server.step()
        else:
            self.clock.now_ns += FAST_TICK_NS
            self.server.tick()

    def check(self) -> None:
        """Raises InternalError if a recorder ended early."""
        for recorder in self.recorders:
            recorder.check()

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Go on until `ready`, or until the user stops; raises InternalError if it takes too long."""
        deadline = time.monotonic() + PROCESS_TIMEOUT_S
        while not (ready() or self.stop()):
            self.check()
            if time.monotonic() > deadline:
                raise InternalError(f"demo: waited {PROCESS_TIMEOUT_S:g} s for {what}")
            self.step()
            if self.clock is not None:
                time.sleep(0.002)  # the other process needs real time


def _play(pace: Pace, roles: list[Role], voices: DemoVoices) -> Iterator[str]:
    """The conversation itself, with the live view, or with a line now and then where there is no terminal."""
    from rich.columns import Columns
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if pace.clock is not None or not console.is_terminal:
        logged = time.monotonic()
        while voices.now_ns < voices.length_ns and not pace.stop():
            pace.step()
            pace.check()
            if time.monotonic() - logged >= LOG_S:
                logged = time.monotonic()
                for role in roles:
                    yield summary_line(role.head, voices.now_ns, role.recorder.arrived)
        return
    with Live(console=console, auto_refresh=False) as live:
        shown = 0.0
        while voices.now_ns < voices.length_ns and not pace.stop():
            pace.step()
            if time.monotonic() - shown >= REFRESH_S:
                shown = time.monotonic()
                pace.check()
                now_ns, length_ns = voices.now_ns, voices.length_ns
                faces = [render(r.head, r.agent, r.user, now_ns, length_ns, r.recorder.arrived) for r in roles]
                live.update(Columns(faces), refresh=True)


def _report(role: Role, n_late: int, fast: bool, spent_s: float) -> Iterator[str]:
    """What was measured."""
    head, arrived = role.head, role.recorder.arrived
    times = ", ".join(f"{stage} {milliseconds(percentiles(head.stage_ms[stage], (50,))[0])}" for stage in STAGES)
    yield f"a turn of {head.model.turn_frames * 40} ms took (p50): {times}"
    if not fast:
        lags = f"p50 {milliseconds(arrived['lag_ms_p50'])}, p99 {milliseconds(arrived['lag_ms_p99'])}"
        ahead = f"p50 {milliseconds(arrived['spare_ms_p50'])}, worst percent {milliseconds(arrived['spare_ms_p1'])}"
        yield f"lag from the server to the other process: {lags}; frames came ahead of their time by {ahead}"
    yield (
        f"{role.motion_path}: {arrived['recorded_frames']} frames arrived, {arrived['lost']} messages lost, "
        f"{n_late} frames late; {spent_s:.1f} s in all"
    )


def _output_paths(out: Path, suffix: str) -> tuple[Path, Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"folder {out}: cannot be made ({error.strerror}); give another with --out") from None
    paths = out / f"motion{suffix}.npz", out / f"plot{suffix}.png"
    for path in paths:
        check_output_path(path, "output")
    return paths
