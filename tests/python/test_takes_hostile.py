"""Take files and journals that are foreign, cut, forged or damaged: a clear refusal, or a take that makes sense."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from take_cases import live, small_model

from visavis.errors import FileError
from visavis.takes.file import load_take
from visavis.takes.journal import HEAD, MAGIC
from visavis.takes.take import ARRAYS, Take

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def take_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("take")
    model = small_model(folder / "small.gguf")
    live(model, folder / "t.npz", seconds=3.0)
    return folder / "t.npz"


@pytest.fixture(scope="module")
def journal(take_file: Path) -> bytes:
    """The journal of a recording that was not closed."""
    import visavis

    session = visavis.load(take_file.parent / "small.gguf").session(take=take_file.parent / "j.npz")
    session.push_agent_audio(np.full(48_000, 0.1, np.float32), 16_000)
    session.push_user_audio(np.full(48_000, 0.1, np.float32), 16_000)
    session.set_dial("emotion.joy", 0.2)
    session.poll()
    assert session.recorder is not None
    data = session.recorder.journal.read_bytes()
    session.close()
    return data


def arrays_of(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write(path: Path, arrays: Arrays) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            body = io.BytesIO()
            if isinstance(array, bytes):
                body.write(array)
            else:
                np.lib.format.write_array(body, np.asarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", body.getvalue())
    return path


def refused(path: Path, said: str) -> None:
    with pytest.raises(FileError, match=said) as caught:
        load_take(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text and "expected a take" in text and len(text) < 1000


def about(arrays: Arrays, **changes: Any) -> Arrays:
    found = json.loads(str(arrays["about"]))
    return {**arrays, "about": np.array(json.dumps({**found, **changes}))}


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


CASES: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "pickled": (lambda a: {**a, "event_name": np.array([{"x": 1}], object)}, "array 'event_name' is object"),
    "pickled about": (lambda a: {**a, "about": np.array({"format": 1}, object)}, "array 'about' is object"),
    "no about": (lambda a: {k: v for k, v in a.items() if k != "about"}, "no array 'about'"),
    "a motion file": (lambda a: {k: a[k] for k in ("values", "channels", "fps", "time_ns")}, "no array 'about'"),
    "lacks an array": (lambda a: {k: v for k, v in a.items() if k != "turn_steps"}, "no array 'turn_steps'"),
    "dtype": (lambda a: {**a, "turn": a["turn"].astype("f8")}, "array 'turn' is float64 with 1 dim"),
    "bool as int": (lambda a: {**a, "turn_user_heard": a["turn_user_heard"].astype("u1")}, "is uint8"),
    "dimensions": (lambda a: {**a, "turn_motion": a["turn_motion"][:, 0]}, "with 2 dimensions, 3 are needed"),
    "lengths": (lambda a: {**a, "state": a["state"][:-1]}, r"array 'state' has shape \(\d+,\), N is"),
    "channels": (lambda a: {**a, "turn_motion": a["turn_motion"][:, :, :-1]}, "C is 55"),
    "names": (lambda a: {**a, "channels": a["channels"][::-1]}, "'channels' differs"),
    "nan": (lambda a: {**a, "agent_audio": a["agent_audio"] * np.float32("nan")}, "not finite"),
    "loud": (lambda a: {**a, "user_audio": a["user_audio"] + np.float32(1e6)}, "samples above 64"),
    "turns go back": (lambda a: {**a, "turn": a["turn"][::-1].copy()}, "'turn' does not rise"),
    "far turn": (lambda a: {**a, "turn": a["turn"] + 2**60}, "'turn' does not rise"),
    "far user": (lambda a: {**a, "turn_user_frame": a["turn_user_frame"] - 2**62}, "leaves the take"),
    "action": (lambda a: {**a, "turn_action": a["turn_action"] + np.uint8(9)}, "'turn_action' has"),
    "steps": (lambda a: {**a, "turn_steps": a["turn_steps"] * 0}, "not 1 to 1000"),
    "events": (lambda a: {**a, "event_rig_frames": -1 - a["event_rig_frames"]}, "goes back"),
    "long text": (lambda a: {**a, "event_name": np.full(len(a["event_name"]), "x" * 300)}, "texts of 300"),
    "huge": (lambda a: {**a, "values": header("(4000000000, 55)") + b"\0" * 64}, "bytes where"),
    "overflow": (lambda a: {**a, "values": header("(9223372036854775807, 55)")}, "'values' of"),
    "negative": (lambda a: {**a, "values": header("(-1, 55)")}, "expected a take"),
    "code": (lambda a: {**a, "values": header("__import__('os')")}, "cannot be read"),
    "zero-width": (lambda a: {**a, "values": header("(1000000000000, 55)", "|V0")}, "expected a take"),
    "no json": (lambda a: {**a, "about": np.array("{")}, "'about' is not JSON"),
    "deep json": (lambda a: {**a, "about": np.array("[" * 100_000)}, "'about' is not JSON"),
    "long about": (lambda a: {**a, "about": np.array(" " * 300_000)}, "bytes where|characters"),
    "no object": (lambda a: {**a, "about": np.array("[1]")}, "names no format"),
    "later": (lambda a: about(a, format=2), "format 2, this version reads 1"),
    "seed": (lambda a: about(a, seed=2**64), "has seed"),
    "bool": (lambda a: about(a, turn_frames=True), "turn_frames of type bool"),
    "zero frames": (lambda a: about(a, turn_frames=0), "has turn_frames 0"),
    "text": (lambda a: about(a, engine=5), "engine of type int, str is needed"),
    "list": (lambda a: about(a, channels=[1, 2]), "channels that is no list of texts"),
    "source": (lambda a: about(a, source="x"), "source 'x', session or wire"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_forged_take_is_refused(name: str, take_file: Path, tmp_path: Path) -> None:
    forge, said = CASES[name]
    refused(write(tmp_path / "forged.npz", forge(arrays_of(take_file))), said)


def test_what_is_no_take_is_refused(take_file: Path, tmp_path: Path) -> None:
    for name, content in {"text": b"not a take" * 99, "zeros": b"\0" * 999, "zip": b"PK\x03\x04" + b"x" * 99}.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, "cannot be read")
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", r"is empty \(0 bytes\)")
    refused(tmp_path / "none.npz", "not found")
    refused(tmp_path, "is a directory")
    (tmp_path / "journal").write_bytes(MAGIC)
    refused(tmp_path / "journal", "breaks off before it says what it is of")
    data = take_file.read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "cut.npz", "cannot be read")


def test_two_arrays_of_one_name_are_refused(take_file: Path, tmp_path: Path) -> None:
    write(tmp_path / "t.npz", arrays_of(take_file))
    with zipfile.ZipFile(tmp_path / "t.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("turn.npy", b"")
    refused(tmp_path / "t.npz", "two arrays of one name")


def assert_sane(take: Take) -> None:
    """What callers rely on."""
    n_turns = len(take.turn)
    assert all(len(getattr(take, name)) == n_turns for name in ARRAYS if name.startswith("turn"))
    assert take.values.shape == (len(take.frame), len(take.channels)) and np.isfinite(take.values).all()
    for row in range(n_turns):
        assert take.agent_slice(row).shape == ((take.about.turn_frames + take.about.lookahead_frames) * 640,)
        assert take.user_slice(row)[0].shape == (take.about.turn_frames * 640,)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(changed)))
        kind = rng.integers(4)
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del changed[at : at + int(rng.integers(1, 400))]
        elif kind == 2:
            changed[at:at] = rng.bytes(int(rng.integers(1, 50)))
        else:
            changed[at : at + 8] = b"\xff" * 8
    return bytes(changed)


def test_damaged_takes_never_crash(take_file: Path, tmp_path: Path) -> None:
    rng, data, n_opened = np.random.default_rng(0), take_file.read_bytes(), 0
    directory = len(data) - 4_000  # damage the archive's directory as often as its arrays
    for number in range(300):
        path = tmp_path / "damaged.npz"
        path.write_bytes(damaged(data, rng) if number % 2 else data[:directory] + damaged(data[directory:], rng))
        try:
            assert_sane(load_take(path))
            n_opened += 1
        except FileError as error:
            assert "\n" not in str(error)
    assert n_opened < 150


def test_a_journal_opens_up_to_wherever_it_is_cut(journal: bytes, tmp_path: Path) -> None:
    path, seconds = tmp_path / "t.npz.journal", [0.0]
    for end in [*range(len(MAGIC) + 4_000, len(journal), 997), len(journal)]:
        path.write_bytes(journal[:end])
        take = load_take(path)
        assert_sane(take)
        assert not take.about.complete and take.seconds >= seconds[-1]
        seconds.append(take.seconds)
    # 3 s were pushed; the model looks 2 frames ahead, so that 14 turns were made.  2 s are there well before the end.
    assert seconds[-1] == 2.8 and len(load_take(path).event_kind) == 1
    assert len(set(seconds)) == 15


def test_damaged_journals_never_crash(journal: bytes, tmp_path: Path) -> None:
    rng, path, n_opened = np.random.default_rng(1), tmp_path / "t.npz.journal", 0
    for _ in range(300):
        path.write_bytes(damaged(journal, rng))
        try:
            assert_sane(load_take(path))
            n_opened += 1
        except FileError as error:
            assert "\n" not in str(error)
    assert n_opened > 100  # most damage comes behind the first record: what lies before it is saved


FORGED_RECORDS = {
    "short turn": (b"T", b"\0" * 20),
    "far turn": (b"T", struct.pack("<qqiffqqqqqqBIB", 2**40, 0, 5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0) + b"\0" * 1100),
    "far frame": (b"F", struct.pack("<qqH", 2**50, 2**50, 0) + b"\0" * 220),
    "far voice": (b"V", struct.pack("<Bq", 1, 2**60) + b"\0" * 64),
    "no json": (b"E", b"["),
    "deep json": (b"E", b"[" * 100_000),
    "odd event": (b"E", b'[{}, 1, "x", null]'),
    "long event": (b"E", json.dumps(["x" * 5_000, "", 0, 0]).encode()),
    "rig goes back": (b"R", struct.pack("<q3?", 5, True, False, False) * 2),
    "half rig": (b"R", b"\0" * 5),
    "nan frame": (b"F", struct.pack("<qqH", 1, 1, 0) + b"\xff" * 220),
}


@pytest.mark.parametrize("name", FORGED_RECORDS)
def test_a_forged_record_is_refused(name: str, journal: bytes, tmp_path: Path) -> None:
    kind, payload = FORGED_RECORDS[name]
    record = HEAD.pack(len(payload), zlib.crc32(payload, zlib.crc32(kind)), kind) + payload
    (tmp_path / "t.npz.journal").write_bytes(journal + record)
    refused(tmp_path / "t.npz.journal", "take file")


def test_records_of_later_versions_are_left_out(journal: bytes, tmp_path: Path) -> None:
    record = HEAD.pack(3, zlib.crc32(b"new", zlib.crc32(b"~")), b"~") + b"new"
    (tmp_path / "t.npz.journal").write_bytes(journal + record)
    assert load_take(tmp_path / "t.npz.journal").seconds == 2.8
