"""Motion files: `.npz` (values, channels, fps, time_ns) and the CSV of the Live Link Face app.

Files appear whole or not at all: they are written beside their place and renamed.  Reading never unpickles and checks
sizes before it allocates; whatever is wrong ends in one `FileError`.
"""

import csv
import io
import math
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.audio import check_readable
from visavis.constants import FRAME_RATE
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import ARKIT55
from visavis.timecode import Rate, Timecode

SUFFIXES = (".npz", ".csv")
EXPECTED = "expected a .npz or Live Link Face .csv motion file"
EYE_ROTATIONS = tuple(f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll"))
CSV_CHANNELS = tuple(name[0].upper() + name[1:] for name in ARKIT55.channels) + EYE_ROTATIONS  # 61 columns
CSV_HEADER = ("Timecode", "BlendShapeCount", *CSV_CHANNELS)
CSV_RATES = (24, 25, 30, 50, 60)  # frames a second that the app records
LARGEST_ARRAY_BYTES = 1 << 30
DAY_NS = 86_400 * 1_000_000_000


class MotionLike(Protocol):
    """What can be written: the `Motion` that `visavis.animate` returns, or a `MotionData`."""

    @property
    def values(self) -> NDArray[np.float32]:
        """(n, C)."""

    @property
    def channels(self) -> Sequence[str]:
        """The C channel names."""

    @property
    def fps(self) -> float:
        """Frames a second."""

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """(n,) start of each frame on the session clock."""


class MotionData(NamedTuple):
    """Motion as read from a file."""

    values: NDArray[np.float32]  # (n, C)
    channels: tuple[str, ...]
    fps: float
    time_ns: NDArray[np.int64]  # (n,)


def check_motion_path(path: str | Path, channels: Sequence[str] | None = None) -> Path:
    """The path as a Path; raises before any work is done if motion (of these channels) could not be written there."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidArgument(f"motion file {path}: suffix {path.suffix!r}; expected {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".csv" and channels is not None and tuple(channels) != ARKIT55.channels:
        raise InvalidArgument(
            f"motion file {path}: a Live Link Face CSV takes the {len(ARKIT55.channels)} channels of arkit55; this "
            f"motion has {len(channels)} others ({channels[0]}, ...); write .npz"
        )
    check_output_path(path, "motion")
    return path


def check_output_path(path: Path, what: str) -> None:
    """Raises FileError if a file cannot be created at `path`."""
    if path.is_dir():
        raise FileError(f"{what} file {path}: is a directory; expected a file name")
    if not path.parent.is_dir():
        raise FileError(f"{what} file {path}: folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"{what} file {path}: folder {path.parent} cannot be written to")


def write_motion(path: str | Path, motion: MotionLike) -> None:
    """Write `.npz` or Live Link Face `.csv`, by the suffix.  Raises FileError or InvalidArgument."""
    path = check_motion_path(path, motion.channels)
    n_frames, n_channels = motion.values.shape
    if n_channels != len(motion.channels) or n_frames != len(motion.time_ns):
        raise InvalidArgument(
            f"motion of {n_frames} frames x {n_channels} values with {len(motion.channels)} channels and "
            f"{len(motion.time_ns)} times; expected one name per value and one time per frame"
        )
    write = _write_csv if path.suffix.lower() == ".csv" else _write_npz
    write_whole(path, "motion", lambda file: write(file, motion))


def read_motion(path: str | Path) -> MotionData:
    """Read what `write_motion` writes, or a take of the Live Link Face app.  Raises FileError."""
    path = Path(path)
    return _read(path, _read_csv if path.suffix.lower() == ".csv" else _read_npz)


def read_live_link_csv(path: str | Path) -> MotionData:
    """A CSV of the Live Link Face app, times from its first row, be there a face in it or not.  Raises FileError."""
    return _read(Path(path), lambda file: _read_csv(file, from_first_row=True))


def _read(path: Path, read: Callable[[Path], MotionData]) -> MotionData:
    check_readable(path, "motion", EXPECTED)
    try:
        data = read(path)
    except FileError:
        raise
    except BadFile as error:
        raise FileError(f"motion file {path}: {error}; {EXPECTED}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, csv.Error) as error:
        raise FileError(f"motion file {path}: cannot be read ({one_line(error)}); {EXPECTED}") from None
    if not np.isfinite(data.values).all():
        frame, channel = np.argwhere(~np.isfinite(data.values))[0]
        raise FileError(
            f"motion file {path}: {data.channels[channel]} of frame {frame} is {data.values[frame, channel]}; "
            "expected finite values"
        )
    return data


def write_whole(path: Path, what: str, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a new file beside `path`, then rename it to `path`: nothing half-written ever stands there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            write(file)
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"{what} file {path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


class BadFile(Exception):
    """What was found in a malformed motion file, without its name."""


def one_line(error: BaseException) -> str:
    """What it says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _write_npz(file: IO[bytes], motion: MotionLike) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "values": np.asarray(motion.values, np.float32),
        "channels": np.asarray(motion.channels, dtype=np.str_),
        "fps": np.asarray(motion.fps, np.float64),
        "time_ns": np.asarray(motion.time_ns, np.int64),
    }
    write_arrays(file, arrays)


