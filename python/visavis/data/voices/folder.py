"""Reader of the folder that `visavis corpus voices` writes: clips by voice, joined into reels."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLES_PER_FRAME
from visavis.data.dualtalk import Person, read_audio
from visavis.errors import FileError
from visavis.motion_space import ARKIT55

Floats = npt.NDArray[np.float32]
GAP_FRAMES = 15  # between the clips of a reel, 0.6 s
REEL_S = 40.0


@dataclass
class VoiceClip:
    """One clip: who speaks, the voice with its labels, and the reference motion where phones are known."""

    name: str
    voice: str
    text: str
    person: Person  # motion: the reference; zeros where there are no phones
    aligned: bool
    bilabials: int | None


@dataclass
class Reel:
    """Clips one after the other with silence between, so that a session lives longer than one prompt."""

    audio: Floats
    clips: list[VoiceClip]
    starts: list[int]  # frames

    def parts(self, motion: Floats) -> list[Floats]:
        """The motion of each clip out of that of the reel."""
        return [motion[s : s + len(c.person.motion)] for s, c in zip(self.starts, self.clips, strict=True)]


def read_voices(folder: Path, half: str) -> dict[str, list[VoiceClip]]:
    """The clips of a half by voice; prompts of English that could not be aligned are left out."""
    try:
        document = json.loads((folder / "voices.json").read_text(encoding="utf8"))
        entries = [e for e in document["clips"] if e["half"] == half]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{folder}: no folder of voices ({error!r}); expected one that `visavis corpus voices` has finished"
        ) from None
    found: dict[str, list[VoiceClip]] = {}
    for entry in entries:
        if entry["n_phones"] or entry["bilabials"] is not None:
            found.setdefault(entry["voice"], []).append(read_clip(folder, entry))
    return found


def read_clip(folder: Path, entry: dict[str, object]) -> VoiceClip:
    """One clip of voices.json."""
    stem = folder / str(entry["half"]) / str(entry["voice"]) / str(entry["name"])
    audio = read_audio(stem.with_suffix(".wav"))
    motion = np.zeros((len(audio) // SAMPLES_PER_FRAME, len(ARKIT55.channels)), np.float32)
    labels: dict[str, npt.NDArray[np.generic]] = {}
    if entry["n_phones"]:
        with np.load(stem.with_suffix(".npz"), allow_pickle=False) as arrays:
            motion = arrays["arkit55"]
            labels = {name: arrays[name] for name in ("phone_label", "phone_start", "phone_end")}
    person = Person(audio.astype(np.float16), motion, labels)
    count = None if entry["bilabials"] is None else int(str(entry["bilabials"]))
    return VoiceClip(str(entry["name"]), str(entry["voice"]), str(entry["text"]), person, bool(labels), count)


def reels(clips: list[VoiceClip]) -> list[Reel]:
    """The clips in order as reels of about REEL_S."""
    out: list[Reel] = []
    pieces: list[Floats] = []
    gap = np.zeros(GAP_FRAMES * SAMPLES_PER_FRAME, np.float32)
    reel = Reel(gap, [], [])
    for clip in clips:
        pieces.append(gap)
        reel.starts.append(sum(len(p) for p in pieces) // SAMPLES_PER_FRAME)
        pieces.append(clip.person.audio.astype(np.float32))
        reel.clips.append(clip)
        if sum(len(p) for p in pieces) / SAMPLES_PER_FRAME / FRAME_RATE >= REEL_S:
            out.append(Reel(np.concatenate([*pieces, gap]), reel.clips, reel.starts))
            pieces, reel = [], Reel(gap, [], [])
    if reel.clips:
        out.append(Reel(np.concatenate([*pieces, gap]), reel.clips, reel.starts))
    return out
