"""Recordings of one's own: a Live Link Face CSV and a WAV for each person, both begun at the same moment.

`read_capture` gives the voice at 16 kHz and the face at 25 frames a second, and says what looks wrong.  What cannot be
used is a FileError that names the place; what may be meant so (a silent listener, a voice that is late) is a note.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from visavis.audio import read_audio
from visavis.constants import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import FileError
from visavis.motion_file import read_live_link_csv
from visavis.motion_space import ARKIT55, ARKIT_SHAPES

Floats = npt.NDArray[np.float32]
SLOWEST_FPS = 20.0  # of the tracking; between frames it is interpolated
LONGEST_GAP_S = 0.5  # without a face
LARGEST_SHAPE, LARGEST_ANGLE = 1.05, 1.6  # a weight; radians (degrees would be over it)
STILL = 0.004  # standard deviation of the jaw below which a face does not move
LENGTHS_APART_S = 0.5
QUIET = 10 ** (-50 / 20)  # rms of the loudest tenth of the frames
OUT_OF_STEP_S, MOST_LAG_S = 0.12, 0.6  # between voice and jaw
FOLLOWS = 0.12  # correlation of jaw and loudness from which they belong together
LEAST_SPEECH_S = 8.0  # to judge that by


class Capture(NamedTuple):
    """One person's recording."""

    audio: Floats  # (N,) 16 kHz
    motion: Floats  # (T, 55)
    notes: list[str]


def read_capture(csv: Path, wav: Path) -> Capture:
    """Voice and face of one person.  Raises FileError: file, what was found, what is expected."""
    motion, start_s = read_face(csv)
    audio = read_voice(wav)
    notes = []
    voice_s, face_s = len(audio) / SAMPLE_RATE, len(motion) / FRAME_RATE
    if abs(voice_s - face_s) > LENGTHS_APART_S:
        notes.append(
            f"{wav.name} lasts {voice_s:.1f} s, {csv.name} {face_s:.1f} s: cut to the shorter; expected both begun and "
            f"ended together (within {LENGTHS_APART_S} s)"
        )
    if start_s > 0:
        notes.append(f"{csv.name}: the face appears at {start_s:.2f} s; it rests as it appears until then")
    return Capture(audio, motion, [*notes, *_voice_notes(wav, audio), *_step_notes(csv, wav, audio, motion)])


def read_face(csv: Path) -> tuple[Floats, float]:
    """The CSV at 25 frames a second (T, 55), and when its first face appears (s)."""
    data = read_live_link_csv(csv)
    times = data.time_ns / 1e9
    order = np.argsort(times, kind="stable")
    times, values = times[order], data.values[order]
    times, first = np.unique(times, return_index=True)
    values = values[first]
    if len(times) < 2:
        raise FileError(f"{csv}: {len(times)} tracked frames; expected a recording of some minutes")
    _check_rate(csv, times)
    _check_values(csv, values)
    at = np.arange(int(times[-1] * FRAME_RATE) + 1) / FRAME_RATE
    motion = np.stack([np.interp(at, times, column) for column in values.T], axis=1).astype(np.float32)
    n_shapes = len(ARKIT_SHAPES)
    motion[:, :n_shapes] = np.clip(motion[:, :n_shapes], 0.0, 1.0)
    return motion, float(times[0])


def _check_rate(csv: Path, times: npt.NDArray[np.float64]) -> None:
    gaps = np.diff(times)
    longest = int(gaps.argmax())
    if gaps[longest] > LONGEST_GAP_S:
        raise FileError(
            f"{csv}: no face from {times[longest]:.2f} to {times[longest + 1]:.2f} s; expected gaps of at most "
            f"{LONGEST_GAP_S} s: cut the recording there, or keep the face in the camera's view"
        )
    fps = (len(times) - 1) / float(times[-1] - times[0])
    if fps < SLOWEST_FPS:
        raise FileError(f"{csv}: {fps:.1f} tracked frames a second; expected {SLOWEST_FPS:g} or more")


