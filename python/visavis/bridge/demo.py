"""The shipped conversation: where it lies, and a feeder that speaks it into a head, or two, on the first one's time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.audio import read_audio
from visavis.bridge.head import Head
from visavis.bridge.plot import Voice
from visavis.constants import FRAME_NS

ASSETS = Path(__file__).parents[1] / "assets"
AHEAD_NS = 500_000_000  # the agent's voice is known so long before it plays, as a TTS delivers it
CHUNK_NS = 100_000_000  # the user's voice comes in pieces of this length, as a microphone delivers it
GUEST_NS = 1_500_000_000  # somebody who spoke so recently is the user, instead of the track
QUIET = 10 ** (-45 / 20)  # a piece below this is a pause


def demo_voice(who: str) -> Voice:
    """The track of `agent` or `user`."""
    return Voice(*read_audio(ASSETS / f"demo_{who}.flac"))


class DemoVoices:
    """Speaks both tracks into a head: the agent's ahead of time, the user's as time passes.  A feeder of a server.

    With a partner, the user's track is that head's own voice.  Whoever speaks to the head takes the user's place for as
    long; a head that is interrupted is silent until its next sentence.  `publish`: gets the user's voice as messages.
    """

    def __init__(
        self,
        head: Head,
        *,
        loop: bool = False,
        partner: Head | None = None,
        publish: Callable[[bytes], None] | None = None,
    ) -> None:
        self._head, self._loop, self._partner, self._publish = head, loop, partner, publish
        self.agent, self.user = demo_voice("agent"), demo_voice("user")
        self.length_ns = round(len(self.agent.samples) * 1e9 / self.agent.rate)
        self.start_ns = 0  # of the present round, session clock
        self._fed_ns = {"agent": 0, "user": 0}  # of the present round
        self._speakers = {"agent": head} | ({"user": partner} if partner else {})
        self._cuts = dict.fromkeys(self._speakers, 0)
        self._silenced: set[str] = set()  # interrupted, until a pause in their track
        self.start()

    def start(self) -> None:
        """Begin the first round from now, at a turn's border."""
        turn_ns = self._head.model.turn_frames * FRAME_NS
        self.start_ns = -(-(self._head.session_ns() + AHEAD_NS) // turn_ns) * turn_ns

    @property
    def now_ns(self) -> int:
        """Time within the present round; negative before it begins."""
        return self._head.session_ns() - self.start_ns

    def feed(self) -> None:
        """Push what is due now."""
        if self._loop and self.now_ns >= self.length_ns:
            self.start_ns += self.length_ns
            self._fed_ns = {"agent": 0, "user": 0}
        for who, head in self._speakers.items():
            if head.counters["cuts"] > self._cuts[who]:
                self._cuts[who] = head.counters["cuts"]
                self._silenced.add(who)
        self._push("agent", self.agent, self.now_ns + AHEAD_NS)
        self._push("user", self.user, self.now_ns + (AHEAD_NS if self._partner else 0))

    def _push(self, who: str, voice: Voice, until_ns: int) -> None:
        until_ns = min(until_ns // CHUNK_NS * CHUNK_NS, self.length_ns)
        while self._fed_ns[who] < until_ns:
            end_ns = min(self._fed_ns[who] + CHUNK_NS, self.length_ns)
            first, last = (round(t * voice.rate / 1e9) for t in (self._fed_ns[who], end_ns))
            samples, time_ns = voice.samples[first:last], self.start_ns + self._fed_ns[who]
            self._fed_ns[who] = end_ns
            if who in self._silenced:
                if np.abs(samples).max(initial=0) > QUIET:
                    continue
                self._silenced.remove(who)
            self._speak(who, voice, samples, time_ns)

    def _speak(self, who: str, voice: Voice, samples: NDArray[np.float32], time_ns: int) -> None:
        if who == "agent":
            self._head.push_agent_audio(samples, voice.rate, time_ns)
        elif self._partner is not None:
            later_ns = self._partner.session_ns(0) - self._head.session_ns(0)  # between the clocks of the two
            self._partner.push_agent_audio(samples, voice.rate, time_ns + later_ns)
        elif self._head.spoken_to_ns is None or self._head.session_ns() - self._head.spoken_to_ns > GUEST_NS:
            self._head.push_user_audio(samples, voice.rate, time_ns)
            if self._publish is not None:
                self._publish(self._head.user_voice(samples, voice.rate, time_ns))
