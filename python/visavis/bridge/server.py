"""The bridge server: heads of one model, driven by a clock, over three ZeroMQ sockets (docs/protocol.md).

    with BridgeServer(visavis.load()) as server:
        server.open_head("npc")
        server.run(stop=lambda: False)

One thread: whoever calls `run` or `tick`; the engine's own beside it.  Nothing that a peer sends stops the server: what
cannot be used is dropped and counted.
"""

import itertools
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
from visavis.bridge.subscribers import Subscribers
from visavis.bridge.take_folder import TakeFolder, TakeWriters
from visavis.errors import InvalidArgument
from visavis.runtime import Runtime

if TYPE_CHECKING:
    from visavis.session import Model, Session
    from visavis.trace import Trace

log = logging.getLogger("visavis.bridge")
MAX_HEADS = 128  # as many as a client follows
TICK_MS = 10  # longest wait between looks at the clock
DESCRIBE_NS = 1_000_000_000
DESCRIPTIONS_A_TICK = 4  # heads that were opened together are not described together
REQUESTS = Allowance(a_second=200, at_once=1_000)  # of one connection to the control socket
MESSAGES_A_TICK = 1_000  # taken from a socket before the heads get their turn again
TAKE_NS = 5_000_000  # or what could be taken in this time: a hundred heads may be asked for at once


class Feeder(Protocol):
    """Something that speaks into heads on this server, such as the demo."""

    def feed(self) -> None:
        """Push what is due; called once a tick."""


class BridgeServer:
    """Heads of one model on three sockets; use in a `with` block."""

    def __init__(
        self,
        model: "Model | Runtime",
        bind: str = LOOPBACK,
        port: int = DEFAULT_PORT,
        *,
        insecure: bool = False,
        keys: ServerKeys | None = None,
        max_heads: int = MAX_HEADS,
        record: Path | None = None,
        trace: "Trace | None" = None,
    ) -> None:
        """`model`: what `visavis.load` gave, or a runtime for it (its clock is the server's, its `max_load` how many
        heads it lets in).  `record`: a folder that gets a take of each head.  `trace`: gets what every head does."""
        self._takes, self._writers = None if record is None else TakeFolder(record), TakeWriters()
        self.runtime, self._trace = model if isinstance(model, Runtime) else Runtime(model), trace
        self.model, self.max_heads, self.clock = self.runtime.model, max_heads, self.runtime.clock
        self.heads: dict[str, Head] = {}
        self._heads_of: dict[Session, Head] = {}
        self._spent_ns = self._n_published = 0  # processor time for heads, and the turns since it was told
        self.owned_heads: set[str] = set()  # these cannot be closed over the control socket
        self.feeders: list[Feeder] = []
        self.followers: list[Feeder] = []  # the same, once what is due was published
        self.taps: list[Callable[[bytes], None]] = []  # each sees what is published
        self.deadlines: list[Callable[[], int]] = []  # each says when it wants the next tick, server's clock
        self.reports: dict[str, Callable[[], Any]] = {}  # members of the control reply `describe`
        self.counters: Counter[str] = Counter()
        self._gate = InputGate(self.heads, self.counters)
        self._requests = RateLimit(REQUESTS)
        self._epoch = 0
        self._described_ns: dict[str, int] = {}  # heads, the one that waits longest first
        self._sockets = ServerSockets(bind, port, insecure=insecure, keys=keys)
        self._subscribers = Subscribers(self._sockets.motion)
        self.reports["subscribers"] = self._subscribers.report
        self.reports["runtime"] = self.runtime.report
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
        """Open a head; its session clock shows 0 within a turn from now.  `take`: record it there.

        Raises InvalidArgument, and FullError where the processor would not keep up (`visavis.Runtime`).
        """
        if name in self.heads:
            raise InvalidArgument(f"head {name!r} is open already; expected another name")
        self._epoch = max(int(time.time()) & 0xFFFFFFFF, self._epoch + 1)
        if take is None and self._takes is not None:
            take = self._takes.path(name, self._epoch)
        head = Head(name, self.runtime, options or HeadOptions(), self._epoch, take, self._trace)
        self.heads[name] = self._heads_of[head.session] = head
        self._publish_description(head)
        return head

    def close_head(self, name: str) -> None:
        """Close a head; its last message carries END."""
        head = self.heads.pop(name)
        del self._heads_of[head.session]
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
        due_ns = min(self.runtime.next_due_ns, *(deadline() for deadline in self.deadlines), 1 << 62) - self.clock()
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
        self._subscribers.take()
        self._answer_requests()
        self._take_inputs()
        for feeder in self.feeders:
            feeder.feed()
        advanced = self.runtime.advance()
        began_ns = time.thread_time_ns()
        for session in advanced:
            self._publish_news(self._heads_of[session])
        for follower in self.followers:
            follower.feed()
        self._describe_heads()
        self._spent_ns += time.thread_time_ns() - began_ns
        self._n_published += len(advanced)
        if self._n_published:
            self.runtime.charge(self._spent_ns, self._n_published)
            self._spent_ns = self._n_published = 0

    def _publish_news(self, head: Head) -> None:
        """Publish what is due of a head, or close it if its engine failed."""
        try:
            for message in head.messages():
                self.publish(message)
        except Exception as error:  # a fault of the engine, ours or a plug-in: this head goes, the others live on
            log.error("head %s is closed: %s: %s", head.name, type(error).__name__, error)
            self.close_head(head.name)

    def _describe_heads(self) -> None:
        """Once a second each."""
        until_ns = self.clock() - DESCRIBE_NS
        due = itertools.takewhile(lambda name: self._described_ns[name] <= until_ns, self._described_ns)
        for name in list(itertools.islice(due, DESCRIPTIONS_A_TICK)):
            self._publish_description(self.heads[name])

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

    def _received(self, socket: "zmq.Socket[bytes]") -> Iterator[tuple[list[bytes], bytes]]:
        """Messages that wait on a ROUTER: (envelope, last part)."""
        began_ns = time.monotonic_ns()
        for _ in range(MESSAGES_A_TICK):
            try:
                parts = socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            yield parts[:-1], parts[-1]
            if time.monotonic_ns() - began_ns > TAKE_NS:  # the others in the next tick: turns are due
                return

    def _publish_description(self, head: Head) -> None:
        self._described_ns.pop(head.name, None)
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
