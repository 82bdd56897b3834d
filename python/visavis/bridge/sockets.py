"""The three sockets of a server: motion XPUB N (a PUB that tells who subscribes), control ROUTER N+1, input ROUTER N+2.

Loopback by default; another address only with CURVE keys, or `insecure`.  Every queue is bounded and closing never
waits for a peer.
"""

import ipaddress
import random
from dataclasses import dataclass
from types import TracebackType

import zmq

from visavis.bridge.keys import ServerKeys
from visavis.bridge.zap import DOMAIN, Doorkeeper
from visavis.diagnosis.knock import owner
from visavis.errors import InvalidArgument, StateError

DEFAULT_PORT = 5570
HIGHEST_PORT = 65_533
ANY_PORTS = (15_000, 30_000)
TRIES = 50
LOOPBACK = "127.0.0.1"
ANY_ADDRESS = "0.0.0.0"
LARGEST_MESSAGE = 64 * 1024  # bytes: what the protocol allows
LARGEST_READ = 1024 * 1024  # bytes: beyond it ZeroMQ drops the peer; up to it we count the message and go on
PUBLISH_QUEUE = 2_000  # messages waiting for one slow subscriber; the rest are dropped for it alone (gaps in sequence)
HANDSHAKE_MS = 5_000  # a peer that says nothing for so long is dropped
INPUT_QUEUE = 500  # messages waiting from one sender; a faster one is held up


KEYS_REMEDY = "--keys DIR (`visavis keys new DIR` makes them), or "


@dataclass(frozen=True)
class Ports:
    """Where a server listens: three ports in a row."""

    bind: str = LOOPBACK
    motion: int = DEFAULT_PORT

    @property
    def control(self) -> int:
        """Port of the control socket."""
        return self.motion + 1

    @property
    def input(self) -> int:
        """Port of the input socket."""
        return self.motion + 2

    @property
    def endpoint(self) -> str:
        """The address of the motion socket, to connect to from this machine."""
        return endpoint({ANY_ADDRESS: LOOPBACK, "::": "::1"}.get(self.bind, self.bind), self.motion)


class ServerSockets:
    """Context and sockets; use in a `with` block.  One thread at a time.  Port 0: any three free ports in a row."""

    def __init__(
        self, bind: str = LOOPBACK, port: int = DEFAULT_PORT, *, insecure: bool = False, keys: ServerKeys | None = None
    ) -> None:
        address = checked_address(bind, insecure or keys is not None)
        if port and not 1024 <= port <= HIGHEST_PORT:
            raise InvalidArgument(
                f"port {port}: expected 1024 to {HIGHEST_PORT} (control and input take the next two), or 0"
            )
        self._context = zmq.Context()
        self._keys = keys
        self.doorkeeper: Doorkeeper | None = None
        try:
            if keys is not None:
                self.doorkeeper = Doorkeeper(self._context, keys)
            self.motion, self.control, self.input = self._bind_any(address) if not port else self._bind(address, port)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        bound = int(self.motion.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])
        self.ports = Ports(address, bound)

    def _bind_any(self, address: str) -> "list[zmq.Socket[bytes]]":
        for _ in range(TRIES):
            port = random.randrange(*ANY_PORTS, 3)  # below the range that systems give out to outgoing connections
            try:
                return self._bind(address, port)
            except StateError:
                continue
        raise StateError(f"no three free ports in a row among {ANY_PORTS[0]} to {ANY_PORTS[1]}; choose with --port")

    def _bind(self, address: str, port: int) -> "list[zmq.Socket[bytes]]":
        sockets = [self._context.socket(kind) for kind in (zmq.XPUB, zmq.ROUTER, zmq.ROUTER)]
        try:
            for offset, socket in enumerate(sockets):
                socket.linger = 0
                socket.ipv6 = ":" in address
                socket.sndhwm = PUBLISH_QUEUE if offset == 0 else INPUT_QUEUE
                socket.rcvhwm = INPUT_QUEUE
                socket.maxmsgsize = LARGEST_READ
                socket.handshake_ivl = HANDSHAKE_MS
                if offset == 0:
                    socket.setsockopt(zmq.XPUB_VERBOSER, 1)  # tell of each subscriber, not of each topic alone
                if self._keys is not None:
                    self._keys.apply(socket, DOMAIN)
                _bind_port(socket, address, port + offset)
        except BaseException:
            for socket in sockets:
                socket.close(linger=0)
            raise
        return sockets

    def close(self) -> None:
        """Close the sockets, then the context and its thread."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "ServerSockets":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_address(bind: str, insecure: bool, what: str = "bind address", remedy: str = KEYS_REMEDY) -> str:
    """The numeric address, IPv4 or IPv6; raises InvalidArgument for names, and for addresses that others can reach."""
    text = {"localhost": LOOPBACK, "*": ANY_ADDRESS}.get(bind, bind)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidArgument(f"{what} {bind!r}: expected a numeric address such as {LOOPBACK} or ::1") from None
    if not address.is_loopback and not insecure:
        raise InvalidArgument(
            f"{what} {bind}: other machines could reach it, and what they send is neither encrypted nor "
            f"authenticated; use {LOOPBACK}, {remedy}--insecure in a network you trust"
        )
    return text


def endpoint(address: str, port: int) -> str:
    """The ZeroMQ endpoint of a numeric address."""
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def _bind_port(socket: "zmq.Socket[bytes]", address: str, port: int) -> None:
    try:
        socket.bind(endpoint(address, port))
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            who = owner(port) or "another program"
            raise StateError(
                f"port {port} on {address}: in use by {who}; stop it, or choose another with --port (`visavis doctor` "
                "says what is there)"
            ) from None
        raise StateError(f"port {port} on {address}: cannot be bound ({error.strerror})") from None
