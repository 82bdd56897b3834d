"""Take files: `.npz` archives of named arrays, read without unpickling and checked before anything is allocated.

`load_take` also opens the journal of a recording that was killed, or that is still going on.
"""

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from visavis.audio import HIGHEST_PEAK, check_readable
from visavis.constants import SAMPLES_PER_FRAME
from visavis.errors import FileError
from visavis.motion_file import BadFile, one_line, read_array, write_arrays, write_whole
from visavis.takes.journal import MAGIC, read_journal
from visavis.takes.take import ABOUT_FIELDS, ACTIONS, ARRAYS, FORMAT, LONGEST_TEXT, MAX_FRAMES, About, ArraySpec, Take

EXPECTED = "expected a take (.npz) that `visavis record` or a server wrote, or the .journal of one"
LARGEST_ABOUT = 1 << 18  # characters
LARGEST_TAKE = 3 << 30  # bytes of all arrays
MOST_EVENTS = 10_000_000
MOST_CHANNELS = 1024


def write_take(path: str | Path, take: Take) -> None:
    """Write a take; the file appears whole or not at all.  Raises FileError."""

    def write(file: IO[bytes]) -> None:
        about = json.dumps({"format": FORMAT, **take.about.as_dict()}, ensure_ascii=False)
        arrays: dict[str, NDArray[Any]] = {"about": np.asarray(about, np.str_)}
        for name, spec in ARRAYS.items():
            value = np.asarray(getattr(take, name))
            arrays[name] = value if spec.dtype == "U" else value.astype(spec.dtype, copy=False)
        write_arrays(file, arrays, level=1)

    write_whole(Path(path), "take", write)


def load_take(path: str | Path) -> Take:
    """Read a take, or the journal of an unfinished one (`about.complete` is then false).  Raises FileError."""
    path = Path(path)
    check_readable(path, "take", EXPECTED)
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(MAGIC)) == MAGIC
        return check_take(read_journal(path) if is_journal else _read_npz(path))
    except BadFile as error:
        raise FileError(f"take file {path}: {error}; {EXPECTED}") from None
    except FileError:
        raise
    except Exception as error:  # zipfile, zlib, numpy and its parser raise a dozen kinds for bytes that are not theirs
        raise FileError(f"take file {path}: cannot be read ({one_line(error)}); {EXPECTED}") from None


def _read_npz(path: Path) -> Take:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len({entry.filename for entry in entries}) != len(entries):
            raise BadFile("has two arrays of one name")
        n_bytes = sum(entry.file_size for entry in entries)
        if n_bytes > LARGEST_TAKE:
            raise BadFile(f"its arrays take {n_bytes} bytes, {LARGEST_TAKE} at most")
        about = about_of(str(read_array(archive, "about", 0, "U", LARGEST_ABOUT * 4)))
        lengths: dict[str, int] = {"C": len(about.channels), "F": about.turn_frames}
        lengths["L"], lengths["P"] = about.lookahead_frames * SAMPLES_PER_FRAME, len(about.styles)
        arrays = {name: _read(archive, name, spec, lengths) for name, spec in ARRAYS.items()}
    if tuple(map(str, arrays.pop("channels"))) != about.channels:
        raise BadFile("the array 'channels' differs from what 'about' says")
    arrays.pop("fps")
    return Take(about, **arrays)


def _read(archive: zipfile.ZipFile, name: str, spec: ArraySpec, lengths: dict[str, int]) -> NDArray[Any]:
    if name == "turn_style" and not lengths["P"]:  # older takes lack it
        return np.zeros((lengths["T"], 0), np.float32)
    array = read_array(archive, name, len(spec.shape), spec.kinds)
    for found, symbol in zip(array.shape, spec.shape, strict=True):
        expected = symbol if isinstance(symbol, int) else lengths.setdefault(symbol, found)
        if found != expected:
            raise BadFile(f"array {name!r} has shape {array.shape}, {symbol} is {expected}")
    if spec.dtype == "U" and array.dtype.itemsize > LONGEST_TEXT * 4:
        raise BadFile(f"array {name!r} has texts of {array.dtype.itemsize // 4} characters, {LONGEST_TEXT} at most")
    return array if spec.dtype == "U" else array.astype(spec.dtype, casting="same_kind", copy=False)


