"""The default suite: lips against a reference, eyes, answers, sounds, and the whole of it with a known generator."""

import json
from pathlib import Path

import numpy as np
import pytest
from conversations import write_data_set
from test_evaluation import listening_clips, person
from test_voices import write_voices

from visavis.data.dualtalk import Person
from visavis.errors import InvalidArgument
from visavis.evaluation import conversation, events, eyes, lips, sounds
from visavis.evaluation.checks import Clip
from visavis.evaluation.generate import Scene
from visavis.evaluation.measures import Measure
from visavis.evaluation.suite import LEAK, SOFT_VOICE, Suite, run_suite
from visavis.evaluation.suite_report import write_suite
from visavis.motion_space import ARKIT55
from visavis.rig import Rig

AT = ARKIT55.index


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voices")
    write_voices(out)
    return out


def english(folder: Path) -> list[Person]:
    from visavis.data.voices.folder import read_voices

    return [clip.person for clip in read_voices(folder, "report")["en"]]


def test_lips_that_are_the_reference_pass_and_late_ones_are_found_late(folder: Path) -> None:
    persons = english(folder)
    same = lips.against_reference([p.motion for p in persons], persons)
    assert (
        same["r"].value == pytest.approx(1)
        and same["closed"].value == 1
        and same["false"].value == same["pressed"].value == 0
    )
    assert same["jaw"].value == pytest.approx(1) and same["lag"].value == pytest.approx(0, abs=1)
    assert same["jitter"].value == pytest.approx(1)
    late = lips.against_reference([np.roll(p.motion, 2, axis=0) for p in persons], persons)
    assert late["lag"].value == pytest.approx(80, abs=4) and late["r"].value < 0.9
    small = lips.against_reference([0.3 * p.motion for p in persons], persons)
    assert small["r"].value == pytest.approx(1) and small["jaw"].value == pytest.approx(0.3, abs=0.02)
    assert small["closed"].value == 0, "a little pressed is not shut"


def test_lips_are_told_apart_by_their_place_in_the_turn(folder: Path) -> None:
    where = lips.places(first_frame=7, n_frames=9, turn_frames=5)
    assert ["".join(".x"[int(x)] for x in where[place]) for place in lips.PLACES] == [
        "...xx...x", "x....x...", ".xx...xx.",
    ]  # fmt: skip
    of_three = lips.places(0, 3, 3)
    assert [list(of_three[place]) for place in lips.PLACES] == [[True, False, False], [False] * 3, [False, True, True]]
    persons = english(folder)
    starts = [15 * (i + 1) for i in range(len(persons))]
    motions = [p.motion.copy() for p in persons]
    for motion, start in zip(motions, starts, strict=True):
        motion[lips.places(start, len(motion), 5)["end"]] = 0.0  # a face that lets go where turns end
    found = lips.by_place(motions, persons, starts, 5)
    assert found["r_begin"].value == pytest.approx(1) and found["r_between"].value == pytest.approx(1)
    assert found["r_end"].value == 0 and found["closed_begin"].value == 1
    assert sum(int(found[f"closed_{p}"].note[3:]) for p in lips.PLACES) == sum(
        events.closures(p.motion, p).bilabials for p in persons
    )


def test_loudness_alone_tells_where_closures_belong(folder: Path) -> None:
    persons = english(folder)
    count = [int(np.isin(p.labels["phone_label"], ["P", "M"]).sum()) for p in persons]
    found = lips.against_loudness([p.motion for p in persons], persons, count)
    assert found["dip"].value > 3 and found["dip"].low > 0
    assert found["dip_lag"].value == pytest.approx(0, abs=40)
    assert found["jaw"].value > 0.4 and found["count"].value == pytest.approx(1, abs=0.15)
    away = lips.against_loudness([np.roll(p.motion, 3, axis=0) for p in persons], persons, [None] * len(persons))
    assert away["dip"].value < found["dip"].value - 3 and "count" not in away


