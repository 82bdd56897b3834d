"""The utterance bank: spoken lines cached under a key of everything that shapes their sound.

A build that was killed, or one that only changes the performer, finds its lines here and synthesises none twice.
"""

import hashlib
import os
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.data.corpus.engines import PHONE_BIAS, Settings, speak
from visavis.data.corpus.phones import Phone

BANK_VERSION = 1  # raise it when an engine is driven differently


@dataclass(frozen=True)
class Utterance:
    """A spoken line: 16 kHz samples with its phones in seconds from the first sample."""

    audio: npt.NDArray[np.float32]
    phones: list[Phone]


def utterance_key(text: str, settings: Settings) -> str:
    """File name of a line in the bank."""
    parts = (BANK_VERSION, PHONE_BIAS.get(settings.engine, 0.0), *astuple(settings), text)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def utterance(bank: Path, text: str, settings: Settings) -> Utterance:
    """A line from the bank, spoken first if it is not there; empty where the engine made nothing of it."""
    key = utterance_key(text, settings)
    path = bank / key[:2] / f"{key}.npz"
    if not path.exists():
        audio, phones = speak(text, settings)
        if not _plausible(phones):
            audio, phones = audio[:0], []
        path.parent.mkdir(parents=True, exist_ok=True)
        write_npz(
            path,
            audio=np.round(np.clip(audio, -1.0, 1.0) * 32767.0).astype(np.int16),
            label=np.array([p.label for p in phones], "U4"),
            start=np.array([p.start for p in phones], np.float64),
            end=np.array([p.end for p in phones], np.float64),
        )
    with np.load(path) as data:
        times = zip(data["label"].tolist(), data["start"].tolist(), data["end"].tolist(), strict=True)
        return Utterance(data["audio"].astype(np.float32) / 32767.0, [Phone(*item) for item in times])


def _plausible(phones: list[Phone]) -> bool:
    """Refuse alignments with a phone over 0.45 s, as failed ones have (research, section 2), or nothing at all."""
    return len(phones) > 0 and max(p.end - p.start for p in phones) < 0.45


def write_npz(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write an .npz in one piece: a reader, or a second worker, never sees half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    part.replace(path)
