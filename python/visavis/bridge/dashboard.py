"""The demo's live view in a terminal: who speaks, what the face does, what it costs, how late it arrives."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.bridge.head import STAGES, Head
from visavis.bridge.plot import Voice
from visavis.bridge.track import percentiles
from visavis.bridge.wire import SPEAKING

if TYPE_CHECKING:
    from rich.console import Group

BAR_CELLS = 36
SHAPES = (  # what to show of a face, with the value that fills the bar
    ("jawOpen", 0.6), ("mouthClose", 0.4), ("mouthFunnel", 0.6), ("mouthPucker", 0.6), ("mouthSmileLeft", 0.6),
    ("mouthSmileRight", 0.6), ("mouthPressLeft", 0.5), ("browInnerUp", 0.5), ("browDownLeft", 0.5),
)  # fmt: skip
ANGLES = ("headYaw", "headPitch", "headRoll", "jawX", "neckX", "neckY")
ANGLE_DEGREES = 12.0  # fills half a bar
LEVEL_DB = 50.0  # range of a level bar
LEVEL_WINDOW_S = 0.1


def render(
    head: Head, agent: Voice, user: Voice, conversation_ns: int, length_ns: int, arrived: dict[str, Any]
) -> "Group":
    """The dashboard at one moment of the conversation."""
    from rich.console import Group
    from rich.markup import escape
    from rich.panel import Panel

    seconds = conversation_ns / 1e9
    voices = _grid()
    state = head.newest.state if head.newest else 0
    voices.add_row("agent", _level_bar(agent, seconds, "cyan"), "speaks" if state & SPEAKING else "listens")
    voices.add_row("user", _level_bar(user, seconds, "red"), "speaks" if level_db(user, seconds) > -45 else "")
    title = f"visavis demo   {max(0.0, seconds):5.1f} of {length_ns / 1e9:.1f} s   {escape(head.model.name)}"
    return Group(
        Panel(voices, title=title), Panel(_face(head), title="face"), Panel(_times(head, arrived), title="time")
    )


def summary_line(head: Head, conversation_ns: int, arrived: dict[str, Any]) -> str:
    """The same in one line, for logs."""
    speaking = head.newest is not None and head.newest.state & SPEAKING
    return (
        f"{max(0.0, conversation_ns / 1e9):5.1f} s  agent {'speaks ' if speaking else 'listens'}  "
        f"{head.counters['frames']} frames, lag p50 {milliseconds(arrived.get('lag_ms_p50'))}, "
        f"p99 {milliseconds(arrived.get('lag_ms_p99'))}"
    )


def milliseconds(value: float | None) -> str:
    """A time for people."""
    return "-" if value is None else f"{value:.2f} ms"


def level_db(voice: Voice, seconds: float) -> float:
    """Level of a track around a moment, dB of full scale."""
    first = max(0, round((seconds - LEVEL_WINDOW_S) * voice.rate))
    window = voice.samples[first : max(first, round(seconds * voice.rate))]
    power = float(np.mean(np.square(window, dtype=np.float64))) if len(window) else 0.0
    return 10 * math.log10(power + 1e-10)


def _grid() -> Any:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=16)
    grid.add_column(width=BAR_CELLS)
    grid.add_column()
    return grid


def _level_bar(voice: Voice, seconds: float, colour: str) -> Any:
    from rich.text import Text

    filled = (level_db(voice, seconds) + LEVEL_DB) / LEVEL_DB
    return Text("█" * round(min(max(filled, 0), 1) * BAR_CELLS), style=colour)


def _face(head: Head) -> Any:
    from rich.text import Text

    grid, channels = _grid(), head.model.channels
    values: NDArray[np.float32] = head.newest.values if head.newest else np.zeros(len(channels), np.float32)
    for name, full in SHAPES:
        if name in channels:
            value = float(values[channels.index(name)])
            grid.add_row(name, Text("█" * round(min(max(value / full, 0), 1) * BAR_CELLS), "green"), f"{value:.2f}")
    for name in ANGLES:
        if name in channels:
            degrees = math.degrees(float(values[channels.index(name)]))
            grid.add_row(name, Text(_needle(degrees / ANGLE_DEGREES), "yellow"), f"{degrees:+.1f} deg")
    return grid


def _needle(value: float) -> str:
    """A mark on a scale from -1 to 1."""
    cells = ["─"] * (BAR_CELLS + 1)
    cells[BAR_CELLS // 2] = "┼"
    cells[round((min(max(value, -1), 1) + 1) / 2 * BAR_CELLS)] = "█"
    return "".join(cells[:BAR_CELLS])


def _times(head: Head, arrived: dict[str, Any]) -> Any:
    grid = _grid()
    for stage in STAGES:
        p50, p99 = percentiles(head.stage_ms[stage], (50, 99))
        grid.add_row(
            stage, f"p50 {milliseconds(p50)}, p99 {milliseconds(p99)}", f"a turn of {head.model.turn_frames * 40} ms"
        )
    lag = f"p50 {milliseconds(arrived.get('lag_ms_p50'))}, p99 {milliseconds(arrived.get('lag_ms_p99'))}"
    grid.add_row("lag", lag, "server to the other process")
    grid.add_row("ahead", f"p50 {milliseconds(arrived.get('spare_ms_p50'))}", "before the frame is to be seen")
    counts = f"{arrived.get('frames', 0)} arrived, {arrived.get('lost', 0)} lost"
    made = head.count()
    grid.add_row("frames", counts, f"{made['late_frames']} late, {made['dropped_frames']} dropped")
    return grid
