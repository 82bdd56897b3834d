# ruff: noqa: RUF001  (IPA symbols are meant)
"""Voices to measure on: prompts and transcripts, halves, clips and reels, the frozen reference of performer v1."""

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from visavis.data.corpus.neural import clauses_ipa, faded, kokoro_symbols, timed_phones, with_output
from visavis.data.corpus.phones import Phone
from visavis.data.corpus.prosody import loudness
from visavis.data.corpus.visemes import lip_shapes, spread
from visavis.data.voices.asterisk import find_prompts, spelled
from visavis.data.voices.folder import GAP_FRAMES, read_voices, reels
from visavis.data.voices.prepare import BORDER, half_of, prepare, write_clip
from visavis.errors import FileError, InvalidArgument
from visavis.evaluation.lips import mouth

REFERENCE = Path(__file__).parents[1] / "data" / "voices" / "reference.npz"


def unpack(root: Path, language: str, folder: str, lines: list[str], recorded: list[str]) -> None:
    """What the Debian packages install, with empty recordings."""
    sounds = root / "usr/share/asterisk/sounds" / folder
    for name in recorded:
        path = sounds / f"{name}.g722"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    path = root / f"usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode("utf-8-sig")))


def test_prompts_come_in_the_order_of_the_transcript_and_know_their_half(tmp_path: Path) -> None:
    lines = [
        "; comment",
        "beep: [a tone]",
        "zebra: A zebra.",
        f"{BORDER}: No match: none.",
        "digits/1: One",
        "gone: Gone.",
    ]
    unpack(tmp_path, "en", "en_US_f_Allison", lines, ["beep", "zebra", BORDER, "digits/1"])
    prompts = find_prompts(tmp_path, "en")
    assert [(p.name, p.text) for p in prompts] == [
        ("zebra", "A zebra."), (BORDER, "No match: none."), ("digits/1", "One")
    ]  # fmt: skip
    assert [half_of(p, prompts) for p in prompts] == ["report", "dev", "dev"]
    with pytest.raises(FileError, match=r"core-sounds-fr.*apt-get download"):
        find_prompts(tmp_path, "fr")
    with pytest.raises(InvalidArgument, match="languages xx are unknown; known: en, es"):
        prepare(tmp_path / "out", tmp_path, ["xx"])


def test_numbers_are_spelled_as_they_are_read() -> None:
    assert spelled("Press 1, dial 500 or 1234.") == "Press one , dial five hundred or one two three four ."


def test_symbols_of_neural_voices_become_phones() -> None:
    ends = np.arange(1, 20) * 0.1
    joe = timed_phones(list("hˈaɪ tʃˈiː, d"), ends[:13].tolist())
    assert [p.label for p in joe] == ["HH", "AY", "CH", "IY", "SIL", "D"]
    assert joe[1] == pytest.approx(("AY", 0.1, 0.5)), "the stress mark's time is the vowel's, so is the space behind it"
    assert joe[3].end == pytest.approx(1.0), "so is a length mark's"
    apart = timed_phones(list("æt ʃ"), ends[:4].tolist())
    assert [p.label for p in apart] == ["AE", "T", "SH"], "no affricate across a space"
    assert kokoro_symbols(["haɪ dʒɔɪ", ",", "ɡˈoʊ"]) == "hI ʤY, ɡˈO"
    kokoro = timed_phones(list("hI ʤY"), ends[:5].tolist())
    assert [p.label for p in kokoro] == ["HH", "AY", "JH", "OY"]


def test_ipa_comes_clause_by_clause() -> None:
    first, second = clauses_ipa(["Really? We met, I think.", "No"])
    assert first[1::2] == ["?", ",", "."] and len(first) == 6 and len(second) == 1
    assert first[2].startswith("wiː") and " " in first[2]


