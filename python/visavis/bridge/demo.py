"""The shipped conversation: where it lies, and a feeder that speaks it into a head, or two, on the first one's time."""

from pathlib import Path

from visavis.audio import read_audio
from visavis.bridge.head import Head
from visavis.bridge.plot import Voice
from visavis.constants import FRAME_NS

ASSETS = Path(__file__).parents[1] / "assets"
AHEAD_NS = 500_000_000  # the agent's voice is known so long before it plays, as a TTS delivers it
CHUNK_NS = 100_000_000  # the user's voice comes in pieces of this length, as a microphone delivers it


def demo_voice(who: str) -> Voice:
    """The track of `agent` or `user`."""
    return Voice(*read_audio(ASSETS / f"demo_{who}.flac"))


class DemoVoices:
    """Speaks both tracks into a head: the agent's ahead of time, the user's as time passes.  A feeder of a server.

    With a partner, the user's track is that head's own voice.
    """

    def __init__(self, head: Head, *, loop: bool = False, partner: Head | None = None) -> None:
        self._head, self._loop, self._partner = head, loop, partner
        self.agent, self.user = demo_voice("agent"), demo_voice("user")
        self.length_ns = round(len(self.agent.samples) * 1e9 / self.agent.rate)
        self.start_ns = 0  # of the present round, session clock
        self._fed_ns = {"agent": 0, "user": 0}  # of the present round
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
        self._push("agent", self.agent, self.now_ns + AHEAD_NS)
        self._push("user", self.user, self.now_ns + (AHEAD_NS if self._partner else 0))

    def _push(self, who: str, voice: Voice, until_ns: int) -> None:
        until_ns = min(until_ns // CHUNK_NS * CHUNK_NS, self.length_ns)
        if until_ns <= self._fed_ns[who]:
            return
        first, last = (round(t * voice.rate / 1e9) for t in (self._fed_ns[who], until_ns))
        samples, time_ns = voice.samples[first:last], self.start_ns + self._fed_ns[who]
        if who == "agent":
            self._head.push_agent_audio(samples, voice.rate, time_ns)
        elif self._partner is None:
            self._head.push_user_audio(samples, voice.rate, time_ns)
        else:
            later_ns = self._partner.session_ns(0) - self._head.session_ns(0)  # between the clocks of the two
            self._partner.push_agent_audio(samples, voice.rate, time_ns + later_ns)
        self._fed_ns[who] = until_ns
