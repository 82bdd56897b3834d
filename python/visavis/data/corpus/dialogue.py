"""Dialogues: who says what and when, and the two audio tracks that come of it.

Turn-taking is drawn per pair (offsets are mostly a property of the pair, arXiv 2505.24736): talk share, mean offset,
overlap, backchannels.  Label times are exact to the sample.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.data.corpus.bank import Utterance
from visavis.data.corpus.person import Person
from visavis.data.corpus.phones import Phone
from visavis.data.corpus.text import BACKCHANNELS, Line, turn_lines

PAUSE_MIN_S = 0.28  # between phrases of one turn: long enough to be heard as an end (brief: at least 0.25 s)
PAUSE_MEDIAN_S, PAUSE_SIGMA, PAUSE_MAX_S = 0.50, 0.40, 1.4  # log-normal (own choice around usual clause pauses)
OFFSET_MEAN_S, OFFSET_PAIR_STD_S = 0.20, 0.15  # mean offset per pair ~ N(200, 150) ms (Stivers 2009; recipe 4)
OFFSET_STD_S = 0.22  # around the pair's mean (own choice; keeps the mode near 200 ms)
P_OVERLAP = 0.10  # turns that start well before the other's end, besides those the offset brings (own choice)
P_INTERRUPT = 0.04  # turns that cut the other off (own choice)
P_LAPSE = 0.06  # turns before which both are silent for a while (own choice)
BACKCHANNEL_RATE = 0.22  # chance at each phrase end inside a turn; gives about a fifth of utterances (Ward)
BACKCHANNEL_DELAY_S = (0.35, 0.85)  # after the phrase's end (Ward: 700 ms after the cue's start)
BACKCHANNEL_LEVEL_DB = -4.0  # quieter than turns (own choice)
END_SILENCE_S = (1.0, 2.0)
MIN_CUE_S = 0.7  # a phrase this long earns a reaction (Ward: after >= 700 ms of speech)
ASIDE = ("backchannel", "laugh")  # kinds of lines that take no turn
FADE_S = 0.04  # of a phrase cut off by an interruption

LEAST_S = 3.0  # of a conversation in which nobody found anything to say


@dataclass
class Phrase:
    """A line placed in time: its sound from `start`, speech from `speech_start` to `speech_end` (seconds)."""

    line: Line
    utterance: Utterance
    start: float
    turn: int
    last_of_turn: bool = False
    cut: bool = False
    phones: list[Phone] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = round(self.start * SAMPLE_RATE) / SAMPLE_RATE
        self.phones = [Phone(p.label, p.start + self.start, p.end + self.start) for p in self.utterance.phones]

    @property
    def speech_start(self) -> float:
        """Start of the first phone."""
        return self.phones[0].start

    @property
    def speech_end(self) -> float:
        """End of the last phone."""
        return self.phones[-1].end

    @property
    def is_cue(self) -> bool:
        """Whether its end invites a reaction: a whole phrase, no backchannel and no laughter."""
        return not self.cut and self.line.kind not in ASIDE and self.speech_end - self.speech_start >= MIN_CUE_S


@dataclass(frozen=True)
class Pair:
    """Turn-taking habits of two people."""

    talk_share: float  # of person 0
    offset_s: float
    overlap: float
    backchannels: tuple[float, float]  # by person 0, by person 1
    length: float  # mean phrases in a turn

    @staticmethod
    def draw(rng: np.random.Generator) -> "Pair":
        """A pair at random; talk shares spread over 20 to 90 % in real data (research, section 6)."""
        rates = BACKCHANNEL_RATE * np.exp(rng.normal(0.0, 0.4, 2))
        return Pair(
            talk_share=float(np.clip(rng.normal(0.5, 0.14), 0.2, 0.8)),
            offset_s=float(np.clip(rng.normal(OFFSET_MEAN_S, OFFSET_PAIR_STD_S), -0.05, 0.6)),
            overlap=float(np.clip(P_OVERLAP * np.exp(rng.normal(0.0, 0.4)), 0.0, 0.3)),
            backchannels=(float(min(rates[0], 0.6)), float(min(rates[1], 0.6))),
            length=float(np.clip(rng.normal(2.6, 0.5), 1.6, 3.6)),
        )


Speak = Callable[[int, str], Utterance]


class Scheduler:
    """Places phrases of two persons on one time line until `duration_s` is full."""

    def __init__(self, pair: Pair, duration_s: float, speak: Speak, rng: np.random.Generator) -> None:
        self.pair, self.duration_s, self.speak, self.rng = pair, duration_s, speak, rng
        self.phrases: tuple[list[Phrase], list[Phrase]] = ([], [])

    def run(self) -> None:
        """Turn after turn; the longest-silent person goes on after the other."""
        rng = self.rng
        time, turn, who = float(rng.uniform(0.6, 2.0)), 0, int(rng.random() > self.pair.talk_share)
        answering: str | None = None
        while True:
            share = self.pair.talk_share if who == 0 else 1.0 - self.pair.talk_share
            n_phrases = int(np.clip(rng.geometric(1.0 / max(1.0, 2 * share * self.pair.length)), 1, 5))
            end = self._turn(who, turn, time, turn_lines(n_phrases, rng, answering))
            if end is None:
                return
            answering = self.phrases[who][-1].line.kind
            time, who, turn = self._next_start(who, end), 1 - who, turn + 1

    def _turn(self, who: int, turn: int, time: float, lines: list[Line]) -> float | None:
        """Place a turn that starts (speech) at `time`; its end, or None when the dialogue is full."""
        rng, placed = self.rng, False
        for i, line in enumerate(lines):
            phrase = self._place(who, turn, time, line)
            if phrase is None:
                continue
            if phrase.speech_end > self.duration_s - END_SILENCE_S[0]:
                break
            self.phrases[who].append(phrase)
            placed = True
            end = phrase.speech_end
            pause = float(np.exp(rng.normal(np.log(PAUSE_MEDIAN_S), PAUSE_SIGMA)))
            time = end + float(np.clip(pause, PAUSE_MIN_S, PAUSE_MAX_S))
            if i + 1 < len(lines) and phrase.is_cue and rng.random() < self.pair.backchannels[1 - who]:
                self._backchannel(1 - who, end)
        if not placed:
            return None
        self.phrases[who][-1].last_of_turn = True
        return self.phrases[who][-1].speech_end

    def _place(self, who: int, turn: int, time: float, line: Line, level_db: float = 0.0) -> Phrase | None:
        spoken = self.speak(who, line.text)
        if not spoken.phones:
            return None
        gain = np.float32(10.0 ** ((level_db + self.rng.normal(0.0, 1.2)) / 20.0))
        spoken = Utterance(spoken.audio * gain, spoken.phones)
        earliest = max((p.speech_end for p in self.phrases[who]), default=0.0) + PAUSE_MIN_S
        return Phrase(line, spoken, max(time, earliest) - spoken.phones[0].start, turn)

    def _backchannel(self, who: int, phrase_end: float) -> None:
        line = Line(str(self.rng.choice(BACKCHANNELS.split("|"))), "backchannel")
        time = phrase_end + float(self.rng.uniform(*BACKCHANNEL_DELAY_S))
        phrase = self._place(who, -1, time, line, BACKCHANNEL_LEVEL_DB)
        if phrase is not None and phrase.speech_end < self.duration_s - END_SILENCE_S[0]:
            self.phrases[who].append(phrase)

    def _next_start(self, who: int, end: float) -> float:
        """When the other person starts, given that this turn ends at `end`."""
        rng, last = self.rng, self.phrases[who][-1]
        draw = rng.random()
        if draw < P_INTERRUPT and last.speech_end - last.speech_start > 1.8:
            start = last.speech_start + float(rng.uniform(0.5, 0.8)) * (last.speech_end - last.speech_start)
            cut(last, start + float(rng.uniform(0.25, 0.6)))
            return start
        if draw < P_INTERRUPT + self.pair.overlap:
            return end - float(rng.uniform(0.15, 0.6))
        if draw > 1.0 - P_LAPSE:
            return end + float(rng.uniform(1.5, 4.0))
        return end + max(-0.15, float(rng.normal(self.pair.offset_s, OFFSET_STD_S)))


def cut(phrase: Phrase, time: float) -> None:
    """End a phrase at the first phone that ends after `time`, with a short fade."""
    kept = [p for p in phrase.phones if p.start < time]
    if not kept or len(kept) == len(phrase.phones):
        return
    phrase.phones, phrase.cut = kept, True
    n = round((kept[-1].end - phrase.start) * SAMPLE_RATE)
    fade = min(n, round(FADE_S * SAMPLE_RATE))
    audio = phrase.utterance.audio[:n].copy()
    audio[n - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    phrase.utterance = Utterance(audio, phrase.utterance.phones[: len(kept)])


def n_frames_of(phrases: tuple[list[Phrase], list[Phrase]], rng: np.random.Generator) -> int:
    """Length of a dialogue: a short silence after the last word."""
    end = max((p.speech_end for person in phrases for p in person), default=LEAST_S)
    return int(np.ceil((end + float(rng.uniform(*END_SILENCE_S))) * FRAME_RATE))


def mix(phrases: list[Phrase], n_frames: int) -> npt.NDArray[np.float32]:
    """The dry voice of one person, (n_frames * 640,)."""
    audio = np.zeros(n_frames * SAMPLES_PER_FRAME, np.float32)
    for phrase in phrases:
        first = round(phrase.start * SAMPLE_RATE)
        samples = phrase.utterance.audio[max(0, -first) : len(audio) - first]
        audio[max(0, first) : max(0, first) + len(samples)] += samples
    return audio


def speaking_frames(phrases: list[Phrase], n_frames: int) -> npt.NDArray[np.bool_]:
    """Frames in which a person speaks, gaps under 0.2 s inside a phrase included."""
    speaking = np.zeros(n_frames, bool)
    for phrase in phrases:
        start = phrase.phones[0].start
        for phone, after in zip(phrase.phones, [*phrase.phones[1:], None], strict=True):
            if after is None or after.start - phone.end > 0.2:
                speaking[
                    round(start * FRAME_RATE) : max(round(phone.end * FRAME_RATE), round(start * FRAME_RATE) + 1)
                ] = True
                start = after.start if after is not None else 0.0
    return speaking


def record(
    voice: npt.NDArray[np.float32], speaking: npt.NDArray[np.bool_], person: Person, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The voice at the person's level over the microphone's noise; peaks stay below 0.98."""
    active = np.repeat(speaking, SAMPLES_PER_FRAME)
    rms = float(np.sqrt(np.mean(np.square(voice[active], dtype=np.float64)))) if active.any() else 1.0
    audio = voice * np.float32(10.0 ** (person.level_db / 20.0) / max(rms, 1e-6))
    peak = float(np.abs(audio).max())
    if peak > 0.95:
        audio = audio * np.float32(0.95 / peak)
    if person.noise_db is not None:
        noise = rng.standard_normal(len(audio)).astype(np.float32)
        noise = 0.6 * noise + 0.8 * np.convolve(noise, np.full(8, 8**-0.5, np.float32), "same")  # rather dull
        audio = audio + noise * np.float32(10.0 ** (person.noise_db / 20.0) / noise.std())
    return np.asarray(np.clip(audio, -0.98, 0.98), np.float32)