def write_arrays(file: IO[bytes], arrays: Mapping[str, NDArray[Any]], level: int | None = None) -> None:
    """An `.npz` archive; np.savez would store the time of day: same arrays, other bytes.  `level`: of compression."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:  # by name: its date is that of 1980
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(path: Path) -> MotionData:
    with zipfile.ZipFile(path) as archive:
        values = read_array(archive, "values", 2, "fiu")
        channels = read_array(archive, "channels", 1, "U")
        fps = float(read_array(archive, "fps", 0, "fiu"))
        time_ns = read_array(archive, "time_ns", 1, "iu")
    if len(channels) != values.shape[1]:
        raise BadFile(f"{values.shape[1]} values a frame and {len(channels)} channel names")
    if len(time_ns) != len(values):
        raise BadFile(f"{len(values)} frames and {len(time_ns)} times")
    if not len(values):
        raise BadFile("has no frames")
    if not 1 <= fps <= 1000:
        raise BadFile(f"fps is {fps}")
    names = tuple(str(name) for name in channels)
    return MotionData(values.astype(np.float32), names, fps, time_ns.astype(np.int64))


def read_array(
    archive: zipfile.ZipFile, name: str, n_dims: int, kinds: str, largest_bytes: int = LARGEST_ARRAY_BYTES
) -> NDArray[Any]:
    """One array of the archive; its header is checked against the entry's size before anything is allocated."""
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        found = ", ".join(sorted(Path(entry).stem for entry in archive.namelist())[:8]) or "nothing"
        raise BadFile(f"no array {name!r} in it (found {found})") from None
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        expected_bytes = file.tell() + math.prod(shape) * dtype.itemsize
    if len(shape) != n_dims or dtype.kind not in kinds:
        raise BadFile(f"array {name!r} is {dtype} with {len(shape)} dimensions, {n_dims} are needed")
    if expected_bytes != entry.file_size or expected_bytes > largest_bytes:
        raise BadFile(f"array {name!r} of {shape} takes {entry.file_size} bytes where {expected_bytes} are due")
    with archive.open(entry) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _write_csv(file: IO[bytes], motion: MotionLike) -> None:
    fps = round(motion.fps)
    write_live_link_csv(file, motion, Rate(str(fps), Fraction(fps), fps))


def write_live_link_csv(file: IO[bytes], motion: MotionLike, rate: Rate, start: Timecode | None = None) -> None:
    """The CSV of the Live Link Face app: HH:MM:SS:FF.mmm (thousandths of a frame), 61, and as many values.

    Time 0 has the timecode `start`.  `:` stands before FF at all rates, as the app and its readers have it.
    """
    no_eyes = ["0.00000000"] * len(EYE_ROTATIONS)  # the eyes are turned by the eyeLook shapes
    text = io.TextIOWrapper(file, encoding="ascii", newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(CSV_HEADER)
    for time_ns, frame in zip(motion.time_ns, motion.values, strict=True):
        code = Timecode.at(int(time_ns), rate, start).text(separator=":")
        rows.writerow([code, len(CSV_CHANNELS), *(f"{v:.8f}" for v in frame), *no_eyes])
    text.flush()
    text.detach()


def _read_csv(path: Path, from_first_row: bool = False) -> MotionData:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if [name.strip().lower() for name in header[: len(CSV_HEADER)]] != [name.lower() for name in CSV_HEADER]:
            raise BadFile(f"header has {len(header)} columns, {', '.join(header[:3]) or 'none'}, ...")
        numbered = [(number, row) for number, row in enumerate(rows, 2) if row]
    frames = [(number, row) for number, row in numbered if len(row) > 2]  # without a face: no values
    if not frames:
        raise BadFile("has no frames")
    for number, row in frames:
        if len(row) < len(CSV_HEADER):
            raise BadFile(f"line {number} has {len(row)} columns, {len(CSV_HEADER)} are needed")
    values = np.array([row[2 : 2 + len(ARKIT55.channels)] for _, row in frames], np.float32)
    codes = [_parse_timecode(number, row[0]) for number, row in frames]
    fps = _rate_of([frame for _, frame in codes])
    first = _parse_timecode(numbered[0][0], numbered[0][1][0]) if from_first_row else codes[0]
    times_ns = np.array([round((seconds + frame / fps) * 1e9) for seconds, frame in [first, *codes]], np.int64)
    midnights = np.cumsum(np.diff(times_ns, prepend=times_ns[:1]) < 0)
    return MotionData(values, ARKIT55.channels, float(fps), (times_ns - times_ns[0] + midnights * DAY_NS)[1:])


def _rate_of(frames: list[float]) -> int:
    """The lowest recording rate that reaches the highest frame number; a take under a second does not tell: ours."""
    candidates = [rate for rate in CSV_RATES if rate > max(frames)] or [CSV_RATES[-1]]
    return FRAME_RATE if len(frames) < FRAME_RATE and FRAME_RATE in candidates else candidates[0]


def _parse_timecode(number: int, text: str) -> tuple[int, float]:
    """Whole seconds and frames (with their fraction) of HH:MM:SS:FF.mmm."""
    match = re.fullmatch(r"\s*(\d+):(\d+):(\d+):(\d+(?:\.\d+)?)\s*", text)
    if match is None:
        raise BadFile(f"line {number} has timecode {text!r}, HH:MM:SS:FF.mmm is needed")
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    return hours * 3600 + minutes * 60 + seconds, float(match[4])
