"""Who may connect: answers ZeroMQ's authentication requests (ZAP, RFC 27) from the public keys of a folder."""

import logging
from collections import Counter

import zmq

from visavis.bridge.keys import ServerKeys

log = logging.getLogger("visavis.bridge")
ENDPOINT = "inproc://zeromq.zap.01"
DOMAIN = b"visavis"
VERSION = b"1.0"
A_TICK = 100  # requests


class Doorkeeper:
    """The context's ZAP handler.  Make it before the sockets bind; `answer` when its socket has something."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", keys: ServerKeys) -> None:
        self._keys = keys
        self.counters: Counter[str] = Counter(accepted=0, refused=0)
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ENDPOINT)

    def report(self) -> dict[str, int]:
        """How many came in, and how many did not."""
        return dict(self.counters)

    def answer(self) -> None:
        """Answer the requests that wait.  Never waits."""
        for _ in range(A_TICK):
            try:
                parts = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.socket.send_multipart(self._answer(parts))

    def _answer(self, parts: list[bytes]) -> list[bytes]:
        request_id = parts[1] if len(parts) > 1 else b""
        name = None
        if (
            len(parts) == 7
            and parts[0] == VERSION
            and parts[2] == DOMAIN
            and parts[5] == b"CURVE"
            and len(parts[6]) == 32
        ):
            name = self._keys.client_of(parts[6])
        self.counters["refused" if name is None else "accepted"] += 1
        if name is not None:
            return [VERSION, request_id, b"200", b"OK", name.encode(), b""]
        if self.counters["refused"] == 1:
            address = parts[3].decode("ascii", "replace") if len(parts) > 3 else "?"
            log.warning("a client at %s is refused: its key is not in the folder (later ones are counted)", address)
        return [VERSION, request_id, b"400", b"the key is not known here", b"", b""]
