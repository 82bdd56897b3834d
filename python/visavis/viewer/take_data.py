"""A take, or a motion file, for the take browser: frames on a grid of 40 ms, voices of 16 bits, what happened."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS, FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import InvalidArgument
from visavis.motion_file import MotionData, read_motion
from visavis.motion_space import ARKIT55
from visavis.takes.export import voices_in_sync
from visavis.takes.file import load_take
from visavis.takes.journal import MAGIC
from visavis.takes.take import ACTIONS, Take

LONGEST_S = 30 * 60  # a browser holds two of these
SLACK_NS = 1_000_000  # of a frame's time
MOST_EVENTS = 5_000
SPEAKING = 1  # bit of a frame's state
MOTION_ALONE: dict[str, Any] = {"source": "motion", "facts": {}, "events": [], "turns": [], "turn_s": 0.0}


@dataclass(frozen=True)
class TakeView:
    """What a page is given of one take."""

    about: dict[str, Any]  # for JSON
    values: bytes  # (N, C) float32, NaN where there is no frame
    speaking: bytes  # (N,) uint8
    voices: dict[str, bytes] = field(default_factory=dict)  # "agent", "user": int16


def read_take_view(path: Path, first_s: float = 0.0, last_s: float | None = None) -> TakeView:
    """Read a take (or its journal) or a motion file.  Raises FileError and InvalidArgument."""
    if not _is_take(path):
        motion = read_motion(path)
        return _view(path, motion, None, first_s, last_s)
    take = load_take(path)
    return _view(path, take.shown(), take, first_s, last_s)


def _is_take(path: Path) -> bool:
    """Whether to read it as a take; what is neither is told by the reader of motion files."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return True
        with zipfile.ZipFile(path) as archive:
            return "about.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _view(path: Path, motion: MotionData, take: Take | None, first_s: float, last_s: float | None) -> TakeView:
    if not set(motion.channels) & set(ARKIT55.channels):
        raise InvalidArgument(
            f"take {path}: {len(motion.channels)} channels ({motion.channels[0]}, ...); expected those of "
            "arkit55: turn FLAME motion into them with `visavis retarget apply`"
        )
    voices = dict(zip(("agent", "user"), voices_in_sync(take), strict=True)) if take else {}
    end_ns = max([0, *(int(motion.time_ns[-1]) + FRAME_NS for _ in motion.time_ns[-1:])])
    n_whole = max([-(-end_ns // FRAME_NS), *(-(-len(voice) // SAMPLES_PER_FRAME) for voice in voices.values())])
    first, end = _part(path, n_whole, first_s, last_s)
    values = on_grid(motion, first, end)
    speaking = np.zeros(end - first, np.uint8)
    if take is not None:
        index = np.round(take.time_ns / FRAME_NS).astype(np.int64) - first
        inside = (index >= 0) & (index < end - first)
        speaking[index[inside]] = (take.state[inside] & SPEAKING) != 0
    parts = {who: voice[first * SAMPLES_PER_FRAME : end * SAMPLES_PER_FRAME] for who, voice in voices.items()}
    about = {
        "name": path.stem,
        "file": path.name,
        "from_s": first / FRAME_RATE,
        "frames": end - first,
        "frame_rate": FRAME_RATE,
        "channels": list(motion.channels),
        "units": _units(motion.channels),
        "rate": SAMPLE_RATE,
        "samples": {who: len(voice) for who, voice in parts.items()},
        **(_story(take, first, end) if take else MOTION_ALONE),
    }
    heard = {
        who: np.clip(np.rint(voice * 32768), -32768, 32767).astype("<i2").tobytes() for who, voice in parts.items()
    }
    return TakeView(about, values.astype("<f4").tobytes(), speaking.tobytes(), heard)


def _part(path: Path, n_whole: int, first_s: float, last_s: float | None) -> tuple[int, int]:
    """Frames [first, end) that are shown."""
    first, end = round(first_s * FRAME_RATE), n_whole if last_s is None else min(n_whole, round(last_s * FRAME_RATE))
    if not 0 <= first < end:
        raise InvalidArgument(f"take {path}: nothing from {first_s:g} s on; it lasts {n_whole / FRAME_RATE:.2f} s")
    if end - first > LONGEST_S * FRAME_RATE:
        minutes = (end - first) / FRAME_RATE / 60
        raise InvalidArgument(
            f"take {path}: {minutes:.0f} minutes; expected at most {LONGEST_S // 60}: give --from and --to"
        )
    return first, end


def on_grid(motion: MotionData, first: int, end: int) -> NDArray[np.float32]:
    """Frames [first, end) of 40 ms: (n, C), NaN where the motion has none."""
    due_ns = np.arange(first, end, dtype=np.int64) * FRAME_NS
    order = np.argsort(motion.time_ns, kind="stable")  # what was given out again replaces the frame before
    times_ns, values = motion.time_ns[order], motion.values[order]
    at = np.searchsorted(times_ns, due_ns + SLACK_NS, side="right") - 1
    if motion.fps == FRAME_RATE:
        found, stands_ns = values[np.maximum(at, 0)].astype(np.float32), FRAME_NS - SLACK_NS
    else:
        columns = [np.interp(due_ns, times_ns, values[:, channel]) for channel in range(values.shape[1])]
        found, stands_ns = np.stack(columns, 1).astype(np.float32), round(1.5e9 / motion.fps)
    found[(at < 0) | (due_ns - times_ns[np.maximum(at, 0)] >= stands_ns)] = np.nan
    return found


def _units(channels: tuple[str, ...]) -> list[str]:
    known = dict(zip(ARKIT55.channels, ARKIT55.units, strict=True))
    return [known.get(name, "1") for name in channels]


def _story(take: Take, first: int, end: int) -> dict[str, Any]:
    """Where the take comes from, its dials and barge-ins, its turns; times in seconds from the first frame shown."""
    about, first_s, end_s = take.about, first / FRAME_RATE, end / FRAME_RATE
    facts = {
        "head": about.head,
        "model": about.model,
        "engine": about.engine,
        "seed": about.seed,
        "recorded": about.recorded,
        "version": about.version,
        "complete": about.complete,
        "recorded from": about.source,
    }
    events = [
        {"time_s": time_ns / 1e9 - first_s, "kind": str(kind), "name": str(name), "value": float(value)}
        for time_ns, kind, name, value in zip(
            take.event_time_ns, take.event_kind, take.event_name, take.event_value, strict=True
        )
        if first_s <= time_ns / 1e9 < end_s
    ]
    turn_s = take.about.turn_frames / FRAME_RATE
    begins_s = take.turn * turn_s + about.delay_ns / 1e9
    inside = (begins_s + turn_s > first_s) & (begins_s < end_s)
    turns = [
        {
            "time_s": float(begin_s) - first_s,
            "stage_ms": [round(int(stage_ns) / 1e6, 3) for stage_ns in stages],
            "steps": int(steps),
            "action": ACTIONS[int(action)],
            "dropped": int(dropped),
        }
        for begin_s, stages, steps, action, dropped in zip(
            begins_s[inside],
            take.turn_stage_ns[inside],
            take.turn_steps[inside],
            take.turn_action[inside],
            take.turn_dropped_frames[inside],
            strict=True,
        )
    ]
    return {"source": "take", "facts": facts, "events": events[:MOST_EVENTS], "turns": turns, "turn_s": turn_s}
