"""The client's side of the latency benchmark: speaks on a schedule and looks at the face every millisecond.

The schedule is fixed before the first word and kept whatever happens (an open loop): a voice that goes out late because
the machine was busy counts from when it should have gone out.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.benchmark.native_client import CONNECTED, NEXT_TIME, NativeClient
from visavis.bridge.client import Client
from visavis.errors import StateError, Unsupported

USER_RATE, USER_BLOCK = 48_000, 512  # a microphone's: 10.67 ms, which falls on ever other moments of a turn
BLOCK_NS = USER_BLOCK * 1_000_000_000 // USER_RATE
# 300 ms of synthetic speech, known at once.  At this rate the first message holds more than a turn: a session moves a
# shorter first push towards the turn's end, so that a burst of small pushes is not torn.
AGENT_RATE, AGENT_SAMPLES = 16_000, 4_800
AGENT_EVERY_S = (0.6, 0.8)  # at random moments between, when the one before has been said
SETTLE_S = 4.0  # until the client's delay is what it will be
LOOK_S = 0.001
LOUD_S, PERIOD_S = 0.4, 1.0  # of the user's voice
N_BLOCKS = round(PERIOD_S * 1e9) // BLOCK_NS  # in which it repeats
PATIENCE_S = 20.0


@dataclass
class Said:
    """A piece of voice."""

    intended_ns: int  # monotonic clock: when it was to be sent
    sent_ns: int  # when it was
    session_ns: int | None = None  # the user's: where its last sample lies on the session clock
    block: int = 0  # the user's: number of the block


@dataclass
class Seen:
    """What the client sent and saw, all on the monotonic clock."""

    user: list[Said] = field(default_factory=list)
    agent: list[Said] = field(default_factory=list)
    shown_ns: dict[int, int] = field(default_factory=dict)  # frame -> first look at it or at a later one
    arrived: list[tuple[int, int]] = field(default_factory=list)  # time, frames received by then
    counts: dict[str, int] = field(default_factory=dict)


def user_block(index: int) -> NDArray[np.float32]:
    """A block of the user's voice: noise, loud for the first 400 ms of a second."""
    loud = index * BLOCK_NS / 1e9 < LOUD_S
    noise = np.random.default_rng(index).standard_normal(USER_BLOCK, np.float32)
    noise *= 0.1 if loud else 1e-4
    return noise


def converse(
    endpoint: str, head: str, seconds: float, seed: int = 0, progress: Callable[[float], object] | None = None
) -> Seen:
    """Speak to and for a head for so long, after some seconds that do not count.  Raises StateError, Unsupported."""
    with NativeClient(endpoint) as client:
        if abs(client.now_ns() - time.monotonic_ns()) > 5_000_000:
            raise Unsupported("latency: client and server have different clocks on this system; use Linux")
        handle = client.follow(head)
        _wait_for_motion(client, handle, head)
        talker = Talker(client, handle, _began_ns(endpoint, head), seconds, seed=seed)
        talker.run(progress)
        return talker.seen


