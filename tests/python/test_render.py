"""Rendering: what pictures, sheets, sound and videos of motion hold, and what is refused."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from visavis import _core
from visavis.cli import build_app
from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.motion_file import MotionData, write_motion
from visavis.motion_space import ARKIT55, FLAME56
from visavis.render import layout, video
from visavis.render.performance import Performance, read_performance, sound
from visavis.render.pictures import Pictures, render_sheet, render_video
from visavis.render.studio import Studio

SIZE = 96


def motion(n_frames: int, **channels: float) -> np.ndarray:
    values = np.zeros((n_frames, 55), np.float32)
    for name, value in channels.items():
        values[:, ARKIT55.index(name)] = value
    return values


def performance(n_frames: int = 10, voices: dict | None = None, **channels: float) -> Performance:
    return Performance("test", motion(n_frames, **channels), 25.0, voices or {})


def motion_file(path: Path, values: np.ndarray, channels=ARKIT55.channels, first_frame: int = 0) -> Path:
    time_ns = (first_frame + np.arange(len(values))) * 40_000_000
    write_motion(path, MotionData(values.astype(np.float32), channels, 25.0, time_ns))
    return path


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(SIZE, SIZE)


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where pictures differ by more than the eye forgives, (height, width)."""
    return np.abs(a.astype(int) - b.astype(int)).max(2) > 12


def test_the_jaw_moves_the_mouth_and_the_background_stays(studio: Studio) -> None:
    still, open_ = studio.picture(motion(1)[0]), studio.picture(motion(1, jawOpen=0.8)[0])
    assert still.shape == (SIZE, SIZE, 3)
    changed = difference(still, open_)
    jaw = changed[int(0.55 * SIZE) : int(0.92 * SIZE), int(0.28 * SIZE) : int(0.72 * SIZE)]
    assert jaw.sum() > 0.8 * changed.sum() > 60
    assert not changed[: int(0.38 * SIZE)].any()  # eyes, brows, hair


def test_a_turn_to_the_persons_left_goes_right_in_the_picture(studio: Studio) -> None:
    def face_column(picture: np.ndarray) -> float:
        red = picture[..., 0].astype(int) - picture[..., 2]  # skin is redder than shirt, hair and backdrop
        return float(np.argwhere(red[: int(0.75 * SIZE)] > 30)[:, 1].mean())

    left, right = (face_column(studio.picture(motion(1, headYaw=yaw)[0])) for yaw in (0.5, -0.5))
    assert left > SIZE / 2 + 2
    assert right < SIZE / 2 - 2


def test_the_camera_goes_round(studio: Studio) -> None:
    profile = Studio(SIZE, SIZE, turn_degrees=90).picture(motion(1)[0])
    assert difference(profile, studio.picture(motion(1)[0])).mean() > 0.1


def test_same_frame_same_bytes_whoever_draws(studio: Studio) -> None:
    values = np.random.default_rng(0).random((9, 55), np.float32) * 0.4
    pictures = Pictures([Performance("p", values, 25.0, {})], SIZE, SIZE)
    for frame, picture in zip(values, pictures.frames(range(9)), strict=True):
        np.testing.assert_array_equal(picture, studio.picture(frame))


def test_eyes_look_alive(studio: Studio) -> None:
    """A wet eye has a highlight far brighter than its iris."""
    large = Studio(480, 480).picture(motion(1)[0]).astype(int).sum(2)
    eye = large[190:212, 270:330]
    assert eye.max() > 600
    assert eye.min() < 120


