"""The player's face from outside trackers into heads: Live Link Face apps and VMC senders over UDP.

What cannot be used is dropped and counted by reason: `malformed`, `oversized`, `foreign` (a second sender while the
first one is there), `stale` (replayed or overtaken), `too_many`, `no_head`, `refused` (by the session).
"""

import logging
import math
import socket
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visavis.bridge.outside import live_link_face, vmc
from visavis.bridge.outside.address import Address
from visavis.bridge.outside.face import Face
from visavis.bridge.outside.tracked_face import SenderClock, TrackedFace
from visavis.bridge.sockets import checked_address
from visavis.errors import Error, InvalidArgument, StateError, Unsupported

if TYPE_CHECKING:
    from visavis.bridge.head import Head
    from visavis.bridge.server import BridgeServer

log = logging.getLogger("visavis.bridge")
LARGEST = {"livelink": live_link_face.LARGEST, "vmc": vmc.LARGEST_READ}
AT_ONCE = 64  # datagrams of a port before the heads get their turn again
A_SECOND = 500  # datagrams of a port: a tracker sends 60 frames, a VMC sender some datagrams each
SILENT_NS = 1_000_000_000  # after so long without the first sender another one may take its place
SECOND_NS = 1_000_000_000
Sample = tuple[float | None, Face]  # the sender's seconds, if it tells them


class FaceReceiver:
    """One port.  It takes one sender at a time: for Live Link Face a device, for VMC an address."""

    def __init__(self, protocol: str, address: Address, insecure: bool) -> None:
        host = checked_address(address.host, insecure, what=f"--user-{protocol}", remedy="or ")
        self.protocol, self.address = protocol, Address(host, address.port, address.head)
        self.counters = Counter(datagrams=0, frames=0, dropped=0)
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.bind((host, address.port))
        except OSError as error:
            self.socket.close()
            raise StateError(f"--user-{protocol} {self.address}: cannot be bound ({error.strerror})") from None
        self._sender: object = None
        self._heard_ns, self._second_ns, self._n_second = 0, 0, 0
        self._start(None)

    def _start(self, head: "Head | None") -> None:
        self._head, self._vmc, self._clock, self._track = head, vmc.Decoder(), SenderClock(), TrackedFace()

    def take(self, head: "Head | None", now_ns: int) -> None:
        """Read what came and push it into the head; `now_ns` on the server's clock."""
        if head is not self._head:
            self._start(head)
        for _ in range(AT_ONCE):
            try:
                datagram, source = self.socket.recvfrom(LARGEST[self.protocol] + 1)
            except BlockingIOError:
                return
            except OSError as error:  # what the system says about an earlier packet
                self._drop("malformed", error.strerror or "")
                continue
            self.counters["datagrams"] += 1
            if not self._is_too_much(now_ns):
                self._take(datagram, source[0], head, now_ns)

    def _is_too_much(self, now_ns: int) -> bool:
        if now_ns - self._second_ns >= SECOND_NS:
            self._second_ns, self._n_second = now_ns, 0
        self._n_second += 1
        if self._n_second > A_SECOND:
            self._drop("too_many", f"more than {A_SECOND} datagrams a second")
        return self._n_second > A_SECOND

    def _take(self, datagram: bytes, source: str, head: "Head | None", now_ns: int) -> None:
        if len(datagram) > LARGEST[self.protocol]:
            return self._drop("oversized", f"more than {LARGEST[self.protocol]} bytes")
        try:
            sender, samples = self._decode(datagram, source)
        except InvalidArgument as error:
            return self._drop("malformed", str(error))
        if sender != self._sender and now_ns - self._heard_ns < SILENT_NS and self._sender is not None:
            return self._drop("foreign", f"{sender} while {self._sender} sends")
        if sender != self._sender:
            self._sender = sender
            self._start(head)
            if self.protocol == "vmc":  # what was gathered belonged to another sender
                samples = self._vmc.decode(datagram)
        self._heard_ns = now_ns
        if samples and head is None:
            return self._drop("no_head", f"head {self.address.head or 'of any name'} is not open")
        for seconds, face in samples:
            assert head is not None
            self._push(head, seconds, face)
        return None

    def _decode(self, datagram: bytes, source: str) -> tuple[object, list[Sample]]:
        if self.protocol == "vmc":
            if self._sender not in (None, source):
                return source, vmc.Decoder().decode(datagram)  # looked at, not gathered
            return source, self._vmc.decode(datagram)
        packet = live_link_face.decode(datagram)
        return (source, packet.device), [] if packet.face is None else [(packet.seconds, packet.face)]

    def _push(self, head: "Head", seconds: float | None, face: Face) -> None:
        arrived_ns = head.session_ns()
        sent = seconds is not None and math.isfinite(seconds)
        time_ns = self._clock.at(round(seconds * 1e9), arrived_ns) if sent and seconds is not None else arrived_ns
        if time_ns is None:
            return self._drop("stale", "a frame that is not newer than the one before")
        try:
            for frame_ns, values in self._track.take(time_ns, face.motion()):
                head.push_user_motion(values.reshape(1, -1), frame_ns)
        except Error as error:
            return self._drop("refused", str(error))
        self.counters["frames"] += 1
        return None

    def _drop(self, reason: str, text: str) -> None:
        self.counters["dropped"] += 1
        self.counters[reason] += 1
        if self.counters[reason] == 1:
            where = f"--user-{self.protocol} {self.address}"
            log.warning("%s: dropped, %s: %s (later ones are only counted)", where, reason, text)


class FaceReceivers:
    """All face inputs of a server; use in a `with` block or `close`."""

    def __init__(
        self, server: "BridgeServer", inputs: Sequence[tuple[str, Address]], *, insecure: bool = False
    ) -> None:
        if server.model.engine.config.motion_space != "arkit55":
            raise Unsupported(
                f"--user-{inputs[0][0]}: the model's motion space is {server.model.engine.config.motion_space}; "
                "expected arkit55, which trackers send"
            )
        self._server = server
        self.receivers: list[FaceReceiver] = []
        try:
            for protocol, address in inputs:
                self.receivers.append(FaceReceiver(protocol, address, insecure))
        except BaseException:
            self._close_sockets()
            raise
        for receiver in self.receivers:
            server.wake_for(receiver.socket)
        server.feeders.append(self)
        server.reports["receivers"] = self.report

    def feed(self) -> None:
        """Take what came in."""
        heads, now_ns = self._server.heads, self._server.clock()
        for receiver in self.receivers:
            wanted = receiver.address.head
            head = heads.get(wanted) if wanted else next(iter(heads.values()), None)
            receiver.take(head, now_ns)

    def report(self) -> list[dict[str, Any]]:
        """What came from where."""
        return [
            {"protocol": r.protocol, "at": str(r.address), "head": r.address.head, "counters": dict(r.counters)}
            for r in self.receivers
        ]

    def __enter__(self) -> "FaceReceivers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the ports."""
        for receiver in self.receivers:
            self._server.wake_for(receiver.socket, wake=False)
        self._server.feeders.remove(self)
        del self._server.reports["receivers"]
        self._close_sockets()

    def _close_sockets(self) -> None:
        for receiver in self.receivers:
            receiver.socket.close()
