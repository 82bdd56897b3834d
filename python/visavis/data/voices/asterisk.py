"""Recorded people: the prompts of Debian's asterisk-core-sounds packages (G.722, 16 kHz) with their transcripts.

Their licences (CC-BY-SA-3.0, CC-BY-3.0) keep them out of the training of weights that are shared.
"""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.phones import Phone
from visavis.errors import FileError, Unsupported

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Speaker:
    """Who speaks the prompts of a language: their folder, name, the licence, and espeak-ng's voice for the text."""

    folder: str
    name: str
    licence: str
    espeak: str


SPEAKERS = {
    "en": Speaker("en_US_f_Allison", "Allison Smith", "CC-BY-SA-3.0", "en-us"),
    "es": Speaker("es_MX_f_Allison", "Allison Smith", "CC-BY-SA-3.0", "es-419"),
    "fr": Speaker("fr_CA_f_June", "June Wallack", "CC-BY-SA-3.0", "fr"),
    "it": Speaker("it_IT_m_Carlo", "Carlo Flora", "CC-BY-3.0", "it"),
    "ru": Speaker("ru_RU_f_IvrvoiceRU", "a woman, provided by Maxim Topal", "CC-BY-3.0", "ru"),
}
DIGITS = "zero one two three four five six seven eight nine".split()
LONGEST_PHONE_S = 0.45  # an alignment with a longer phone has failed (research, section 2)


@dataclass(frozen=True)
class Prompt:
    """One recording and what is said in it."""

    name: str
    path: Path
    text: str


def find_prompts(root: Path, language: str) -> list[Prompt]:
    """The prompts of a language under a file system's root, in the order of the transcript.

    Left out: descriptions of tones and silences (in brackets), lines without a recording.  Raises FileError where the
    packages are missing.
    """
    speaker = SPEAKERS[language]
    sounds = root / "usr/share/asterisk/sounds" / speaker.folder
    transcript = root / f"usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
    for path in (sounds, transcript):
        if not path.exists():
            package = f"asterisk-core-sounds-{language}"
            raise FileError(
                f"{path}: not there; expected the Debian packages {package} and {package}-g722: install them, or unpack"
                f" them (apt-get download, dpkg -x FILE.deb DIR) and give --sounds DIR; or leave out --languages"
            )
    text = gzip.decompress(transcript.read_bytes()).decode("utf-8-sig")
    lines = [line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith(";")]
    prompts = [Prompt(name.strip(), sounds / f"{name.strip()}.g722", said.strip()) for name, said in lines]
    return [p for p in prompts if "[" not in p.text and p.text and p.path.is_file()]


def decode(path: Path) -> Samples:
    """A G.722 file as 16 kHz samples."""
    try:
        import av
    except ImportError:
        raise Unsupported("G.722 needs PyAV, which is not installed; remedy: pip install 'visavis[voices]'") from None
    try:
        with av.open(str(path), format="g722") as container:
            frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
    except (OSError, ValueError, IndexError) as error:  # PyAV's errors are of these
        raise FileError(f"{path}: not readable as G.722 ({error})") from error
    if rate != SAMPLE_RATE or not frames:
        raise FileError(f"{path}: {len(frames)} frames at {rate} Hz; expected G.722 at {SAMPLE_RATE} Hz")
    return np.concatenate(frames).astype(np.int16)


def spelled(text: str) -> str:
    """The line with its numbers as words, digit by digit as these prompts read them (500: five hundred)."""

    def word(match: re.Match[str]) -> str:
        digits = match.group()
        hundreds = len(digits) == 3 and digits.endswith("00")
        return f" {DIGITS[int(digits[0])]} hundred " if hundreds else f" {' '.join(DIGITS[int(d)] for d in digits)} "

    return " ".join(re.sub(r"\d+", word, text).split())


def align_english(samples: Samples, text: str) -> list[Phone]:
    """Phones of an English prompt by forced alignment; empty where a word is unknown or the alignment has failed."""
    from visavis.data.corpus.engines import align
    from visavis.data.corpus.phones import SIL

    phones = [p for p in align(samples, spelled(text)) if p.label != SIL]
    return phones if phones and max(p.end - p.start for p in phones) <= LONGEST_PHONE_S else []
