# ruff: noqa: RUF001  (IPA symbols are meant)
"""Phones: one ARPAbet inventory for every speech engine, and the conversions into it.

A phone is (label, start, end) in seconds; `SIL` is silence.  Engines speak CMU symbols (flite, festival, pocketsphinx)
or IPA (espeak-ng); everything behind this file knows ARPAbet alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
OPEN_VOWELS = frozenset("AA AE AO AW AY".split())  # jaw clearly open
BILABIALS = frozenset("P B M".split())
CONSONANTS = frozenset("P B M F V TH DH T D N S Z SH ZH CH JH K G NG L R W Y HH".split())
SIL = "SIL"
ARPABET = VOWELS | CONSONANTS | {SIL}

_CMU = {"PAU": SIL, "H#": SIL, "BRTH": SIL, "SSIL": SIL, "AX": "AH", "AXR": "ER", "IX": "IH", "DX": "T", "EL": "L"}
_CMU |= {"EM": "M", "EN": "N", "HV": "HH", "NX": "N", "+SPN+": SIL, "+NSN+": SIL, "<SIL>": SIL, "(NULL)": SIL}
_IPA_PAIRS = {"dʒ": "JH", "tʃ": "CH", "aɪ": "AY", "eɪ": "EY", "aʊ": "AW", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY"}
_IPA = (
    {"ɑ": "AA", "a": "AA", "ɒ": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔ": "AO", "ɛ": "EH", "e": "EH"}
    | {"ɜ": "ER", "ɚ": "ER", "ɝ": "ER", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "o": "OW", "p": "P"}
    | {"b": "B", "m": "M", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "t": "T", "ɾ": "T", "d": "D", "n": "N"}
    | {"s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "k": "K", "ɡ": "G", "g": "G", "ŋ": "NG", "l": "L", "ɫ": "L"}
    | {"ɹ": "R", "r": "R", "w": "W", "j": "Y", "h": "HH"}
)


class Phone(NamedTuple):
    """One phone with its times in seconds."""

    label: str
    start: float
    end: float

    @property
    def centre(self) -> float:
        """Middle of the phone in seconds."""
        return 0.5 * (self.start + self.end)


def from_cmu(symbol: str) -> str | None:
    """ARPAbet label of a CMU symbol, or None where the inventory has none."""
    symbol = symbol.upper().rstrip("012")
    symbol = _CMU.get(symbol, symbol)
    return symbol if symbol in ARPABET else None


def from_ipa(text: str) -> list[str]:
    """ARPAbet labels of one espeak phoneme event (it may hold two sounds); an empty list for a mere modifier."""
    text = text.strip("ˈˌː ̩").replace("ː", "")
    labels: list[str] = []
    i = 0
    while i < len(text):
        if text[i : i + 2] in _IPA_PAIRS:
            labels.append(_IPA_PAIRS[text[i : i + 2]])
            i += 2
            continue
        if text[i] in _IPA:
            labels.append(_IPA[text[i]])
        i += 1
    return labels


def tidy(phones: Iterable[Phone], duration: float) -> list[Phone]:
    """Sorted phones without silences, empty or overlapping spans, inside [0, duration]."""
    kept: list[Phone] = []
    for phone in sorted(phones, key=lambda p: p.start):
        start = max(phone.start, kept[-1].end if kept else 0.0)
        end = min(phone.end, duration)
        if phone.label != SIL and end - start > 0.004:
            kept.append(Phone(phone.label, start, end))
    return kept
