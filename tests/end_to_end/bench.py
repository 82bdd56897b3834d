"""A server with a quick engine on a clock that does not wait, and a client and a receiver connected to it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from echo_engine import EchoEngine
from numpy.typing import NDArray

from visavis.bridge.client import Client
from visavis.bridge.demo_run import SteppedClock
from visavis.bridge.receiver import Receiver
from visavis.bridge.server import BridgeServer
from visavis.bridge.track import Track
from visavis.bridge.wire import Message
from visavis.runtime import Runtime
from visavis.session import Model

TICK_NS = 12_500_000  # a sixteenth of a turn: turns come due on ticks (visavis.runtime)


class Bench:
    """Server, client and receiver; the server's clock runs up to twenty times as fast as real time."""

    def __init__(self, engine: EchoEngine) -> None:
        self.engine = engine
        self.clock = SteppedClock()
        self.server = BridgeServer(Runtime(Model(engine), clock=self.clock), port=0, max_heads=16)
        self.endpoint = self.server.ports.endpoint
        self.client = Client(self.endpoint)
        self.receiver = Receiver(self.endpoint)
        self.messages: list[Message] = []
        self._stop, self._paused = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="server")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._paused.is_set():
                self.clock.now_ns += TICK_NS
            self.server.tick()
            time.sleep(0.001)

    def open(self, head: str = "npc", **options: Any) -> dict[str, Any]:
        """Open a head and wait until its messages arrive here; its description."""
        reply = self.client.request("open", head=head, **options)
        self.wait(lambda: head in self.receiver.tracks and self.track(head).epoch == reply["head"]["epoch"])
        self.wait(lambda: bool(self.track(head).description))
        description: dict[str, Any] = reply["head"]
        return description

    def say(self, voice: NDArray[np.float32], rate: int, head: str = "npc") -> None:
        """Send the agent's voice in one burst: the clock stands still until it is all in."""
        before = self.counters(head)["agent_pushed_ms"]
        self._paused.set()
        self.client.send_agent_audio(head, voice, rate)
        self.wait(lambda: self.counters(head)["agent_pushed_ms"] - before >= len(voice) * 1000 // rate - 1)
        self._paused.clear()

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Receive until the condition holds; fails after so many real seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            self.take(10)

    def take(self, timeout_ms: int) -> None:
        """Receive what comes."""
        self.messages.extend(message for _, message in self.receiver.receive(timeout_ms))

    def run_for(self, seconds: float) -> None:
        """Receive until the server's clock has gone on so far."""
        until = self.clock.now_ns + round(seconds * 1e9)
        self.wait(lambda: self.clock.now_ns >= until)
        self.take(20)

    def counters(self, head: str = "npc") -> dict[str, int]:
        """The head's counters, by its description now."""
        counters: dict[str, int] = self.client.request("describe", head=head)["heads"][0]["counters"]
        return counters

    def of(self, magic: str, head: str = "npc") -> list[Message]:
        """Messages received so far."""
        return [m for m in self.messages if m.magic == magic and m.head == head]

    def values(self, channel: int, head: str = "npc") -> list[float]:
        """A channel over the frames received so far."""
        return [m.values[channel] for m in self.of("VVM1", head) if m.values]

    def track(self, head: str = "npc") -> Track:
        """What the receiver knows of a head."""
        return self.receiver.tracks[head]

    def halt(self) -> None:
        """Stop the server's thread: what belongs to the server may be touched then."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """Stop the server, close everything."""
        self.halt()
        self.client.close()
        self.receiver.close()
        self.server.close()
