"""What is in a conversation folder, one conversation in memory at a time: lengths, who speaks, how faces move.

Also what is wrong with it: recordings without a partner, unreadable ones, voices and faces of different lengths.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLES_PER_FRAME
from visavis.data.dualtalk import Dialogue, Person, find_alone, find_pairs, read_dialogue, split_folder
from visavis.errors import Error, FileError
from visavis.motion_space import MotionSpace

SPEAKING_LEVEL = 10 ** (-45 / 20)  # rms of a frame, -45 dBFS
UNEVEN_FRAMES = 5  # a few frames are usual


def speaks(person: Person) -> npt.NDArray[np.bool_]:
    """When a person speaks (T,): the recording's label, or where it has none the level of the voice."""
    if "speaking" in person.labels:
        known = person.labels["speaking"].astype(bool)[: len(person.motion)]
        return np.pad(known, (0, len(person.motion) - len(known)))
    frames = person.audio.astype(np.float32).reshape(-1, SAMPLES_PER_FRAME)
    loud: npt.NDArray[np.bool_] = np.sqrt(np.square(frames).mean(1)) > SPEAKING_LEVEL
    return loud


def folder_statistics(
    data: Path, split: str, space: MotionSpace, progress: Callable[[float], object] | None = None
) -> dict[str, Any]:
    """Numbers of one split; raises FileError where there is no conversation at all."""
    folder = split_folder(data, split)
    pairs, unpaired = find_pairs(folder)
    alone = find_alone(folder)
    names = [*pairs, *alone]
    if not names:
        raise FileError(f"{folder}: no complete NAME_speaker1/NAME_speaker2 pair found (unpaired: {len(unpaired)})")
    totals, motion = dict.fromkeys(("frames", "speech", "both", "neither"), 0), _Moments(len(space.channels))
    lengths: list[int] = []
    uneven: dict[str, list[int]] = {}
    unreadable: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        try:
            dialogue = read_dialogue(folder, name, space)
        except Error as error:
            unreadable[name] = str(error)
            continue
        lengths.append(dialogue.n_frames)
        if dialogue.notes:
            notes[name] = dialogue.notes
        if max(dialogue.lengths) - min(dialogue.lengths) > UNEVEN_FRAMES:
            uneven[name] = list(dialogue.lengths)
        _add(totals, motion, dialogue)
        if progress is not None:
            progress((i + 1) / len(names))
    frames = max(totals["frames"], 1)
    return {
        "conversations": len(lengths),
        "clips": 2 * len(lengths) - sum(name not in unreadable for name in alone),  # both persons serve as the agent
        "alone": [name for name in alone if name not in unreadable],
        "hours": totals["frames"] / FRAME_RATE / 3600,
        "seconds_shortest_median_longest": [float(v) / FRAME_RATE for v in np.percentile(lengths or [0], [0, 50, 100])],
        "speech_share": totals["speech"] / frames / 2,
        "overlap_share": totals["both"] / frames,
        "silence_share": totals["neither"] / frames,
        "motion": {group: motion.group(list(channels)) for group, channels in space.groups.items()},
        "unpaired": unpaired,
        "unreadable": unreadable,
        "notes": notes,
        "uneven_frames": uneven,  # of both voices, then both faces; all were cut to the shortest
    }


def _add(totals: dict[str, int], motion: "_Moments", dialogue: Dialogue) -> None:
    a, b = (speaks(person) for person in dialogue.persons)
    persons = dialogue.persons[:1] if dialogue.alone else dialogue.persons
    totals["frames"] += dialogue.n_frames
    totals["speech"] += int(a.sum() + b.sum())
    totals["both"] += int((a & b).sum())
    totals["neither"] += int((~a & ~b).sum())
    for person in persons:
        motion.add(person.motion)


class _Moments:
    """Sums over all frames, channel by channel."""

    def __init__(self, n_channels: int) -> None:
        self.n = 0
        self.sum, self.squares, self.steps = (np.zeros(n_channels) for _ in range(3))

    def add(self, motion: npt.NDArray[np.float32]) -> None:
        values = motion.astype(np.float64)
        self.n += len(values)
        self.sum += values.sum(0)
        self.squares += np.square(values).sum(0)
        self.steps += np.abs(np.diff(values, axis=0)).sum(0)

    def group(self, channels: list[int]) -> dict[str, float]:
        """Means over a group's channels: value, standard deviation, change from frame to frame."""
        n = max(self.n, 1)
        mean = self.sum / n
        std = np.sqrt(np.maximum(self.squares / n - mean**2, 0))
        parts = {"mean": mean, "std": std, "step": self.steps / n}
        return {name: float(values[channels].mean()) for name, values in parts.items()}


def describe(found: dict[str, Any]) -> str:
    """The statistics in lines for people."""
    low, middle, high = found["seconds_shortest_median_longest"]
    lines = [
        f"{found['conversations']} conversations ({found['clips']} clips, both roles), {found['hours']:.2f} h; "
        f"{low:.1f} to {high:.1f} s, median {middle:.1f} s",
        f"each person speaks {found['speech_share']:.0%} of the time, both {found['overlap_share']:.0%}, "
        f"nobody {found['silence_share']:.0%}",
    ]
    for group, m in found["motion"].items():
        lines.append(f"{group}: mean {m['mean']:.4g}, std {m['std']:.4g}, {m['step']:.4g} from frame to frame")
    if found["unpaired"]:
        lines.append(f"left out, partner or file missing: {', '.join(found['unpaired'])}")
    if found["alone"]:
        lines.append(f"one person alone: {', '.join(found['alone'])}")
    lines += [f"left out, not readable: {name} ({why})" for name, why in found["unreadable"].items()]
    lines += [f"look at {name}: {note}" for name, notes in found["notes"].items() for note in notes]
    for name, (voice1, voice2, face1, face2) in found["uneven_frames"].items():
        lines.append(f"cut to the shortest: {name}, voices {voice1} and {voice2}, faces {face1} and {face2} frames")
    return "\n".join(lines)
