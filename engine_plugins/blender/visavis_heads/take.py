"""Reading takes and motion files (.npz) of Visavis: never unpickles, checks sizes before it allocates.  No Blender."""

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .names import CHANNELS, channel_of

SAMPLE_RATE = 16_000
WITHDRAWN = 8  # of a frame's state
LARGEST_BYTES = 1 << 30  # of an array
LARGEST_ABOUT = 1 << 20
EXPECTED = "expected a take of `visavis record` or a motion file of `visavis animate` (.npz)"


class TakeError(Exception):
    """The file is none that can be imported."""


class Take(NamedTuple):
    """What is imported."""

    times: list  # (N,) s, rising
    values: list  # (N, 55)
    agent: np.ndarray  # voices, 16 kHz, as they are heard while the frames are seen; empty: none
    user: np.ndarray


def read_take(path):
    """Read a take or a motion file.  Raises TakeError."""
    path = Path(path)
    if path.suffix == ".journal":
        raise TakeError(
            f"take {path}: an unfinished recording; export what there is with `visavis take export FILE --to npz`"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except TakeError as error:
        raise TakeError(f"take {path}: {error}; {EXPECTED}") from None
    except OSError as error:
        raise TakeError(f"take {path}: cannot be read ({error.strerror or error}); {EXPECTED}") from None
    except Exception as error:  # zipfile, zlib, numpy and its parser raise a dozen kinds for bytes that are not theirs
        raise TakeError(f"take {path}: cannot be read ({type(error).__name__}); {EXPECTED}") from None


def _read(archive):
    names = set(archive.namelist())
    values = _array(archive, "values", 2, "f")
    channels = [str(name) for name in _array(archive, "channels", 1, "U")]
    time_ns = _array(archive, "time_ns", 1, "i")
    if values.shape != (len(time_ns), len(channels)):
        raise TakeError(f"{values.shape} values for {len(time_ns)} times and {len(channels)} channels")
    delay_ns, agent, user = 0, np.zeros(0, np.float32), np.zeros(0, np.float32)
    if "about.npy" in names:
        keep = (_array(archive, "state", 1, "u") & WITHDRAWN) == 0
        if len(keep) != len(values):
            raise TakeError(f"{len(keep)} states for {len(values)} frames")
        values, time_ns = values[keep], time_ns[keep]
        delay_ns = _delay_ns(archive)
        agent, user = _array(archive, "agent_audio", 1, "f"), _array(archive, "user_audio", 1, "f")
    if len(values) == 0:
        raise TakeError("it has no frames")
    if not all(np.isfinite(array).all() for array in (values, agent, user)) or np.any(np.diff(time_ns) <= 0):
        raise TakeError("it has values that are not finite, or times that do not rise")
    agent, user = _in_sync(agent, user, delay_ns)
    return Take((time_ns / 1e9).tolist(), _by_channel(values, channels).tolist(), agent, user)


def _delay_ns(archive):
    """How much later than its samples a live agent's frames are seen."""
    about = json.loads(str(_array(archive, "about", 0, "U", LARGEST_ABOUT)))
    delay_ns = about["delay_ns"]
    if not isinstance(delay_ns, int) or not 0 <= delay_ns <= 10**12:
        raise TakeError(f"delay_ns {delay_ns!r}")
    return delay_ns


def _in_sync(agent, user, delay_ns):
    delay = round(delay_ns * SAMPLE_RATE / 1e9) if len(agent) else 0
    return np.concatenate([np.zeros(delay, np.float32), agent]).astype(np.float32), user.astype(np.float32)


def _by_channel(values, channels):
    """(N, 55) in our order; channels that are not ours are left out."""
    places = [channel_of(name) for name in channels]
    if not any(place is not None for place in places):
        raise TakeError(
            f"its {len(channels)} channels ({channels[0] if channels else 'none'}, ...) are no ARKit shapes: "
            "`visavis retarget apply` makes some of FLAME motion"
        )
    ordered = np.zeros((len(values), len(CHANNELS)))
    for column, place in enumerate(places):
        if place is not None:
            ordered[:, place] = values[:, column]
    return ordered


def _array(archive, name, n_dims, kinds, largest=LARGEST_BYTES):
    """An array of the archive whose header agrees with the bytes there are."""
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise TakeError(f"it has no array {name!r}") from None
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise TakeError(f"array {name!r} is of format {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        n_bytes = dtype.itemsize
        for length in shape:
            n_bytes *= length
        if dtype.kind not in kinds or dtype.hasobject or len(shape) != n_dims or fortran:
            raise TakeError(f"array {name!r} is {dtype} with shape {shape}")
        if n_bytes > largest or n_bytes != entry.file_size - file.tell():
            raise TakeError(f"array {name!r} has {entry.file_size} bytes, not what its header says")
        return np.frombuffer(file.read(n_bytes), dtype).reshape(shape)
