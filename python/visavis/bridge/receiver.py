"""A subscriber: everything that a server publishes, counted per head, and the reason when nothing arrives."""

import socket
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import zmq

from visavis.bridge.client import Client, parse_endpoint
from visavis.bridge.keys import ClientKeys
from visavis.bridge.sockets import LARGEST_READ, endpoint
from visavis.bridge.track import Track
from visavis.bridge.wire import Message, decode, topic
from visavis.errors import InvalidArgument, StateError

MAGICS = ("VVM1", "VVA1", "VVC1", "VVD1")
RECEIVE_QUEUE = 20_000  # messages
CONNECT_TIMEOUT_S = 0.7
KEYS_WRONG = ("or does the server want a key (--key FILE)", "or is the key not in its folder, or of another server")


class Receiver:
    """SUB socket on the motion port; use in a `with` block.  One thread at a time."""

    def __init__(
        self,
        address: str = "tcp://127.0.0.1:5570",
        head: str | None = None,
        keys: ClientKeys | None = None,
        magics: Sequence[str] = MAGICS,
    ) -> None:
        self.host, self.port = parse_endpoint(address)
        self._keys = keys
        topics = [magic.encode() if head is None else topic(magic, head) for magic in magics]
        self.tracks: dict[str, Track] = {}
        self.malformed = 0
        self.clock_offset_ns = 0  # to the server's clock; see `measure_clock`
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.ipv6 = ":" in self.host
        if keys is not None:
            keys.apply(self._socket)
        self._socket.rcvhwm = RECEIVE_QUEUE
        self._socket.maxmsgsize = LARGEST_READ
        for magic in topics:
            self._socket.subscribe(magic)
        self._socket.connect(self.endpoint)

    @property
    def endpoint(self) -> str:
        """Address of the motion socket."""
        return endpoint(self.host, self.port)

    def measure_clock(self) -> None:
        """Ask the server for its clock, so that lags hold between machines.  Raises StateError without an answer."""
        with Client(self.endpoint, self._keys) as client:
            self.clock_offset_ns = client.clock_offset_ns(CONNECT_TIMEOUT_S)

    def server_ns(self) -> int:
        """The server's monotonic clock, as well as it is known here."""
        return time.monotonic_ns() + self.clock_offset_ns

    def receive(self, timeout_ms: int) -> Iterator[tuple[Track, Message]]:
        """Wait at most so long for a first message; give all that are there, counted."""
        if not self._socket.poll(timeout_ms):
            return
        while True:
            try:
                parts = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            arrived_ns = self.server_ns()
            try:
                if len(parts) != 1:
                    raise InvalidArgument(f"{len(parts)} parts; expected one")
                message = self._decode(parts[0])
                track = self.tracks.setdefault(message.head, Track(message.head))
                if track.take(message, arrived_ns):
                    yield track, message
            except InvalidArgument:
                self.malformed += 1

    def _decode(self, packet: bytes) -> Message:
        message = decode(packet)
        if message.values is not None:
            return message
        known = self.tracks.get(message.head)
        return decode(packet, known.description.get("units")) if known and known.description else message

    def close(self) -> None:
        """Close the socket and its thread."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def why_nothing(address: str, keys: ClientKeys | None = None) -> str:
    """One sentence on why no motion arrives from there, and what to do."""
    host, port = parse_endpoint(address)
    closer = f"`visavis doctor --endpoint {endpoint(host, port)}` looks closer"
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        return f"nothing listens on {host}:{port} ({reason}): start `visavis serve`, or give its --endpoint"
    try:
        with Client(address, keys) as client:
            heads = client.request("describe", timeout_s=CONNECT_TIMEOUT_S)["heads"]
    except StateError:
        return (
            f"something listens on {host}:{port}, but no Visavis server answers on the control port {port + 1}: "
            f"is it another program, or the wrong port, {KEYS_WRONG[keys is not None]}? {closer}"
        )
    if not heads:
        return f"the server at {host}:{port} has no head open: open one with `visavis serve --head NAME`"
    names = ", ".join(head["head"] for head in heads)
    return f"the server at {host}:{port} has heads ({names}), but no message came through: {closer}"


def voices_missing(track: Track) -> str:
    """What a moving head does not hear, if anything."""
    counters = track.description.get("counters", {})
    silent = [who for who in ("agent", "user") if not counters.get(f"{who}_pushed_ms", 1)]
    if len(silent) == 2:
        return "idles: no voices"
    return f"no {silent[0]} voice" if silent else ""
