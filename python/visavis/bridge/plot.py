"""A picture of a conversation: both voices, who speaks when, and what the character's face did (needs matplotlib)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.errors import Unsupported
from visavis.motion_file import MotionLike, write_whole

AGENT_COLOUR, USER_COLOUR = "#0b7a75", "#c8553d"
SPEAKING_DBFS = -45.0  # louder than this is speech ...
HANG_S = 0.2  # ... and so are the pauses shorter than this after it
BLOCK_S = 0.02


class Curve(NamedTuple):
    """A panel of the picture: the mean of some channels."""

    label: str
    channels: tuple[str, ...]
    in_degrees: bool = False


CURVES: dict[str, tuple[Curve, ...]] = {
    "jawOpen": (
        Curve("jawOpen", ("jawOpen",)),
        Curve("smile", ("mouthSmileLeft", "mouthSmileRight")),
        Curve("nod: head pitch (deg)", ("headPitch",), in_degrees=True),
    ),
    "jawX": (
        Curve("jaw (deg)", ("jawX",), in_degrees=True),
        Curve("expression 0", ("exp0",)),
        Curve("nod: neck (deg)", ("neckX",), in_degrees=True),
    ),
}


class Voice(NamedTuple):
    """A track of the conversation."""

    samples: NDArray[np.float32]  # (n,)
    rate: int


def plot_available() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def speaking_spans(voice: Voice) -> list[tuple[float, float]]:
    """Start and end, in seconds, of each stretch of speech."""
    n_block = max(1, round(voice.rate * BLOCK_S))
    n_blocks = len(voice.samples) // n_block
    blocks = voice.samples[: n_blocks * n_block].reshape(n_blocks, n_block)
    loud = np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=1)) > 10 ** (SPEAKING_DBFS / 20)
    spans: list[tuple[float, float]] = []
    for block in np.flatnonzero(loud):
        start, end = block * BLOCK_S, (block + 1) * BLOCK_S
        if spans and start - spans[-1][1] <= HANG_S:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def plot_conversation(path: Path, agent: Voice, user: Voice, motion: MotionLike, title: str) -> None:
    """Write a PNG.  Raises Unsupported without matplotlib, FileError if it cannot be written."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Unsupported("plot: matplotlib is not installed; install it with `pip install 'visavis[plot]'`") from None

    curves = curves_of(motion.channels)
    figure = Figure(figsize=(12, 7.2), dpi=110, layout="constrained")
    panels: Any = figure.subplots(2 + len(curves), 1, sharex=True, height_ratios=[0.8, 0.8, *([1] * len(curves))])
    spans = {"agent": speaking_spans(agent), "user": speaking_spans(user)}
    for panel in panels:
        _bands(panel, spans["agent"], AGENT_COLOUR, 0.5, 1.0)
        _bands(panel, spans["user"], USER_COLOUR, 0.0, 0.5)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", alpha=0.25)
    _waveform(panels[0], user, USER_COLOUR, "user's voice")
    _waveform(panels[1], agent, AGENT_COLOUR, "agent's voice")
    seconds = np.asarray(motion.time_ns) / 1e9
    for panel, curve in zip(panels[2:], curves, strict=True):
        panel.plot(seconds, curve_values(motion, curve), color="#20323f", linewidth=1.1)
        panel.set_ylabel(curve.label)
    panels[-1].set_xlabel(
        "seconds        (bands: agent speaks, upper half; user speaks and the agent listens, lower half)"
    )
    panels[-1].set_xlim(0, max(len(agent.samples) / agent.rate, len(user.samples) / user.rate))
    figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_whole(path, "plot", lambda file: file.write(picture.getvalue()))


def curves_of(channels: Sequence[str]) -> tuple[Curve, ...]:
    """The curves that say most about motion with these channels."""
    return next((curves for name, curves in CURVES.items() if name in channels), ())


def curve_values(motion: MotionLike, curve: Curve) -> NDArray[np.float64]:
    """(n,) mean of the curve's channels, angles in degrees."""
    columns = [list(motion.channels).index(channel) for channel in curve.channels]
    mean: NDArray[np.float64] = motion.values[:, columns].mean(axis=1, dtype=np.float64)
    return np.degrees(mean) if curve.in_degrees else mean


def _bands(panel: Any, spans: list[tuple[float, float]], colour: str, low: float, high: float) -> None:
    for start, end in spans:
        panel.axvspan(start, end, low, high, color=colour, alpha=0.13, linewidth=0)


def _waveform(panel: Any, voice: Voice, colour: str, label: str) -> None:
    n_block = max(1, voice.rate // 100)  # 10 ms: the envelope is what a page shows
    n_blocks = len(voice.samples) // n_block
    blocks = voice.samples[: n_blocks * n_block].reshape(n_blocks, n_block)
    seconds = np.arange(n_blocks) * n_block / voice.rate
    panel.fill_between(seconds, blocks.min(axis=1), blocks.max(axis=1), color=colour, linewidth=0)
    panel.set_ylabel(label)
    panel.set_ylim(-1, 1)
