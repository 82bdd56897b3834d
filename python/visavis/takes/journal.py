"""The journal of a recording: a file that only ever grows, so that whatever kills the process leaves a take behind.

    magic, then records: size of the payload (u32), CRC-32 of kind and payload (u32), kind (1 byte), payload

Little-endian.  The first record is the JSON of `About`.  A reader stops at the first record that is cut or damaged.
A turn's record comes before the frames made from it, an event's behind all frames that went through the rig before it.
"""

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import FileError
from visavis.motion_file import BadFile
from visavis.takes.building import TakeBuilder
from visavis.takes.take import FORMAT, About, Take

MAGIC = b"VVTAKE1\n"
HEAD = struct.Struct("<IIc")
LARGEST_RECORD = 1 << 28
# Turn, user frame, steps, temperature, guidance, three stages, three times, action, dropped frames, flags.
TURN = struct.Struct("<qqiffqqqqqqBIB")
AGENT, USER, FACE = 1, 2, 4  # flags: what follows
FRAME = np.dtype([("frame", "<i8"), ("time_ns", "<i8"), ("state", "<u2")])
RIG = np.dtype([("frame", "<i8"), ("flags", "?", 3)])
VOICE = struct.Struct("<Bq")  # 1: the agent's; first sample
SUFFIX = ".journal"


def journal_path(take: Path) -> Path:
    """Where the journal of a take lies while it is recorded."""
    return take.with_name(take.name + SUFFIX)


