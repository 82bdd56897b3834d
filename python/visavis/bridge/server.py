"""The bridge server: heads of one model, driven by a clock, over three ZeroMQ sockets (docs/protocol.md).

    with BridgeServer(visavis.load()) as server:
        server.open_head("npc")
        server.run(stop=lambda: False)

One thread: whoever calls `run` or `tick`.  Nothing that a peer sends stops the server: what cannot be used is dropped
and counted.
"""

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import zmq

from visavis.bridge import control
from visavis.bridge.head import Head, HeadOptions
from visavis.bridge.inputs import InputGate
from visavis.bridge.keys import ServerKeys
from visavis.bridge.limits import Allowance, RateLimit
from visavis.bridge.sockets import DEFAULT_PORT, LOOPBACK, Ports, ServerSockets
from visavis.bridge.take_folder import TakeFolder, TakeWriters
from visavis.errors import InvalidArgument

if TYPE_CHECKING:
    from visavis.session import Model

log = logging.getLogger("visavis.bridge")
MAX_HEADS = 16
TICK_MS = 10  # longest wait between looks at the clock
DESCRIBE_NS = 1_000_000_000
REQUESTS = Allowance(a_second=200, at_once=1_000)  # of one connection to the control socket
MESSAGES_A_TICK = 1_000  # taken from a socket before the heads get their turn again


class Feeder(Protocol):
    """Something that speaks into heads on this server, such as the demo."""

    def feed(self) -> None:
        """Push what is due; called once a tick."""


