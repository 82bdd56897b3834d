import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from visavis.audio import read_audio
from visavis.errors import FileError

TONE = (0.5 * np.sin(np.arange(4800) * 0.05)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 1e-2),
        ("wav", "PCM_16", 1e-4),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("flac", "PCM_24", 1e-6),
        ("ogg", "VORBIS", 0.2),
    ],
)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_reads_wav_flac_and_ogg_at_their_own_rate(
    tmp_path: Path, suffix: str, subtype: str, tolerance: float, rate: int
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, TONE, rate, subtype=subtype)
    samples, found_rate = read_audio(path)
    assert (samples.dtype, samples.shape, found_rate) == (np.float32, TONE.shape, rate)
    np.testing.assert_allclose(samples, TONE, atol=tolerance)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([TONE, -0.5 * TONE], 1), 48000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path)[0], 0.25 * TONE, atol=1e-7)


def test_a_long_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    ramp = np.linspace(-1, 1, 200_000, dtype=np.float32)
    soundfile.write(path, ramp, 16000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path)[0], ramp)


def write_bad(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no audio\n" * 50)
    elif kind == "raw":
        path = folder / "samples.raw"
        path.write_bytes(bytes(1000))
    elif kind == "directory":
        path.mkdir()
    elif kind == "zero_length":
        soundfile.write(path, np.zeros(0), 16000)
    elif kind in ("nan", "inf", "huge"):
        bad = TONE.copy()
        bad[1600] = {"nan": np.nan, "inf": np.inf, "huge": 20000.0}[kind]
        soundfile.write(path, bad, 16000, subtype="FLOAT")
    elif kind == "slow":
        soundfile.write(path, TONE, 100)
    elif kind == "truncated_header":
        soundfile.write(path, TONE, 16000)
        path.write_bytes(path.read_bytes()[:20])
    elif kind == "fifo":
        os.mkfifo(path)
    return path


BAD = {
    "missing": "not found",
    "directory": "is a directory",
    "fifo": "not a regular file",
    "empty": "is empty",
    "text": "cannot be read as audio",
    "raw": "cannot be read as audio",
    "truncated_header": "cannot be read as audio",
    "zero_length": "has no samples",
    "nan": r"sample 1600 \(at 0.100 s\) is nan",
    "inf": "is inf",
    "huge": "peak 20000",
    "slow": "rate 100 Hz",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line_that_names_it_and_what_is_expected(tmp_path: Path, kind: str) -> None:
    path = write_bad(tmp_path, kind)
    with pytest.raises(FileError, match=BAD[kind]) as error:
        read_audio(path)
    message = str(error.value)
    assert str(path) in message and "expected" in message and "\n" not in message


def test_a_false_length_in_a_header_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "false.wav"
    soundfile.write(path, TONE, 16000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    assert len(read_audio(path)[0]) == len(TONE)
