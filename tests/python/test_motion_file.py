import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import (
    CSV_HEADER,
    MotionData,
    check_motion_path,
    read_motion,
    write_motion,
    write_whole,
)
from visavis.motion_space import ARKIT55, FLAME56, MotionSpace


def make_motion(n_frames: int = 60, space: MotionSpace = ARKIT55) -> MotionData:
    rng = np.random.default_rng(1)
    values = rng.random((n_frames, len(space.channels)), np.float32)
    return MotionData(values, space.channels, 25.0, np.arange(n_frames, dtype=np.int64) * 40_000_000)


@pytest.mark.parametrize("space", [ARKIT55, FLAME56])
def test_npz_survives_a_round_trip(tmp_path: Path, space: MotionSpace) -> None:
    motion = make_motion(space=space)
    write_motion(tmp_path / "m.npz", motion)
    read = read_motion(tmp_path / "m.npz")
    assert read.channels == motion.channels and read.fps == 25.0
    np.testing.assert_array_equal(read.values, motion.values)
    np.testing.assert_array_equal(read.time_ns, motion.time_ns)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_the_same_motion_is_the_same_bytes_at_any_time_of_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, now in (("a", 1_700_000_000.0), ("b", 1_800_000_000.0)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_motion(tmp_path / f"{name}.npz", make_motion())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert np.load(tmp_path / "a.npz")["fps"] == 25.0


@pytest.mark.parametrize("n_frames", [3, 24, 25, 60])
def test_csv_survives_a_round_trip(tmp_path: Path, n_frames: int) -> None:
    motion = make_motion(n_frames)
    write_motion(tmp_path / "m.csv", motion)
    read = read_motion(tmp_path / "m.csv")
    assert read.channels == ARKIT55.channels and read.fps == 25.0
    np.testing.assert_allclose(read.values, motion.values, atol=1e-8)
    np.testing.assert_array_equal(read.time_ns, motion.time_ns)


def test_csv_has_the_columns_of_the_app(tmp_path: Path) -> None:
    write_motion(tmp_path / "m.csv", make_motion(30))
    lines = (tmp_path / "m.csv").read_text().splitlines()
    header = lines[0].split(",")
    assert len(header) == 63 and header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert header[19] == "JawOpen" and header[53:57] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"]
    assert header[-1] == "RightEyeRoll"
    cells = lines[27].split(",")
    assert cells[:2] == ["00:00:01:01.000", "61"] and cells[-6:] == ["0.00000000"] * 6


def test_a_take_of_the_app_at_60_fps_is_read(tmp_path: Path) -> None:
    rows = [",".join(CSV_HEADER)]
    for frame in range(130):
        second, part = divmod(frame + 50, 60)
        rows.append(f"23:59:{58 + second}:{part:02d}.500,61," + ",".join(["0.25"] * 61))
    rows[60] = rows[60].split(",")[0] + ",0"  # no face in this frame
    midnight = [row.replace("23:59:60", "00:00:00") for row in rows]
    (tmp_path / "take.csv").write_text("\n".join(midnight) + "\n")
    read = read_motion(tmp_path / "take.csv")
    assert read.fps == 60 and len(read.values) == 129
    assert read.time_ns[-1] == pytest.approx(129 / 60 * 1e9, abs=2)


BAD_NPZ = {
    "text": (lambda p: p.write_text("no archive"), "cannot be read"),
    "empty": (lambda p: p.touch(), "is empty"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:300]), "cannot be read"),
    "foreign": (lambda p: np.savez(p, exp=np.zeros(3)), "no array 'values'"),
    "pickle": (lambda p: np.savez(p, values=np.array([[{}]], dtype=object)), "array 'values' is object"),
    "no_frames": (lambda p: save(p, values=np.zeros((0, 55)), time_ns=np.zeros(0, int)), "no frames"),
    "one_dimension": (lambda p: save(p, values=np.zeros(55)), "1 dimensions"),
    "wrong_width": (lambda p: save(p, values=np.zeros((60, 52))), "52 values a frame and 55 channel names"),
    "wrong_times": (lambda p: save(p, time_ns=np.zeros(3, int)), "60 frames and 3 times"),
    "bad_fps": (lambda p: save(p, fps=np.float64("nan")), "fps is nan"),
    "nan": (lambda p: save(p, values=np.full((60, 55), np.nan)), "eyeBlinkLeft of frame 0 is nan"),
    "false_size": (lambda p: false_header(p), "bytes where"),
}


def save(path: Path, **changes: np.ndarray) -> None:
    np.savez(path, **{**make_motion()._asdict(), **changes})


def false_header(path: Path) -> None:
    """`values` promises 10^12 rows in its header and holds none."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 55), }"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("values.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_a_bad_npz_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.npz"
    write_motion(path, make_motion())
    spoil, expected = BAD_NPZ[kind]
    if kind == "empty":
        path.unlink()
    spoil(path)
    with pytest.raises(FileError, match=expected) as error:
        read_motion(path)
    assert str(path) in str(error.value) and "expected" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", "header has 2 columns"),
        (",".join(CSV_HEADER) + "\n", "has no frames"),
        (",".join(CSV_HEADER) + "\n00:00:00:00.000,61,0.5\n", "line 2 has 3 columns"),
        (",".join(CSV_HEADER) + "\nnoon,61," + ",".join(["0"] * 61) + "\n", "timecode 'noon'"),
        (",".join(CSV_HEADER) + "\n00:00:00:00.000,61," + ",".join(["x"] * 61) + "\n", "cannot be read"),
        ("\x00\x01" * 100, "header has 1 columns"),
    ],
)
def test_a_bad_csv_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=expected) as error:
        read_motion(path)
    assert "\n" not in str(error.value)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(pickle.dumps({"values": 1}))
    with pytest.raises(FileError):
        read_motion(path)


def test_nothing_half_written_remains(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_text("the old file")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "motion", fail)
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"] and path.read_text() == "the old file"
    with pytest.raises(InvalidArgument, match=r"write \.npz"):
        write_motion(tmp_path / "flame.csv", make_motion(space=FLAME56))
    assert not (tmp_path / "flame.csv").exists() and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"suffix '.txt'; expected .npz or .csv"):
        check_motion_path(tmp_path / "m.txt")
    with pytest.raises(FileError, match="does not exist"):
        check_motion_path(tmp_path / "none" / "m.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(FileError, match="is a directory"):
        check_motion_path(tmp_path / "folder.npz")