def about_of(text: str) -> About:
    """What the JSON text of a take says of it.  Raises BadFile."""
    if len(text) > LARGEST_ABOUT:
        raise BadFile(f"'about' has {len(text)} characters, {LARGEST_ABOUT} at most")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"'about' is not JSON ({one_line(error)})") from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise BadFile("'about' names no format")
    if found["format"] != FORMAT:
        raise BadFile(f"format {found['format']}, this version reads {FORMAT}")
    values: dict[str, Any] = {}
    for item in fields(About):
        if item.name == "styles" and item.name not in found:  # older takes
            continue
        if item.name not in found:
            raise BadFile(f"'about' lacks {item.name!r}")
        values[item.name] = _about_value(item.name, found[item.name])
    about = About(**values)
    _check_about(about)
    return about


def _about_value(name: str, value: Any) -> Any:
    kinds: dict[Any, Any] = {"int": int, "str": str, "bool": bool}
    annotation = str(getattr(ABOUT_FIELDS[name].type, "__name__", ABOUT_FIELDS[name].type))
    if annotation.startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadFile(f"'about' has {name} that is no list of texts")
        return tuple(value)
    kind = kinds.get(annotation, dict)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadFile(f"'about' has {name} of type {type(value).__name__}, {kind.__name__} is needed")
    return value


def _check_about(about: About) -> None:
    if not 1 <= len(about.channels) <= MOST_CHANNELS or len(about.units) != len(about.channels):
        raise BadFile(f"'about' has {len(about.channels)} channels and {len(about.units)} units")
    bounds = {"turn_frames": (1, 1000), "lookahead_frames": (0, 1000), "delay_ns": (0, 10**12), "seed": (0, 2**64 - 1)}
    for name, (low, high) in bounds.items():
        if not low <= getattr(about, name) <= high:
            raise BadFile(f"'about' has {name} {getattr(about, name)}, {low} to {high} is needed")
    choices = {"agent_audio": ("ahead", "live"), "voices": ("both", "agent", "user"), "source": ("session", "wire")}
    for name, known in choices.items():
        if getattr(about, name) not in known:
            raise BadFile(f"'about' has {name} {getattr(about, name)!r}, {' or '.join(known)} is needed")


def check_take(take: Take) -> Take:
    """The take, if all of its values make sense together.  Raises BadFile."""
    floats = ("values", "agent_audio", "user_audio", "user_motion", "turn_motion", "turn_lookahead", "turn_style")
    for name in (*floats, "event_value"):
        if not np.isfinite(getattr(take, name)).all():
            raise BadFile(f"array {name!r} has values that are not finite")
    for name in ("agent_audio", "user_audio", "turn_lookahead"):
        if getattr(take, name).size and np.abs(getattr(take, name)).max() > HIGHEST_PEAK:
            raise BadFile(f"array {name!r} has samples above {HIGHEST_PEAK:g}")
    n_frames = {"agent_audio": len(take.agent_audio) // SAMPLES_PER_FRAME}
    n_frames |= {"user_audio": len(take.user_audio) // SAMPLES_PER_FRAME, "user_motion": len(take.user_motion)}
    for name, n in n_frames.items():
        if n > 2 * MAX_FRAMES:
            raise BadFile(f"array {name!r} is {n} frames long, {2 * MAX_FRAMES} at most")
    most = 2 * MAX_FRAMES
    _check_rising("frame", take.frame, 0, most)
    _check_rising("time_ns", take.time_ns, 0, most * 40_000_000 + take.about.delay_ns)
    _check_rising("turn", take.turn, 0, most // take.about.turn_frames)
    _check_rising("rig_frame", take.rig_frame, 0, most)
    if len(take.turn_user_frame) and np.abs(take.turn_user_frame).max() > most:
        raise BadFile("array 'turn_user_frame' leaves the take")
    if take.turn_action.size and take.turn_action.max() >= len(ACTIONS):
        raise BadFile(f"array 'turn_action' has {take.turn_action.max()}, {len(ACTIONS) - 1} at most")
    if take.turn_steps.size and not (take.turn_steps.min() >= 1 and take.turn_steps.max() <= 1000):
        raise BadFile("array 'turn_steps' has values that are not 1 to 1000")
    if len(take.event_kind) > MOST_EVENTS:
        raise BadFile(f"{len(take.event_kind)} events, {MOST_EVENTS} at most")
    if np.any(np.diff(take.event_rig_frames) < 0) or np.any(take.event_rig_frames < 0):
        raise BadFile("array 'event_rig_frames' goes back")
    return take


def _check_rising(name: str, values: NDArray[np.int64], low: int, high: int) -> None:
    if len(values) and (values[0] < low or values[-1] > high or np.any(np.diff(values) <= 0)):
        raise BadFile(f"array {name!r} does not rise from {low} to at most {high}")