def test_painter_refuses_what_does_not_fit() -> None:
    plain = {"colour": (1.0, 1.0, 1.0), "roughness": 1.0, "specular": 0.0, "scattering": 0.0, "mirror": 0.0}
    plain |= {"alpha_cutoff": 0.0, "two_sided": True, "colour_map": None, "surface_map": None}
    corners, uvs = np.eye(3, dtype=np.float32), np.zeros((3, 2), np.float32)
    view = ((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 0.5)
    painter = _core.Painter(8, 8, 1, [plain])
    for wrong, message in (
        ((1, corners, corners, uvs, np.array([[0, 1, 2]], np.uint32)), "material 1 of 1"),
        ((0, corners, corners, uvs, np.array([[0, 1, 3]], np.uint32)), "corner 3 of 3"),
        ((0, corners, corners[:2], uvs, np.array([[0, 1, 2]], np.uint32)), "different lengths"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            painter.paint([wrong], *view)
    with pytest.raises(InvalidArgument, match="pixels"):
        _core.Painter(0, 8, 1, [plain])
    with pytest.raises(InvalidArgument, match="texture of shape"):
        _core.Painter(8, 8, 1, [plain | {"colour_map": np.zeros((4, 4), np.uint8)}])
    with pytest.raises(InvalidArgument, match="arkit55"):
        Studio(8, 8).picture(np.zeros(52))


def tone(seconds: float, rate: int, loud_from: float, loud_to: float) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * 220 * t) * ((t >= loud_from) & (t < loud_to))).astype(np.float32)


def test_voices_come_from_files_or_from_the_take(tmp_path: Path) -> None:
    path = motion_file(tmp_path / "m.npz", motion(50))
    assert read_performance(path).voices == {}
    agent, own = tone(2, 24_000, 0.5, 1.0), tone(2, 16_000, 0, 2)
    soundfile.write(tmp_path / "agent.wav", agent, 24_000, subtype="FLOAT")
    with np.load(path) as arrays:
        np.savez(tmp_path / "take.npz", **arrays, agent_audio=own, user_audio=own * 0.5)
    read = read_performance(path, agent=tmp_path / "agent.wav")
    assert list(read.voices) == ["agent"]
    np.testing.assert_allclose(read.voices["agent"][0], agent)
    take = read_performance(tmp_path / "take.npz", agent=tmp_path / "agent.wav")
    assert (take.voices["agent"][1], take.voices["user"][1]) == (24_000, 16_000)
    np.testing.assert_array_equal(take.voices["user"][0], own * 0.5)


def test_motion_that_begins_late_or_has_gaps_keeps_time(tmp_path: Path) -> None:
    values = motion(30)
    values[:, 0] = np.arange(30) / 100
    kept = np.r_[0:10, 15:30]
    late = MotionData(values[kept], ARKIT55.channels, 25.0, (25 + kept) * 40_000_000)
    write_motion(tmp_path / "m.npz", late)
    soundfile.write(tmp_path / "a.wav", np.arange(48_000, dtype=np.float32) / 48_000, 16_000, subtype="FLOAT")
    read = read_performance(tmp_path / "m.npz", agent=tmp_path / "a.wav")
    assert len(read.values) == 30
    np.testing.assert_allclose(read.values[8:17, 0] * 100, [8, 9, 9, 9, 9, 9, 9, 15, 16], atol=1e-4)
    assert read.voices["agent"][0][0] == pytest.approx(1 / 3)  # one second in
    part = read.part(0.4, 0.8)
    assert len(part.values) == 10
    assert part.voices["agent"][0][0] == pytest.approx((16_000 + 6_400) / 48_000)
    with pytest.raises(InvalidArgument, match=r"lasts 1\.20 s"):
        read.part(2.0, None)


def test_frames_given_out_again_replace_the_withdrawn_ones(tmp_path: Path) -> None:
    values = motion(14)
    values[:, 0] = np.arange(14) / 100
    frame = np.r_[0:10, 6:10]
    write_motion(tmp_path / "m.npz", MotionData(values, ARKIT55.channels, 25.0, frame * 40_000_000))
    read = read_performance(tmp_path / "m.npz")
    np.testing.assert_allclose(read.values[:, 0] * 100, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13], atol=1e-4)
    with np.load(tmp_path / "m.npz") as arrays:  # a take marks them, also those that nothing replaced
        state = np.r_[np.ones(6), np.full(4, 9), np.ones(2), np.full(2, 10)].astype(np.uint16)
        np.savez(tmp_path / "take.npz", **arrays, state=state)
    np.testing.assert_allclose(
        read_performance(tmp_path / "take.npz").values[:, 0] * 100, [0, 1, 2, 3, 4, 5, 10, 11], atol=1e-4
    )


def test_sound_has_both_voices_on_their_sides() -> None:
    voices = {"agent": (tone(1, 16_000, 0, 0.5), 16_000), "user": (tone(1, 24_000, 0.5, 1), 24_000)}
    mixed = sound(performance(25, voices), 48_000)
    assert mixed is not None
    assert mixed.shape == (48_000, 2)
    loudness = np.sqrt((mixed.reshape(2, 24_000, 2) ** 2).mean(1))  # half seconds, sides
    assert loudness[0, 1] > 1.5 * loudness[0, 0] > 0.1  # the agent, right
    assert loudness[1, 0] > 1.5 * loudness[1, 1] > 0.1
    assert sound(performance(25), 48_000) is None


