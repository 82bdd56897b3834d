"""Exports of takes, read back with other people's readers."""

import csv
import re
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import soundfile
from recording_engine import RecordingEngine
from scipy.spatial.transform import Rotation
from take_cases import live, small_model

from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import CSV_HEADER, read_motion
from visavis.motion_space import ARKIT_SHAPES
from visavis.session import Model
from visavis.takes.export import export
from visavis.takes.take import Take
from visavis.timecode import RATES, Timecode

START = Timecode.parse("10:00:00;00", RATES["29.97df"])


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Take:
    """5 s with a barge-in, whose withdrawn frames exports leave out."""
    folder = tmp_path_factory.mktemp("take")
    recorded, _ = live(small_model(folder / "small.gguf"), folder / "t.npz")
    return recorded


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_csv_is_that_of_the_app(take: Take, tmp_path: Path) -> None:
    (path,) = export(take, "livelink-csv", tmp_path / "t.csv")
    head, *rows = rows_of(path)
    assert tuple(head) == CSV_HEADER and head[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert len(head) == 63 and all(len(row) == 63 and row[1] == "61" for row in rows)
    shown = take.shown()
    assert [row[0] for row in rows[:2]] == ["00:00:00:00.000", "00:00:00:01.000"] and len(rows) == len(shown.values)
    read = read_motion(path)
    np.testing.assert_allclose(read.values, shown.values, atol=1e-8)
    np.testing.assert_array_equal(read.time_ns, shown.time_ns)


@pytest.mark.parametrize("name", RATES)
def test_every_row_has_the_timecode_of_its_frame(name: str, take: Take, tmp_path: Path) -> None:
    rate = RATES[name]
    start = Timecode.parse("10:09:58:00", rate)  # a minute that drops numbers comes at once
    (path,) = export(take, "livelink-csv", tmp_path / "t.csv", rate=rate, start=start)
    codes = [row[0] for row in rows_of(path)[1:]]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\.\d{3}", code) for code in codes)
    for code, time_ns in zip(codes, take.shown().time_ns.tolist(), strict=True):
        off = Timecode.parse(code, rate).frames - start.frames - Fraction(time_ns) * rate.fps / 10**9
        assert abs(off) <= Fraction(1, 2000)  # half a thousandth of a frame: the text's rounding


def test_resampled_rows_stand_on_whole_frames(take: Take, tmp_path: Path) -> None:
    (path,) = export(take, "livelink-csv", tmp_path / "t.csv", rate=RATES["29.97df"], start=START, resample=True)
    _, *rows = rows_of(path)
    assert rows[0][0] == "10:00:00:00.000" and all(row[0].endswith(".000") for row in rows)
    shown, values = take.shown(), np.array([row[2:57] for row in rows], float)
    assert len(rows) == int(shown.time_ns[-1] * 30_000 / 1001 / 1e9) + 1
    seconds = np.arange(len(rows)) * 1001 / 30_000
    jaw = shown.values[:, 17]
    np.testing.assert_allclose(values[:, 17], np.interp(seconds, shown.time_ns / 1e9, jaw), atol=1e-6)


def accessor(gltf: pygltflib.GLTF2, number: int) -> np.ndarray:
    a = gltf.accessors[number]
    view = gltf.bufferViews[a.bufferView]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[a.type]
    dtype = {5126: "<f4", 5123: "<u2"}[a.componentType]
    array = np.frombuffer(gltf.binary_blob(), dtype, a.count * width, view.byteOffset + (a.byteOffset or 0))
    assert view.byteLength >= array.nbytes and view.byteOffset % 4 == 0
    if a.max:
        rows = array.reshape(a.count, width)
        np.testing.assert_array_equal([a.min, a.max], [rows.min(0), rows.max(0)])
    return array.reshape(a.count, width)


def test_gltf_moves_52_named_targets_and_the_head(take: Take, tmp_path: Path) -> None:
    (path,) = export(take, "gltf", tmp_path / "t.glb")
    gltf = pygltflib.GLTF2().load_binary(str(path))
    assert gltf.asset.version == "2.0" and gltf.buffers[0].byteLength == len(gltf.binary_blob())
    (mesh,) = gltf.meshes
    (primitive,) = mesh.primitives
    assert mesh.extras["targetNames"] == list(ARKIT_SHAPES) and len(mesh.weights) == len(primitive.targets) == 52
    corners = accessor(gltf, primitive.attributes.POSITION)
    triangles = accessor(gltf, primitive.indices)
    assert triangles.max() < len(corners)
    moved = [accessor(gltf, target["POSITION"]) for target in primitive.targets]
    assert all(len(moves) == len(corners) and (moves[:, 1] > 0).sum() == 2 for moves in moved)
    assert (np.sum(moved, 0)[:, 1] > 0).sum() == 104  # every bar has its own corners
    (animation,) = gltf.animations
    by_path = {channel.target.path: animation.samplers[channel.sampler] for channel in animation.channels}
    assert set(by_path) == {"weights", "rotation"} and gltf.nodes[0].name == "head"
    shown = take.shown()
    times = accessor(gltf, by_path["weights"].input)[:, 0]
    np.testing.assert_allclose(times, shown.time_ns / 1e9, atol=1e-6)
    weights = accessor(gltf, by_path["weights"].output).reshape(len(times), 52)
    np.testing.assert_array_equal(weights, shown.values[:, :52])
    turns = accessor(gltf, by_path["rotation"].output)
    expected = Rotation.from_euler("YXZ", shown.values[:, 52:55])  # yaw, then pitch, then roll, about the moved axes
    assert (Rotation.from_quat(turns) * expected.inv()).magnitude().max() < 1e-6
    assert shown.values[:, 52:55].std() > 0.01 and np.abs(np.linalg.norm(turns, axis=1) - 1).max() < 1e-6


def test_wav_has_both_voices(take: Take, tmp_path: Path) -> None:
    (path,) = export(take, "wav", tmp_path / "t.wav")
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000 and samples.shape == (len(take.agent_audio), 2) and soundfile.info(path).subtype == "PCM_24"
    np.testing.assert_allclose(samples[:, 0], np.clip(take.agent_audio, -1, 1), atol=2**-23)
    np.testing.assert_allclose(samples[: len(take.user_audio), 1], np.clip(take.user_audio, -1, 1), atol=2**-23)
    paths = export(take, "wav", tmp_path / "t.wav", split=True)
    assert [path.name for path in paths] == ["t.agent.wav", "t.user.wav"]
    for column, path in enumerate(paths):
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], samples[:, column])


