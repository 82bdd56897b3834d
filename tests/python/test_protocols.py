"""The protocols of contexts and of robustness, on the authors' tiny model and on signals whose answers are known."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conversations import write_data_set
from recording_engine import RecordingEngine

from visavis.engine import TurnInput
from visavis.engines.torch import TorchEngine
from visavis.errors import InvalidArgument, Unsupported
from visavis.evaluation.generate import EngineGenerator, Scene, SessionGenerator, tracked
from visavis.evaluation.perturb import Perturbation, add_noise, drop_seconds, parse_perturbation, reverberate
from visavis.evaluation.protocol import make_generator
from visavis.model.checkpoint import import_timar, load_official
from visavis.model.config import live_config, paper_config

TINY = Path(__file__).parents[1] / "data" / "timar-tiny"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "tiny.gguf"
    import_timar(TINY / "TIMAR-tiny.pth", TINY / "wav2vec2", out)
    return out


def scene(seconds: int, seed: int = 0, level: float = 0.1) -> Scene:
    rng = np.random.default_rng(seed)
    agent, user = (level * rng.standard_normal((2, seconds * 16000))).astype(np.float32)
    return Scene(agent, user, rng.standard_normal((seconds * 25, 56)).astype(np.float32))


# ---- contexts


def test_a_context_of_n_turns_forgets_what_is_older(imported: Path) -> None:
    """Seconds 0 and 1 differ, the rest is the same: with one past turn, seconds 3 and later are the same, too."""
    a, b = scene(5), scene(5, seed=1)
    pairs = zip(b, a, strict=True)
    b = Scene(*(np.concatenate([new[: len(new) * 2 // 5], old[len(old) * 2 // 5 :]]) for new, old in pairs))
    for n in (0, 1, 3):
        engine = TorchEngine.load(imported, context_turns=n + 1)
        one, two = (EngineGenerator(engine, seed=3)([s])[0].reshape(5, 25, 56) for s in (plain(a), plain(b)))
        differs = np.abs(one - two).max((1, 2)) > 1e-5
        assert differs.tolist() == [True, True, *(t < 2 + n for t in (2, 3, 4))], n


def plain(s: Scene) -> Scene:
    """Unit power already, so that normalising the clip leaves each second what it is."""

    def unit(x: np.ndarray) -> np.ndarray:
        seconds = x.reshape(-1, 16000)
        return ((seconds - seconds.mean(1, keepdims=True)) / seconds.std(1, keepdims=True)).ravel()

    return Scene(unit(s.agent).astype(np.float32), unit(s.user).astype(np.float32), s.face)


def test_the_whole_context_is_what_the_file_says(imported: Path) -> None:
    whole, four = TorchEngine.load(imported), TorchEngine.load(imported, context_turns=4)
    one, two = (EngineGenerator(engine, seed=3)([scene(6)])[0] for engine in (whole, four))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(InvalidArgument, match="context_turns is 5; expected 1 to 4"):
        TorchEngine.load(imported, context_turns=5)
    with pytest.raises(Unsupported, match="goes with window exact"):
        TorchEngine.load(imported, window="amortised", context_turns=2)


def test_which_generator_runs_what(imported: Path) -> None:
    with pytest.raises(Unsupported, match="use engine torch"):
        make_generator(None, live_config(), "cpu", 1, 1.0, context=3)
    with pytest.raises(InvalidArgument, match="expected cpu or torch"):
        make_generator(None, live_config(), "gpu", 1, 1.0)
    found = make_generator(imported, paper_config(), "torch", 1, 1.0, context=1)
    assert isinstance(found, EngineGenerator) and found.engine.config.context_turns == 2


# ---- turns of a scene


def test_turns_are_cut_lagged_and_padded() -> None:
    engine = RecordingEngine(turn_frames=5, lag=7, lookahead=2)
    agent = np.repeat(np.arange(12, dtype=np.float32), 640)  # a sample says its frame
    face = np.tile(np.arange(12, dtype=np.float32)[:, None], (1, 6))
    face[3] = np.nan
    motion = EngineGenerator(engine, seed=5)([Scene(agent, agent, face)])[0]
    assert motion.shape == (12, 6) and not engine.open_slots
    heard = [turn.agent_audio[::640].tolist() for turn in engine.turns]
    assert heard == [[0, 1, 2, 3, 4, 5, 6], [5, 6, 7, 8, 9, 10, 11], [10, 11, 0, 0, 0, 0, 0]]
    assert [turn.user_audio[::640].tolist() for turn in engine.turns] == [[0] * 5, [0, 0, 0, 1, 2], [3, 4, 5, 6, 7]]
    first, second, third = engine.turns
    assert first.user_motion is None and first.user_motion_present is None
    assert second.user_motion_present.tolist() == [False, False, True, True, True]
    assert third.user_motion_present.tolist() == [False, True, True, True, True]
    assert third.user_motion[:, 0].tolist() == [0, 4, 5, 6, 7]
    assert {turn.seed for turn in engine.turns} == {5}


def test_voices_are_normalised_by_the_clip_or_as_sessions_do() -> None:
    one = scene(3)._replace(face=None)
    whole, live = (RecordingEngine(25, 0, 0, normalised=True) for _ in range(2))
    EngineGenerator(whole, 0)([one])
    EngineGenerator(live, 0, live_level=True)([one])
    heard = np.concatenate([turn.agent_audio for turn in whole.turns])
    np.testing.assert_allclose(heard, (one.agent - one.agent.mean()) / one.agent.std(), rtol=0, atol=1e-4)
    assert 0.5 < np.concatenate([turn.agent_audio for turn in live.turns]).std() / heard.std() < 1.3
    assert (np.concatenate([turn.agent_audio for turn in live.turns]) != heard).any()


def test_a_generator_equals_the_engine_turn_by_turn(imported: Path) -> None:
    one = plain(scene(2))
    found = EngineGenerator(TorchEngine.load(imported), seed=9)([one])[0]
    engine = TorchEngine(load_official(TINY / "TIMAR-tiny.pth", TINY / "wav2vec2"))
    slot, parts = engine.open(), []
    for t in range(2):
        samples, frames = slice(t * 16000, t * 16000 + 16000), slice(t * 25, t * 25 + 25)
        turn = TurnInput(slot, one.user[samples], one.agent[samples], one.face[frames], seed=9)
        parts.append(engine.step([turn])[0].motion)
    np.testing.assert_allclose(found, np.concatenate(parts), rtol=0, atol=1e-4)


def test_sessions_get_the_face_where_it_is_tracked() -> None:
    face = np.zeros((50, 55), np.float32)
    face[10:20] = np.nan
    assert [(first, len(rows)) for first, rows in tracked(face)] == [(0, 10), (20, 30)]
    assert tracked(None) == []
    voice = (0.1 * np.random.default_rng(0).standard_normal(2 * 16000)).astype(np.float32)
    generate = SessionGenerator(None, seed=1)
    smiling = np.where(np.isnan(face), np.float32(np.nan), np.float32(0.8))
    without, with_face = generate([Scene(voice, voice), Scene(voice, voice, smiling)])
    assert without.shape == with_face.shape == (50, 55)
    again = generate([Scene(voice, voice), Scene(voice, voice)])[1]  # the same seed as with_face
    assert np.abs(again - with_face).max() > 1e-3


# ---- robustness


def test_noise_has_the_asked_distance_from_the_loud_frames() -> None:
    voice = np.zeros(4 * 16000, np.float32)
    voice[16000:48000] = 0.1 * np.random.default_rng(0).standard_normal(32000)
    added = add_noise(voice, 15, np.random.default_rng(1)) - voice
    assert 20 * np.log10(voice[16000:48000].std() / added.std()) == pytest.approx(15, abs=0.1)
    np.testing.assert_array_equal(add_noise(np.zeros(6400, np.float32), 0, np.random.default_rng(1)), np.zeros(6400))


def test_a_room_keeps_the_direct_sound_and_decays() -> None:
    click = np.zeros(32000, np.float32)
    click[1000] = 1
    heard = reverberate(click, 0.5, np.random.default_rng(0))
    assert heard[1000] == pytest.approx(1, abs=1e-6) and np.abs(heard[:1000]).max() < 1e-6
    assert np.square(heard[1001:]).sum() == pytest.approx(0.5, rel=1e-3)
    early, late = (np.square(heard[a : a + 1600]).sum() for a in (1100, 1100 + 4000))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)  # half of 0.5 s: half of 60 dB


def test_seconds_are_dropped_from_voice_and_face_alike() -> None:
    s = scene(10)
    voice, face = drop_seconds(s.user, s.face, 0.3, np.random.default_rng(0))
    gone = ~voice.reshape(10, -1).any(1)
    assert gone.sum() == 3
    np.testing.assert_array_equal(np.isnan(face).all(1), np.repeat(gone, 25))
    assert not np.isnan(face[~np.repeat(gone, 25)]).any()
    assert not drop_seconds(s.user, None, 1.0, np.random.default_rng(0))[0].any()


def test_a_perturbation_is_the_same_each_time_and_leaves_the_agent_alone() -> None:
    s = scene(4)
    how = parse_perturbation(["noise=10", "jitter=0.5", "drop=0.25", "reverb=0.3"])
    assert how.text == "noise=10, reverb=0.3, jitter=0.5, drop=0.25"
    one, two, other = how.apply(s, 1), how.apply(s, 1), how.apply(s, 2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.user != other.user).any() and one.agent is s.agent
    jittered = parse_perturbation(["jitter=0.5"]).apply(s, 1)
    assert (jittered.face - s.face).std() == pytest.approx(0.5 * s.face.std(), rel=0.05)
    assert Perturbation().apply(s, 1) == s and Perturbation().text == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loud=3"], "expected NAME=VALUE"),
        (["noise"], "'' is no number"),
        (["noise=soft"], "'soft' is no number"),
        (["drop=2"], "expected 0 to 1"),
        (["drop=nan"], "expected 0 to 1"),
        (["noise=1", "noise=2"], "each once"),
    ],
)
def test_wrong_perturbations_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse_perturbation(words)


def test_the_command_runs_the_protocols_on_the_imported_model(imported: Path, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "data", n_dialogues=1, seconds=4)
    words = ["--data", data, "--model", imported, "--engine", "torch", "--context", 0, "--context", 3, "--no-controls"]
    words += ["--perturb", "noise=10", "--perturb", "jitter=0.1", "--out", tmp_path / "report", "--workers", 1]
    line = [sys.executable, "-m", "visavis", "evaluate", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report" / "report.md").read_text()
    assert "user: voice and face, noise=10, jitter=0.1" in text
    rows = [row for row in text.splitlines() if row.startswith(("| model |", "| context 0 |", "| context 3 |"))]
    assert len(rows) == 3 and rows[0].split("|")[2:] == rows[2].split("|")[2:] != rows[1].split("|")[2:]
