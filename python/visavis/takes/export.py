"""Exports of a take: Live Link Face CSV with timecode, glTF animation, WAV of both voices, plain motion file.

All of them have the same time 0, the start of the session's clock; a live agent's voice is moved to where its frames
are seen, so that sound and picture agree.
"""

import struct
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from visavis.constants import SAMPLE_RATE
from visavis.errors import InvalidArgument
from visavis.motion_file import MotionData, check_output_path, write_live_link_csv, write_motion, write_whole
from visavis.motion_space import ARKIT55
from visavis.takes.gltf import write_glb
from visavis.takes.take import Floats, Take
from visavis.timecode import RATES, Rate, Timecode

SUFFIXES = {"livelink-csv": ".csv", "gltf": ".glb", "wav": ".wav", "npz": ".npz"}
TARGETS = tuple(SUFFIXES)
BEXT = struct.Struct("<256s32s32s10s8sQH254s")  # EBU Tech 3285, version 1 (a UMID of zeros inside the last part)
SECONDS_A_DAY = 86_400


def export(
    take: Take,
    to: str,
    path: str | Path,
    *,
    rate: Rate = RATES["25"],
    start: Timecode | None = None,
    resample: bool = False,
    split: bool = False,
) -> list[Path]:
    """Write the take in another format; returns the files written.  Raises FileError or InvalidArgument.

    `rate` and `start` (the timecode of time 0) are those of the CSV and of the WAV's time reference.  `resample` gives
    one row a timecode frame instead of 25 a second.  `split` writes NAME.agent.wav and NAME.user.wav instead of a
    stereo file (left: agent).
    """
    if to not in SUFFIXES:
        raise InvalidArgument(f"export to {to!r} is unknown; expected one of {', '.join(TARGETS)}")
    path = Path(path)
    if path.suffix.lower() != SUFFIXES[to]:
        raise InvalidArgument(f"export file {path}: suffix {path.suffix!r}; expected {SUFFIXES[to]} for {to}")
    check_output_path(path, "export")
    if to == "wav":
        return _export_wav(take, path, start, split)
    motion = take.shown()
    if not len(motion.values):
        raise InvalidArgument("the take has no frames that could be exported")
    if to == "npz":
        write_motion(path, motion)
        return [path]
    if motion.channels != ARKIT55.channels:
        raise InvalidArgument(
            f"export to {to} takes the {len(ARKIT55.channels)} channels of arkit55; this take has "
            f"{len(motion.channels)} others ({motion.channels[0]}, ...): export npz and apply `visavis retarget`"
        )
    if resample:
        motion = resampled(motion, rate, start)
    if to == "gltf":
        write_whole(path, "export", lambda file: write_glb(file, motion))
    else:
        write_whole(path, "export", lambda file: write_live_link_csv(file, motion, rate, start))
    return [path]


def resampled(motion: MotionData, rate: Rate, start: Timecode | None = None) -> MotionData:
    """One frame for each of the timecode, between the first and the last one of the motion; linear in between."""
    begin = start or Timecode(rate, Fraction(0))
    first = -int(-Timecode.at(int(motion.time_ns[0]), rate, begin).frames // 1)
    last = Timecode.at(int(motion.time_ns[-1]), rate, begin).frame_number
    times = [Timecode(rate, Fraction(number)).since_ns(begin) for number in range(first, last + 1)]
    time_ns = np.array(times, np.int64)
    columns = [np.interp(time_ns, motion.time_ns, column) for column in motion.values.T]  # below 2**53: exact
    return MotionData(np.stack(columns, 1).astype(np.float32), motion.channels, float(rate.fps), time_ns)


def voices_in_sync(take: Take) -> tuple[Floats, Floats]:
    """The agent's and the user's voice, of one length, as they are heard while the frames are seen."""
    delay = round(take.about.delay_ns * SAMPLE_RATE / 1e9)
    n = max(len(take.agent_audio) + delay, len(take.user_audio))
    agent, user = np.zeros(n, np.float32), np.zeros(n, np.float32)
    agent[delay : delay + len(take.agent_audio)] = take.agent_audio
    user[: len(take.user_audio)] = take.user_audio
    return agent, user


def _export_wav(take: Take, path: Path, start: Timecode | None, split: bool) -> list[Path]:
    agent, user = voices_in_sync(take)
    if not len(agent):
        raise InvalidArgument("the take has no voices that could be exported")
    files = {path: np.stack([agent, user], 1)}
    if split:
        files = {path.with_suffix(f".{who}.wav"): voice[:, None] for who, voice in (("agent", agent), ("user", user))}
    for place, samples in files.items():
        write_whole(place, "export", lambda file, samples=samples: _write_wav(file, samples, take, start))  # type: ignore[misc]
    return list(files)


def _write_wav(file: IO[bytes], samples: NDArray[np.float32], take: Take, start: Timecode | None) -> None:
    """Broadcast Wave, 24 bits: (n, channels).  Its time reference is the timecode of the first sample."""
    n_channels = samples.shape[1]
    whole = np.clip(np.rint(samples.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype("<i4")
    data = whole.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    reference = 0
    if start is not None:
        reference = round(start.frames / start.rate.fps * SAMPLE_RATE) % (SECONDS_A_DAY * SAMPLE_RATE)
    recorded = take.about.recorded
    about = f"Visavis take of {take.about.model}, channels: agent, user"[:256].encode("ascii", "replace")
    bext = BEXT.pack(about, b"Visavis", b"", recorded[:10].encode("ascii", "replace"),
                     recorded[11:19].encode("ascii", "replace"), reference, 1, b"")  # fmt: skip
    fmt = struct.pack("<HHIIHH", 1, n_channels, SAMPLE_RATE, SAMPLE_RATE * 3 * n_channels, 3 * n_channels, 24)
    chunks = b"".join(_chunk(*chunk) for chunk in ((b"bext", bext), (b"fmt ", fmt), (b"data", data)))
    file.write(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
