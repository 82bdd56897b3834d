"""A take on the wire: the recorded frames and voices in real time, from a server like any other (docs/takes.md).

The head's "session" gives out what was recorded; dials, cancel and inputs have no effect on it, `open` is refused.  The
user's voice goes out, too, as `VVU1` on the motion socket.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from visavis.bridge.head import SESSION_COUNTERS, STAGES, VOICE_COUNTERS, Head, HeadOptions
from visavis.bridge.server import BridgeServer
from visavis.constants import FRAME_NS, SAMPLE_RATE
from visavis.engine import ModelInfo
from visavis.errors import InvalidArgument, Unsupported
from visavis.rig import Dial
from visavis.runtime import Runtime
from visavis.session import FrameState, Model, Session
from visavis.takes.export import voices_in_sync
from visavis.takes.take import Take

AHEAD_NS = FRAME_NS  # frames come so long before they are to be seen, as a live head's
START_NS = 400_000_000  # until the take's time 0: for subscribers to connect
PIECE = SAMPLE_RATE // 25  # samples of a message of the user's voice


class TakeEngine:
    """Stands where an engine stands; it has nothing to run."""

    def __init__(self, take: Take) -> None:
        about = take.about
        self.config = SimpleNamespace(motion_space=about.motion_space)
        numbers = (about.turn_frames, 0, about.lookahead_frames, 0, 1, 0.0)
        self.info = ModelInfo(f"take of {about.model}", about.channels, about.units, *numbers)


class PlayedSession:
    """Gives out a take's frames when their time has come; keeps the part of `Session` that a head uses."""

    delay_ns = user_lag_frames = 0

    def __init__(self, runtime: "PlayedRuntime", take: Take, start_ns: int) -> None:
        self.model, self._runtime, self.origin_ns = runtime.model, runtime, runtime.clock()
        self._motion, self._start_ns = take.shown(), start_ns
        keep = (take.state & FrameState.WITHDRAWN) == 0
        self._state = take.state[keep] & (FrameState.SPEAKING | FrameState.LISTENING)
        self._next = self._n_dropped = 0

    def _poll_arrays(self, _: int | None) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The frames that are due, as those of `Session`."""
        now_ns = self._runtime.now_ns - self.origin_ns
        time_ns = self._motion.time_ns + self._start_ns
        end = int(np.searchsorted(time_ns, now_ns + AHEAD_NS, "right"))
        first = min(max(self._next, int(np.searchsorted(time_ns, now_ns - FRAME_NS))), end)
        self._n_dropped += first - self._next
        self._next, due = end, slice(first, end)
        return time_ns[due] // FRAME_NS, time_ns[due], self._state[due], self._motion.values[due]

    @property
    def stats(self) -> dict[str, Any]:
        """Counters: of what is given out, none of an engine."""
        voice = dict.fromkeys(VOICE_COUNTERS, 0)
        counters = dict.fromkeys((*SESSION_COUNTERS, *(f"{stage}_ns" for stage in STAGES)), 0)
        return {
            **counters,
            "dropped_frames": self._n_dropped,
            "user": voice,
            "agent": voice,
            "user_motion": {"pushed": 0},
        }

    def refuse(self, *_: Any) -> NoReturn:
        """Whatever would change a live session."""
        raise Unsupported("this head plays a take: it takes no voices, faces, dials or cancel")

    push_agent_audio = push_user_audio = push_user_motion = cancel = refuse

    def set_dials(self, dials: Mapping[str, float]) -> None:
        """There are none."""
        if dials:
            self.refuse()

    def set_temperature(self, temperature: float) -> None:
        """Acts on nothing."""

    def dials(self) -> list[Dial]:
        """There are none."""
        return []

    def release(self) -> None:
        """The runtime forgets it."""
        self._runtime.playing.remove(self)


class PlayedModel(Model):
    """What a take has for a model."""

    engine_name = "take"

    def __init__(self, take: Take) -> None:
        super().__init__(cast(Any, TakeEngine(take)))


class PlayedRuntime(Runtime):
    """What a server takes for a runtime: a head that is opened plays the take from its start."""

    def __init__(self, take: Take, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.model, self.clock, self.now_ns = PlayedModel(take), clock, clock()
        self.playing: list[PlayedSession] = []
        self._take = take

    def session(self, *_: Any, **__: Any) -> Session:
        """The take's frames."""
        self.playing.append(PlayedSession(self, self._take, START_NS))
        return cast(Session, self.playing[-1])

    def advance(self, now_ns: int | None = None) -> list[Session]:
        """What time it is; any of the sessions may have frames."""
        self.now_ns = self.clock() if now_ns is None else now_ns
        return cast("list[Session]", self.playing.copy())

    @property
    def next_due_ns(self) -> int:
        """No turn is."""
        return 1 << 62

    def charge(self, ns: int, turns: int) -> None:
        """There is room for what there is."""

    def report(self) -> dict[str, Any]:
        """Nothing is computed."""
        return {"heads": len(self.playing), "load": 0, "max_load": None, "turn_ms": 0}


class TakeVoices:
    """Sends both voices of a take: the agent's with its frames, the user's beside them.  A feeder of a server."""

    def __init__(self, server: BridgeServer, head: Head, take: Take) -> None:
        self._server, self._head = server, head
        self._agent, self._user = voices_in_sync(take)
        self._first = 0

    def feed(self) -> None:
        """Send what is due."""
        while self._first < len(self._agent):
            time_ns = START_NS + self._first * 1_000_000_000 // SAMPLE_RATE
            if time_ns > self._head.session_ns() + AHEAD_NS:
                return
            piece = slice(self._first, self._first + PIECE)
            self._head.queue_voice(self._agent[piece], SAMPLE_RATE, time_ns)
            self._server.publish(self._head.user_voice(self._user[piece], SAMPLE_RATE, time_ns))
            self._first += PIECE


def play(take: Take, head: str, port: int, *, loop: bool, stop: Callable[[], bool]) -> Iterator[str]:
    """Publish a take in real time, once or again and again; gives lines to print.  Raises the errors of the house."""
    if not len(take.frame):
        raise InvalidArgument("the take has no frames to play")
    length_ns = START_NS + round(take.seconds * 1e9) + FRAME_NS
    with BridgeServer(PlayedRuntime(take), port=port, max_heads=1) as server:
        where = server.ports.endpoint
        yield f"a take of {take.seconds:.1f} s on {where}, head {head}; look with `visavis watch --endpoint {where}`"
        while not stop():
            opened = server.open_head(head, HeadOptions(agent_audio="ahead"))
            server.owned_heads.add(head)
            voices = TakeVoices(server, opened, take)
            server.feeders[:] = [voices]
            server.run(lambda opened=opened: stop() or opened.session_ns() > length_ns)  # type: ignore[misc]
            server.close_head(head)
            yield f"{opened.counters['frames']} frames played, {opened.count()['dropped_frames']} came too late"
            if not loop:
                break
