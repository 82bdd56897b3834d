"""Takes: a recording holds what the session saw and gave, and running the model on it again gives the same bytes."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recording_engine import RecordingEngine
from take_cases import FRAME_NS, live, offline, small_model, voice

import visavis
from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import read_motion
from visavis.session import FrameState, Model
from visavis.takes.file import load_take, write_take
from visavis.takes.journal import journal_path
from visavis.takes.recorder import TakeRecorder, sha256_of
from visavis.takes.replay import TOLERANCE, replay
from visavis.takes.take import ARRAYS, Take


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return small_model(tmp_path_factory.mktemp("model") / "small.gguf")


def assert_equal_takes(a: Take, b: Take) -> None:
    assert a.about == b.about
    for name in ARRAYS.keys() - {"channels", "fps"}:
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype and np.array_equal(left, right), name


def test_a_take_holds_what_the_engine_saw_and_what_was_given_out(tmp_path: Path) -> None:
    engine = RecordingEngine()
    take, frames = live(Model(engine), tmp_path / "t.npz")
    n = len(take.turn) * 3200
    assert np.array_equal(take.agent_audio[:n], engine.agent_audio())
    assert np.array_equal(take.user_audio[: n - 7 * 640], engine.user_audio()[7 * 640 :])
    for row, turn in enumerate(engine.turns):
        heard, face, there = take.user_slice(row)
        assert take.turn_user_heard[row] == (turn.user_audio is not None)
        assert turn.user_audio is None or np.array_equal(heard, turn.user_audio)
        assert turn.agent_audio is None or np.array_equal(take.agent_slice(row), turn.agent_audio)
        assert (turn.user_motion is None) == (not there.any())
        assert turn.user_motion is None or np.array_equal(face, turn.user_motion)
    assert not take.turn_user_heard.all() and take.user_motion_there.any()
    given = {frame.index: frame for frame in frames}  # the last one of a number counts
    assert take.frame.tolist() == sorted(given)
    assert all(np.array_equal(row, given[k].values) for k, row in zip(take.frame.tolist(), take.values, strict=True))
    assert take.state.tolist() == [int(given[k].state) for k in take.frame.tolist()]
    assert take.time_ns.tolist() == [given[k].time_ns for k in take.frame.tolist()]
    assert np.array_equal(take.turn_motion[:, 0, 0], take.turn) and set(take.turn_steps) == {5}
    assert take.turn_stage_ns[0].tolist() == [3, 2, 1]
    events = list(zip(take.event_kind.tolist(), take.event_time_ns.tolist(), strict=True))
    assert events == [("dial", 600_000_000), ("cancel", 2_800_000_000)] and take.event_value[1] == 2_800_000_000


def test_the_end_of_the_users_voice_is_in_the_take(model: Model, tmp_path: Path) -> None:
    with model.session(voices="both", take=tmp_path / "t.npz") as session:
        session.push_user_audio(voice(2.0, 7, 16_000), 16_000)
        session.push_agent_audio(np.zeros(16_000, np.float32), 16_000)
        session.end()
        session.poll()
    take = load_take(tmp_path / "t.npz")
    np.testing.assert_array_equal(take.user_audio[:32_000], voice(2.0, 7, 16_000))


@pytest.mark.parametrize("options", [{}, {"agent_audio": "live"}, {"guidance": 1.5, "steps": 3, "temperature": 2.0}])
@pytest.mark.parametrize("talk", [offline, live])
def test_replay_gives_the_same_bytes(model: Model, tmp_path: Path, talk: object, options: dict[str, object]) -> None:
    take, frames = talk(model, tmp_path / "t.npz", **options)  # type: ignore[operator]
    again = replay(take, model.path)
    assert again.same_bytes and again.kept_promise and again.promise == "bytes" and not again.changes
    assert again.n_turns == len(take.turn) > 15 and again.n_frames > 75
    shown = {f.index: f for f in frames if not f.state & FrameState.WITHDRAWN}
    gone = {f.index for f in frames if f.state & FrameState.WITHDRAWN} - {
        k for k, f in shown.items() if not take.state[take.frame == k][0] & 8
    }
    kept = [f for k, f in sorted(shown.items()) if k not in gone]
    np.testing.assert_array_equal(again.motion.values, [f.values for f in kept])
    assert np.std(again.motion.values, axis=0).max() > 0.01


class SlowMachine:
    """A clock on which some of the engine's turns take very long, and some of those so long that turns are skipped."""

    def __init__(self) -> None:
        self.now_ns = self.n_asked = 0

    def __call__(self) -> int:
        self.n_asked += 1
        self.now_ns += 700_000_000 if self.n_asked % 61 == 0 else 130_000_000 if self.n_asked % 5 == 0 else 1_000_000
        return self.now_ns


