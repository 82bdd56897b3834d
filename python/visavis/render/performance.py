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
    start_ns = int(motion.time_ns[0])
    length = round((int(motion.time_ns[-1]) - start_ns) * 1e-9 * motion.fps) + 1
    due_ns = start_ns + np.round(np.arange(length) * 1e9 / motion.fps).astype(np.int64)
    shown = np.searchsorted(motion.time_ns, due_ns + 1_000_000, side="right") - 1  # a gap holds the last frame
    voices = {}
    for who, file in zip(VOICES, (agent, user), strict=True):
        found = read_audio(file) if file else _voice_of_take(path, who)
        if found is not None:
            samples, rate = found
            voices[who] = (samples[max(0, round(start_ns * 1e-9 * rate)) :], rate)
    return Performance(path.stem, motion.values[np.maximum(shown, 0)], motion.fps, voices)


def _voice_of_take(path: Path, who: str) -> tuple[Floats, int] | None:
    """The voice inside a take, None where the file holds none."""
    if path.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{who}_audio.npy" not in archive.namelist():
                return None
            samples = read_array(archive, f"{who}_audio", 1, "f")
    except BadFile as error:
        raise FileError(f"take file {path}: {error}") from None
    return (samples.astype(np.float32), SAMPLE_RATE) if len(samples) else None


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