def test_eyes_are_read_as_the_eye_layer_moves_them() -> None:
    listens = np.zeros(25 * 600, bool)
    motion = Rig(seed=3).process(np.zeros((len(listens), 55), np.float32), listens)
    assert 1 - eyes.away(motion).mean() == pytest.approx(0.75, abs=0.05)
    assert len(eyes.blink_frames(motion)) / 10 == pytest.approx(18, abs=3)
    assert np.abs(eyes.gaze_yaw(motion)).max() < 30
    turned = np.zeros((100, 55), np.float32)
    turned[:, AT("headYaw")] = np.radians(15)  # the eyes stay on the partner
    turned[:, AT("eyeLookInLeft")] = turned[:, AT("eyeLookOutRight")] = 15 / 40
    assert not eyes.away(turned).any()


def test_answers_are_held_against_another_user_and_the_performer() -> None:
    clips = listening_clips(answer=True)
    nods, nods_share, smiles, smiles_share = conversation.response_measures(clips)
    assert np.isinf(nods.value) and nods_share.passed
    assert "p = 0.2500" in nods.note and not nods.passed, "two conversations are too few to be sure"
    many = conversation.response_measures([c for _ in range(4) for c in clips])
    assert "p = 0.0039" in many[0].note and many[0].passed
    idle = conversation.response_measures(listening_clips(answer=False))
    assert not idle[0].passed and not idle[2].passed and np.isnan(idle[0].value)
    times, curve = conversation.response_curve([c.motion for c in clips], clips)
    assert 0 < times[curve.argmax()] < 0.5 and curve[times < -0.5].max() < 0.3 * curve.max()
    assert smiles.value > 0 and smiles_share.value > 0


def test_turn_ends_and_eyes_of_a_clip_are_counted() -> None:
    flags = np.zeros(500, bool)
    flags[100:200] = flags[300:330] = True
    agent = person(500)
    agent.labels["speaking"] = flags
    motion = np.zeros((500, 55), np.float32)
    for name in ("eyeLookOutLeft", "eyeLookInRight"):
        motion[105:180, AT(name)] = motion[340:400, AT(name)] = 12 / 40
    clip = Clip("x", agent, person(500), motion)
    assert conversation.utterances(clip) == [(100, 200), (300, 330)]
    begun, ended, head = conversation.turn_measures([clip, clip])
    assert begun.value == 1.0 and ended.value == 0.5 and np.isnan(head.value)
    speaking, listening = conversation.eye_measures([clip, clip])[2:4]
    assert speaking.value == pytest.approx(1 - 75 / 130) and listening.value == pytest.approx(1 - 60 / 370)


def test_sounds_have_their_level_and_a_telephone_its_band() -> None:
    for sound in (sounds.chords(3), sounds.drums(3), sounds.band(3)):
        assert 20 * np.log10(np.sqrt(np.mean(sound**2))) == pytest.approx(sounds.MUSIC_DB, abs=0.1)
        assert np.abs(sound).max() < 1.5 and len(sound) == 48000
    time = np.arange(16000) / 16000
    low, mid, high = (sounds.phone_band(np.sin(2 * np.pi * hz * time).astype(np.float32)) for hz in (80, 1000, 6000))
    assert np.std(low) < 0.02 and np.std(high) < 0.02 and np.std(mid) == pytest.approx(0.7, abs=0.02)
    voice, other = np.ones(100, np.float32), np.full(50, 4.0, np.float32)
    assert sounds.bleed(voice, other) - voice == pytest.approx(np.full(100, 10 ** (-25 / 20)), rel=1e-3)


