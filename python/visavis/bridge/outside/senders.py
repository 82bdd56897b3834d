"""A server's faces to outside receivers: each at its own address, sampled at the asked rate on the head's audio clock.

    senders = FaceSenders(server, [Target("vmc", parse_address("127.0.0.1:39539", "--vmc"))], Fraction(60))

A sample n of a head stands at session time n / rate exactly; it is sent when the server's clock gets there, since these
receivers show what comes.  What cannot be sent is counted: nothing waits, nothing raises.
"""

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visavis import _core
from visavis.bridge.outside import ifacialmocap, live_link_face, rates, vmc
from visavis.bridge.outside.address import Address
from visavis.bridge.outside.face import NEUTRAL, Face, face_of
from visavis.bridge.outside.playout import Playout
from visavis.bridge.wire import END
from visavis.errors import InvalidArgument, Unsupported
from visavis.timecode import SECOND_NS

if TYPE_CHECKING:
    from visavis.bridge.head import Head
    from visavis.bridge.server import BridgeServer

log = logging.getLogger("visavis.bridge")
MOST_AT_ONCE = 4  # samples made up for after the server was late; older ones are skipped and counted


@dataclass
class Target:
    """One receiver.  Without a head: Live Link Face sends every head as a subject, the others the oldest open one."""

    protocol: str
    address: Address
    place: Any = None  # what the system calls the address
    open_socket: socket.socket | None = None
    counters: Counter[str] = field(default_factory=lambda: Counter(datagrams=0, skipped=0, failed=0))


@dataclass
class Moment:
    """What a sample is: the face, and its time on the head's clock and by the day."""

    head: str
    face: Face
    tracked: bool
    seconds: float  # session clock
    frame: int  # since local midnight
    part: float
    rate: Fraction


class Stream:
    """One head's frames, played out."""

    def __init__(self, head: "Head", rate: Fraction, wall_ns: int) -> None:
        self.head, self.rate = head, rate
        self.playout = Playout()
        now_ns = head.session_ns()
        self.next = rates.frames_until(now_ns, rate)
        zero_ns = rates.ns_of_day(wall_ns - now_ns)  # the time of day at which the session clock shows 0
        self._zero_frame, self._part = rates.frames_of(zero_ns, rate)
        self._frames_a_day = rates.frames_until(24 * 3600 * SECOND_NS, rate)

    def due_ns(self) -> int:
        """Session time of the next sample."""
        return rates.frame_ns(self.next, self.rate)

    def moment(self, n: int, face: Face, tracked: bool = True) -> Moment:
        """Sample n with its times."""
        frame = (self._zero_frame + n) % self._frames_a_day
        return Moment(self.head.name, face, tracked, float(n / self.rate), frame, self._part, self.rate)


