"""Recordings of one's own: Live Link Face CSV and WAV, in pairs or alone, what is wrong with them, a run on them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from visavis.data.captures import read_capture, read_face
from visavis.data.dualtalk import find_alone, find_pairs, read_dialogue, read_folder
from visavis.data.statistics import describe, folder_statistics
from visavis.errors import Error, FileError, InvalidArgument
from visavis.motion_file import CSV_CHANNELS, CSV_HEADER
from visavis.motion_space import ARKIT55, FLAME56

AT = ARKIT55.index


def write_capture(
    stem: Path,
    seconds: float = 12.0,
    fps: int = 60,
    rate: int = 48_000,
    late_s: float = 0.0,
    seed: int = 0,
    change: Callable[[list[list[str]]], None] = lambda rows: None,
) -> None:
    """A voice of bursts and a jaw that follows it (`late_s` behind), as the app writes it; `change` spoils the rows."""
    rng = np.random.default_rng(seed)
    beats = rng.uniform(0, 1, int(seconds * 4) + 2) * (rng.uniform(0, 1, int(seconds * 4) + 2) > 0.3)

    def loud(time: np.ndarray) -> np.ndarray:
        return np.interp(time, np.arange(len(beats)) / 4, beats)

    time = np.arange(round(seconds * rate)) / rate
    voice = 0.3 * loud(time) * np.sin(2 * np.pi * 170 * time)
    soundfile.write(stem.with_suffix(".wav"), np.stack([voice, voice], 1), rate, subtype="PCM_24")
    rows = []
    for k in range(round(seconds * fps)):
        values = np.zeros(len(CSV_CHANNELS))
        values[AT("jawOpen")] = 0.5 * loud(np.array([k / fps - late_s]))[0]
        values[AT("headYaw")] = 0.2 * np.sin(k / fps)
        whole, frame = divmod(k, fps)
        code = f"10:{30 + whole // 60:02d}:{whole % 60:02d}:{frame:02d}.000"
        rows.append([code, str(len(CSV_CHANNELS)), *(f"{v:.6f}" for v in values)])
    change(rows)
    text = "\n".join(",".join(row) for row in [list(CSV_HEADER), *rows])
    stem.with_suffix(".csv").write_text(text + "\n")


def capture(folder: Path, **options: object) -> tuple[np.ndarray, np.ndarray, list[str]]:
    write_capture(folder / "a", **options)  # type: ignore[arg-type]
    return read_capture(folder / "a.csv", folder / "a.wav")


@pytest.mark.parametrize(("fps", "rate"), [(30, 44_100), (60, 48_000)])
def test_voice_and_face_come_to_one_clock(tmp_path: Path, fps: int, rate: int) -> None:
    audio, motion, notes = capture(tmp_path, fps=fps, rate=rate)
    assert notes == [] and motion.shape[1] == 55 and motion.dtype == audio.dtype == np.float32
    assert abs(len(motion) - 300) <= 1 and abs(len(audio) - 12 * 16_000) <= 2
    level = np.sqrt(np.square(audio[: 299 * 640].reshape(299, 640)).mean(1))
    assert np.corrcoef(level, motion[:299, AT("jawOpen")])[0, 1] > 0.95
    np.testing.assert_allclose(motion[:290, AT("headYaw")], 0.2 * np.sin(np.arange(290) / 25), atol=2e-3)


def test_a_face_that_appears_late_keeps_its_time(tmp_path: Path) -> None:
    def gone(rows: list[list[str]]) -> None:
        for row in rows[:15]:
            row[1:] = ["0"]

    _, motion, notes = capture(tmp_path, change=gone)
    assert "appears at 0.25 s" in notes[0] and abs(len(motion) - 300) <= 1
    np.testing.assert_allclose(motion[10:290, AT("headYaw")], 0.2 * np.sin(np.arange(10, 290) / 25), atol=2e-3)


def lose(rows: list[list[str]]) -> None:
    del rows[240:300]


def degrees(rows: list[list[str]]) -> None:
    rows[7][2 + AT("headYaw")] = "31.5"


def percents(rows: list[list[str]]) -> None:
    rows[9][2 + AT("jawOpen")] = "42"


def still(rows: list[list[str]]) -> None:
    for row in rows:
        row[2:] = ["0.01"] * len(CSV_CHANNELS)


def thin(rows: list[list[str]]) -> None:
    rows[:] = rows[::5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose, r"a\.csv: no face from 3\.98 to 5\.00 s; expected gaps of at most 0\.5 s: cut the recording there"),
        (degrees, r"headYaw reaches 31\.5 \(tracked frame 7\); expected radians, not degrees"),
        (percents, r"jawOpen reaches 42 \(tracked frame 9\); expected weights of 0 to 1"),
        (still, r"the face does not move \(jawOpen varies by 0\.0000\)"),
        (thin, r"12\.0 tracked frames a second; expected 20 or more"),
        (lambda rows: rows.clear(), "has no frames"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, change: Callable[[list[list[str]]], None], message: str) -> None:
    with pytest.raises(FileError, match=message):
        capture(tmp_path, change=change)


def test_what_looks_wrong_is_noted(tmp_path: Path) -> None:
    assert "a.csv is 0.24 s late against a.wav" in capture(tmp_path, late_s=0.24, seconds=20)[2][0]
    assert "cut that much off the beginning of the WAV" in capture(tmp_path, late_s=-0.2, seconds=20)[2][0]
    write_capture(tmp_path / "a", seconds=20)
    write_capture(tmp_path / "b", seconds=16, seed=9)
    notes = read_capture(tmp_path / "a.csv", tmp_path / "b.wav")[2]
    assert "b.wav lasts 16.0 s, a.csv 20.0 s" in notes[0] and "the voice of somebody else?" in notes[1]
    soundfile.write(tmp_path / "a.wav", np.full(20 * 16_000, 1e-4), 16_000)
    assert (
        "expected a voice unless this person only listens" in read_capture(tmp_path / "a.csv", tmp_path / "a.wav")[2][0]
    )
    soundfile.write(tmp_path / "a.wav", np.clip(3 * np.sin(np.arange(20 * 16_000) / 9), -1, 1), 16_000)
    assert "samples clip" in read_capture(tmp_path / "a.csv", tmp_path / "a.wav")[2][0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people, one alone, one who lost their partner, one unusable."""
    write_capture(tmp_path / "talk_speaker1", seed=1)
    write_capture(tmp_path / "talk_speaker2", seed=2, fps=30, rate=16_000)
    write_capture(tmp_path / "monologue", seed=3)
    write_capture(tmp_path / "lost_speaker1", seed=4, seconds=2)
    write_capture(tmp_path / "degrees", seed=5, seconds=2, change=degrees)
    (tmp_path / "silent.csv").write_text("no voice beside it")
    return tmp_path


