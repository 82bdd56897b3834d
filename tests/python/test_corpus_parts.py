"""Parts of the corpus builder: text, phones, voices, lips, reactions, layout."""

import shutil

import numpy as np
import pytest

from visavis.data.corpus import engines, listening
from visavis.data.corpus.bank import Utterance
from visavis.data.corpus.curves import add_nod, drift, steps
from visavis.data.corpus.dialogue import Phrase, cut
from visavis.data.corpus.engines import Settings, check_engine, speak
from visavis.data.corpus.layout import exp_map, pose_of
from visavis.data.corpus.performer import TRACKS
from visavis.data.corpus.person import DEG, draw_person
from visavis.data.corpus.phones import ARPABET, SIL, Phone, from_cmu, from_ipa, tidy
from visavis.data.corpus.text import KINDS, Line, line, turn_lines
from visavis.data.corpus.visemes import TARGETS, closure_frame, lip_shapes, lips_shut, spread
from visavis.data.corpus.voices import BASES, SPLITS, draw_pair, voices_of
from visavis.errors import InvalidArgument, Unsupported
from visavis.motion_space import ARKIT55


def test_text_is_seeded_and_every_template_fills() -> None:
    for kind in KINDS:
        lines = [line(kind, np.random.default_rng([3, i])) for i in range(300)]
        assert lines == [line(kind, np.random.default_rng([3, i])) for i in range(300)]
        assert not any("{" in x.text or "  " in x.text or x.text[-1] not in ".?!" for x in lines)
    rng = np.random.default_rng(0)
    assert all(len(turn_lines(n, rng, answering)) == n for n in (1, 2, 5) for answering in (None, "question"))


def test_symbols_of_all_engines_become_arpabet() -> None:
    assert [from_cmu(x) for x in ("pau", "ax", "AA1", "dx", "??")] == [SIL, "AH", "AA", "T", None]
    ipa = ("\u02c8a\u026a", "d\u0292", "\u0251\u02d0\u0279", "\u02cc")  # stressed ai, dzh, a: r, a lone stress mark
    assert [from_ipa(x) for x in ipa] == [["AY"], ["JH"], ["AA", "R"], []]
    assert set(TARGETS) | {"AY", "EY", "AW", "OY"} == ARPABET
    rough = [Phone("M", 0.1, 0.3), Phone("AA", 0.25, 0.5), Phone(SIL, 0.5, 0.6), Phone("T", 0.6, 0.9)]
    assert tidy(rough, 0.8) == [Phone("M", 0.1, 0.3), Phone("AA", 0.3, 0.5), Phone("T", 0.6, 0.8)]


def test_splits_share_no_voice_no_base_and_no_donor() -> None:
    donors = {split: {base.donor for base in BASES if base.split == split} for split in SPLITS}
    assert all(not donors[a] & donors[b] for a in SPLITS for b in SPLITS if a < b)
    for split in SPLITS:
        voices = voices_of(split, engines.ENGINES, 1)
        assert {v.base.split for v in voices} == {split}
        assert any(v.base.engine != "espeak" for v in voices), "each split has a voice of good quality"
        assert voices == voices_of(split, engines.ENGINES, 1)


def test_espeak_keeps_to_its_share_and_never_meets_itself() -> None:
    rng, voices = np.random.default_rng(0), voices_of("train", engines.ENGINES, 1)
    pairs = [draw_pair(voices, rng) for _ in range(300)]
    formant = [[v.base.engine == "espeak" for v in pair] for pair in pairs]
    assert np.mean(formant) <= 0.25
    assert not any(all(pair) for pair in formant)
    assert all(a.base != b.base for a, b in pairs)


def word(labels: str, start: float = 0.5, length: float = 0.09) -> list[Phone]:
    return [Phone(x, start + i * length, start + (i + 1) * length) for i, x in enumerate(labels.split())]


@pytest.mark.parametrize("offset", [0.0, 0.011, 0.02, 0.033])
def test_lips_shut_on_every_bilabial_and_only_there(offset: float) -> None:
    phones = word("M AA P AE B AO M IY P AW", 0.5 + offset)
    shut = lips_shut(spread(lip_shapes(phones, 60, np.ones(300), 1.3, 0.85)))
    for phone in phones:
        assert shut[closure_frame(phone)] == (phone.label in "PBM")
    assert not shut[:10].any() and not shut[45:].any()