class BridgeServer:
    """Heads of one model on three sockets; use in a `with` block."""

    def __init__(
        self,
        model: "Model",
        bind: str = LOOPBACK,
        port: int = DEFAULT_PORT,
        *,
        insecure: bool = False,
        keys: ServerKeys | None = None,
        max_heads: int = MAX_HEADS,
        clock: Callable[[], int] = time.monotonic_ns,
        record: Path | None = None,
    ) -> None:
        """`record`: a folder that gets a take of each head."""
        self._takes, self._writers = None if record is None else TakeFolder(record), TakeWriters()
        self.model, self.max_heads, self.clock = model, max_heads, clock
        self.heads: dict[str, Head] = {}
        self.owned_heads: set[str] = set()  # these cannot be closed over the control socket
        self.feeders: list[Feeder] = []
        self.taps: list[Callable[[bytes], None]] = []  # each sees what is published
        self.deadlines: list[Callable[[], int]] = []  # each says when it wants the next tick, server's clock
        self.reports: dict[str, Callable[[], Any]] = {}  # members of the control reply `describe`
        self.counters: Counter[str] = Counter()
        self._gate = InputGate(self.heads, self.counters)
        self._requests = RateLimit(REQUESTS)
        self._epoch = 0
        self._described_ns: dict[str, int] = {}
        self._sockets = ServerSockets(bind, port, insecure=insecure, keys=keys)
        self._poller = zmq.Poller()
        self._poller.register(self._sockets.control, zmq.POLLIN)
        self._poller.register(self._sockets.input, zmq.POLLIN)
        self._doorkeeper = self._sockets.doorkeeper
        if self._doorkeeper is not None:
            self._poller.register(self._doorkeeper.socket, zmq.POLLIN)
            self.reports["clients"] = self._doorkeeper.report

    @property
    def ports(self) -> Ports:
        """Where the server listens."""
        return self._sockets.ports

    def open_head(self, name: str, options: HeadOptions | None = None, take: Path | None = None) -> Head:
        """Open a head; its session clock starts at 0 now.  `take`: record it there.  Raises InvalidArgument."""
        if name in self.heads:
            raise InvalidArgument(f"head {name!r} is open already; expected another name")
        self._epoch = max(int(time.time()) & 0xFFFFFFFF, self._epoch + 1)
        if take is None and self._takes is not None:
            take = self._takes.path(name, self._epoch)
        head = Head(name, self.model, options or HeadOptions(), self.clock, self._epoch, take)
        self.heads[name] = head
        self._publish_description(head)
        return head

    def close_head(self, name: str) -> None:
        """Close a head; its last message carries END."""
        head = self.heads.pop(name)
        if head.partner in self.heads:
            self.heads[head.partner].unpair()
        self.owned_heads.discard(name)
        self._described_ns.pop(name, None)
        for message in head.close():
            self.publish(message)
        if head.write_take is not None:
            self._writers.start(head.write_take)

    def pair_heads(self, one: str, other: str, *, motion: bool = True) -> None:
        """Let two heads talk to each other: each one's voice and, with `motion`, face is the other's user."""
        heads = self.heads[one], self.heads[other]
        if one == other:
            raise InvalidArgument(f"pair: head {one!r} with itself; expected two heads")
        for head in heads:
            if head.partner is not None:
                raise InvalidArgument(f"head {head.name!r} is paired with {head.partner!r} already; close one of them")
        heads[0].pair_with(heads[1], motion=motion)
        heads[1].pair_with(heads[0], motion=motion)
        for head in heads:
            self._publish_description(head)

    def cancel(self, name: str, from_ns: int | None = None) -> int:
        """Barge-in on a head; returns from when on voice and face are withdrawn (session clock)."""
        from_ns, message = self.heads[name].cancel(from_ns)
        self.publish(message)
        return from_ns

    def set_dials(self, name: str, dials: dict[str, float]) -> None:
        """Change dials of a head from its next turn on; its description follows at once."""
        self.heads[name].dials.set(dials)
        self._publish_description(self.heads[name])

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until `stop()` is true; it is asked every few milliseconds."""
        while not stop():
            self.step()

    def step(self) -> None:
        """Wait a few milliseconds at most for something to come in, then `tick`."""
        due_ns = min((deadline() for deadline in self.deadlines), default=1 << 62) - self.clock()
        self._poller.poll(min(TICK_MS, max(0, -(-due_ns // 1_000_000))))
        self.tick()

    def wake_for(self, socket: socket.socket, wake: bool = True) -> None:
        """Let something that arrives on a socket of a feeder end the wait for the next tick, or no longer."""
        if wake:
            self._poller.register(socket, zmq.POLLIN)
        else:
            self._poller.unregister(socket)

    def tick(self) -> None:
        """Take what came in, let every head do what is due, publish.  Never waits."""
        if self._doorkeeper is not None:
            self._doorkeeper.answer()
        self._answer_requests()
        self._take_inputs()
        for feeder in self.feeders:
            feeder.feed()
        for head in list(self.heads.values()):
            if self._advance(head) and self.clock() - self._described_ns[head.name] >= DESCRIBE_NS:
                self._publish_description(head)

    def _advance(self, head: Head) -> bool:
        """Publish what is due of a head; false if it had to be closed."""
        try:
            for message in head.advance():
                self.publish(message)
        except Exception as error:  # a fault of the engine, ours or a plug-in: this head goes, the others live on
            log.error("head %s is closed: %s: %s", head.name, type(error).__name__, error)
            self.close_head(head.name)
            return False
        return True

    def _answer_requests(self) -> None:
        for envelope, payload in self._received(self._sockets.control):
            if self._requests.take(envelope[0], 1, time.monotonic_ns()):
                reply = control.answer(self, payload)
            else:
                self.counters["busy_replies"] += 1
                reply = control.BUSY
            try:
                self._sockets.control.send_multipart([*envelope, reply], zmq.DONTWAIT)
            except zmq.ZMQError:  # its queue is full: it does not read
                self.counters["unread_replies"] += 1

    def _take_inputs(self) -> None:
        for envelope, payload in self._received(self._sockets.input):
            self.take_input(envelope, payload)

    def take_input(self, envelope: list[bytes], payload: bytes) -> None:
        """One input message of a sender, as from the input socket: pushed into its head, or dropped and counted."""
        reason = self._gate.take(envelope, payload)
        if reason is not None and self.counters["dropped_inputs"] == 1:
            log.warning("input dropped: %s (later ones are only counted)", reason)

    def _received(self, socket: "zmq.Socket[bytes]") -> list[tuple[list[bytes], bytes]]:
        """Messages that wait on a ROUTER: (envelope, last part)."""
        messages: list[tuple[list[bytes], bytes]] = []
        while len(messages) < MESSAGES_A_TICK:
            try:
                parts = socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            messages.append((parts[:-1], parts[-1]))
        return messages

    def _publish_description(self, head: Head) -> None:
        self._described_ns[head.name] = self.clock()
        self.publish(head.description())

    def publish(self, message: bytes) -> None:
        """Send a message to all subscribers and taps."""
        self._sockets.motion.send(message, zmq.DONTWAIT)  # PUB never blocks: it drops for a subscriber that is slow
        for tap in self.taps:
            tap(message)

    def close(self) -> None:
        """Close the heads and the sockets."""
        for name in list(self.heads):
            self.close_head(name)
        self._sockets.close()
        self._writers.join()

    def __enter__(self) -> "BridgeServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
