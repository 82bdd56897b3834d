"""The reader of conversation folders."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conversations import write_data_set, write_recording

from visavis.data.dualtalk import Person, find_pairs, read_dialogue, read_folder, read_split
from visavis.data.statistics import describe, folder_statistics, speaks
from visavis.errors import FileError, InvalidArgument
from visavis.motion_space import ARKIT55, FLAME56


def test_lengths_are_cut_to_the_shortest_and_labels_are_kept(tmp_path: Path) -> None:
    motion = write_recording(tmp_path / "a_speaker1", 102)
    write_recording(tmp_path / "a_speaker2", 100, extra_samples=700, seed=1)
    dialogue = read_dialogue(tmp_path, "a", ARKIT55)
    assert dialogue.n_frames == 100
    for person in dialogue.persons:
        assert person.motion.shape == (100, 55) and person.audio.shape == (100 * 640,)
        assert person.audio.dtype == np.float16
    np.testing.assert_array_equal(dialogue.persons[0].motion, motion[:100])
    assert list(dialogue.persons[0].labels["phone_label"][:2]) == ["P", "AA"]
    (agent, user), (agent2, user2) = dialogue.roles()
    assert agent is user2 and user is agent2


def test_flame_order_is_expression_jaw_neck(tmp_path: Path) -> None:
    for speaker in (1, 2):
        write_recording(tmp_path / f"a_speaker{speaker}", 60)
    motion = read_dialogue(tmp_path, "a", FLAME56).persons[0].motion
    assert motion.shape == (60, 56)
    np.testing.assert_array_equal(motion[0, 50:], [3, 4, 5, 0, 1, 2])  # jaw, then neck


def test_missing_partners_and_files_are_reported(tmp_path: Path) -> None:
    for stem in ("a_speaker1", "a_speaker2", "b_speaker1", "c_speaker1", "c_speaker2"):
        write_recording(tmp_path / stem, 60)
    (tmp_path / "c_speaker2.wav").unlink()
    assert find_pairs(tmp_path) == (["a"], ["b_speaker1", "c_speaker1", "c_speaker2"])
    assert read_folder(tmp_path, ARKIT55).unpaired == ["b_speaker1", "c_speaker1", "c_speaker2"]


def test_splits(tmp_path: Path) -> None:
    write_data_set(tmp_path, n_dialogues=1, seconds=4)
    assert [d.name for d in read_split(tmp_path, "val", ARKIT55).dialogues] == ["talk0"]
    assert read_split(tmp_path / "train", "train", ARKIT55).hours == pytest.approx(4 / 3600)
    with pytest.raises(InvalidArgument, match="'exam' is unknown"):
        read_split(tmp_path, "exam", ARKIT55)


def test_the_ood_split_must_be_one(tmp_path: Path) -> None:
    write_data_set(tmp_path, n_dialogues=1, seconds=4)
    with pytest.raises(FileError, match="no folder 'ood'"):
        read_split(tmp_path, "ood", ARKIT55)
    (tmp_path / "test").rename(tmp_path / "ood")
    assert [d.name for d in read_split(tmp_path, "ood", FLAME56).dialogues] == ["talk0"]


def test_statistics_count_and_report(tmp_path: Path) -> None:
    """a: both speak in the first half; b: nobody; c: a voice too short; d: no partner; e: not readable."""
    half = np.arange(100) < 50
    for speaker in (1, 2):
        write_recording(tmp_path / f"a_speaker{speaker}", 100, speaking=half)
        write_recording(tmp_path / f"b_speaker{speaker}", 300, speaking=np.zeros(300, bool))
        write_recording(tmp_path / f"c_speaker{speaker}", 100 - 20 * speaker, speaking=np.zeros(100, bool))
        write_recording(tmp_path / f"e_speaker{speaker}", 60)
    write_recording(tmp_path / "d_speaker1", 60)
    (tmp_path / "e_speaker2.npz").write_bytes(b"no")
    found = folder_statistics(tmp_path, "train", FLAME56)
    assert (found["conversations"], found["clips"]) == (3, 6)
    assert found["hours"] == pytest.approx(460 / 25 / 3600)
    assert found["seconds_shortest_median_longest"] == [2.4, 4.0, 12.0]
    assert found["speech_share"] == found["overlap_share"] == pytest.approx(50 / 460)
    assert found["silence_share"] == pytest.approx(410 / 460)
    assert found["motion"]["jaw"] == pytest.approx({"mean": 4, "std": 0, "step": 0})  # the jaw's columns are 3, 4, 5
    assert found["unpaired"] == ["d_speaker1"] and list(found["unreadable"]) == ["e"]
    assert found["uneven_frames"] == {"c": [80, 60, 80, 60]}
    text = describe(found)
    assert "3 conversations (6 clips, both roles)" in text and "partner or file missing: d_speaker1" in text
    assert "cut to the shortest: c, voices 80 and 60, faces 80 and 60 frames" in text and "not readable: e (" in text


def test_without_labels_the_level_of_the_voice_says_who_speaks() -> None:
    voice = np.zeros(4 * 640, np.float16)
    voice[640:1280] = 0.1
    assert speaks(Person(voice, np.zeros((4, 56), np.float32))).tolist() == [False, True, False, False]


def test_the_statistics_command(tmp_path: Path) -> None:
    write_data_set(tmp_path, n_dialogues=1, seconds=4)
    words = [
        "corpus",
        "statistics",
        tmp_path,
        "--motion-space",
        "flame56",
        "--split",
        "test",
        "--out",
        tmp_path / "s.json",
    ]
    line = [sys.executable, "-m", "visavis", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0 and "1 conversations (2 clips" in done.stdout, done.stderr
    assert json.loads((tmp_path / "s.json").read_text())["clips"] == 2


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such folder"):
        read_folder(tmp_path / "nowhere", ARKIT55)
    with pytest.raises(FileError, match="no complete"):
        read_folder(tmp_path, ARKIT55)
    for speaker in (1, 2):
        write_recording(tmp_path / f"a_speaker{speaker}", 60)
    broken = tmp_path / "a_speaker2.npz"
    np.savez(broken, exp=np.zeros((60, 50)), pose=np.zeros((60, 6)))
    with pytest.raises(InvalidArgument, match="no array 'arkit55'; found exp, pose"):
        read_folder(tmp_path, ARKIT55)
    np.savez(broken, arkit55=np.full((60, 55), np.nan))
    with pytest.raises(InvalidArgument, match="NaN"):
        read_folder(tmp_path, ARKIT55)
    np.savez(broken, arkit55=np.zeros((60, 54)))
    with pytest.raises(InvalidArgument, match=r"\(60, 54\); expected \(T, 55\)"):
        read_folder(tmp_path, ARKIT55)
    broken.write_bytes(b"not an npz")
    with pytest.raises(FileError, match="not readable as npz"):
        read_folder(tmp_path, ARKIT55)
    soundfile.write(tmp_path / "a_speaker1.wav", np.zeros(800), 8000)
    with pytest.raises(InvalidArgument, match="8000 Hz; expected 16000 Hz"):
        read_folder(tmp_path, ARKIT55)
