"""A client's way in: control requests and inputs to a server, in Python.

with Client("tcp://127.0.0.1:5570") as client:  # keys=ClientKeys.load("alice.key") where the server asks for them
    client.request("open", head="npc")
    client.send_agent_audio("npc", samples, rate=24_000)
"""

import json
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from visavis.bridge import wire
from visavis.bridge.keys import ClientKeys
from visavis.bridge.sockets import LARGEST_READ, endpoint
from visavis.errors import InvalidArgument, StateError

TIMEOUT_S = 2.0
PACKET_SAMPLES = 4_000  # a longer push goes out as several messages
CLOCK_SAMPLES = 5


class Client:
    """Control and input sockets of one server; use in a `with` block.  One thread at a time."""

    def __init__(self, address: str = "tcp://127.0.0.1:5570", keys: ClientKeys | None = None) -> None:
        self.host, self.port = parse_endpoint(address)
        self._keys = keys
        self._context = zmq.Context()
        self._control = self._socket(self.port + 1)
        self._input = self._socket(self.port + 2)
        self._sequences: Counter[tuple[str, str]] = Counter()
        self.dropped = 0  # messages that the server did not take in time

    def _socket(self, port: int) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.maxmsgsize = LARGEST_READ
        socket.ipv6 = ":" in self.host
        if self._keys is not None:
            self._keys.apply(socket)
        socket.connect(endpoint(self.host, port))
        return socket

    def request(self, name: str, timeout_s: float = TIMEOUT_S, **members: Any) -> dict[str, Any]:
        """One control request and its reply.  Raises StateError without an answer, InvalidArgument on a refusal."""
        id_ = time.monotonic_ns()
        deadline = time.monotonic() + timeout_s
        self._control.sndtimeo = max(1, round(timeout_s * 1000))  # there is nobody to send to once our key was refused
        with suppress(zmq.Again):
            self._control.send(json.dumps({"request": name, "id": id_, **members}).encode())
        while self._control.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            reply: dict[str, Any] = json.loads(self._control.recv_multipart()[-1])
            if reply.get("id") != id_ and reply.get("id") is not None:
                continue  # of a request that was given up
            if not reply["ok"]:
                raise InvalidArgument(f"{name} was refused: {reply['error']['message']}")
            return reply
        raise StateError(f"no answer to {name} from {self.host}:{self.port + 1} within {timeout_s:g} s")

    def clock_offset_ns(self, timeout_s: float = TIMEOUT_S) -> int:
        """What to add to this machine's monotonic clock to get the server's, by the quickest of a few round trips."""
        best_trip_ns, offset_ns = 1 << 62, 0
        for _ in range(CLOCK_SAMPLES):
            reply = self.request("clock", timeout_s, client_ns=time.monotonic_ns())
            arrived_ns, sent_ns = time.monotonic_ns(), reply["client_ns"]
            received_ns, answered_ns = reply["server_receive_ns"], reply["server_send_ns"]
            trip_ns = (arrived_ns - sent_ns) - (answered_ns - received_ns)
            if trip_ns < best_trip_ns:
                best_trip_ns, offset_ns = trip_ns, ((received_ns - sent_ns) + (answered_ns - arrived_ns)) // 2
        return offset_ns

    def send_user_audio(
        self, head: str, samples: NDArray[np.float32], rate: int, time_ns: int | None = None, epoch: int = 0
    ) -> None:
        """The user's voice, mono, full scale +-1; `time_ns`: session time of the first sample."""
        self._send_voice("VVU1", head, samples, rate, time_ns, epoch)

    def send_agent_audio(
        self, head: str, samples: NDArray[np.float32], rate: int, time_ns: int | None = None, epoch: int = 0
    ) -> None:
        """The agent's voice, as `send_user_audio`."""
        self._send_voice("VVG1", head, samples, rate, time_ns, epoch)

    def send_user_motion(
        self,
        head: str,
        values: NDArray[np.float32],
        channels: tuple[str, ...],
        units: tuple[str, ...],
        time_ns: int | None = None,
    ) -> None:
        """One frame (C,) of the user's tracked face."""
        number = self._next("VVT1", head)
        self._post(
            wire.encode_face(head, values.tolist(), channels, units, time_ns=time_ns, frame=number, sequence=number)
        )

    def _send_voice(
        self, magic: str, head: str, samples: NDArray[np.float32], rate: int, time_ns: int | None, epoch: int
    ) -> None:
        for first in range(0, len(samples), PACKET_SAMPLES):
            part_ns = None if time_ns is None else time_ns + round(first * 1e9 / rate)
            self._post(
                wire.encode_voice(
                    magic,
                    head,
                    samples[first : first + PACKET_SAMPLES].tolist(),
                    rate,
                    time_ns=part_ns,
                    sequence=self._next(magic, head),
                    epoch=epoch,
                    publish_ns=time.monotonic_ns(),
                )
            )

    def _post(self, message: bytes) -> None:
        try:
            self._input.send(message, zmq.DONTWAIT)
        except zmq.Again:  # nobody takes it: a voice does not wait
            self.dropped += 1

    def _next(self, magic: str, head: str) -> int:
        self._sequences[magic, head] += 1
        return self._sequences[magic, head] - 1

    def close(self) -> None:
        """Close the sockets without waiting for the server."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse_endpoint(address: str) -> tuple[str, int]:
    """Host and motion port of `tcp://HOST:PORT`, `HOST:PORT`, `[::1]:PORT`, `HOST`, `:PORT`."""
    text = address.removeprefix("tcp://")
    bracketed, _, rest = text.partition("]")
    host, colon, port = (bracketed[1:], *rest.partition(":")[1:]) if text.startswith("[") else text.partition(":")
    number = int(port) if port.isdecimal() and port.isascii() else 5570 if not colon else 0
    if "/" in host or not 1 <= number <= 65_533:
        raise InvalidArgument(f"endpoint {address!r}: expected tcp://HOST:PORT such as tcp://127.0.0.1:5570")
    return host or "127.0.0.1", number