def test_lips_follow_their_phones() -> None:
    phones = [Phone("UW", 0.5, 0.7), Phone("T", 0.7, 0.8), Phone("AA", 0.8, 1.1), Phone("S", 1.1, 1.3)]
    motion = spread(lip_shapes(phones, 50, np.ones(250)))
    pucker, jaw = motion[:, ARKIT55.index("mouthPucker")], motion[:, ARKIT55.index("jawOpen")]
    assert abs(pucker.argmax() / 25 - 0.6) <= 0.081 and abs(jaw.argmax() / 25 - 0.95) <= 0.081
    assert jaw.max() > 0.4 and pucker.max() > 0.4
    assert np.abs(motion[:5]).max() < 0.03 and np.abs(motion[-10:]).max() < 0.02
    np.testing.assert_array_equal(
        motion[:, ARKIT55.index("mouthStretchLeft")], motion[:, ARKIT55.index("mouthStretchRight")]
    )


def fake_phrase(start: float, length: float = 2.0, kind: str = "statement") -> Phrase:
    n = round(length * 16000)
    return Phrase(Line("x", kind), Utterance(np.ones(n, np.float32), [Phone("AA", 0.0, length)]), start, 0)


def test_reactions_come_after_what_caused_them_and_mostly_soon() -> None:
    partner = [fake_phrase(1.0 + 4.0 * i) for i in range(200)]
    person, rng = draw_person(np.random.default_rng(1)), np.random.default_rng(2)
    tracks = {name: np.zeros(810 * 25) for name in TRACKS}
    events = listening.react(tracks, [], partner, person, rng)
    ends = np.array([p.speech_end for p in partner])
    nods = np.array([e.start for e in events if e.kind == "nod"])
    delay = np.array([(t - ends[ends <= t]).min() if (ends <= t).any() else 9.0 for t in nods])
    assert not ((delay > 0) & (delay < 0.34)).any()
    assert ((delay >= 0.34) & (delay < 0.81)).sum() > 0.3 * len(partner)
    assert (delay > 0.81).sum() < 0.15 * len(partner)
    pitch = tracks["headPitch"]
    assert 1.5 * DEG < pitch.max() < 16 * DEG and pitch.min() >= 0.0


def test_no_reaction_while_speaking_oneself() -> None:
    partner, own = [fake_phrase(1.0 + 4.0 * i) for i in range(50)], [fake_phrase(0.5, 210.0)]
    tracks = {name: np.zeros(220 * 25) for name in TRACKS}
    assert listening.react(tracks, own, partner, draw_person(np.random.default_rng(1)), np.random.default_rng(2)) == []


def test_a_cut_phrase_ends_with_its_phone_and_is_no_cue() -> None:
    phrase = Phrase(
        Line("x", "statement"), Utterance(np.ones(32000, np.float32), word("AA T AA T AA", 0.0, 0.4)), 3.0, 0
    )
    assert phrase.is_cue
    cut(phrase, 4.0)
    assert phrase.speech_end == pytest.approx(4.2) and len(phrase.utterance.audio) == round(1.2 * 16000)
    assert not phrase.is_cue and phrase.utterance.audio[-1] == 0.0


def test_curves_are_smooth_and_scaled() -> None:
    slow = drift(40000, np.random.default_rng(0), (0.5, 4.0), (0.3, 1.0))
    assert 0.8 < slow.std() < 1.2
    power = np.abs(np.fft.rfft(slow)) ** 2
    assert power[np.fft.rfftfreq(40000, 0.04) < 0.5].sum() > 0.9 * power.sum()
    nod = np.zeros(100)
    assert add_nod(nod, 1.0, 3, 2.5, 0.05, 0.5) == pytest.approx(2.2)
    assert nod.max() == pytest.approx(0.1, rel=0.05) and nod[:25].max() == 0.0 and nod[56:].max() == 0.0
    moved = steps(100, [(1.0, 0.2, 0.8), (2.5, -0.1, 0.8)])
    assert moved[0] == 0.0 and moved[50] == pytest.approx(0.2) and moved[-1] == pytest.approx(-0.1)