class JournalWriter:
    """Appends records; each call hands its bytes to the system, so that they outlive the process."""

    def __init__(self, path: Path, about: About) -> None:
        self.path, self.about = path, about
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise FileError(
                f"take journal {path}: exists already: another recording writes it or was killed; open it with "
                "`visavis take info`, then move it away"
            ) from None
        except OSError as error:
            raise FileError(f"take journal {path}: cannot be made ({error.strerror or error})") from None
        self._write(MAGIC)
        self.add(b"H", json.dumps({"format": FORMAT, **about.as_dict()}, ensure_ascii=False).encode())

    def add(self, kind: bytes, *parts: bytes) -> None:
        """One record.  Raises FileError."""
        payload = b"".join(parts)
        self._write(HEAD.pack(len(payload), zlib.crc32(payload, zlib.crc32(kind)), kind) + payload)

    def add_turn(self, turn: dict[str, Any]) -> None:
        """A turn of _core.SessionTap, behind the voices that no turn saw before it."""
        for voice in turn["skipped"]:
            self.add_voice(*voice)
        streams = (turn["agent_audio"], turn["user_audio"], turn["user_motion"])
        flags = sum(flag for flag, stream in zip((AGENT, USER, FACE), streams, strict=True) if stream is not None)
        numbers = (turn["turn"], turn["user_frame"], turn["steps"], turn["temperature"], turn["guidance"])
        fate = (*turn["clock_ns"], turn["action"], turn["dropped_frames"])
        parts = [turn["motion"], *(stream for stream in streams if stream is not None)]
        if turn["user_motion"] is not None:
            parts.append(turn["user_motion_there"])
        if turn["style"] is not None:
            parts.append(turn["style"])
        self.add(b"T", TURN.pack(*numbers, *turn["stage_ns"], *fate, flags), *(part.tobytes() for part in parts))

    def add_rig(self, index: NDArray[np.int64], flags: NDArray[np.bool_]) -> None:
        """Frames that went through the rig; flags (n, 3): speaking, idle, eased."""
        rows = np.zeros(len(index), RIG)
        rows["frame"], rows["flags"] = index, flags
        self.add(b"R", rows.tobytes())

    def add_frames(
        self, index: NDArray[Any], time_ns: NDArray[Any], state: NDArray[Any], values: NDArray[np.float32]
    ) -> None:
        """Frames that were given out."""
        rows = np.zeros(len(index), FRAME)
        rows["frame"], rows["time_ns"], rows["state"] = index, time_ns, state
        self.add(b"F", rows.tobytes(), np.ascontiguousarray(values, "<f4").tobytes())

    def add_voice(self, agent: bool, first_sample: int, samples: NDArray[np.float32]) -> None:
        """A voice that no turn saw."""
        self.add(b"V", VOICE.pack(agent, first_sample), np.ascontiguousarray(samples, "<f4").tobytes())

    def add_event(self, kind: str, name: str, value: float, time_ns: int) -> None:
        """A dial that was turned, or a barge-in."""
        self.add(b"E", json.dumps([kind, name, value, time_ns]).encode())

    def _write(self, record: bytes) -> None:
        try:
            n_written = self._file.write(record)
        except OSError as error:
            raise FileError(f"take journal {self.path}: cannot be written ({error.strerror or error})") from None
        if n_written != len(record):
            raise FileError(f"take journal {self.path}: cannot be written (the disk is full)")

    def close(self, complete: bool) -> None:
        """The last record, if the recording came to its end."""
        try:
            if complete:
                self.add(b"Z")
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def read_journal(path: Path) -> Take:
    """The take up to the last whole record.  Raises BadFile for what is no journal."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        records = _records(memory)
        kind, payload = next(records, (b"", b""))
        if kind != b"H":
            raise BadFile("the journal breaks off before it says what it is of")
        builder = TakeBuilder(_about(bytes(payload)))
        for kind, payload in records:
            _take_record(builder, kind, payload)
        return builder.take()


def _about(payload: bytes) -> About:
    from visavis.takes.file import about_of

    return about_of(payload.decode())


def _records(memory: mmap.mmap) -> Iterator[tuple[bytes, bytes]]:
    at = len(MAGIC)
    while at + HEAD.size <= len(memory):
        size, crc, kind = HEAD.unpack_from(memory, at)
        begin, at = at + HEAD.size, at + HEAD.size + size
        if size > LARGEST_RECORD or at > len(memory):
            return
        payload = memory[begin:at]
        if zlib.crc32(payload, zlib.crc32(kind)) != crc:
            return
        yield kind, payload


def _take_record(builder: TakeBuilder, kind: bytes, payload: bytes) -> None:
    """Records of unknown kind are of later versions; they are left out."""
    try:
        if kind == b"T":
            builder.add_turn(**_turn(builder.about, payload))
        elif kind == b"R":
            rows = np.frombuffer(payload, RIG)
            builder.add_rig(rows["frame"], rows["flags"])
        elif kind == b"F":
            n_channels = len(builder.about.channels)
            n_frames = len(payload) // (FRAME.itemsize + 4 * n_channels)
            rows = np.frombuffer(payload, FRAME, n_frames)
            values = np.frombuffer(payload, "<f4", offset=rows.nbytes).reshape(n_frames, n_channels)
            builder.add_frames(rows["frame"], rows["time_ns"], rows["state"], values)
        elif kind == b"V":
            agent, first = VOICE.unpack_from(payload)
            builder.add_voice(bool(agent), first, np.frombuffer(payload, "<f4", offset=VOICE.size))
        elif kind == b"E":
            builder.add_event(*json.loads(payload))
        elif kind == b"Z":
            builder.complete = True
    except (ValueError, TypeError, struct.error, OverflowError) as error:
        raise BadFile(f"a record of kind {kind!r} makes no sense ({error})") from None


def _turn(about: About, payload: bytes) -> dict[str, Any]:
    turn, user_frame, steps, temperature, guidance, *times, action, dropped, flags = TURN.unpack_from(payload)
    n, n_channels = about.turn_frames, len(about.channels)
    at = TURN.size

    def floats(*shape: int) -> NDArray[np.float32]:
        nonlocal at
        array = np.frombuffer(payload, "<f4", int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        return array

    fields: dict[str, Any] = {"motion": floats(n, n_channels)}
    fields["agent_audio"] = floats((n + about.lookahead_frames) * 640) if flags & AGENT else None
    fields["user_audio"] = floats(n * 640) if flags & USER else None
    fields["user_motion"] = floats(n, n_channels) if flags & FACE else None
    fields["user_motion_there"] = np.frombuffer(payload, np.uint8, n, at) if flags & FACE else None
    at += n if flags & FACE else 0
    fields["style"] = floats(len(about.styles))
    numbers = {"turn": turn, "user_frame": user_frame, "steps": steps, "stage_ns": times[:3], "clock_ns": times[3:]}
    fate = {"temperature": temperature, "guidance": guidance, "action": action, "dropped_frames": dropped}
    return {**numbers, **fate, **fields}