@pytest.mark.parametrize(("late", "action"), [("hold", 1), ("fewer_steps", 2), ("idle", 3)])
def test_replay_of_late_turns_gives_the_same_bytes(model: Model, tmp_path: Path, late: str, action: int) -> None:
    take, frames = live(model, tmp_path / "t.npz", seconds=12.0, late=late, clock=SlowMachine())
    assert action in take.turn_action and np.diff(take.turn_clock_ns[:, 2]).max() > 150_000_000
    again = replay(take, model.path)
    assert again.same_bytes and again.promise == "bytes" and again.n_frames > 100
    assert (again.n_kept > 0) == bool(take.replaced.any() or take.rig_eased.any())
    assert (late == "idle") == bool(take.rig_idle.any())
    if late == "fewer_steps":
        assert len(set(take.turn_steps.tolist())) > 1
    assert take.frame.tolist() == sorted({frame.index for frame in frames})


def test_voices_that_no_turn_saw_are_in_the_take(tmp_path: Path) -> None:
    engine = RecordingEngine()
    agent, user = voice(4, 1, 16_000), voice(4, 2, 16_000)
    with Model(engine).session(take=tmp_path / "t.npz") as session:
        session.push_agent_audio(agent, 16_000, 0)
        session.push_user_audio(user, 16_000, 0)
        session.advance(200_000_000)
        session.advance(2_600_000_000)  # stood still for two seconds: turns are skipped
        session.poll()
    take = load_take(tmp_path / "t.npz")
    assert len(engine.turns) == len(take.turn) < 6 and np.diff(take.turn).max() > 5
    n = len(take.agent_audio)
    assert n > 2.4 * 16_000 and np.array_equal(take.agent_audio, agent[:n])
    assert len(take.user_audio) > n and np.array_equal(take.user_audio, user[: len(take.user_audio)])


def test_recording_changes_nothing(model: Model, tmp_path: Path) -> None:
    agent, user = (voice(3, 1), 24_000), (voice(3, 2), 24_000)
    plain = visavis.animate(agent, user, model=model, seed=5)
    recorded = visavis.animate(agent, user, model=model, seed=5, take=tmp_path / "t.npz")
    np.testing.assert_array_equal(plain.values, recorded.values)
    np.testing.assert_array_equal(load_take(tmp_path / "t.npz").values, plain.values)
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]  # no journal is left


