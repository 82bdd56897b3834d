"""What a listener of version 2 does with the partner's speech.

As in version 1 every reaction starts at least 0.35 s after what caused it: a runtime sees the user up to 0.28 s late.
"""

import numpy as np

from visavis.data.corpus.curves import Array, add_episode, add_nod, steps
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.listening import Event
from visavis.data.corpus.person import DEG, Person
from visavis.data.corpus.prosody import Accent
from visavis.data.corpus.text import WARM

P_NOD_END, NOD_DELAY_S = 0.55, (0.35, 0.50, 0.80)  # as version 1
P_NOD_ACCENT, STRONG = 0.07, 0.9  # at the partner's accents that stand out this far
P_NOD_BACKCHANNEL = 0.75  # (Chalmers 2011: together or a little before)
NOD_RATE_ELSEWHERE = 0.8  # a minute
NOD_HZ = (1.1, 4.6)  # log-uniform: fast nods at 2.6-6.5 Hz, slow ones below (Hale 2020)
NOD_DEG_AT_1HZ, NOD_POWER = 5.6, 0.75  # fast ones are small, slow ones large: half peak-to-peak = 5.6 / hz^0.75 degrees
NOD_S = (0.55, 1.25)  # so fast ones have more cycles
NOD_DECAY, NOD_GROWTH = (0.62, 0.85), 0.10  # falls over the cycles, grows with their number (Mori 2025)
MOST_CYCLES = 5
P_SMILE_END, SMILE_DELAY_S = 0.24, (0.35, 0.80)
P_SMILE_BACK, SMILE_BACK_DELAY_S = 0.45, (0.40, 1.00)  # a partner's smile is answered
P_SMILE_LAUGH, LAUGH_HEIGHT = 0.85, (0.35, 0.65)  # so is their laughter
SMILE_HEIGHT, SMILE_S = (0.18, 0.50), (1.0, 3.0)
SMILE_ATTACK_S, SMILE_RELEASE_S = (0.28, 0.45), (0.45, 0.75)
SMILE_RATE_ELSEWHERE = 0.4
P_BROW_QUESTION, P_BROW_END = 0.6, 0.08
BROW_DELAY_S, BROW_RAISE = (0.35, 0.70), (0.25, 0.50)
FURROW_RATE = 0.7
P_POSTURE, POSTURE_DELAY_S, POSTURE_S = 0.22, (0.35, 1.2), (1.0, 2.0)  # a new posture where the partner takes the turn
POSTURE_DEG = {"headYaw": 3.5, "headPitch": 2.2, "headRoll": 3.0}  # std
FREE_S = 0.1  # no reaction where one's own turn starts within this time: about as far ahead as a runtime hears


