"""The three sockets of a server: motion PUB N, control ROUTER N+1, input ROUTER N+2, bound by the rules of the house.

Loopback by default; another address only with `insecure`, as encryption (CURVE) is not built yet.  Every queue is
bounded and closing never waits for a peer.
"""

import ipaddress
from dataclasses import dataclass
from types import TracebackType

import zmq

from visavis.errors import InvalidArgument, StateError

DEFAULT_PORT = 5570
LOOPBACK = "127.0.0.1"
LARGEST_MESSAGE = 64 * 1024  # bytes: what the protocol allows
LARGEST_READ = 1024 * 1024  # bytes: beyond it ZeroMQ drops the peer; up to it we count the message and go on
PUBLISH_QUEUE = 2_000  # messages waiting for one slow subscriber; the rest are dropped for it alone (gaps in sequence)
INPUT_QUEUE = 500  # messages waiting from one sender; a faster one is held up


@dataclass(frozen=True)
class Ports:
    """Where a server listens."""

    bind: str = LOOPBACK
    motion: int = DEFAULT_PORT
    control: int = DEFAULT_PORT + 1
    input: int = DEFAULT_PORT + 2

    def endpoint(self, port: int) -> str:
        """The address to connect to from this machine."""
        host = LOOPBACK if self.bind in ("0.0.0.0", "*") else self.bind
        return f"tcp://{host}:{port}"

    @property
    def motion_endpoint(self) -> str:
        """Address of the motion socket."""
        return self.endpoint(self.motion)

    @property
    def control_endpoint(self) -> str:
        """Address of the control socket."""
        return self.endpoint(self.control)

    @property
    def input_endpoint(self) -> str:
        """Address of the input socket."""
        return self.endpoint(self.input)


class ServerSockets:
    """Context and sockets; use in a `with` block.  One thread at a time."""

    def __init__(self, bind: str = LOOPBACK, port: int = DEFAULT_PORT, *, insecure: bool = False) -> None:
        address = checked_address(bind, insecure)
        if port and not 1024 <= port <= 65_533:
            raise InvalidArgument(f"port {port}: expected 1024 to 65533 (control and input take the next two), or 0")
        self._context = zmq.Context()
        try:
            self.motion = self._socket(zmq.PUB, send_queue=PUBLISH_QUEUE)
            self.control = self._socket(zmq.ROUTER)
            self.input = self._socket(zmq.ROUTER)
            sockets = (self.motion, self.control, self.input)
            wanted = [port + i if port else 0 for i in range(3)]
            self.ports = Ports(address, *map(_bind, sockets, [address] * 3, wanted))
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def _socket(self, kind: int, send_queue: int = INPUT_QUEUE) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.sndhwm = send_queue
        socket.rcvhwm = INPUT_QUEUE
        socket.maxmsgsize = LARGEST_READ
        return socket

    def close(self) -> None:
        """Close the sockets, then the context and its thread."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "ServerSockets":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_address(bind: str, insecure: bool) -> str:
    """The numeric address; raises InvalidArgument for names, and for addresses that others can reach."""
    text = {"localhost": LOOPBACK, "*": "0.0.0.0"}.get(bind, bind)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidArgument(f"bind address {bind!r}: expected a numeric address such as {LOOPBACK}") from None
    if address.version != 4:
        raise InvalidArgument(f"bind address {bind}: IPv6; expected an IPv4 address such as {LOOPBACK}")
    if not address.is_loopback and not insecure:
        raise InvalidArgument(
            f"bind address {bind}: other machines could reach it, and connections are neither encrypted nor "
            f"authenticated; use {LOOPBACK}, or --insecure in a network you trust"
        )
    return text


def _bind(socket: "zmq.Socket[bytes]", address: str, port: int) -> int:
    try:
        socket.bind(f"tcp://{address}:{port or '*'}")
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise StateError(
                f"port {port} on {address}: in use by another program; stop it or choose another with --port"
            ) from None
        raise StateError(f"port {port} on {address}: cannot be bound ({error.strerror})") from None
    return int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])