def test_a_folder_of_pairs_and_people_alone(folder: Path) -> None:
    assert find_pairs(folder) == (["talk"], ["lost_speaker1", "silent"])
    assert find_alone(folder) == ["degrees", "monologue"]
    found = read_folder(folder, ARKIT55)
    assert [(d.name, d.alone, len(list(d.roles()))) for d in found.dialogues] == [
        ("talk", False, 2), ("monologue", True, 1)
    ]  # fmt: skip
    assert "radians, not degrees" in found.unusable["degrees"]
    alone = read_dialogue(folder, "monologue", ARKIT55)
    assert not alone.persons[1].audio.any() and len(alone.persons[1].motion) == alone.n_frames
    with pytest.raises(InvalidArgument, match="holds arkit55; the model makes flame56"):
        read_folder(folder, FLAME56)
    for name in ("talk_speaker1", "talk_speaker2", "monologue"):
        (folder / f"{name}.csv").unlink()
    with pytest.raises(FileError, match="none of 1 recordings can be used: .*radians"):
        read_folder(folder, ARKIT55)


def test_statistics_say_what_is_wrong(folder: Path) -> None:
    found = folder_statistics(folder, "train", ARKIT55)
    text = describe(found)
    assert (found["conversations"], found["clips"]) == (2, 3)
    assert "one person alone: monologue" in text and "not readable: degrees (" in text
    assert "partner or file missing: lost_speaker1, silent" in text


def test_a_run_on_captures_trains_and_its_model_speaks(folder: Path, tmp_path: Path) -> None:
    """From CSV and WAV to a model file that a session runs; the one alone is an agent without a user."""
    from test_training import TINY

    import visavis
    from visavis.training.crops import CropSampler
    from visavis.training.loop import Run, train
    from visavis.training.recipes import apply_settings, recipe_and_config

    recipe, config = recipe_and_config("live")
    settings = [f"{k}={v}" for k, v in TINY.items()] + [
        "conv_widths=16,16,16,16",
        "mel_bands=16",
        "seconds=4",
        "batch=2",
    ]
    recipe, config = apply_settings(recipe, config, settings)
    said: list[str] = []
    path = train(Run(folder, tmp_path / "run", recipe, config, steps=2, licence="proprietary"), said.append)
    text = "\n".join(said)
    assert "left out: degrees: " in text and "partner or file missing: lost_speaker1, silent" in text
    assert "2 conversations (1 of one person alone)" in text
    voice = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    motion = visavis.animate(agent=(voice, 16_000), user=None, model=path)
    assert motion.values.shape == (25, 55) and np.isfinite(motion.values).all()

    only = [d for d in read_folder(folder, ARKIT55).dialogues if d.alone]
    sampler = CropSampler(only, config, recipe.crops, seed=1)
    for i in range(8):
        crop = sampler.crop(np.random.default_rng(i))
        assert not crop["user_motion_present"].any() and not crop["user_audio"][config.context_samples :].any()
        assert crop["agent_motion"].any()


def test_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("nonsense")
    (tmp_path / "a.wav").write_bytes(b"no")
    for read in (lambda: read_face(tmp_path / "a.csv"), lambda: read_capture(tmp_path / "a.csv", tmp_path / "a.wav")):
        with pytest.raises(Error) as found:
            read()
        assert "\n" not in str(found.value) and "a.csv" in str(found.value)
