"""A tiny data set in the DualTalk layout with known contents."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Floats = npt.NDArray[np.float32]


def write_recording(
    stem: Path, n_frames: int, extra_samples: int = 0, seed: int = 0, **labels: npt.ArrayLike
) -> Floats:
    """One person: bursts of noise as a voice, a jaw that follows it, a slow head; returns arkit55 (T, 55)."""
    from visavis.motion_space import ARKIT55

    rng = np.random.default_rng(seed)
    time = np.arange(n_frames) / 25
    speaking = np.sin(time * 2 * np.pi / 4 + rng.uniform(0, 6)) > 0
    loud = np.repeat(speaking * (0.5 + 0.5 * np.sin(time * 2 * np.pi * 3) ** 2), 640)
    voice = (0.1 * rng.standard_normal(n_frames * 640) * loud).astype(np.float32)
    voice = np.concatenate([voice, np.zeros(extra_samples, np.float32)])
    soundfile.write(stem.with_suffix(".wav"), voice, 16000, subtype="FLOAT")
    arkit = np.zeros((n_frames, 55), dtype=np.float32)
    arkit[:, ARKIT55.index("jawOpen")] = loud[::640] * 0.4
    arkit[:, ARKIT55.index("headPitch")] = 0.05 * np.sin(time)
    exp = rng.standard_normal((n_frames, 50)).astype(np.float32)
    pose = np.tile(np.arange(6, dtype=np.float32), (n_frames, 1))  # neck 0 1 2, jaw 3 4 5
    ends = time[1:][speaking[:-1] & ~speaking[1:]].astype(np.float32)
    starts = np.arange(0.5, n_frames / 25 - 1, 0.5, dtype=np.float32)
    arrays: dict[str, npt.ArrayLike] = {
        "exp": exp,
        "pose": pose,
        "arkit55": arkit,
        "phone_label": np.array([("P", "AA")[i % 2] for i in range(len(starts))], dtype="U4"),
        "phone_start": starts,
        "phone_end": starts + 0.12,
        "phrase_end": ends,
        "speaking": speaking,
    }
    np.savez(stem.with_suffix(".npz"), **{**arrays, **labels})
    return arkit


def write_data_set(folder: Path, n_dialogues: int = 2, seconds: float = 12.0) -> Path:
    """DIR/{train,val,test} with `n_dialogues` each."""
    for number, split in enumerate(("train", "val", "test")):
        (folder / split).mkdir(parents=True)
        for d in range(n_dialogues):
            for speaker in (1, 2):
                stem = folder / split / f"talk{d}_speaker{speaker}"
                write_recording(stem, round(seconds * 25), seed=100 * number + 10 * d + speaker)
    return folder