class FaceSenders:
    """All outside receivers of a server; `close` sends each a last, neutral face."""

    def __init__(
        self,
        server: "BridgeServer",
        targets: Sequence[Target],
        rate: Fraction,
        *,
        vmc_names: str = "perfect-sync",
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if server.model.engine.config.motion_space != "arkit55":
            raise Unsupported(
                f"outside protocols: the model's motion space is {server.model.engine.config.motion_space}; "
                "expected arkit55 (`visavis retarget apply` makes ARKit of FLAME motion files)"
            )
        self._server, self._rate, self._wall_clock = server, rate, wall_clock
        self._vmc = vmc.Encoder(vmc_names)
        self._streams: dict[str, Stream] = {}
        self.targets = [*targets]
        try:
            for target in self.targets:
                _open(target)
        except BaseException:
            self._close_sockets()
            raise
        server.taps.append(self._tap)
        server.followers.append(self)
        server.deadlines.append(self._due_ns)
        server.reports["senders"] = self.report

    def report(self) -> list[dict[str, Any]]:
        """What was sent where."""
        return [
            {"protocol": t.protocol, "to": str(t.address), "head": t.address.head, "counters": dict(t.counters)}
            for t in self.targets
        ]

    def _tap(self, packet: bytes) -> None:
        """Takes the frames and cuts that the server publishes."""
        if not packet.startswith((b"VVM1", b"VVC1")):
            return
        message = _core.wire.decode(packet, self._server.model.units)
        name = message["head"]
        stream = self._streams.get(name)
        if message["flags"] & END:
            if stream is not None:
                self._say_farewell(self._streams.pop(name))
            return
        head = self._server.heads.get(name)
        if head is None:
            return
        if stream is None or stream.head is not head:
            stream = self._streams[name] = Stream(head, self._rate, self._wall_clock())
        if message["magic"] == "VVC1":
            stream.playout.cut(message["presentation_ns"])
        else:
            stream.playout.push(message["presentation_ns"], message["values"])

    def _due_ns(self) -> int:
        """When the next sample is due, server's clock."""
        now_ns = self._server.clock()
        return min((now_ns + s.due_ns() - s.head.session_ns(now_ns) for s in self._streams.values()), default=1 << 62)

    def feed(self) -> None:
        """Send what is due."""
        for stream in self._streams.values():
            now_ns = stream.head.session_ns()
            end = rates.frames_until(now_ns + 1, self._rate)
            if end - stream.next > MOST_AT_ONCE:
                self._count_skipped(end - stream.next - MOST_AT_ONCE)
                stream.next = end - MOST_AT_ONCE
            while stream.next < end:
                motion = stream.playout.at(stream.due_ns())
                if motion is not None:
                    self._send(stream.moment(stream.next, face_of(motion)))
                stream.next += 1

    def _count_skipped(self, n: int) -> None:
        for target in self.targets:
            target.counters["skipped"] += n

    def _send(self, moment: Moment) -> None:
        made: dict[str, list[bytes]] = {}
        oldest = next(iter(self._server.heads), moment.head)
        for target in self.targets:
            wanted = target.address.head or (moment.head if target.protocol == "livelink-face" else oldest)
            if wanted != moment.head:
                continue
            if target.protocol not in made:
                made[target.protocol] = self._datagrams(target.protocol, moment)
            for datagram in made[target.protocol]:
                _send(target, datagram)

    def _datagrams(self, protocol: str, moment: Moment) -> list[bytes]:
        if protocol == "vmc":
            return self._vmc.encode(moment.face, moment.seconds, moment.tracked)
        if protocol == "ifacialmocap":
            return [ifacialmocap.encode(moment.face)]
        device = live_link_face.device_id(moment.head)
        face = moment.face if moment.tracked else None
        packet = live_link_face.Packet(device, moment.head, face, moment.frame, moment.part, moment.rate)
        return [live_link_face.encode(packet)]

    def _say_farewell(self, stream: Stream) -> None:
        self._send(stream.moment(stream.next, NEUTRAL, tracked=False))

    def __enter__(self) -> "FaceSenders":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """A last neutral face to all, then the sockets."""
        for stream in self._streams.values():
            self._say_farewell(stream)
        self._streams.clear()
        self._server.taps.remove(self._tap)
        self._server.followers.remove(self)
        self._server.deadlines.remove(self._due_ns)
        del self._server.reports["senders"]
        self._close_sockets()

    def _close_sockets(self) -> None:
        for target in self.targets:
            if target.open_socket is not None:
                target.open_socket.close()


def _open(target: Target) -> None:
    """Resolve the address once and open a socket of its family.  Raises InvalidArgument."""
    try:
        found = socket.getaddrinfo(target.address.host, target.address.port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise InvalidArgument(
            f"{target.protocol} to {target.address}: unknown ({error.strerror}); expected a name or a number"
        ) from None
    family, kind, _, _, target.place = found[0]
    target.open_socket = socket.socket(family, kind)
    target.open_socket.setblocking(False)


def _send(target: Target, datagram: bytes) -> None:
    assert target.open_socket is not None
    try:
        target.open_socket.sendto(datagram, target.place)
        target.counters["datagrams"] += 1
    except OSError as error:  # no way there, or the system's queue is full
        target.counters["failed"] += 1
        if target.counters["failed"] == 1:
            log.warning("%s to %s: %s (later ones are only counted)", target.protocol, target.address, error.strerror)