def test_a_replay_says_what_has_changed(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take, _ = offline(model, tmp_path / "t.npz")
    assert take.about.model_sha256 == sha256_of(model.path)  # type: ignore[arg-type]
    other = small_model(tmp_path / "other.gguf", seed=1)
    again = replay(take, other)
    assert again.promise == "none" and again.kept_promise and not again.same_bytes
    assert "the model has changed: hash was" in again.changes[0] and take.about.model_sha256[:12] in again.changes[0]
    torch = replay(take, model.path, engine="torch")
    assert torch.promise == "tolerance" and torch.kept_promise and "engine was cpu, is torch" in torch.changes
    assert 0 < torch.largest_before_rig < TOLERANCE
    monkeypatch.setenv("VISAVIS_ISA", "base")
    base = replay(take, model.path)
    assert base.kept_promise and any(change.endswith("is base") for change in base.changes)
    monkeypatch.delenv("VISAVIS_ISA")
    older = replay(replace(take, about=replace(take.about, version="0.0.1")), model.path)
    assert older.promise == "tolerance" and older.same_bytes and "version was 0.0.1" in older.changes[0]
    happy = replay(take, model.path, dials={"emotion.joy": 1.0})
    assert happy.largest_before_rig == 0 < happy.largest_after_rig and happy.promise == "none"


def test_a_take_says_its_precision_and_replays_in_it(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = visavis.load(model.path, precision="auto", threads=2)
    take, _ = offline(fast, tmp_path / "t.npz")
    assert take.about.precision == {"bf16": "bfloat16", "f32": "float32"}[fast.engine.precision]  # type: ignore[attr-defined]
    same = replay(take, model.path)
    assert same.promise == "bytes" and same.same_bytes and same.changes == ()
    monkeypatch.setenv("VISAVIS_ISA", "base")  # a processor without bf16
    plain = replay(take, model.path)
    if take.about.precision == "bfloat16":
        assert plain.promise == "none" and "precision was bfloat16, is float32" in plain.changes
    else:
        assert plain.promise == "tolerance" and plain.kept_promise


@pytest.mark.parametrize("name", ["turn_motion", "values", "agent_audio"])
def test_a_broken_promise_is_told(model: Model, tmp_path: Path, name: str) -> None:
    take, _ = offline(model, tmp_path / "t.npz")
    changed = getattr(take, name).copy()
    changed[len(changed) // 2 :] *= 0.5
    again = replay(replace(take, **{name: changed}), model.path)
    assert not again.same_bytes and not again.kept_promise and again.promise == "bytes"


def test_a_model_that_does_not_fit_is_refused(tmp_path: Path, model: Model) -> None:
    take, _ = offline(model, tmp_path / "t.npz")
    with pytest.raises(InvalidArgument, match=r"model recording does not fit the take, which has 55 channels"):
        replay(take, Model(RecordingEngine()))


def test_a_take_survives_the_round_trip_and_is_a_motion_file(model: Model, tmp_path: Path) -> None:
    take, _ = offline(model, tmp_path / "t.npz")
    write_take(tmp_path / "u.npz", take)
    assert_equal_takes(take, load_take(tmp_path / "u.npz"))
    assert (tmp_path / "t.npz").read_bytes() == (tmp_path / "u.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        assert {entry.filename for entry in archive.infolist()} == {f"{name}.npy" for name in ("about", *ARRAYS)}
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    motion = read_motion(tmp_path / "t.npz")
    assert motion.channels == take.channels and np.array_equal(motion.values, take.values)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind != "O" for name in arrays.files)


def test_a_session_without_turns_leaves_no_take(model: Model, tmp_path: Path) -> None:
    model.session(take=tmp_path / "t.npz").close()
    assert not list(tmp_path.iterdir())


def test_a_place_where_no_take_can_be_is_refused_before_anything_runs(model: Model, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "t.wav", "expected .npz"), (tmp_path / "no" / "t.npz", "does not exist")):
        with pytest.raises((InvalidArgument, FileError), match=said):
            model.session(take=path)
    journal_path(tmp_path / "t.npz").touch()
    with pytest.raises(FileError, match=r"exists already: another recording writes it or was killed"):
        model.session(take=tmp_path / "t.npz")


class FullDisk:
    """A journal file that takes so many bytes more."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self._room = file, room

    def write(self, record: bytes) -> int:
        taken = record[: self._room]
        self._room -= len(taken)
        return int(self._file.write(taken))  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def test_a_full_disk_ends_the_recording_and_not_the_session(model: Model, tmp_path: Path) -> None:
    session = model.session(take=tmp_path / "t.npz")
    recorder = session.recorder
    assert isinstance(recorder, TakeRecorder)
    recorder._journal._file = FullDisk(recorder._journal._file, 200_000)  # type: ignore[assignment]
    session.push_agent_audio(voice(4, 1), 24_000)
    session.push_user_audio(voice(4, 2), 24_000)
    session.end()
    assert len(session.poll()) == 100  # all of it
    with pytest.raises(FileError, match=r"disk is full\).*what was recorded before is in .*t\.npz\.journal"):
        session.close()
    kept = load_take(tmp_path / "t.npz")  # what there is of it is a take all the same
    assert 1 < kept.seconds < 4 and not kept.about.complete


def test_an_engine_that_fails_leaves_a_take_of_what_came_before(tmp_path: Path) -> None:
    engine = RecordingEngine()
    with Model(engine).session(take=tmp_path / "t.npz") as session:
        session.push_agent_audio(voice(1, 1), 24_000)
        session.push_user_audio(voice(1, 2), 24_000)
        before = session.poll(10)
        engine.n_failures = 1
        session.end()
        with pytest.raises(Exception, match="out of order"):
            session.poll()
        after = session.poll()
    take = load_take(tmp_path / "t.npz")
    assert len(take.frame) == len(before) + len(after) == 25 and len(take.turn) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"] and take.time_ns[-1] == 24 * FRAME_NS
