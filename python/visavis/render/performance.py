"""What is to be seen and heard: motion from a motion file or a take, voices from files or from the take."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.audio import read_audio
from visavis.constants import SAMPLE_RATE
from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import BadFile, read_array, read_motion
from visavis.motion_space import ARKIT55

Floats = NDArray[np.float32]
VOICES = ("agent", "user")
WITHDRAWN = 8  # bit of a take's frame states: taken back by a barge-in


@dataclass(frozen=True)
class Performance:
    """Frames at a steady rate, and the voices from the first frame's time on."""

    name: str
    values: Floats  # (N, 55)
    fps: float
    voices: dict[str, tuple[Floats, int]]  # "agent", "user": samples (n,) and their rate

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.values) / self.fps

    def part(self, first_s: float, last_s: float | None) -> "Performance":
        """From one second to another; raises InvalidArgument where nothing is left."""
        end_s = self.seconds if last_s is None else min(last_s, self.seconds)
        first, end = round(first_s * self.fps), round(end_s * self.fps)
        if not 0 <= first < end:
            raise InvalidArgument(f"{self.name}: nothing from {first_s} s to {end_s} s; it lasts {self.seconds:.2f} s")
        voices = {
            who: (samples[round(first / self.fps * rate) : round(end / self.fps * rate)], rate)
            for who, (samples, rate) in self.voices.items()
        }
        return Performance(self.name, self.values[first:end], self.fps, voices)


def read_performance(path: Path, agent: Path | None = None, user: Path | None = None) -> Performance:
    """Motion that `visavis animate` wrote or a take; voices given as files go before a take's own."""
    motion = read_motion(path)
    if tuple(motion.channels) != ARKIT55.channels:
        raise InvalidArgument(
            f"motion file {path}: {len(motion.channels)} channels ({motion.channels[0]}, ...); the head takes the "
            f"{len(ARKIT55.channels)} of arkit55; turn FLAME motion into them with `visavis retarget apply`"
        )
    state = _of_take(path, "state", "u")
    if state is not None and len(state) == len(motion.values):
        given = (state.astype(np.int64) & WITHDRAWN) == 0
        if given.any():
            motion = motion._replace(values=motion.values[given], time_ns=motion.time_ns[given])
    order = np.argsort(motion.time_ns, kind="stable")  # what was given out again replaces the frame before
    times_ns = motion.time_ns[order]
    start_ns = int(times_ns[0])
    length = round((int(times_ns[-1]) - start_ns) * 1e-9 * motion.fps) + 1
    due_ns = start_ns + np.round(np.arange(length) * 1e9 / motion.fps).astype(np.int64)
    shown = order[np.searchsorted(times_ns, due_ns + 1_000_000, side="right") - 1]  # a gap holds the last frame
    voices = {}
    for who, file in zip(VOICES, (agent, user), strict=True):
        found = _voice(path, who, file)
        if found is not None:
            samples, rate = found
            voices[who] = (samples[max(0, round(start_ns * 1e-9 * rate)) :], rate)
    return Performance(path.stem, motion.values[shown], motion.fps, voices)


def _of_take(path: Path, name: str, kinds: str) -> NDArray[np.generic] | None:
    """A one-dimensional array of a take, None where the file holds none."""
    if path.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return read_array(archive, name, 1, kinds) if f"{name}.npy" in archive.namelist() else None
    except BadFile as error:
        raise FileError(f"take file {path}: {error}") from None


def _voice(path: Path, who: str, file: Path | None) -> tuple[Floats, int] | None:
    """Samples and rate of a voice: of its file, else of the take; None: it has none."""
    if file:
        return read_audio(file)
    samples = _of_take(path, f"{who}_audio", "f")
    return None if samples is None or not len(samples) else (samples.astype(np.float32), SAMPLE_RATE)


def sound(performance: Performance, rate: int) -> Floats | None:
    """Both voices as stereo (n, 2) at `rate`, the user a little to the left, the agent to the right; None: silence."""
    if not performance.voices:
        return None
    n = round(performance.seconds * rate)
    mixed = np.zeros((n, 2), np.float32)
    sides = {"user": (0.85, 0.50), "agent": (0.50, 0.85)}
    for who, (samples, own_rate) in performance.voices.items():
        if len(samples):
            voice = np.interp(np.arange(n) * (own_rate / rate), np.arange(len(samples)), samples, right=0.0)
            mixed += np.outer(voice, sides[who]).astype(np.float32)
    return np.clip(mixed, -1, 1)
