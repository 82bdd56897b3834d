"""`visavis watch`: what arrives from a server, how late, and with which gaps."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from visavis.bridge.receiver import Receiver

REFRESH_S = 0.25
PATIENCE_S = 2.5  # without a message before we look for the reason
LOG_WIDTH = 120  # columns where there is no terminal
COLUMNS = (
    "head",
    "state",
    "frames",
    "rate Hz",
    "lag ms p50/p99",
    "ahead ms p50/p1",
    "jitter ms",
    "lost",
    "jumps",
    "cuts",
)

EXAMPLES = (
    "visavis watch",
    "visavis watch --endpoint tcp://192.168.0.5:5570 --key alice.key --head npc",
    "visavis watch --seconds 10 --json",
)


def main(
    endpoint: Annotated[str, typer.Option(help="Motion port of the server, tcp://HOST:PORT.")] = "tcp://127.0.0.1:5570",
    key: Annotated[
        Path | None, typer.Option(help="Key file, where the server asks for one.", show_default="none")
    ] = None,
    head: Annotated[str | None, typer.Option(help="Watch this head alone.", show_default="all")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds.", min=0.1, show_default="at Ctrl-C")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end instead of a table.")
    ] = False,
) -> None:
    """Show rate, lag, gaps and jitter of every head, live.

    lag: from the server's publishing to arrival here.  ahead: from arrival to the time at which the frame is to be
    seen (p1: the worst percent).  jitter: as in RFC 3550.  lost: messages that never came.  jumps: frames that the
    server chose not to make.  Exit code 1 if no motion came.
    """
    from visavis.bridge.keys import ClientKeys
    from visavis.bridge.receiver import Receiver, why_nothing
    from visavis.bridge.stopping import Stopping
    from visavis.errors import StateError

    keys = ClientKeys.load(key) if key else None
    with Stopping(seconds) as stop, Receiver(endpoint, head, keys) as receiver:
        clock = "the server's"
        try:
            receiver.measure_clock()
        except StateError:
            clock = "assumed to be this machine's"
        if as_json:
            while not stop():
                _receive(receiver, REFRESH_S)
        else:
            _show(receiver, stop, lambda: why_nothing(endpoint, keys))
        now_ns = receiver.server_ns()
        heads = [track.report(now_ns) for track in receiver.tracks.values()]
        moved = any(report["frames"] for report in heads)
        reason = "" if moved else why_nothing(endpoint, keys)
        if as_json:
            report = {"endpoint": receiver.endpoint, "clock": clock, "heads": heads, "malformed": receiver.malformed}
            print(json.dumps({**report, "reason": reason}))
        elif reason:
            typer.echo(f"visavis: {reason}", err=True)
    raise typer.Exit(0 if moved else 1)


def _receive(receiver: "Receiver", seconds: float) -> int:
    """Take what comes within that time; how many messages it was."""
    until, n_messages = time.monotonic() + seconds, 0
    while (left_s := until - time.monotonic()) > 0:
        n_messages += sum(1 for _ in receiver.receive(max(1, round(left_s * 1000))))
    return n_messages


def _show(receiver: "Receiver", stop: Any, why: Callable[[], str]) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.markup import escape

    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    last_message, reason = time.monotonic(), "waiting for the first message"
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not stop():
            if _receive(receiver, REFRESH_S):
                last_message, reason = time.monotonic(), ""
            elif time.monotonic() - last_message > PATIENCE_S:
                reason, last_message = why(), time.monotonic()
            live.update(Group(table(receiver), escape(reason)), refresh=True)


def table(receiver: "Receiver") -> "Table":
    """The live table: one row a head."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from visavis.bridge.receiver import voices_missing

    grid = Table(*COLUMNS, title=f"{escape(receiver.endpoint)}  ({receiver.malformed} malformed)", box=SIMPLE_HEAD)
    for column in grid.columns[2:]:
        column.justify = "right"
    now_ns = receiver.server_ns()
    for track in receiver.tracks.values():
        r = track.report(now_ns)
        state = "closed" if r["closed"] else "speaks" if r["speaking"] else voices_missing(track) or "listens"
        numbers = [str(r["frames"]), f"{r['rate_hz']:.1f}", _pair(r["lag_ms_p50"], r["lag_ms_p99"])]
        numbers += [_pair(r["spare_ms_p50"], r["spare_ms_p1"]), f"{r['jitter_ms']:.1f}"]
        grid.add_row(escape(r["head"]), state, *numbers, *(str(r[count]) for count in ("lost", "jumps", "cuts")))
    return grid


def _pair(*values: float | None) -> str:
    return " / ".join("-" if value is None else f"{value:.1f}" for value in values)
