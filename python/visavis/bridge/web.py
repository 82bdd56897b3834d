"""The relay for browsers: a server's messages over WebSocket, and voices, dials and barge-in back (`serve --web PORT`).

    with WebRelay(server, parse_address("5580", "--web")):
        server.run(stop)

Down: the messages of the motion port, one a binary frame, and replies as text.  Up: `VVU1` and `VVT1` as binary frames,
requests of the control port as text.  aiohttp runs in a thread of its own; heads are touched by the server's thread
alone.  A page must be of an allowed origin; a client that reads slowly loses its oldest messages, nobody else any.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from visavis.bridge import control
from visavis.bridge.limits import Allowance, RateLimit
from visavis.bridge.outside.address import Address, parse_address
from visavis.bridge.sockets import LARGEST_MESSAGE
from visavis.bridge.web_client import WebClient
from visavis.bridge.wire import END
from visavis.viewer.pages import PageServer

if TYPE_CHECKING:
    from aiohttp import web

    from visavis.bridge.server import BridgeServer

MOST_CLIENTS = 32
UP_MESSAGES = Allowance(a_second=300, at_once=600)  # of one client
UP_BYTES = Allowance(a_second=1_000_000, at_once=4_000_000)
WAITING = 500  # messages from all clients that wait for the server's thread
A_TICK = 200
HEARTBEAT_S = 15.0
REQUESTS = ("describe", "clock", "dials", "cancel")
INPUTS = (b"VVU1", b"VVT1")
Received = tuple[WebClient, bytes | str]


@contextmanager
def serve_web(server: "BridgeServer", at: str | None, origins: Sequence[str], insecure: bool) -> Iterator[list[str]]:
    """The relay while the block lasts, if there is an address; gives a line on where it is."""
    if at is None:
        yield []
        return
    with WebRelay(server, parse_address(at, "--web", least_port=0), origins=origins, insecure=insecure) as relay:
        yield [f"page {relay.url}, stream {relay.url.replace('http', 'ws', 1)}stream"]


class WebRelay(PageServer):
    """The relay of one server; use in a `with` block."""

    def __init__(
        self, server: "BridgeServer", address: Address, *, origins: Sequence[str] = (), insecure: bool = False
    ) -> None:
        self._server = server
        self._clients: dict[WebClient, web.WebSocketResponse] = {}
        self._n_clients = 0
        self._descriptions: dict[bytes, bytes] = {}
        self._received: deque[Received] = deque()
        self._limits = RateLimit(UP_MESSAGES), RateLimit(UP_BYTES)
        super().__init__(address, origins=origins, insecure=insecure)
        self.counters.update(dict.fromkeys(("clients", "sent", "dropped", "received", "refused"), 0))
        server.taps.append(self._tap)
        server.feeders.append(self)
        server.reports["web"] = self.report

    def report(self) -> dict[str, Any]:
        """Counters for `describe`."""
        return {"at": str(self.address), "open": len(self._clients), "counters": dict(self.counters)}

    # ------------------------------------------------------------------------------------- on the server's thread

    def _tap(self, message: bytes) -> None:
        self._loop.call_soon_threadsafe(self._spread, message)

    def feed(self) -> None:
        """Take what pages sent."""
        for _ in range(min(A_TICK, len(self._received))):
            client, message = self._received.popleft()
            if isinstance(message, bytes):
                self._server.take_input([client.name], message)
            else:
                reply = control.answer(self._server, message.encode(), allowed=REQUESTS).decode()
                self._loop.call_soon_threadsafe(client.put, reply)

    def close(self) -> None:
        """Close every connection and the thread."""
        self._server.taps.remove(self._tap)
        self._server.feeders.remove(self)
        del self._server.reports["web"]
        super().close()

    def __enter__(self) -> "WebRelay":
        return self

    # -------------------------------------------------------------------------------------- on the relay's thread

    def about(self) -> dict[str, Any]:
        """As the page asks: there is a stream."""
        return {**super().about(), "stream": True}

    def add_routes(self, router: "web.UrlDispatcher") -> None:
        """The stream."""
        router.add_get("/stream", self._connect)

    async def close_connections(self) -> None:
        """Say why."""
        for socket in list(self._clients.values()):
            await socket.close(code=1001, message=b"the server stops")

    async def _connect(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import WSMsgType, web

        if len(self._clients) >= MOST_CLIENTS:
            self.counters["refused_clients"] += 1
            raise web.HTTPServiceUnavailable(text=f"{MOST_CLIENTS} clients are connected; expected fewer")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_MESSAGE, compress=False, autoping=True, timeout=1.0
        )
        await socket.prepare(request)
        self._n_clients += 1
        audio = request.query.get("audio") != "0"
        client = WebClient(b"web%d" % self._n_clients, frozenset(request.query.getall("head", [])), audio)
        self._clients[client] = socket
        self.counters["clients"] += 1
        for description in self._descriptions.values():
            if client.wants(description):
                client.put(description)
        sender = asyncio.create_task(client.send_all(socket))
        try:
            async for message in socket:
                if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                    self._take(client, message.data)
        finally:
            sender.cancel()
            del self._clients[client]
            self.counters.update({name: client.counters[name] for name in ("sent", "dropped", "received", "refused")})
        return socket

    def _take(self, client: WebClient, data: bytes | str) -> None:
        """Hand on what a page sent, within its bounds."""
        now_ns = self._server.clock()
        n_bytes = len(data)
        wrong = isinstance(data, bytes) and data[:4] not in INPUTS
        if (
            wrong
            or len(self._received) >= WAITING
            or not (self._limits[0].take(client.name, 1, now_ns) and self._limits[1].take(client.name, n_bytes, now_ns))
        ):
            client.counters["refused"] += 1
            return
        client.counters["received"] += 1
        self._received.append((client, data))

    def _spread(self, message: bytes) -> None:
        head = message[4:20]
        if message.startswith(b"VVD1"):
            self._descriptions[head] = message
        elif message.startswith(b"VVM1") and message[22] & END:
            self._descriptions.pop(head, None)
        for client in self._clients:
            if client.wants(message):
                client.put(message)