@pytest.fixture(scope="module")
def suite(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Suite, Path, str]:
    """A suite over a mouth that opens as loud as the voice, some frames late, with a head that nods by its seed."""
    data = write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=3, seconds=24)

    def make(seed: int, style: dict[str, float] | None = None):
        size = 0.05 * (1.0 + 0.5 * (style or {}).get("expressiveness", 0.0))

        def generate(scenes: list[Scene]) -> list[np.ndarray]:
            motions = []
            for i, scene in enumerate(scenes):
                n = len(scene.agent) // 640
                level = np.sqrt(np.square(scene.agent[: n * 640].reshape(n, 640)).mean(1))
                motion = np.zeros((n, 55), np.float32)
                motion[:, AT("jawOpen")] = np.roll(np.minimum(3 * level, 1), 1)
                motion[:, events.PITCH] = size * np.sin(np.arange(n) * (0.4 + 0.01 * ((seed // 1000 + i) % 5)))
                motions.append(motion)
            return motions

        return generate

    found = run_suite(make, data, "test", ARKIT55, np.zeros(55, np.float32), folder, 5, seed=1,
                      styles=("expressiveness", "mood"))  # fmt: skip
    out = tmp_path_factory.mktemp("report")
    return found, out, write_suite(found, out, {"model": "loudness"}, ARKIT55)


def measured(suite: Suite, title: str) -> dict[str, Measure]:
    return {m.name: m for s in suite.sections if s.title == title for m in s.measures}


def test_a_suite_measures_voices_sounds_and_conversations(suite: tuple[Suite, Path, str]) -> None:
    found, out, text = suite
    conditions = ("noise 10 dB", "noise 0 dB", "telephone", "another's voice", "the reference itself")
    assert set(found.voices) == {"en", "it", *(f"en, {name}" for name in conditions)}
    assert found.voices["en"]["lag"].value == pytest.approx(40, abs=25)
    assert "r" not in found.voices["it"] and found.voices["it"]["loudness_count"].value == 0
    assert found.voices["en"]["r_end"].value == pytest.approx(found.voices["en"]["r"].value, abs=0.2)
    assert len(measured(found, "Places in the turn")) == 6
    sounds_of = measured(found, "Sounds that are no speech")
    assert sounds_of["digital silence"].value == 0 and sounds_of["digital silence"].passed
    assert sounds_of["music: drums"].value > 0.05 and not sounds_of["music: drums"].passed
    assert sounds_of[SOFT_VOICE].value > 0, "this model's jaw follows any sound"
    assert not sounds_of[LEAK].required and not sounds_of[SOFT_VOICE].required
    targets = measured(found, "Targets")
    assert len(targets) == 9 and not targets["real English voice: lips shut on p, b, m"].passed
    spread = measured(found, "Diversity")
    assert spread["spread over seeds / over time, mouth"].value == 0
    assert spread["spread over seeds / over time, head"].value > 0.1
    styles = measured(found, "Styles")  # of a style that nobody knows nothing is expected
    assert set(styles) == {"expressiveness: head speed", "expressiveness: smiles while listening"}
    assert styles["expressiveness: head speed"].value == pytest.approx(3.0)
    assert found.left_out == []
    document = json.loads((out / "suite.json").read_text())
    assert document["voices"]["en"]["r"]["value"] == found.voices["en"]["r"].value
    assert "| digital silence | 0 |" in text and "## Voices never trained on" in text
    assert (out / "suite.png").stat().st_size > 50_000


def test_without_voices_a_suite_says_so(suite: tuple[Suite, Path, str], tmp_path: Path) -> None:
    found = suite[0]
    bare = Suite(found.evaluation, found.sections, {}, {k: v for k, v in found.curves.items() if k != "en"}, ["voices"])
    assert "Left out: voices." in write_suite(bare, tmp_path, {}, ARKIT55)


def test_the_command_refuses_what_is_not_as_shipped(tmp_path: Path) -> None:
    from visavis.cli.evaluate import main

    with pytest.raises(InvalidArgument, match="--context does not go with --suite"):
        main(data=tmp_path, out=tmp_path, suite="default", context=[1])
    with pytest.raises(InvalidArgument, match="suite 'best' is unknown; known: default"):
        main(data=tmp_path, out=tmp_path, suite="best")
    with pytest.raises(InvalidArgument, match="--voices goes with"):
        main(data=tmp_path, out=tmp_path, voices=tmp_path)