class Listener:
    """The reactions of one person: adds to `tracks` and keeps the events."""

    def __init__(self, tracks: dict[str, Array], own: list[Phrase], partner: list[Phrase], person: Person,
                 rng: np.random.Generator) -> None:  # fmt: skip
        self.tracks, self.own, self.partner, self.person, self.rng = tracks, own, partner, person, rng
        self.events: list[Event] = []
        self.turns = [(p.speech_start, p.speech_end) for p in own if p.line.kind != "backchannel"]

    def react(self, accents: list[Accent]) -> None:
        """Everything that the partner's speech causes; `accents` are the partner's."""
        for phrase in self.own:
            if phrase.line.kind == "backchannel":
                self._with_backchannel(phrase)
        for phrase in self.partner:
            draws = self.rng.random(4)
            if phrase.line.kind == "laugh" and draws[0] < P_SMILE_LAUGH:
                self.smile(phrase.speech_start + float(self.rng.uniform(*SMILE_DELAY_S)), LAUGH_HEIGHT)
            elif phrase.is_cue and self._free(phrase.speech_end):
                self._after_phrase(phrase, draws)
        for accent in accents:
            if self.rng.random() < P_NOD_ACCENT * self.person.gain["nod_rate"] and accent.prominence > STRONG:
                time = accent.time + float(self.rng.triangular(*NOD_DELAY_S))
                if self._free(time):
                    self.nod(time, fast=True)
        for rate, act in (
            (NOD_RATE_ELSEWHERE, self.nod),
            (SMILE_RATE_ELSEWHERE, self.smile),
            (FURROW_RATE, self._furrow),
        ):
            for time in self._while_listening(rate):
                act(time)
        self._postures()

    def answer_smiles(self, smiles: list[Event]) -> None:
        """Smile back at some of the partner's smiles."""
        for event in smiles:
            answered, delay = self.rng.random(), float(self.rng.uniform(*SMILE_BACK_DELAY_S))
            if event.kind == "smile" and answered < P_SMILE_BACK:
                self.smile(event.start + delay)

    def _free(self, time: float) -> bool:
        return not any(start < time + FREE_S and stop > time - 0.2 for start, stop in self.turns)

    def _after_phrase(self, phrase: Phrase, draws: Array) -> None:
        rng, person, end = self.rng, self.person, phrase.speech_end
        question = phrase.line.kind == "question"
        if draws[0] < min(0.9, P_NOD_END * person.gain["nod_rate"]) * (0.5 if question else 1.0):
            self.nod(end + float(rng.triangular(*NOD_DELAY_S)))
        if draws[1] < min(0.7, P_SMILE_END * person.gain["smile_rate"]):
            self.smile(end + float(rng.uniform(*SMILE_DELAY_S)))
        if draws[2] < (P_BROW_QUESTION if question else P_BROW_END):
            start = end + float(rng.uniform(*BROW_DELAY_S))
            self._brows(start, float(rng.uniform(0.9, 1.6)), float(rng.uniform(*BROW_RAISE)) * person.gain["brow"])

    def _with_backchannel(self, phrase: Phrase) -> None:
        nod, lead = self.rng.random(), float(self.rng.uniform(-0.15, 0.0))
        if phrase.line.text in WARM:
            self._brows(phrase.speech_start, 1.1, 0.32 * self.person.gain["brow"])
            self.smile(phrase.speech_start)
        elif nod < P_NOD_BACKCHANNEL:
            self.nod(phrase.speech_start + lead)

    def _brows(self, start: float, length: float, height: float) -> None:
        add_episode(self.tracks["browInnerUp"], start, length, height, 0.3, 0.45)
        add_episode(self.tracks["browOuterUp"], start, length, 0.9 * height, 0.3, 0.45)

    def nod(self, start: float, fast: bool = False) -> None:
        """A nod, unless one is going on."""
        rng, person = self.rng, self.person
        low, high = (2.6, NOD_HZ[1]) if fast else NOD_HZ
        hz = low * (high / low) ** float(rng.random())
        n_cycles = int(np.clip(round(hz * float(rng.uniform(*NOD_S))), 1, MOST_CYCLES))
        size = NOD_DEG_AT_1HZ / hz**NOD_POWER * DEG * person.gain["nod_size"] * float(np.exp(rng.normal(0.0, 0.15)))
        size *= 1.0 + NOD_GROWTH * (n_cycles - 2)
        decay = float(rng.uniform(*NOD_DECAY))
        if not self._busy("nod", start, 0.3):
            end = add_nod(self.tracks["headPitch"], start, n_cycles, hz, size, decay)
            self.events.append(Event("nod", start, end))

    def smile(self, start: float, heights: tuple[float, float] = SMILE_HEIGHT) -> None:
        """A smile, unless one is going on."""
        rng = self.rng
        height, length = float(rng.uniform(*heights)) * self.person.gain["smile"], float(rng.uniform(*SMILE_S))
        attack, release = float(rng.uniform(*SMILE_ATTACK_S)), float(rng.uniform(*SMILE_RELEASE_S))
        if not self._busy("smile", start, 0.5):
            add_episode(self.tracks["smile"], start, length, height, attack, min(release, length - attack))
            self.events.append(Event("smile", start, start + length))

    def _furrow(self, time: float) -> None:
        rng = self.rng
        add_episode(
            self.tracks["browDown"], time, float(rng.uniform(1.5, 3.0)), float(rng.uniform(0.12, 0.3)), 0.5, 0.7
        )

    def _busy(self, kind: str, start: float, margin: float) -> bool:
        return any(e.kind == kind and e.start - margin < start < e.end + margin for e in self.events)

    def _while_listening(self, rate: float) -> list[float]:
        """Poisson times, `rate` a minute, inside the partner's speech, away from one's own."""
        times = []
        for phrase in self.partner:
            length = phrase.speech_end - phrase.speech_start
            count, at = self.rng.poisson(rate * length / 60.0), self.rng.random(4)
            times += [phrase.speech_start + length * float(x) for x in at[: min(count, 4)]]
        return [t for t in times if not any(p.speech_start - 0.3 < t < p.speech_end + 0.3 for p in self.own)]

    def _postures(self) -> None:
        """A new posture, now and then, soon after the partner has taken the turn."""
        rng, last = self.rng, -1
        targets: dict[str, list[tuple[float, float, float]]] = {name: [] for name in POSTURE_DEG}
        for phrase in self.partner:
            if phrase.turn < 0 or phrase.turn == last:
                continue
            last = phrase.turn
            shifts, delay, length = rng.random(), float(rng.uniform(*POSTURE_DELAY_S)), float(rng.uniform(*POSTURE_S))
            poses = {
                name: float(rng.normal(0.0, std)) * DEG * self.person.gain["head"] for name, std in POSTURE_DEG.items()
            }
            if shifts < P_POSTURE * self.person.gain["posture_rate"]:
                for name, pose in poses.items():
                    targets[name].append((phrase.speech_start + delay, pose, length))
        for name, moves in targets.items():
            self.tracks[name] += steps(len(self.tracks[name]), moves)
