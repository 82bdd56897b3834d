"""Dialogues of version 2: turn-taking that follows the two styles, laughter that the partner joins, long silences."""

import numpy as np

from visavis.data.corpus import dialogue as v1
from visavis.data.corpus.dialogue import Pair, Phrase
from visavis.data.corpus.text import Line
from visavis.data.corpus.v2.person import STYLE, StyledPerson
from visavis.data.corpus.v2.voices import Speaker

TALK_SHARE = 0.16  # of the difference in talkativeness
TALK_SHARE_STD = 0.08
BACKCHANNEL_TALK, BACKCHANNEL_NODS = 0.3, 0.3  # log rates, by talkative and nods
LENGTH_TALK = 0.5  # phrases a turn, by talkative
P_LAUGH = 0.07  # turns that end in laughter (own choice)
P_JOIN, JOIN_S = 0.55, (0.25, 0.7)  # the partner joins, after this delay (laughter is shared; own choice of numbers)
LAUGHS = ("Ha ha ha!", "Ha ha ha ha!", "Heh heh heh.", "Ha ha!")
LAUGH_LEVEL_DB = -2.0
P_SILENCE, SILENCE_S = 0.035, (4.0, 11.0)  # turns before which nobody says anything for long (own choice)


def draw_pair(persons: tuple[StyledPerson, StyledPerson], rng: np.random.Generator) -> Pair:
    """Turn-taking habits of two people, by their styles."""
    plain = Pair.draw(rng)
    talk = [p.style[STYLE.index("talkative")] for p in persons]
    nods = [p.style[STYLE.index("nods")] for p in persons]
    share = 0.5 + TALK_SHARE * (talk[0] - talk[1]) + float(rng.normal(0.0, TALK_SHARE_STD))
    rates = [
        min(r * float(np.exp(BACKCHANNEL_TALK * t + BACKCHANNEL_NODS * n)), 0.7)
        for r, t, n in zip(plain.backchannels, talk, nods, strict=True)
    ]
    return Pair(
        talk_share=float(np.clip(share, 0.18, 0.82)),
        offset_s=plain.offset_s,
        overlap=plain.overlap,
        backchannels=(rates[0], rates[1]),
        length=float(np.clip(plain.length + LENGTH_TALK * 0.5 * (talk[0] + talk[1]), 1.6, 3.8)),
    )


class Scheduler(v1.Scheduler):
    """Version 1's, with laughter at the ends of turns and long silences between them; voices may choose their lines."""

    def __init__(
        self, pair: Pair, duration_s: float, speakers: tuple[Speaker, Speaker], rng: np.random.Generator
    ) -> None:
        super().__init__(pair, duration_s, lambda who, text: speakers[who].say(text), rng)
        self.speakers = speakers

    def _place(self, who: int, turn: int, time: float, line: Line, level_db: float = 0.0) -> Phrase | None:
        return super()._place(who, turn, time, self.speakers[who].choose(line, self.rng), level_db)

    def _next_start(self, who: int, end: float) -> float:
        rng = self.rng
        laugh, joins, silent = rng.random(3)
        if laugh < P_LAUGH:
            end = self._laugh(who, end, bool(joins < P_JOIN))
        start = super()._next_start(who, end)
        return start + float(rng.uniform(*SILENCE_S)) if silent < P_SILENCE else start

    def _laugh(self, who: int, end: float, joined: bool) -> float:
        """The speaker laughs after their turn, the partner with them or not; the laughter's end."""
        rng = self.rng
        start = end + float(rng.uniform(0.1, 0.4))
        for person, time in ((who, start), (1 - who, start + float(rng.uniform(*JOIN_S)))):
            if person != who and not joined:
                break
            line = Line(str(rng.choice(LAUGHS)), "laugh")
            phrase = self._place(person, -1, time, line, LAUGH_LEVEL_DB)
            if phrase is not None and phrase.speech_end < self.duration_s - v1.END_SILENCE_S[0]:
                self.phrases[person].append(phrase)
                end = max(end, phrase.speech_end)
        return end


def laughs(phrases: list[Phrase]) -> list[Phrase]:
    """The laughter among somebody's phrases."""
    return [p for p in phrases if p.line.kind == "laugh"]
