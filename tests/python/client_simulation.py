"""A server, a network and a game around the native client, on virtual time: minutes of it in seconds.

Two clocks: the server's is the truth; the client's runs `drift_ppm` fast and began elsewhere.  The server publishes
turns of five frames 40 ms ahead, each with its voice, over a network that delays, loses, swaps and stalls.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from client_server import FRAME_NS, FakeHead
from native_client import NativeClient

MS = 1_000_000
S = 1_000 * MS
VOICE_RATE = 16_000
SAMPLES_A_FRAME = VOICE_RATE // 25
CLIENT_BEGAN_NS = 977 * S
SERVER_BEGAN_NS = 5_123 * S


@dataclass
class Network:
    """How messages travel."""

    delay_ns: int = 4 * MS
    jitter_ns: int = 3 * MS  # mean of an exponential
    loss: float = 0.0
    swap: float = 0.0  # share of messages that overtake the one before
    stalls: tuple[tuple[int, int], ...] = ()  # (from, until): nothing arrives meanwhile


@dataclass
class Shown:
    """One sample of the game, times in nanoseconds of the server's session clock."""

    true_ns: int
    session_ns: int
    heard_ns: int | None  # what the loudspeaker plays at that moment
    state: int
    jaw: float
    yaw: float


@dataclass
class Simulation:
    """Runs a client opened with VVC_MANUAL; each `run` goes on where the last one ended."""

    client: NativeClient
    network: Network = field(default_factory=Network)
    drift_ppm: float = 0.0
    device_ppm: float = 0.0  # of the loudspeaker's clock against the client's
    audio: bool = False
    seed: int = 1
    rate: int = 48_000
    block: int = 960

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.head = self.client.follow("npc")
        self.fake = FakeHead()
        self._begun_ns = self._session_zero_ns = 0  # where this run begins: true time and session clock
        self._blocks: list[tuple[float, int]] = []  # (client time of the first sample, its session time)

    def client_ns(self, true_ns: float) -> int:
        """The client's clock at a moment of the server's."""
        return CLIENT_BEGAN_NS + round(true_ns * (1 + self.drift_ppm * 1e-6))

    def run(self, seconds: float, epoch: int | None = None, silent: bool = False, hz: float = 60.0) -> Iterator[Shown]:
        """Play on, with a server that says nothing, or with a restarted one whose session clock begins at 0."""
        if epoch is not None:
            self.fake, self._session_zero_ns = FakeHead(epoch=epoch), 0
        deliveries = iter(()) if silent else self._deliveries(round(seconds * S))
        arrival_ns, message = next(deliveries, (1 << 62, b""))
        audio_ns, block_ns = 0.0, self.block * S / self.rate / (1 + self.device_ppm * 1e-6)
        for tick in range(round(seconds * hz)):
            now_ns = tick * S / hz + self._random.uniform(0, 2) * MS
            while arrival_ns <= now_ns:
                self.client.feed(message, self.client_ns(self._begun_ns + arrival_ns))
                arrival_ns, message = next(deliveries, (1 << 62, b""))
            at_ns = self.client_ns(self._begun_ns + now_ns)
            self.client.drain(at_ns)
            while self.audio and audio_ns <= now_ns:
                self._read(audio_ns, late_ns=self._random.uniform(0, 3) * MS)
                audio_ns += block_ns
            frame = self.client.sample(self.head, at_ns)
            true_ns = self._session_zero_ns + round(now_ns)
            yield Shown(true_ns, frame.session_ns, self._heard(at_ns), frame.state, frame.shapes[17], frame.yaw)
        self._begun_ns += round(seconds * S)
        self._session_zero_ns += round(seconds * S)

    def _read(self, audio_ns: float, late_ns: float) -> None:
        """The audio thread wakes a little late; its samples sound when the device wants them all the same."""
        due_ns = self.client_ns(self._begun_ns + audio_ns)
        _, audio = self.client.read_audio(self.head, self.block, self.rate, due_ns + round(late_ns))
        self._blocks.append((due_ns, audio.session_ns))

    def _heard(self, at_ns: int) -> int | None:
        if not self._blocks:
            return None
        due_ns, session_ns = self._blocks[-1]
        return round(session_ns + (at_ns - due_ns))

    def _deliveries(self, length_ns: int) -> Iterator[tuple[int, bytes]]:
        """(arrival on the server's clock, message) in the order of arrival."""
        queue: list[tuple[int, int, bytes]] = []
        last_ns, count = 0, 0
        for sent_ns, message in self._published(length_ns):
            while queue and queue[0][0] <= sent_ns:
                arrived_ns, _, ready = heapq.heappop(queue)
                yield arrived_ns, ready
            if self._random.random() < self.network.loss:
                continue
            arrival_ns = sent_ns + self.network.delay_ns + round(self._random.expovariate(1) * self.network.jitter_ns)
            for begin_ns, end_ns in self.network.stalls:
                if begin_ns <= arrival_ns < end_ns:
                    arrival_ns = end_ns
            arrival_ns = max(arrival_ns, last_ns)  # TCP keeps the order
            swapped = self._random.random() < self.network.swap
            heapq.heappush(queue, (arrival_ns + (15 * MS if swapped else 0), count, message))
            last_ns, count = arrival_ns, count + 1
        while queue:
            arrived_ns, _, ready = heapq.heappop(queue)
            yield arrived_ns, ready

    def _published(self, length_ns: int) -> Iterator[tuple[int, bytes]]:
        """What the server sends: a turn 40 ms before its first frame plus 8 ms of computing, descriptions."""
        for turn in range(length_ns // (5 * FRAME_NS)):
            sent_ns = turn * 5 * FRAME_NS - 40 * MS + 8 * MS + round(self._random.expovariate(1) * 2 * MS)
            publish_ns = SERVER_BEGAN_NS + self._begun_ns + sent_ns
            if turn % 5 == 0:
                yield sent_ns, self.fake.describe(self._session_zero_ns + sent_ns, publish_ns)
            for frame in range(5 * turn, 5 * turn + 5):
                session_ns = self._session_zero_ns + frame * FRAME_NS
                if self.audio:
                    times = session_ns / S + np.arange(SAMPLES_A_FRAME) / VOICE_RATE
                    voice = (0.5 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
                    first = session_ns * VOICE_RATE // S
                    yield sent_ns, self.fake.voice(first, voice, VOICE_RATE, session_ns, publish_ns)
                values = [0.0] * 55
                values[17] = jaw_at(session_ns)
                values[52] = 4 * jaw_at(session_ns) - 2
                yield sent_ns, self.fake.motion(session_ns // FRAME_NS, values, publish_ns, presentation_ns=session_ns)


def jaw_at(session_ns: float) -> float:
    """What a head's jaw does at that time: slow enough that frames can be told apart by it."""
    return float(0.5 + 0.5 * np.sin(2 * np.pi * session_ns / (4 * S)))
