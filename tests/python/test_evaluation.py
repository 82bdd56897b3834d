"""Events, checks and the report, on motions whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from conversations import write_data_set

from visavis.data.dualtalk import Person
from visavis.errors import InvalidArgument
from visavis.evaluation import events
from visavis.evaluation.checks import Check, Clip, all_checks, drift_check, performer_checks, performer_rates
from visavis.evaluation.generate import Scene
from visavis.evaluation.report import write_report
from visavis.evaluation.run import Evaluation, add_young, choose, evaluate
from visavis.motion_space import ARKIT55, FLAME56

JAW, PITCH, SMILE = ARKIT55.index("jawOpen"), events.PITCH, list(events.SMILE)
PRESS = [ARKIT55.index("mouthPressLeft"), ARKIT55.index("mouthPressRight")]


def person(n_frames: int = 500, speaking: bool = False, **labels: np.ndarray) -> Person:
    flags = np.full(n_frames, speaking)
    motion = np.zeros((n_frames, 55), dtype=np.float32)
    return Person(np.zeros(n_frames * 640, np.float16), motion, {"speaking": flags, **labels})


def nod_at(motion: np.ndarray, frame: int, degrees: float = 6.0) -> None:
    """Two cycles at 3 Hz, `degrees` peak to peak."""
    n = np.arange(17)
    motion[frame : frame + 17, PITCH] += np.radians(degrees / 2) * np.sin(2 * np.pi * 3 * n / 25)


def test_nods_are_counted_by_size_and_band() -> None:
    motion = np.zeros((500, 55))
    nod_at(motion, 110)
    nod_at(motion, 210, degrees=1.6)
    motion[300:350, PITCH] += np.radians(6) * np.sin(2 * np.pi * 0.2 * np.arange(50) / 25)  # slow drift
    assert events.nods(motion, [100, 200, 315]).tolist() == [True, False, False]


def test_smiles_are_rises_not_levels() -> None:
    motion = np.zeros((500, 55))
    motion[:150, SMILE] = 0.5
    motion[210:, SMILE] = 0.2
    assert events.smiles(motion, [100, 200, 300]).tolist() == [False, True, False]


def test_listening_moments_need_a_silent_agent() -> None:
    agent = person()
    agent.labels["speaking"][110:120] = True
    user = person(phrase_end=np.array([0.2, 4.0, 8.0, 19.9], np.float32))
    assert events.listening_moments(agent, user, 500) == [200]
    quiet = events.silent_frames(agent, 500)
    assert 84 in quiet and 86 not in quiet and 119 not in quiet and 120 in quiet


def test_closures_within_a_frame_and_false_ones() -> None:
    labels = {
        "phone_label": np.array(["P", "B", "AA1", "AA"]),
        "phone_start": np.array([1.0, 2.0, 3.0, 4.0], np.float32),
        "phone_end": np.array([1.08, 2.08, 3.16, 4.16], np.float32),
    }
    motion = np.zeros((200, 55), dtype=np.float32)
    motion[:, JAW] = 0.4
    for frame in (27, 102):  # one frame after the middle of the P; in the last vowel
        motion[frame, JAW] = 0.0
        motion[frame, PRESS] = 0.6
    count = events.closures(motion, person(200, **labels))
    assert (count.bilabials, count.closed, count.vowels, count.falsely_closed) == (2, 1, 2, 1)
    assert count.jaw_sum == pytest.approx(0.4)


def test_lips_pressed_on_other_consonants_are_counted_apart_from_closures() -> None:
    labels = {
        "phone_label": np.array(["M", "N", "N", "G"]),
        "phone_start": np.array([1.0, 1.08, 2.0, 3.0], np.float32),
        "phone_end": np.array([1.08, 1.16, 2.08, 3.08], np.float32),
    }
    motion = np.zeros((200, 55), dtype=np.float32)
    motion[:, JAW] = 0.4
    for frame in (26, 28, 51):  # the M, the N behind it, the other N
        motion[frame, JAW] = 0.0
        motion[frame, PRESS] = 0.6
    count = events.closures(motion, person(200, **labels))
    assert (count.closed, count.consonants, count.pressed) == (1, 2, 1)


def test_power_is_taken_by_band() -> None:
    time = np.arange(1000) / 25
    hz, power = events.spectrum(np.sin(2 * np.pi * 3 * time))
    assert events.power_between(hz, power, events.SLOW_BAND_HZ) == pytest.approx(0.5, rel=0.02)
    assert events.power_between(hz, power, events.FAST_BAND_HZ) < 1e-6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=3, seconds=30)


def test_an_evaluation_of_a_perfect_and_of_a_frozen_model(data: Path, tmp_path: Path) -> None:
    from visavis.data.dualtalk import read_split

    truths = [a.motion for d in read_split(data, "test", ARKIT55).dialogues for a, _ in d.roles()]
    calls = []

    def perfect(clips: list) -> list[np.ndarray]:
        calls.append(len(clips))
        shift = 0 if len(calls) == 1 else 1  # the controls get another clip's performance
        return [truths[(i + shift) % len(truths)] for i in range(len(clips))]

    mean_face = np.mean(np.concatenate(truths), axis=0)
    result = evaluate(perfect, data, "test", ARKIT55, mean_face)
    assert calls == [6, 6, 6, 12]  # young sessions from 16 and 20 s on
    checks = {c.name: c for c in result.checks}
    assert checks["mouth error / mean face"].value == 0 and checks["mouth error / mean face"].passed
    assert checks["rms second difference, mouth"].value == pytest.approx(1.0)
    assert result.metrics["model"]["mse_mouth"] == 0 < result.metrics["another agent's voice"]["mse_mouth"]
    text = write_report(result, tmp_path / "report", {"model": "perfect"}, ARKIT55)
    assert "| mouth error / mean face | <= 0.7 | 0 | yes |" in text
    assert json.loads((tmp_path / "report" / "report.json").read_text())["about"]["clips"] == 6
    for plot in ("curves_1.png", "spectra.png"):
        assert (tmp_path / "report" / plot).stat().st_size > 10_000


def test_a_report_on_flame_has_the_papers_table_and_plots_without_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = []
    for i in range(2):
        truth, partner = rng.normal(0, 0.3, (2, 300, 56)).astype(np.float32)
        voice = (0.1 * rng.standard_normal(300 * 640)).astype(np.float16)
        agent, user = Person(voice, truth), Person(voice, partner)
        clips.append(Clip(f"clip {i}", agent, user, truth + 0.1))
    metrics = {
        "fid_exp": 8.97,
        "fid_jaw": 1.57e-3,
        "fid_pose": 3.08e-2,
        "mse_exp": 0.01,
        "mse_jaw": 1e-5,
        "mse_pose": 1e-4,
    }
    text = write_report(Evaluation(clips, {"model": metrics}), tmp_path, {"model": "m"}, FLAME56)
    assert "| | FD exp / jaw / pose | P-FD | MSE | SID | rPCC |" in text
    assert "| model | 8.97 / 1.57 / 3.08 |  | 0.10 / 0.01 / 0.01 |  |  |" in text
    assert "| TIMAR, published (DualTalk test set) | 8.97 / 1.57 / 3.08 | 9.93 / 1.65 / 3.28 |" in text
    for plot in ("curves_1.png", "curves_2.png", "spectra.png"):
        assert (tmp_path / plot).stat().st_size > 10_000


def test_drift_is_an_old_session_against_young_ones_on_the_same_frames() -> None:
    """Voices tell the time, so that the motion made of them shows which frames were compared."""
    clips, scenes = [], []
    for seconds in (47, 10):
        clock = np.repeat(np.arange(25 * seconds, dtype=np.float32), 640)
        truth = np.tile(np.arange(25 * seconds, dtype=np.float32)[:, None], (1, 55))
        agent, user = (Person(clock, truth, {}) for _ in range(2))
        clips.append(Clip("clock", agent, user, truth + 0.2))
        scenes.append(Scene(clock, clock))

    def young(voices: list) -> list[np.ndarray]:
        return [np.tile(scene.agent[::640, None], (1, 55)) + 0.1 for scene in voices]

    add_young(clips, scenes, young)
    assert clips[1].young is None and clips[0].young is not None
    frames = np.flatnonzero(np.isfinite(clips[0].young[:, 0]))
    np.testing.assert_array_equal(frames, np.arange(20 * 25, 44 * 25))
    check = drift_check(clips)
    assert check.value == pytest.approx(4.0, rel=1e-3) and not check.passed
    assert np.isnan(drift_check(clips[1:]).value) and not drift_check(clips[1:]).passed


def listening_clips(answer: bool) -> list[Clip]:
    """Clips in which the performer nods and smiles after every phrase of the user; the model does if `answer`."""
    clips = []
    for i in range(4):
        ends = np.arange(3.0, 16.0, 3.0) + 0.4 * i
        labels = {"phone_label": np.array([]), "phone_start": np.array([]), "phone_end": np.array([])}
        agent = person(**labels)
        for end in ends:
            nod_at(agent.motion, round(end * 25) + 5)
            agent.motion[round(end * 25) + 5 :, SMILE] += 0.2
            agent.motion[round(end * 25) + 30 :, SMILE] -= 0.2
        motion = agent.motion.copy() if answer else np.zeros_like(agent.motion)
        user = person(phrase_end=ends.astype(np.float32))
        clips.append(Clip(str(i), agent, user, motion, np.zeros_like(motion), np.zeros_like(motion)))
    return clips


def by_name(checks: list[Check], word: str) -> Check:
    return next(c for c in checks if word in c.name)


def test_listening_compares_with_another_users_voice() -> None:
    clips = listening_clips(answer=True)
    mean_face = np.zeros(55, np.float32)
    for name in ("nods", "smiles"):
        assert by_name(all_checks(clips, mean_face), name).passed
        assert not by_name(all_checks(listening_clips(answer=False), mean_face), name).passed
    assert performer_rates(events.nods, clips)[0] == 1.0
    assert by_name(performer_checks(clips, mean_face), "smiles").value > 1


def test_clips_are_spread_over_the_split(data: Path) -> None:
    from visavis.data.dualtalk import read_split

    dialogues = read_split(data, "test", ARKIT55).dialogues
    assert len(choose(dialogues, None)) == 3
    assert [d.name for d in choose(dialogues, 1.0)] == ["talk0"]
    with pytest.raises(InvalidArgument, match="at least 2 conversations"):
        evaluate(lambda clips: [np.zeros((750, 55))] * len(clips), data, "test", ARKIT55, np.zeros(55), minutes=1.0)


@pytest.mark.parametrize("past", ["lagged", "masked"])
def test_the_batched_generator_equals_the_engine(tmp_path: Path, past: str) -> None:
    import torch
    from test_training import tiny_config

    from visavis.engine import TurnInput, load_engine
    from visavis.evaluation.batched import BatchGenerator
    from visavis.export.gguf import save_gguf
    from visavis.model.timar import Timar

    config = tiny_config().with_options(own_past=past)
    torch.manual_seed(0)
    model = Timar(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_gguf(tmp_path / "tiny.gguf", model, dtype="f32")
    rng = np.random.default_rng(0)
    clips = [(0.1 * rng.standard_normal((2, n * 640)).astype(np.float32)) for n in (33, 40)]
    face = rng.uniform(0, 1, (40, 55)).astype(np.float32)
    face[10:14] = np.nan  # not tracked for a moment
    batched = BatchGenerator(tmp_path / "tiny.gguf", seed=4)([Scene(*clips[0]), Scene(*clips[1], face)])
    engine = load_engine(tmp_path / "tiny.gguf", engine="torch")
    f, lag, ahead = config.turn_frames, config.user_lag_frames, config.agent_lookahead_frames
    for i, clip in enumerate(clips):
        padded = np.pad(clip, ((0, 0), (lag * 640, 20 * 640)))
        seen = np.pad(face, ((lag, 20), (0, 0)), constant_values=np.nan)
        slot, turns = engine.open(), []
        for turn in range(-(-clip.shape[1] // 640 // f)):
            at = turn * f * 640
            agent = padded[0, lag * 640 + at : lag * 640 + at + (f + ahead) * 640]
            inputs = TurnInput(slot, user_audio=padded[1, at : at + f * 640], agent_audio=agent, seed=4 + i)
            if i == 1:
                inputs.user_motion = seen[turn * f : turn * f + f]
                inputs.user_motion_present = np.isfinite(inputs.user_motion).all(1)
            turns.append(engine.step([inputs])[0].motion)
        expected = np.concatenate(turns)[: clip.shape[1] // 640]
        np.testing.assert_allclose(batched[i], expected, atol=1e-4)
