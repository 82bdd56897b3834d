"""A whole tiny corpus, spoken by espeak-ng alone: layout, determinism, resumption, closures, ranges, smoothness."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from visavis import cli
from visavis.data.corpus.build import build
from visavis.data.corpus.phones import BILABIALS, OPEN_VOWELS, Phone
from visavis.data.corpus.visemes import closure_frame, lips_shut
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import ARKIT55

HOURS, SEED, VOICES = 0.006, 5, ("espeak",)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    build(folder, HOURS, SEED, VOICES)
    return folder


def people(folder: Path) -> list[tuple[dict[str, Any], np.ndarray]]:
    found = []
    for path in sorted(folder.glob("t*/*.npz")) + sorted(folder.glob("val/*.npz")):
        with np.load(path) as data:
            found.append((dict(data), soundfile.read(path.with_suffix(".wav"), dtype="float32")[0]))
    return found


def digest(folder: Path, *names: str) -> dict[str, str]:
    files = [path for name in names for path in sorted(folder.glob(name)) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def phones_of(data: dict[str, Any]) -> list[Phone]:
    columns = (data[name].tolist() for name in ("phone_label", "phone_start", "phone_end"))
    return [Phone(*row) for row in zip(*columns, strict=True)]


def test_layout_is_what_training_reads(corpus: Path) -> None:
    for split in ("train", "val", "test"):
        assert {p.name[-13:] for p in (corpus / split).iterdir()} == {
            f"_speaker{i}.{x}" for i in "12" for x in ("wav", "npz")
        }
    for path in corpus.glob("t*/*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "FLOAT")
    for data, audio in people(corpus):
        n_frames = len(audio) // 640
        assert len(audio) == n_frames * 640
        shapes = {"exp": 50, "pose": 6, "arkit55": 55}
        assert all(data[k].shape == (n_frames, n) and data[k].dtype == np.float32 for k, n in shapes.items())
        assert data["speaking"].shape == (n_frames,) and data["speaking"].dtype == bool
        assert (np.diff(data["phrase_end"]) > 0).all() and data["phrase_end"].dtype == np.float32
        assert (data["phone_start"][1:] >= data["phone_end"][:-1] - 1e-4).all()
        assert data["phone_end"].max() < n_frames / 25


def test_description_names_seed_voices_licences_and_constants(corpus: Path) -> None:
    text = json.loads((corpus / "corpus.json").read_text())
    assert len(text["text"]) == 64
    assert text["plan"]["seed"] == SEED and text["licences"]["espeak"].startswith("espeak-ng, GPL")
    assert text["constants"]["dialogue"]["OFFSET_MEAN_S"] == 0.2 and "NOD_DELAY_S" in text["constants"]["listening"]
    used = [set(text["voices"][split]) for split in ("train", "val", "test")]
    assert all(used) and not used[0] & used[1] and not used[1] & used[2] and not used[0] & used[2]
    assert text["statistics"]["all"]["hours"] == text["hours"] > 0.5 * HOURS


def test_same_seed_same_bytes_for_any_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    build(tmp_path, HOURS, SEED, VOICES, workers=2)
    assert digest(tmp_path, "**/*") == digest(corpus, "**/*")


def test_a_stopped_build_goes_on(corpus: Path) -> None:
    before = digest(corpus, "*/*")
    spoken = {p: p.stat().st_mtime_ns for p in corpus.glob("bank/*/*")}
    (corpus / "done" / "test_0002.json").unlink()
    (corpus / "test" / "test_0002_speaker1.npz").unlink()
    calls: list[tuple[int, int, float]] = []
    build(corpus, HOURS, SEED, VOICES, progress=lambda *x: calls.append(x))
    assert [c[:2] for c in calls] == [(3, 3)]
    assert digest(corpus, "*/*") == before
    assert {p: p.stat().st_mtime_ns for p in corpus.glob("bank/*/*")} == spoken


def test_closures_are_shut_and_open_vowels_are_not(corpus: Path) -> None:
    shut_at, open_at, jaws = [], [], []
    for data, _ in people(corpus):
        shut = lips_shut(data["arkit55"])
        for phone in phones_of(data):
            if phone.label in BILABIALS:
                shut_at.append(shut[closure_frame(phone)])
            elif phone.label in OPEN_VOWELS and phone.end - phone.start > 0.06:
                open_at.append(shut[closure_frame(phone)])
                jaws.append(data["arkit55"][closure_frame(phone), ARKIT55.index("jawOpen")])
    assert len(shut_at) > 20 and all(shut_at)
    assert np.mean(open_at) <= 0.02 and np.mean(jaws) > 0.25


def test_labels_lie_on_the_sound(corpus: Path) -> None:
    related = []
    for data, audio in people(corpus):
        level = np.sqrt((audio.reshape(-1, 160).astype(np.float64) ** 2).mean(axis=1))  # 100 Hz
        inside = np.zeros(len(level), bool)
        for phone in phones_of(data):
            inside[round(phone.start * 100) : round(phone.end * 100)] = True
        near = np.convolve(inside, np.ones(9), "same") > 0
        assert level[inside].mean() > 10.0 * level[~near].mean()
        jaw = np.repeat(data["arkit55"][:, ARKIT55.index("jawOpen")], 4)
        related.append(np.corrcoef(jaw[near], level[near])[0, 1])
        assert 0.02 < np.sqrt(np.mean(audio[np.repeat(data["speaking"], 640)] ** 2)) < 0.15
        assert np.abs(audio).max() <= 0.98
    assert np.mean(related) > 0.15  # real conversations: 0.2 to 0.5


def test_motion_is_in_range_and_smooth(corpus: Path) -> None:
    for data, _ in people(corpus):
        motion = data["arkit55"]
        assert np.isfinite(motion).all() and motion[:, :52].min() >= 0.0 and motion[:, :52].max() <= 1.0
        assert np.abs(motion[:, 52:]).max() < 0.7
        second = np.diff(motion, n=2, axis=0)
        assert np.abs(second[:, 52:]).max() < np.deg2rad(6.0)  # sharpest beats and fast nods
        assert np.sqrt((second[:, [52, 54]] ** 2).mean()) < np.deg2rad(0.2)
        for name in ("mouthSmileLeft", "browInnerUp"):
            assert np.abs(np.diff(motion[:, ARKIT55.index(name)])).max() < 0.25
        quiet = ~(np.convolve(data["speaking"], np.ones(25), "same") > 0)
        assert motion[quiet][:, ARKIT55.index("jawOpen")].max(initial=0.0) < 0.02


def test_wrong_requests_are_refused_in_one_line(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    with pytest.raises(InvalidArgument, match="--hours is 0"):
        build(tmp_path, 0.0)
    with pytest.raises(InvalidArgument, match="no two voices in split"):
        build(tmp_path, 1.0, chosen=("pico",))
    with pytest.raises(FileError, match="holds another corpus"):
        build(corpus, HOURS, SEED + 1, VOICES)
    (tmp_path / "file").write_text("")
    command = f"visavis corpus build --hours 0.01 --engines espeak --out {tmp_path / 'file'}"
    monkeypatch.setattr("sys.argv", command.split())
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert "cannot be written" in capsys.readouterr().err
