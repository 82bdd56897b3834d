"""Reading audio files: WAV, FLAC and OGG of any rate, mono or mixed down to mono, PCM or float.

Whatever is wrong with a file ends in one `FileError` that names the file, what was found and what is expected.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import FileError

EXPECTED = "expected a WAV, FLAC or OGG file"
BLOCK_FRAMES = 1 << 16  # read in blocks, so that a false length in a header allocates nothing
HIGHEST_PEAK = 64.0  # +36 dBFS: beyond it the samples are integers that were stored as floats
RATES_HZ = (8_000, 192_000)  # what sessions take


def read_audio(path: str | Path) -> tuple[NDArray[np.float32], int]:
    """Samples (n,) and their rate in Hz; channels are averaged.  Raises FileError."""
    import soundfile

    path = Path(path)
    check_readable(path, "audio", EXPECTED)
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = int(file.samplerate)
            blocks = list(_mono_blocks(file))
    except (soundfile.SoundFileError, TypeError, ValueError) as error:  # TypeError: a .raw file, which has no header
        reason = str(getattr(error, "error_string", "") or "no header").rstrip(".")
        raise FileError(f"audio file {path}: cannot be read as audio ({reason}); {EXPECTED}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    _check_samples(path, samples, rate)
    return samples, rate


def check_readable(path: Path, what: str, expected: str) -> None:
    """Raises FileError unless `path` is a regular file, not empty, that may be opened."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise FileError(f"{what} file {path}: is a directory; {expected}")
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"{what} file {path}: is not a regular file; {expected}")
        path.open("rb").close()
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"{what} file {path}: not found; {expected}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{what} file {path}: cannot be opened ({reason}); {expected}") from None
    if status.st_size == 0:
        raise FileError(f"{what} file {path}: is empty (0 bytes); {expected}")


def _mono_blocks(file: Any) -> Iterator[NDArray[np.float32]]:
    while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):  # (n, channels)
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def _check_samples(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise FileError(f"audio file {path}: rate {rate} Hz; expected {RATES_HZ[0]} to {RATES_HZ[1]} Hz")
    if not len(samples):
        raise FileError(f"audio file {path}: has no samples; expected at least one")
    finite = np.isfinite(samples)
    if not finite.all():
        first = int(np.argmin(finite))
        raise FileError(
            f"audio file {path}: sample {first} (at {first / rate:.3f} s) is {samples[first]}; expected finite samples"
        )
    peak = float(np.abs(samples).max())
    if peak > HIGHEST_PEAK:
        raise FileError(f"audio file {path}: peak {peak:.0f}; expected samples within +-1 (integers stored as floats?)")