def _check_values(csv: Path, values: Floats) -> None:
    n_shapes = len(ARKIT_SHAPES)
    for channels, largest, unit in ((slice(0, n_shapes), LARGEST_SHAPE, "weights of 0 to 1"),
                                    (slice(n_shapes, None), LARGEST_ANGLE, "radians, not degrees")):  # fmt: skip
        part = np.abs(values[:, channels])
        if part.max() > largest:
            frame, channel = np.unravel_index(int(part.argmax()), part.shape)
            name = ARKIT55.channels[int(channel) + (channels.start or 0)]
            raise FileError(f"{csv}: {name} reaches {part.max():.3g} (tracked frame {frame}); expected {unit}")
    jaw = float(values[:, ARKIT55.index("jawOpen")].std())
    if jaw < STILL and float(values[:, :n_shapes].std(axis=0).max()) < STILL:
        raise FileError(
            f"{csv}: the face does not move (jawOpen varies by {jaw:.4f}); expected a tracked, talking face"
        )


def read_voice(wav: Path) -> Floats:
    """A recording of any rate as mono float32 at 16 kHz, through the runtime's own resampler."""
    from visavis import _core

    samples, rate = read_audio(wav)
    if rate == SAMPLE_RATE:
        return samples
    resampler = _core.Resampler(rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])


def _voice_notes(wav: Path, audio: Floats) -> list[str]:
    frames = audio[: len(audio) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)
    levels = np.sort(np.sqrt(np.square(frames).mean(axis=1)))
    loud = levels[-max(1, len(levels) // 10) :].mean() if len(levels) else 0.0
    notes = []
    if loud < QUIET:
        level = 20 * np.log10(max(float(loud), 1e-9))
        notes.append(f"{wav.name}: at its loudest {level:.0f} dBFS; expected a voice unless this person only listens")
    clipped = float((np.abs(audio) > 0.999).mean())
    if clipped > 1e-3:
        notes.append(f"{wav.name}: {clipped:.1%} of the samples clip; expected none: record softer")
    return notes


def _step_notes(csv: Path, wav: Path, audio: Floats, motion: Floats) -> list[str]:
    """Whether the jaw follows the voice, and how late."""
    n = min(len(audio) // SAMPLES_PER_FRAME, len(motion))
    level = np.sqrt(np.square(audio[: n * SAMPLES_PER_FRAME]).reshape(n, -1).mean(axis=1)) if n else np.zeros(0)
    if (level > QUIET).sum() < LEAST_SPEECH_S * FRAME_RATE:
        return []
    loudness = np.clip(20 * np.log10(level + 1e-6), -60.0, 0.0)
    lag_s, r = _best_lag(motion[:n, ARKIT55.index("jawOpen")], loudness)
    if r < FOLLOWS:
        return [
            f"{csv.name} does not follow {wav.name}: jaw and loudness correlate by {r:.2f}; the voice of somebody else?"
        ]
    if abs(lag_s) > OUT_OF_STEP_S:
        late = "late" if lag_s > 0 else "early"
        return [
            f"{csv.name} is {abs(lag_s):.2f} s {late} against {wav.name}; expected within {OUT_OF_STEP_S} s: "
            f"cut that much off the beginning of the {'CSV' if lag_s > 0 else 'WAV'}"
        ]
    return []


def _best_lag(jaw: npt.NDArray[Any], loudness: npt.NDArray[Any]) -> tuple[float, float]:
    """By how many seconds the jaw is late against the loudness, and their correlation then."""
    most = int(MOST_LAG_S * FRAME_RATE)
    found = []
    for lag in range(-most, most + 1):
        a, b = jaw[max(lag, 0) : len(jaw) + min(lag, 0)], loudness[max(-lag, 0) : len(loudness) - max(lag, 0)]
        found.append((float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0, lag / FRAME_RATE))
    r, lag_s = max(found)
    return lag_s, r
