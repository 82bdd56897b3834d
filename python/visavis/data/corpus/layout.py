"""The corpus folder: the DualTalk layout (WAV and .npz per person) plus an arkit55 array and the labels.

`pose` is (neck rotation vector, jaw rotation vector) from the head angles and jaw shapes.  `exp` is a fixed seeded
linear map of the 51 shapes besides tongueOut to 50 numbers: it has FLAME's width, it is NOT FLAME's basis.
"""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.bank import write_npz
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.performer import Performance
from visavis.motion_space import ARKIT55

JAW_OPEN_RAD = 0.35  # jaw rotation at jawOpen = 1 (about 20 degrees)
JAW_SIDE_RAD = 0.12  # at jawLeft = 1
EXP_SEED = 50  # of the map from shapes to `exp`
N_EXP_SHAPES = 51
MEASURED = ("hours", "speech_share_by_engine", "statistics")  # of corpus.json: what came out, not what was asked for


@lru_cache(maxsize=1)
def exp_map() -> npt.NDArray[np.float64]:
    """The (51, 50) map with orthonormal columns."""
    square = np.random.Generator(np.random.Philox(EXP_SEED)).standard_normal((N_EXP_SHAPES, N_EXP_SHAPES))
    return np.asarray(np.linalg.qr(square)[0][:, :50])


def pose_of(motion: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(T, 6): neck rotation vector of R = Ry Rx Rz, then the jaw's."""
    from scipy.spatial.transform import Rotation

    at = ARKIT55.index
    angles = motion[:, [at("headYaw"), at("headPitch"), at("headRoll")]]
    neck = Rotation.from_euler("YXZ", angles).as_rotvec()
    side = motion[:, at("jawLeft")] - motion[:, at("jawRight")]
    opening = motion[:, at("jawOpen")] * JAW_OPEN_RAD
    jaw = np.stack([opening, side * JAW_SIDE_RAD, np.zeros_like(opening)], axis=1)
    return np.concatenate([neck, jaw], axis=1).astype(np.float32)


def write_person(stem: Path, audio: npt.NDArray[np.float32], played: Performance, phrases: list[Phrase],
                 style: tuple[float, ...] | None = None) -> None:  # fmt: skip
    """Write STEM.wav (16 kHz float32) and STEM.npz, each in one piece; `style` of the person, where it has one."""
    known = {} if style is None else {"style": np.array(style, np.float32)}
    phones = sorted((p for phrase in phrases for p in phrase.phones), key=lambda p: p.start)
    write_wav(stem.with_suffix(".wav"), audio)
    write_npz(
        stem.with_suffix(".npz"),
        exp=(played.motion[:, :N_EXP_SHAPES] @ exp_map()).astype(np.float32),  # (T, 50)
        pose=pose_of(played.motion),  # (T, 6)
        arkit55=played.motion,  # (T, 55)
        phone_label=np.array([p.label for p in phones], "U4"),
        phone_start=np.array([p.start for p in phones], np.float32),
        phone_end=np.array([p.end for p in phones], np.float32),
        phrase_end=np.array(sorted(p.speech_end for p in phrases if p.is_cue), np.float32),
        speaking=played.speaking,  # (T,)
        event_kind=np.array([e.kind for e in played.events], "U8"),
        event_start=np.array([e.start for e in played.events], np.float32),
        event_end=np.array([e.end for e in played.events], np.float32),
        phrase_text=np.array([p.line.text for p in phrases], "U160"),
        phrase_kind=np.array([p.line.kind for p in phrases], "U16"),
        phrase_start=np.array([p.speech_start for p in phrases], np.float32),
        **known,
    )


def write_wav(path: Path, audio: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> None:
    """Write a mono WAV of floats or 16-bit samples in one piece (libsndfile would put the time of day into it)."""
    from scipy.io import wavfile

    part = path.with_name(f".{path.name}.{os.getpid()}")
    wavfile.write(part, SAMPLE_RATE, audio)
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one piece."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf8")
    part.replace(path)


def constants_of(*modules: Any) -> dict[str, dict[str, Any]]:
    """The named constants of some modules, for corpus.json."""
    found: dict[str, dict[str, Any]] = {}
    for module in modules:
        names = [n for n in vars(module) if n.isupper() and isinstance(vars(module)[n], (int, float, tuple, dict))]
        values = {n: vars(module)[n] for n in names if not n.startswith("_")}
        found[module.__name__.rsplit(".", 1)[-1]] = {n: v for n, v in values.items() if _plain(v)}
    return found


def fingerprint_of(*modules: Any) -> str:
    """SHA-256, in hex, of the constants of some modules, whatever their type (texts, for corpus.json)."""
    names = [(module, name) for module in modules for name in sorted(vars(module)) if name.isupper()]
    return hashlib.sha256(repr([(name, vars(module)[name]) for module, name in names]).encode()).hexdigest()


def identity(folder: Path) -> str | None:
    """SHA-256, in hex, of what the corpus of a folder was made from; None without a corpus.json that can be read.

    What was measured on the sound (MEASURED) does not count: speech engines give other last digits on other
    processors, and a campaign in parts (docs/choice.md) may go on on another machine.
    """
    try:
        description = json.loads((folder / "corpus.json").read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(description, dict):
        return None
    made_from = {name: value for name, value in description.items() if name not in MEASURED}
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_plain(v) for v in value.values())
    if isinstance(value, tuple):
        return all(_plain(v) for v in value)
    return isinstance(value, (bool, int, float, str))