def test_an_inner_tensor_becomes_an_output() -> None:
    import onnx
    import onnxruntime

    make = onnx.helper
    x, y = (make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy")
    nodes = [make.make_node("Neg", ["x"], ["inside"]), make.make_node("Abs", ["inside"], ["y"])]
    model = make.make_model(
        make.make_graph(nodes, "g", [x], [y]), opset_imports=[make.make_opsetid("", 15)], ir_version=8
    )
    session = onnxruntime.InferenceSession(with_output(model.SerializeToString(), "inside"))
    outer, inner = session.run(["y", "inside"], {"x": np.array([1, -2], np.float32)})
    assert outer.tolist() == [1, 2] and inner.tolist() == [-1, 2]


def write_voices(folder: Path, seconds: float = 4.0, n_clips: int = 3) -> None:
    """A folder of clips as `visavis corpus voices` writes it: tones for vowels, silence for p, noise for s."""
    entries = []
    for voice, aligned in (("en", True), ("it", False)):
        for half in ("dev", "report"):
            (folder / half / voice).mkdir(parents=True)
            for i in range(n_clips):
                rng = np.random.default_rng([i, len(half), aligned])
                phones, sound, time = [], [np.zeros(4800)], 0.3
                while time < seconds - 0.6:
                    label = ("P", "AA", "S", "UW", "M", "IY", "F", "AE")[len(phones) % 8]
                    n = round(float(rng.uniform(0.10, 0.18)) * 16000)
                    t = np.arange(n) / 16000
                    hiss = 0.03 * rng.standard_normal(n)
                    sounds = {"P": 0 * t, "S": hiss, "F": hiss / 2, "M": 0.02 * np.sin(2 * np.pi * 180 * t)}
                    sound.append(sounds.get(label, 0.3 * np.sin(2 * np.pi * 150 * t)))
                    phones.append(Phone(label, time, time + n / 16000))
                    time += n / 16000
                sound.append(np.zeros(round(seconds * 16000) - sum(map(len, sound))))
                samples = np.round(np.concatenate(sound) * 32767).astype(np.int16)
                count = None if aligned else sum(p.label in "PBM" for p in phones)
                entries.append(write_clip(folder, f"c{i}", voice, half, "x", samples, phones if aligned else [], count))
    (folder / "voices.json").write_text(json.dumps({"clips": [vars(e) for e in entries]}))


def test_clips_are_written_read_and_joined(tmp_path: Path) -> None:
    write_voices(tmp_path)
    found = read_voices(tmp_path, "report")
    assert {voice: len(clips) for voice, clips in found.items()} == {"en": 3, "it": 3}
    clip = found["en"][0]
    phones = [
        Phone(*row) for row in zip(*(clip.person.labels[f"phone_{k}"] for k in ("label", "start", "end")), strict=True)
    ]
    lips = spread(lip_shapes(phones, 100, loudness(clip.person.audio.astype(np.float32))))
    np.testing.assert_allclose(clip.person.motion, lips, atol=2e-3)  # its audio is float16 by now
    assert clip.aligned and not found["it"][0].aligned and found["it"][0].bilabials
    (reel,) = reels(found["en"])
    assert len(reel.audio) == (3 * 100 + 4 * GAP_FRAMES) * 640
    motion = np.arange(len(reel.audio) // 640)[:, None].repeat(55, 1)
    assert [part[0, 0] for part in reel.parts(motion)] == [15, 130, 245] and len(reel.parts(motion)[0]) == 100
    with pytest.raises(FileError, match="visavis corpus voices"):
        read_voices(tmp_path / "nowhere", "dev")


def test_performer_v1_is_as_it_was_frozen() -> None:
    """Real prompts' phones and loudness; their lips by today's code are those that all scores are measured against."""
    with np.load(REFERENCE) as frozen:
        data = {name: frozen[name] for name in frozen.files}
    borders = np.cumsum(data["n_frames"])
    assert len(borders) >= 30
    phones_at, loud_at = np.cumsum(data["n_phones"]), np.cumsum(data["n_loudness"])
    for i, end in enumerate(borders.tolist()):
        begin, n = end - int(data["n_frames"][i]), int(data["n_frames"][i])
        own = slice(phones_at[i] - data["n_phones"][i], phones_at[i])
        columns = (data["label"][own], data["start"][own] / 1000.0, data["end"][own] / 1000.0)
        phones = [Phone(str(a), float(b), float(c)) for a, b, c in zip(*columns, strict=True)]
        level = data["loudness"][loud_at[i] - data["n_loudness"][i] : loud_at[i]] / 255.0
        lips = mouth(spread(lip_shapes(phones, n, level)))
        np.testing.assert_allclose(lips, data["mouth"][begin:end] / 255.0, atol=0.9 / 255)


@pytest.mark.system
def test_the_packages_prompts_are_aligned_as_the_frozen_ones(tmp_path: Path) -> None:
    """asterisk-core-sounds-en and -en-g722, decoded and aligned today, give the frozen tracks."""
    from visavis.data.voices.asterisk import align_english, decode

    prompts = {p.name: p for p in find_prompts(Path("/"), "en")}
    with np.load(REFERENCE) as frozen:
        names, n_frames, tracks = frozen["name"].tolist(), frozen["n_frames"], frozen["mouth"] / 255.0
    ends = np.cumsum(n_frames)
    correlations = []
    for i in range(0, len(names), 6):
        samples = decode(prompts[names[i]].path)
        phones = align_english(samples, prompts[names[i]].text)
        n = len(samples) // 640
        lips = mouth(spread(lip_shapes(phones, n, loudness(samples[: n * 640].astype(np.float32) / 32768))))
        truth = tracks[ends[i] - n_frames[i] : ends[i]]
        assert len(truth) == n
        correlations.append(np.corrcoef(lips.ravel(), truth.ravel())[0, 1])
    assert min(correlations) > 0.98, correlations


@pytest.mark.system
def test_the_voices_command_prepares_a_language_and_the_held_out_voice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visavis", "corpus", "voices", "--languages", "it", "--out", str(tmp_path / "v"),
         "--workers", "2"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "v" / "voices.json").read_text())
    joe = [c for c in document["clips"] if c["voice"] == "joe"]
    assert len(joe) == 160 and all(c["n_phones"] > 5 for c in joe)
    italian = [c for c in document["clips"] if c["voice"] == "it"]
    assert len(italian) > 500 and sum(c["bilabials"] for c in italian) > 500
    assert math.isclose(sum(c["seconds"] for c in italian) / 3600, 0.397, abs_tol=0.03)


def test_a_long_last_sound_ends_where_it_has_faded() -> None:
    audio = np.zeros(16000, np.float32)
    audio[1600:8000] = 0.3 * np.sin(np.arange(6400))
    audio[8000:] = 1e-4
    phones = [Phone("AA", 0.1, 0.4), Phone("Z", 0.4, 0.9), Phone("T", 0.9, 1.0)]
    assert faded(audio, phones) == [phones[0], Phone("Z", 0.4, pytest.approx(0.5)), phones[2]]
    late = [Phone("P", 0.6, 0.95)]  # nothing to be heard of it
    assert faded(audio, late) == [Phone("P", 0.6, pytest.approx(0.66))]
    assert faded(audio[:0], []) == []
    breath = audio.copy()
    breath[8000:] = 3e-3  # 37 dB under the line's rms
    assert faded(breath, phones) == faded(audio, phones)