def _wait_for_motion(client: NativeClient, handle: int, head: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while client.stats(handle).connection != CONNECTED or not client.stats(handle).frames:
        if time.monotonic() > deadline:
            raise StateError(f"latency: no motion of head {head!r} within {PATIENCE_S:g} s")
        time.sleep(0.01)


def _began_ns(endpoint: str, head: str) -> int:
    """When the head's session clock showed 0: the server says it exactly, on the clock that both have."""
    with Client(endpoint) as client:
        (told,) = client.request("describe", PATIENCE_S, head=head)["heads"]
    return int(told["server_ns"]) - int(told["session_ns"])


class Listener(Protocol):
    """What a talker needs of a client: NativeClient, or one on another clock."""

    def send(self, who: str, head: int, samples: NDArray[np.float32], rate: int, session_ns: int = NEXT_TIME) -> Any:
        """Voice of `user` or `agent`."""

    def sample(self, head: int) -> Any:
        """The face to show now."""

    def stats(self, head: int) -> Any:
        """Counters."""


class Talker:
    """All that is to be said, and the loop that says it and looks."""

    def __init__(
        self,
        client: Listener,
        head: int,
        began_ns: int,
        seconds: float,
        *,
        settle_s: float = SETTLE_S,
        seed: int = 0,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`began_ns`: when the head's session clock showed 0."""
        self._client, self._head, self._began_ns, self._clock, self._sleep = client, head, began_ns, clock, sleep
        self.seen = Seen()
        self.start_ns = clock() + 50_000_000
        self.counts_ns = self.start_ns + round(settle_s * 1e9)
        self.end_ns = self.counts_ns + round(seconds * 1e9)
        self._blocks = [user_block(index) for index in range(N_BLOCKS)]
        n_blocks = (self.end_ns - self.start_ns) // BLOCK_NS
        self._user_ns = [self.start_ns + index * BLOCK_NS for index in range(1, n_blocks + 1)]
        rng = np.random.default_rng(seed)
        gaps = rng.uniform(*AGENT_EVERY_S, size=int(seconds / AGENT_EVERY_S[0]) + 1)
        times = self.counts_ns + np.cumsum(gaps * 1e9).astype(np.int64)
        self._agent_ns = [int(t) for t in times if t < self.end_ns]
        self._agent_voice = (0.1 * rng.standard_normal(AGENT_SAMPLES)).astype(np.float32)
        self._n_user = self._n_agent = 0
        self._newest, self._n_arrived = -1, 0

    def run(self, progress: Callable[[float], object] | None = None) -> None:
        """Until all is said, and half a second more for the last of it to be seen."""
        until_ns = self.end_ns + 500_000_000
        next_ns = self.start_ns
        while (now_ns := self._clock()) < until_ns:
            self._speak(now_ns)
            self._look()
            if progress is not None:
                progress((now_ns - self.start_ns) / (until_ns - self.start_ns))
            next_ns = max(next_ns + round(LOOK_S * 1e9), self._clock())
            self._sleep(max(0, next_ns - self._clock()) / 1e9)
        stats = self._client.stats(self._head)
        names = ("frames", "lost", "late", "dropped", "starved", "unsent", "delay_ns", "round_trip_ns")
        self.seen.counts = {name: int(getattr(stats, name)) for name in names}

    def _speak(self, now_ns: int) -> None:
        """Send what is to be sent by now."""
        while self._n_user < len(self._user_ns) and self._user_ns[self._n_user] <= now_ns:
            intended_ns, block = self._user_ns[self._n_user], self._blocks[self._n_user % N_BLOCKS]
            end_ns = intended_ns - self._began_ns  # the microphone hands over what it just heard
            self._client.send("user", self._head, block, USER_RATE, end_ns - BLOCK_NS)
            if intended_ns > self.counts_ns:
                said = Said(intended_ns, self._clock(), end_ns - 1_000_000_000 // USER_RATE, self._n_user)
                self.seen.user.append(said)
            self._n_user += 1
        while self._n_agent < len(self._agent_ns) and self._agent_ns[self._n_agent] <= now_ns:
            self._client.send("agent", self._head, self._agent_voice, AGENT_RATE)
            self.seen.agent.append(Said(self._agent_ns[self._n_agent], self._clock()))
            self._n_agent += 1

    def _look(self) -> None:
        """The face now, and how many frames have come."""
        frame, now_ns = self._client.sample(self._head), self._clock()
        for index in range(max(self._newest + 1, frame.frame - 100), frame.frame + 1):
            self.seen.shown_ns[index] = now_ns
        self._newest = max(self._newest, frame.frame)
        n_arrived = int(self._client.stats(self._head).frames)
        if n_arrived != self._n_arrived:
            self.seen.arrived.append((self._clock(), n_arrived))
            self._n_arrived = n_arrived
