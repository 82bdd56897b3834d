"""Reader of conversation folders in the DualTalk layout: NAME_speaker1 and NAME_speaker2, each a WAV and an npz.

The npz holds `exp` (T, 50) and `pose` (T, 6: neck 0:3, jaw 3:6) and, in our own corpora, `arkit55` (T, 55) and labels
(phones, phrase ends, speaking).  In its place a person may have a Live Link Face CSV (data/captures.py); NAME.csv and
NAME.wav are one person alone, whose partner is absent.  Audio and motion lengths differ by a few frames: everything is
cut to the shortest.  Audio is kept as float16, so that hours of conversation fit in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.data.captures import read_capture
from visavis.data.corpus.v2.person import STYLE
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import MotionSpace

Floats = npt.NDArray[np.float32]
LABELS = ("phone_label", "phone_start", "phone_end", "phrase_end", "speaking", "style")
FACES = (".npz", ".csv")
SPLITS = ("train", "val", "test", "ood")  # ood: people and topics unlike those of the training


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
    lengths: tuple[int, int, int, int] = (0, 0, 0, 0)  # frames of both voices and both faces before the cut
    alone: bool = False  # the second person is absent: silence and a face of zeros stand for them
    notes: list[str] = field(default_factory=list)  # what looks wrong with the recordings

    @property
    def n_frames(self) -> int:
        """T, frames at 25 a second."""
        return len(self.persons[0].motion)

    def roles(self) -> Iterator[tuple[Person, Person]]:
        """(agent, user) for both ways to hear the conversation; the one way where somebody is alone."""
        yield self.persons[0], self.persons[1]
        if not self.alone:
            yield self.persons[1], self.persons[0]


@dataclass
class Folder:
    """A folder's dialogues, the recordings whose partner is missing, and captures that cannot be used (name, why)."""

    dialogues: list[Dialogue]
    unpaired: list[str]
    unusable: dict[str, str] = field(default_factory=dict)

    @property
    def hours(self) -> float:
        """Hours of conversation (each counted once, though both roles are used)."""
        return sum(d.n_frames for d in self.dialogues) * SAMPLES_PER_FRAME / SAMPLE_RATE / 3600


def find_pairs(folder: Path) -> tuple[list[str], list[str]]:
    """Names of complete pairs, and the stems of which a WAV, a face (npz or CSV) or the partner is missing."""
    files = _files(folder)
    stems = {s for s, suffixes in files.items() if "_speaker" in s or ".csv" in suffixes}
    whole = {s for s in stems if ".wav" in files[s] and files[s] & set(FACES)}
    names = {s.rsplit("_speaker", 1)[0] for s in whole if "_speaker" in s}
    pairs = sorted(n for n in names if {f"{n}_speaker1", f"{n}_speaker2"} <= whole)
    used = {f"{n}_speaker{i}" for n in pairs for i in (1, 2)} | set(find_alone(folder))
    return pairs, sorted(stems - used)


def find_alone(folder: Path) -> list[str]:
    """Names of one person's captures: NAME.csv with NAME.wav."""
    return sorted(s for s, suffixes in _files(folder).items() if "_speaker" not in s and {".wav", ".csv"} <= suffixes)


def _files(folder: Path) -> dict[str, set[str]]:
    """The suffixes of each stem in a folder."""
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder; expected one with NAME_speaker1.wav, NAME_speaker1.npz and so on")
    found: dict[str, set[str]] = {}
    for path in folder.iterdir():
        if path.suffix in (".wav", *FACES):
            found.setdefault(path.stem, set()).add(path.suffix)
    return found


