"""Reader of conversation folders in the DualTalk layout: NAME_speaker1 and NAME_speaker2, each a WAV and an npz.

The npz holds `exp` (T, 50) and `pose` (T, 6: neck 0:3, jaw 3:6) and, in our own corpora, `arkit55` (T, 55) and labels
(phones, phrase ends, speaking).  Audio and motion lengths differ by a few frames: everything is cut to the shortest.
Audio is kept as float16, so that hours of conversation fit in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import MotionSpace

Floats = npt.NDArray[np.float32]
LABELS = ("phone_label", "phone_start", "phone_end", "phrase_end", "speaking")
SPLITS = ("train", "val", "test")


@dataclass
class Person:
    """One side of a conversation: a voice, a face and what is known about them."""

    audio: npt.NDArray[np.float16]  # (T*640,)
    motion: Floats  # (T, C) raw units
    labels: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)


@dataclass
class Dialogue:
    """Two persons on one clock, cut to the same T frames."""

    name: str
    persons: tuple[Person, Person]

    @property
    def n_frames(self) -> int:
        """T, frames at 25 a second."""
        return len(self.persons[0].motion)

    def roles(self) -> Iterator[tuple[Person, Person]]:
        """(agent, user) for both ways to hear the conversation."""
        yield self.persons[0], self.persons[1]
        yield self.persons[1], self.persons[0]


@dataclass
class Folder:
    """A folder's dialogues and the recordings whose partner is missing."""

    dialogues: list[Dialogue]
    unpaired: list[str]

    @property
    def hours(self) -> float:
        """Hours of conversation (each counted once, though both roles are used)."""
        return sum(d.n_frames for d in self.dialogues) * SAMPLES_PER_FRAME / SAMPLE_RATE / 3600


def find_pairs(folder: Path) -> tuple[list[str], list[str]]:
    """Names of complete pairs, and the stems (NAME_speakerN) of which a WAV, an npz or the partner is missing."""
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder; expected one with NAME_speaker1.wav, NAME_speaker1.npz and so on")
    stems = {p.stem for p in folder.iterdir() if p.suffix in (".wav", ".npz") and "_speaker" in p.stem}
    whole = {s for s in stems if (folder / f"{s}.wav").is_file() and (folder / f"{s}.npz").is_file()}
    names = {s.rsplit("_speaker", 1)[0] for s in whole}
    pairs = sorted(n for n in names if {f"{n}_speaker1", f"{n}_speaker2"} <= whole)
    used = {f"{n}_speaker{i}" for n in pairs for i in (1, 2)}
    return pairs, sorted(stems - used)


def read_motion(path: Path, space: MotionSpace) -> tuple[Floats, dict[str, npt.NDArray[np.generic]]]:
    """The motion of one npz in `space` (T, C), raw units, and the labels that are in the file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            motion = _arkit(path, arrays) if space.name == "arkit55" else _flame(path, arrays)
            labels = {name: arrays[name] for name in LABELS if name in arrays}
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise FileError(f"{path}: not readable as npz ({error})") from error
    if not np.isfinite(motion).all():
        raise InvalidArgument(f"{path}: motion holds NaN or infinity")
    return motion, labels


def _array(path: Path, arrays: "np.lib.npyio.NpzFile", name: str, width: int) -> Floats:
    if name not in arrays:
        raise InvalidArgument(f"{path}: no array {name!r}; found {', '.join(arrays.files)}")
    values = arrays[name].astype(np.float32)
    values = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values
    if values.ndim != 2 or values.shape[1] != width:
        raise InvalidArgument(f"{path}: {name} has shape {values.shape}; expected (T, {width})")
    return values


def _arkit(path: Path, arrays: "np.lib.npyio.NpzFile") -> Floats:
    return _array(path, arrays, "arkit55", 55)


def _flame(path: Path, arrays: "np.lib.npyio.NpzFile") -> Floats:
    exp, pose = _array(path, arrays, "exp", 50), _array(path, arrays, "pose", 6)
    n = min(len(exp), len(pose))
    return np.concatenate([exp[:n], pose[:n, 3:6], pose[:n, 0:3]], axis=1)  # expression, jaw, neck


def read_audio(path: Path) -> Floats:
    """A recording as mono float32 at 16 kHz; anything else is an InvalidArgument."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise FileError(f"{path}: not readable as audio ({error})") from error
    if rate != SAMPLE_RATE:
        raise InvalidArgument(f"{path}: rate {rate} Hz; expected {SAMPLE_RATE} Hz (resample the data set once)")
    mono: Floats = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise InvalidArgument(f"{path}: audio holds NaN or infinity")
    return mono


def read_dialogue(folder: Path, name: str, space: MotionSpace) -> Dialogue:
    """Both persons of NAME, cut to the shortest of the two voices and the two motions."""
    audio = [read_audio(folder / f"{name}_speaker{i}.wav") for i in (1, 2)]
    motion = [read_motion(folder / f"{name}_speaker{i}.npz", space) for i in (1, 2)]
    n = min(*(len(a) // SAMPLES_PER_FRAME for a in audio), *(len(m) for m, _ in motion))
    persons = [
        Person(a[: n * SAMPLES_PER_FRAME].astype(np.float16), m[:n], labels)
        for a, (m, labels) in zip(audio, motion, strict=True)
    ]
    return Dialogue(name, (persons[0], persons[1]))


def read_folder(folder: Path, space: MotionSpace, limit: int | None = None) -> Folder:
    """All (or the first `limit`) dialogues of a folder in memory; raises FileError where there is none."""
    names, unpaired = find_pairs(folder)
    if not names:
        raise FileError(f"{folder}: no complete NAME_speaker1/NAME_speaker2 pair found (unpaired: {len(unpaired)})")
    return Folder([read_dialogue(folder, name, space) for name in names[:limit]], unpaired)


def read_split(folder: Path, split: str, space: MotionSpace, limit: int | None = None) -> Folder:
    """One split of a data set: DIR/SPLIT where it exists, else DIR itself."""
    if split not in SPLITS:
        raise InvalidArgument(f"split {split!r} is unknown; known: {', '.join(SPLITS)}")
    inside = folder / split
    return read_folder(inside if inside.is_dir() else folder, space, limit)