def test_a_live_agents_voice_is_where_its_frames_are(tmp_path: Path) -> None:
    take, _ = live(Model(RecordingEngine()), tmp_path / "t.npz", agent_audio="live")
    samples, _ = soundfile.read(export(take, "wav", tmp_path / "t.wav")[0])
    motion = read_motion(export(take, "npz", tmp_path / "m.npz")[0])
    level, first = motion.values[:, 1], int(motion.time_ns[0])  # channel 1 is the level that the engine heard
    assert first == 7 * 40_000_000 and level.max() > 0.1
    before_cancel = motion.time_ns[motion.time_ns < 2_800_000_000].tolist()
    assert len(before_cancel) > 50
    for row, time_ns in enumerate(before_cancel):
        at = time_ns * 16 // 1_000_000
        assert np.abs(samples[at : at + 640, 0]).mean() == pytest.approx(min(1.0, level[row]), abs=1e-3)


def test_the_wavs_time_reference_is_the_timecode(take: Take, tmp_path: Path) -> None:
    data = export(take, "wav", tmp_path / "t.wav", start=START)[0].read_bytes()
    size = struct.unpack_from("<I", data, 4)[0]
    assert data[:4] == b"RIFF" and size == len(data) - 8 and data[12:16] == b"bext"
    body = data[20 : 20 + struct.unpack_from("<I", data, 16)[0]]
    assert len(body) == 602 and body[320:330] == take.about.recorded[:10].encode()
    reference = struct.unpack_from("<Q", body, 338)[0]
    assert reference == round(1_078_920 * Fraction(1001, 30_000) * 16_000)  # 10 h of drop-frame, in samples
    assert struct.unpack_from("<H", body, 346)[0] == 1


def test_what_cannot_be_exported_is_told(take: Take, tmp_path: Path) -> None:
    cases = [
        ("fbx", "t.fbx", {}, "export to 'fbx' is unknown; expected one of livelink-csv, gltf, wav, npz"),
        ("gltf", "t.gltf", {}, r"suffix '\.gltf'; expected \.glb for gltf"),
        ("wav", "no/t.wav", {}, "folder .* does not exist"),
    ]
    for to, name, options, said in cases:
        with pytest.raises((InvalidArgument, FileError), match=said):
            export(take, to, tmp_path / name, **options)
    empty = replace(take, values=take.values[:0], frame=take.frame[:0], time_ns=take.time_ns[:0], state=take.state[:0])
    with pytest.raises(InvalidArgument, match="no frames that could be exported"):
        export(empty, "gltf", tmp_path / "t.glb")
    other, _ = live(Model(RecordingEngine()), tmp_path / "r.npz", seconds=1.0)
    with pytest.raises(InvalidArgument, match=r"takes the 55 channels of arkit55; this take has 6 others \(exp0"):
        export(other, "livelink-csv", tmp_path / "t.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.npz"]
