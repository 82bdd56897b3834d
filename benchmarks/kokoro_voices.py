"""Which mixes of Kokoro's styles speak intelligibly: word errors by pocketsphinx's own language model, and the pitch.

    python benchmarks/kokoro_voices.py --draws 60
    python benchmarks/kokoro_voices.py --speakers corpus/v2/bank

Prints a line for each draw and, at the end, those to keep (KOKORO_DRAWS in python/visavis/data/corpus/engines.py) and
the same numbers of a few other voices of the corpus.  Takes about 20 s of processor time for each draw.  With
--speakers: the speakers of engine kokoro-en (KOKORO_SPEAKERS there), on the lines of their pools in a corpus's bank.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from visavis.data.corpus import engines
from visavis.data.corpus.engines import KOKORO_MIXES, Audio, Settings, speak, words_of
from visavis.data.corpus.phones import VOWELS, Phone
from visavis.data.corpus.prosody import pitch_hz
from visavis.data.corpus.v2.voices import Speaker, pool_line, pool_of, voices_of
from visavis.data.corpus.voices import SPLITS

MOST_ERRORS = 0.2
LINES = (
    "My brother wants to borrow the garden chair.",
    "We waited for seven minutes in front of the station.",
    "How many people did you see at the market?",
    "I think the weather is perfectly fine.",
    "The problem is that the big map belongs to our teacher.",
    "Somebody found my favourite book at the museum.",
    "I would rather stay at home and make mushroom soup.",
    "It took about twenty minutes to get to the airport.",
)


def word_errors(heard: Sequence[str], said: Sequence[str]) -> int:
    """Edit distance of two lists of words."""
    row = list(range(len(said) + 1))
    for i, a in enumerate(heard, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(said, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def measure(settings: Settings, decoder: object) -> tuple[float, float]:
    """Word error rate over LINES, and the median F0 in its vowels (Hz)."""
    return measure_lines([(text, *speak(text, settings)) for text in LINES], decoder)


def measure_lines(spoken: Iterable[tuple[str, Audio, list[Phone]]], decoder: object) -> tuple[float, float]:
    """Word error rate of spoken lines and the median F0 in their vowels (Hz)."""
    errors = words = 0
    pitches: list[float] = []
    for text, audio, phones in spoken:
        decoder.start_utt()  # type: ignore[attr-defined]
        decoder.process_raw((audio * 32767).astype(np.int16).tobytes(), full_utt=True)  # type: ignore[attr-defined]
        decoder.end_utt()  # type: ignore[attr-defined]
        found = decoder.hyp()  # type: ignore[attr-defined]
        said = words_of(text)
        errors += word_errors([] if found is None else found.hypstr.split(), said)
        words += len(said)
        times = np.array([p.centre for p in phones if p.label in VOWELS])
        pitches += [float(hz) for hz in pitch_hz(audio, times) if np.isfinite(hz)]
    return errors / words, float(np.median(pitches))


def measure_speakers(bank: Path, decoder: object) -> None:
    """A line for each speaker."""
    for split in SPLITS:
        for voice in voices_of(split, ("kokoro-en",), 1):
            if voice.settings.factor != 1.0:
                continue
            texts = [pool_line(voice, kind, i).text for kind, n in pool_of(voice.base).items() for i in range(n)]
            speaker = Speaker(voice, bank)
            lines = [(text, speaker.say(text)) for text in texts]
            spoken = [(text, line.audio, line.phones) for text, line in lines if line.phones]  # others were refused
            errors, hz = measure_lines(spoken, decoder)
            print(f"{split} {voice.base.variant}: word error {errors:.2f}, F0 {hz:.0f} Hz", flush=True)


def main() -> None:
    """Measure the first draws."""
    from pocketsphinx import Decoder

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--first", type=int, default=0, help="first draw (default 0)")
    parser.add_argument("--draws", type=int, default=60, help="number of draws (default 60)")
    parser.add_argument("--speakers", type=Path, metavar="BANK", help="a corpus's bank: its kokoro-en speakers instead")
    chosen = parser.parse_args()
    decoder, kept = Decoder(loglevel="FATAL"), []
    if chosen.speakers is not None:
        measure_speakers(chosen.speakers, decoder)
        return
    for i in range(chosen.first, chosen.first + chosen.draws):
        KOKORO_MIXES[f"draw{i}"] = engines.draw_mix(i)
        errors, hz = measure(Settings("kokoro", f"draw{i}"), decoder)
        kept += [i] if errors < MOST_ERRORS else []
        print(f"draw {i}: word error {errors:.2f}, F0 {hz:.0f} Hz", flush=True)
    print(f"keep {len(kept)}: {kept}")
    for settings in (Settings("kokoro", "gongitsune"), Settings("flite", "slt"), Settings("espeak", "m3")):
        errors, hz = measure(settings, decoder)
        print(f"{settings.engine} {settings.variant}: word error {errors:.2f}, F0 {hz:.0f} Hz", flush=True)


if __name__ == "__main__":
    main()