def read_motion(path: Path, space: MotionSpace) -> tuple[Floats, dict[str, npt.NDArray[np.generic]]]:
    """The motion of one npz in `space` (T, C), raw units, and the labels that are in the file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            motion = _arkit(path, arrays) if space.name == "arkit55" else _flame(path, arrays)
            labels = {name: arrays[name] for name in LABELS if name in arrays}
        if "style" in labels:
            _check_style(path, labels["style"])
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise FileError(f"{path}: not readable as npz ({error})") from error
    if not np.isfinite(motion).all():
        raise InvalidArgument(f"{path}: motion holds NaN or infinity")
    return motion, labels


def _check_style(path: Path, style: npt.NDArray[np.generic]) -> None:
    """A person's style as the corpus writes it."""
    fits = style.shape == (len(STYLE),) and style.dtype.kind == "f"
    if not fits or not bool((np.abs(style.astype(np.float64)) <= 1).all()):
        found = f"{style.dtype} {style.shape}" if not fits else str(style.tolist())
        raise InvalidArgument(f"{path}: style is {found}; expected {len(STYLE)} floats from -1 to 1")


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
    """Both persons of NAME (or NAME alone), cut to the shortest of their voices and motions."""
    alone = (folder / f"{name}.csv").is_file()
    stems = [name] if alone else [f"{name}_speaker{i}" for i in (1, 2)]
    read = [_read_person(folder, stem, space) for stem in stems]
    if alone:
        audio, motion, _, _ = read[0]
        read.append((np.zeros_like(audio), np.zeros_like(motion), {}, []))
    voices = [len(audio) // SAMPLES_PER_FRAME for audio, *_ in read]
    faces = [len(motion) for _, motion, *_ in read]
    n = min(voices + faces)
    persons = [Person(a[: n * SAMPLES_PER_FRAME].astype(np.float16), m[:n], labels) for a, m, labels, _ in read]
    notes = [note for *_, found in read for note in found]
    return Dialogue(name, (persons[0], persons[1]), (voices[0], voices[1], faces[0], faces[1]), alone, notes)


Read = tuple[Floats, Floats, dict[str, npt.NDArray[np.generic]], list[str]]  # voice, face, labels, notes


def _read_person(folder: Path, stem: str, space: MotionSpace) -> Read:
    npz, csv, wav = (folder / f"{stem}{suffix}" for suffix in (".npz", ".csv", ".wav"))
    if npz.is_file() or not csv.is_file():
        return (read_audio(wav), *read_motion(npz, space), [])
    if space.name != "arkit55":
        raise InvalidArgument(f"{csv}: Live Link Face holds arkit55; the model makes {space.name}: use --recipe live")
    capture = read_capture(csv, wav)
    return capture.audio, capture.motion, {}, capture.notes


def read_folder(folder: Path, space: MotionSpace, limit: int | None = None) -> Folder:
    """All (or the first `limit`) dialogues of a folder in memory; raises FileError where there is none.

    Captures (CSV) that cannot be used are left out and named; whatever else cannot be read is an error.
    """
    pairs, unpaired = find_pairs(folder)
    names = [*pairs, *find_alone(folder)]
    if not names:
        raise FileError(f"{folder}: no complete NAME_speaker1/NAME_speaker2 pair found (unpaired: {len(unpaired)})")
    found = Folder([], unpaired)
    for name in names[:limit]:
        try:
            found.dialogues.append(read_dialogue(folder, name, space))
        except FileError as error:
            if not any((folder / f"{name}{end}.csv").is_file() for end in ("", "_speaker1", "_speaker2")):
                raise
            found.unusable[name] = str(error)
    if not found.dialogues:
        reasons = "; ".join(found.unusable.values())
        raise FileError(f"{folder}: none of {len(found.unusable)} recordings can be used: {reasons}")
    return found


def read_split(folder: Path, split: str, space: MotionSpace, limit: int | None = None) -> Folder:
    """One split of a data set in memory."""
    return read_folder(split_folder(folder, split), space, limit)


def split_folder(folder: Path, split: str) -> Path:
    """DIR/SPLIT where it exists, else DIR itself; only ood, which must be no other data, has to exist."""
    if split not in SPLITS:
        raise InvalidArgument(f"split {split!r} is unknown; known: {', '.join(SPLITS)}")
    inside = folder / split
    if split == "ood" and not inside.is_dir():
        raise FileError(f"{folder}: no folder 'ood'; expected one with the conversations out of the distribution")
    return inside if inside.is_dir() else folder