def test_pose_is_yaw_pitch_roll_as_a_rotation_vector() -> None:
    motion = np.zeros((3, 55), np.float32)
    motion[0, ARKIT55.index("headPitch")] = 0.3
    motion[1, ARKIT55.index("headYaw")] = -0.2
    motion[2, ARKIT55.index("jawOpen")] = 1.0
    pose = pose_of(motion)
    np.testing.assert_allclose(pose, [[0.3, 0, 0, 0, 0, 0], [0, -0.2, 0, 0, 0, 0], [0, 0, 0, 0.35, 0, 0]], atol=1e-6)
    assert exp_map().shape == (51, 50)
    np.testing.assert_allclose(exp_map().T @ exp_map(), np.eye(50), atol=1e-12)


@pytest.mark.parametrize("variant", ["", "f3", "m3"])
def test_espeak_says_the_same_whatever_it_said_before(variant: str) -> None:
    settings = Settings("espeak", variant, 50, 1.0, 1.07)
    audio, phones = speak("Maybe we move the piano.", settings)
    speak("Hello there.", Settings("espeak", "m1"))
    again, again_phones = speak("Maybe we move the piano.", settings)
    np.testing.assert_array_equal(audio, again)
    assert phones == again_phones and [p.label for p in phones][:2] == ["M", "EY"]
    loud = [np.abs(audio[round(p.start * 16000) : round(p.end * 16000)]).max() for p in phones]
    assert min(loud) > 0.005 and phones[-1].end <= len(audio) / 16000


def test_pico_is_aligned() -> None:
    audio, phones = speak("Maybe we move the piano.", Settings("pico", "en-US"))
    assert [p.label for p in phones] == "M EY B IY W IY M UW V DH AH P IY AE N OW".split()
    assert 0.8 < phones[-1].end < len(audio) / 16000 + 0.01


@pytest.mark.system
@pytest.mark.parametrize(("engine", "variant"), [("flite", "slt"), ("flite", "kal16"), ("festival", "ked_diphone")])
def test_system_engines_give_phones_and_repeat_themselves(engine: str, variant: str) -> None:
    settings = Settings(engine, variant, 0.0, 1.1, 0.93)
    audio, phones = speak("Maybe we move the piano.", settings)
    again, again_phones = speak("Maybe we move the piano.", settings)
    np.testing.assert_array_equal(audio, again)
    assert phones == again_phones and [p.label for p in phones][:4] == ["M", "EY", "B", "IY"]


def test_a_missing_engine_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unsupported, match=r"flite is not installed; remedy: apt-get install flite"):
        check_engine("flite")
    with pytest.raises(InvalidArgument, match="known: espeak, festival, flite, pico"):
        check_engine("sphinx")


def test_the_documented_visemes_are_the_table() -> None:
    """docs/visemes.md: targets and dominances, number for number."""
    from pathlib import Path

    from visavis.data.corpus.visemes import DIPHTHONGS, SHAPES, _dominance

    page = (Path(__file__).parents[2] / "docs" / "visemes.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    targets = {phone: row[1] for row in rows if len(row) == 2 for phone in row[0].split() if phone in TARGETS}
    assert set(targets) == set(TARGETS)
    for phone, text in targets.items():
        said = dict(part.rsplit(" ", 1) for part in text.split(", ")) if text != "nothing" else {}
        weights = {SHAPES[i]: x for i, x in enumerate(TARGETS[phone].tolist()) if x}
        assert {name: float(x) for name, x in said.items()} == pytest.approx(weights), phone
    strengths = {phone: row[1:] for row in rows if len(row) == 8 for phone in row[0].split() if phone in ARPABET}
    assert set(strengths) == ARPABET - set(DIPHTHONGS) | {"OW"}
    jaw, lip, other = (SHAPES.index(name) for name in ("jawOpen", "mouthFunnel", "mouthPress"))
    for phone, cells in strengths.items():
        a, before, after = _dominance(phone)
        found = [a[jaw], a[lip], a[other], before[jaw], before[lip], after[jaw], after[lip]]
        assert [float(cell) for cell in cells] == pytest.approx(found), phone
