"""A take put together from the records of a journal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.constants import SAMPLES_PER_FRAME
from visavis.motion_file import BadFile
from visavis.takes.take import LONGEST_TEXT, MAX_FRAMES, WITHDRAWN, About, Flags, Floats, Take, Whole


class Stretch:
    """Pieces of a stream at places of its own; where pieces overlap the first one stays."""

    def __init__(self, row: tuple[int, ...], dtype: str, most: int) -> None:
        self._row, self._dtype, self._most = row, dtype, most
        self._pieces: list[tuple[int, NDArray[Any]]] = []
        self.end = 0

    def add(self, first: int, piece: NDArray[Any]) -> None:
        """Put a piece at row `first`; rows before 0 and before the end of what is there are left out."""
        if first > self._most or first + len(piece) > self._most:
            raise BadFile(f"a stream goes on to row {first + len(piece)}, {self._most} at most")
        piece, first = piece[max(0, self.end - first) :], max(first, self.end)
        if len(piece):
            self._pieces.append((first, piece))
            self.end = first + len(piece)

    def array(self) -> NDArray[Any]:
        """All of it, zeros in the gaps."""
        out = np.zeros((self.end, *self._row), self._dtype)
        for first, piece in self._pieces:
            out[first : first + len(piece)] = piece
        return out


class TakeBuilder:
    """Records in, a take out."""

    def __init__(self, about: About) -> None:
        n_channels, most = len(about.channels), 2 * MAX_FRAMES
        self.about, self.complete = about, False
        self._voices = {agent: Stretch((), "f4", most * SAMPLES_PER_FRAME) for agent in (True, False)}
        self._face, self._there = Stretch((n_channels,), "f4", most), Stretch((), "?", most)
        self._turns: list[dict[str, Any]] = []
        self._frames: dict[int, tuple[int, int, Floats, bool]] = {}
        self._rig: list[tuple[Whole, Flags]] = []
        self._n_rig = 0
        self._events: list[tuple[str, str, float, int, int]] = []

    def add_turn(self, **turn: Any) -> None:
        """A turn as _core.SessionTap gives it."""
        n = self.about.turn_frames
        if self._turns and turn["turn"] <= self._turns[-1]["turn"]:
            raise BadFile(f"turn {turn['turn']} comes behind turn {self._turns[-1]['turn']}")
        agent, user = turn.pop("agent_audio"), turn.pop("user_audio")
        face, there = turn.pop("user_motion"), turn.pop("user_motion_there")
        own = n * SAMPLES_PER_FRAME
        silence = np.zeros(own, np.float32)
        self._voices[True].add(turn["turn"] * own, silence if agent is None else agent[:own])
        self._voices[False].add(turn["user_frame"] * SAMPLES_PER_FRAME, silence if user is None else user)
        if face is not None:
            self._face.add(turn["user_frame"], face)
            self._there.add(turn["user_frame"], there.astype(bool))
        turn["heard"] = agent is not None, user is not None
        turn["lookahead"] = np.zeros(self._lookahead, np.float32) if agent is None else agent[own:]
        self._turns.append(turn)

    @property
    def _lookahead(self) -> int:
        return self.about.lookahead_frames * SAMPLES_PER_FRAME

    def add_rig(self, index: Whole, flags: Flags) -> None:
        """Frames that went through the rig; flags (n, 3): speaking, idle, eased."""
        self._rig.append((index, flags))
        self._n_rig += len(index)

    def add_frames(self, index: Whole, time_ns: Whole, state: NDArray[np.uint16], values: Floats) -> None:
        """Frames that were given out; one of a number that is there takes its place."""
        for k, t, s, row in zip(index.tolist(), time_ns.tolist(), state.tolist(), values, strict=True):
            self._frames[k] = (t, s, row, k in self._frames and not s & WITHDRAWN)

    def add_voice(self, agent: bool, first: int, samples: Floats) -> None:
        """A voice that no turn saw."""
        self._voices[agent].add(first, samples)

    def add_event(self, kind: str, name: str, value: float, time_ns: int) -> None:
        """A dial or a barge-in."""
        if max(len(kind), len(name)) > LONGEST_TEXT:
            raise BadFile(f"an event has a name of {max(len(kind), len(name))} characters, {LONGEST_TEXT} at most")
        self._events.append((str(kind), str(name), float(value), int(time_ns), self._n_rig))

    def take(self) -> Take:
        """What came so far."""
        about, numbers = replace(self.about, complete=self.complete), sorted(self._frames)
        rows = [self._frames[k] for k in numbers]
        n, n_channels = about.turn_frames, len(about.channels)
        values = [row[2] for row in rows]
        kinds, names, dial_values, times, rig_frames = zip(*self._events, strict=True) if self._events else ([],) * 5
        flags = np.concatenate([np.zeros((0, 3), bool), *(flags for _, flags in self._rig)])
        return Take(
            about,
            values=_stack(values, (n_channels,), "f4"),
            time_ns=np.array([row[0] for row in rows], np.int64),
            frame=np.array(numbers, np.int64),
            state=np.array([row[1] for row in rows], np.uint16),
            replaced=np.array([row[3] for row in rows], bool),
            agent_audio=self._voices[True].array(),
            user_audio=self._voices[False].array(),
            user_motion=self._face.array(),
            user_motion_there=self._there.array(),
            turn=self._column("turn", "i8"),
            turn_motion=_stack([turn["motion"].reshape(n, n_channels) for turn in self._turns], (n, n_channels), "f4"),
            turn_user_frame=self._column("user_frame", "i8"),
            turn_agent_heard=np.array([turn["heard"][0] for turn in self._turns], bool),
            turn_user_heard=np.array([turn["heard"][1] for turn in self._turns], bool),
            turn_lookahead=_stack([turn["lookahead"] for turn in self._turns], (self._lookahead,), "f4"),
            turn_steps=self._column("steps", "i4"),
            turn_temperature=self._column("temperature", "f4"),
            turn_guidance=self._column("guidance", "f4"),
            turn_style=_stack([turn["style"] for turn in self._turns], (len(about.styles),), "f4"),
            turn_stage_ns=_stack([np.array(turn["stage_ns"]) for turn in self._turns], (3,), "i8"),
            turn_clock_ns=_stack([np.array(turn["clock_ns"]) for turn in self._turns], (3,), "i8"),
            turn_action=self._column("action", "u1"),
            turn_dropped_frames=self._column("dropped_frames", "i4"),
            rig_frame=np.concatenate([np.zeros(0, np.int64), *(index for index, _ in self._rig)]),
            rig_speaking=flags[:, 0],
            rig_idle=flags[:, 1],
            rig_eased=flags[:, 2],
            event_time_ns=np.array(times, np.int64),
            event_kind=np.array(kinds, np.str_),
            event_name=np.array(names, np.str_),
            event_value=np.array(dial_values, np.float64),
            event_rig_frames=np.array(rig_frames, np.int64),
        )

    def _column(self, name: str, dtype: str) -> NDArray[Any]:
        return np.array([turn[name] for turn in self._turns], dtype)


def _stack(rows: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    return np.stack(rows).astype(dtype, copy=False) if rows else np.zeros((0, *shape), dtype)