def test_strip_shows_who_speaks() -> None:
    voices = {"agent": (tone(6, 16_000, 0, 3), 16_000), "user": (tone(6, 16_000, 3, 6), 16_000)}
    p = performance(150, voices)
    strip = layout.Strip(p, 120).picture(3.0)
    top, bottom = strip[: layout.STRIP_PIXELS // 2], strip[layout.STRIP_PIXELS // 2 :]

    def painted(half: np.ndarray, who: str) -> np.ndarray:
        return (half == layout.COLOURS[who]).all(2).sum(0)  # rows of each column

    assert painted(bottom, "agent")[5:55].min() > 8 > 1 >= painted(bottom, "agent")[65:115].max()
    assert painted(top, "user")[65:115].min() > 8 > 1 >= painted(top, "user")[5:55].max()
    assert [layout.speakers(p, t) for t in (1.0, 5.0, 3.0)] == ["agent speaks", "user speaks", "both speak"]


def test_sheet_has_the_chosen_pictures(tmp_path: Path) -> None:
    p = performance(50)
    p.values[25:, ARKIT55.index("jawOpen")] = 1
    render_sheet(tmp_path / "s.png", [p], SIZE, SIZE, times_s=[0.5, 0.9, 1.5], columns=2)
    with Image.open(tmp_path / "s.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (2 * SIZE + 4, 2 * SIZE + 4, 3)
    first, second, third = sheet[:SIZE, :SIZE], sheet[:SIZE, SIZE + 4 :], sheet[SIZE + 4 :, :SIZE]
    assert not difference(first, second)[20:].any()  # but for the time on top
    assert difference(first, third)[20:].sum() > 40
    with pytest.raises(InvalidArgument, match=r"lasts 2\.00 s"):
        render_sheet(tmp_path / "s.png", [p], SIZE, SIZE, times_s=[2.0])


def described(path: Path) -> str:
    """What ffmpeg says of a file."""
    return subprocess.run([video.find_ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True).stderr


def test_video_has_every_frame_both_heads_and_the_sound(tmp_path: Path) -> None:
    voices = {"agent": (tone(1, 16_000, 0.5, 1), 16_000)}
    shares: list[float] = []
    heads = [performance(25, voices), performance(25, jawOpen=1.0)]
    render_video(tmp_path / "v.mp4", heads, 64, 64, progress=shares.append)
    assert shares[-1] == 1.0
    assert len(shares) == 25
    text = described(tmp_path / "v.mp4")
    assert re.search(r"Video: h264.*yuv420p.* 128x108[ ,].* 25 fps", text), text
    assert re.search(r"Audio: aac.*48000 Hz, stereo", text), text
    frames = subprocess.run(
        [video.find_ffmpeg(), "-v", "error", "-i", str(tmp_path / "v.mp4"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    pixels = np.frombuffer(frames, np.uint8).reshape(-1, 108, 128, 3)
    assert len(pixels) == 25
    left, right = pixels[15, 20:64, :64], pixels[15, 20:64, 64:]
    assert (np.abs(left.astype(int) - right).max(2) > 25).sum() > 20  # the other head's open mouth
    samples = subprocess.run(
        [
            video.find_ffmpeg(),
            "-v",
            "error",
            "-i",
            str(tmp_path / "v.mp4"),
            "-ac",
            "1",
            "-ar",
            "8000",
            "-f",
            "s16le",
            "-",
        ],
        capture_output=True,
        check=True,
    ).stdout
    heard = np.frombuffer(samples, np.int16) / 32768
    assert np.abs(heard[:3_600]).max() < 0.05 < 0.2 < np.abs(heard[4_400:7_600]).max()


def test_a_video_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match="does not exist"):
        render_video(tmp_path / "no" / "v.mp4", [performance()], 64, 64)
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho no such codec >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(FileError, match=r"ffmpeg ended with 3 \(no such codec\)"):
        render_video(tmp_path / "v.mp4", [performance()], 64, 64)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ffmpeg"]


def test_without_ffmpeg_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(Unsupported, match="pip install imageio-ffmpeg"):
        video.find_ffmpeg()


def run(*words: object) -> None:
    build_app()([str(word) for word in words], standalone_mode=False)


def test_command_writes_sheet_and_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = motion_file(tmp_path / "m.npz", motion(25))
    run("render", path, "--sheet", tmp_path / "s.png", "--out", tmp_path / "v.mp4", "--size", "64x64", "--pictures", 2)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (132, 64)
    printed = capsys.readouterr().out
    assert "2 pictures" in printed
    assert "25 frames, 1.00 s" in printed


def test_command_names_what_is_wrong(tmp_path: Path) -> None:
    path = motion_file(tmp_path / "m.npz", motion(25))
    flame = motion_file(tmp_path / "f.npz", np.zeros((5, 56)), FLAME56.channels)
    png, mp4 = tmp_path / "s.png", tmp_path / "v.mp4"
    for words, message in (
        (("render", path), "nothing to write"),
        (("render", path, "--out", tmp_path / "v.gif"), "expected .mp4"),
        (("render", path, "--sheet", png, "--size", "big"), "WIDTHxHEIGHT"),
        (("render", path, "--out", mp4, "--size", "63x64"), "even"),
        (("render", path, "--sheet", png, "--times", "1,x"), "commas"),
        (("render", flame, "--sheet", png), "retarget apply"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            run(*words)
    with pytest.raises(FileError, match="not found"):
        run("render", tmp_path / "missing.npz", "--sheet", png)


def test_expressions_of_the_head_differ_from_all_sides(tmp_path: Path) -> None:
    run("head", "show", "--out", tmp_path / "head.png")
    with Image.open(tmp_path / "head.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (3 * 268 - 4, 8 * 244 - 4, 3)
    columns = [[sheet[268 * j :][:264, 244 * i :][:, :240] for j in range(3)] for i in range(8)]
    for side in range(3):
        for column in columns[1:]:
            assert difference(column[side], columns[0][side])[30:].sum() > 25
