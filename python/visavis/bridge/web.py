"""The relay for browsers: a server's messages over WebSocket, and voices, dials and barge-in back (`serve --web PORT`).

    with WebRelay(server, parse_address("5580", "--web")):
        server.run(stop)

Down: the messages of the motion port, one a binary frame, and replies as text.  Up: `VVU1` and `VVT1` as binary frames,
requests of the control port as text.  aiohttp runs in a thread of its own; heads are touched by the server's thread
alone.  A page must be of an allowed origin; a client that reads slowly loses its oldest messages, nobody else any.
"""

import asyncio
import ipaddress
import logging
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from visavis.bridge import control
from visavis.bridge.limits import Allowance, RateLimit
from visavis.bridge.outside.address import Address, parse_address
from visavis.bridge.sockets import LARGEST_MESSAGE, LOOPBACK, checked_address
from visavis.bridge.web_client import WebClient
from visavis.bridge.wire import END
from visavis.errors import FileError, InvalidArgument, StateError, Unsupported

if TYPE_CHECKING:
    from aiohttp import web

    from visavis.bridge.server import BridgeServer

log = logging.getLogger("visavis.bridge")
MOST_CLIENTS = 32
UP_MESSAGES = Allowance(a_second=300, at_once=600)  # of one client
UP_BYTES = Allowance(a_second=1_000_000, at_once=4_000_000)
WAITING = 500  # messages from all clients that wait for the server's thread
A_TICK = 200
HEARTBEAT_S = 15.0
REQUESTS = ("describe", "clock", "dials", "cancel")
INPUTS = (b"VVU1", b"VVT1")
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
Received = tuple[WebClient, bytes | str]


@contextmanager
def serve_web(server: "BridgeServer", at: str | None, origins: Sequence[str], insecure: bool) -> Iterator[list[str]]:
    """The relay while the block lasts, if there is an address; gives a line on where it is."""
    if at is None:
        yield []
        return
    with WebRelay(server, parse_address(at, "--web"), origins=origins, insecure=insecure) as relay:
        yield [f"page {relay.url}, stream {relay.url.replace('http', 'ws', 1)}stream"]


def web_folder() -> Path:
    """Where the JavaScript modules lie: in the package, or in the source tree.  Raises FileError."""
    package = Path(__file__).parents[1]
    for folder in (package / "web", package.parents[1] / "engine_plugins" / "web"):
        if (folder / "visavis.js").is_file():
            return folder
    raise FileError(f"the web files are missing: expected {package / 'web'}; install visavis again")


class WebRelay:
    """The relay of one server; use in a `with` block.  `page`: the folder whose index.html stands at `/`."""

    def __init__(
        self,
        server: "BridgeServer",
        address: Address,
        *,
        origins: Sequence[str] = (),
        insecure: bool = False,
        page: Path | None = None,
    ) -> None:
        try:
            import aiohttp.web  # noqa: F401
        except ImportError:
            raise Unsupported(
                "--web: aiohttp is not installed; install it with pip install 'visavis[viewer]'"
            ) from None
        self._server = server
        self._host = checked_address(address.host, insecure, what="--web", remedy="or ")
        self._origins = frozenset(_origin(text) for text in origins)
        self._folder = web_folder()
        self._page = page or self._folder / "example"
        self._clients: dict[WebClient, web.WebSocketResponse] = {}
        self._n_clients = 0
        self._descriptions: dict[bytes, bytes] = {}
        self._received: deque[Received] = deque()
        self._limits = RateLimit(UP_MESSAGES), RateLimit(UP_BYTES)
        self.counters: Counter[str] = Counter(clients=0, refused_clients=0, sent=0, dropped=0, received=0, refused=0)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._problem = ""
        self.address = Address(self._host, address.port)
        self._thread = threading.Thread(target=self._run, name="web relay", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._problem:
            self._thread.join()
            raise StateError(f"--web {self.address}: cannot be bound ({self._problem}); choose another port")
        server.taps.append(self._tap)
        server.feeders.append(self)
        server.reports["web"] = self.report

    @property
    def url(self) -> str:
        """Where the page is."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.address.host, self.address.host)
        return f"http://{Address(host, self.address.port)}/"

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
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def __enter__(self) -> "WebRelay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -------------------------------------------------------------------------------------- on the relay's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        from aiohttp import web

        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/stream", self._connect)
        app.router.add_get("/", self._index)
        app.router.add_static("/visavis/", self._folder)
        app.router.add_static("/", self._page)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.address.port)
            await site.start()
            port = runner.addresses[0][1]
            self.address = Address(self._host, port)
            self._started.set()
            await self._stopped.wait()
        except OSError as error:
            self._problem = error.strerror or str(error)
        finally:
            self._started.set()
            for socket in list(self._clients.values()):
                await socket.close(code=1001, message=b"the server stops")
            await runner.cleanup()

    @property
    def _guard(self) -> Any:
        from aiohttp import web

        @web.middleware
        async def guard(request: "web.Request", handler: Any) -> "web.StreamResponse":
            reason = self._why_not(request.headers.get("Host", ""), request.headers.get("Origin"))
            if reason:
                self.counters["refused_clients"] += 1
                raise web.HTTPForbidden(text=reason)
            response: web.StreamResponse = await handler(request)
            if not response.prepared:
                response.headers.update(HEADERS)
                if request.path.endswith(".js"):  # some systems call it plain text, and browsers then refuse it
                    response.content_type = "text/javascript"
            return response

        return guard

    def _why_not(self, host: str, origin: str | None) -> str:
        """Why a request is refused, if it is: another site's page, or a name that was bent to this address."""
        if _is_loopback(str(Address(self._host, 1))) and not _is_loopback(host):
            return f"Host {host!r}: expected localhost or a loopback address"
        if origin is None or origin in self._origins or "*" in self._origins:
            return ""
        if urlsplit(origin).netloc == host and origin.startswith(("http://", "https://")):
            return ""
        return f"Origin {origin!r} is not allowed: start the server with --web-origin {origin}"

    async def _index(self, _request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        return web.FileResponse(self._page / "index.html")

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


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if text not in ("*", "null") and (
        not parts.netloc or parts.path or parts.query or parts.scheme not in ("http", "https")
    ):
        raise InvalidArgument(f"--web-origin {text!r}: expected an origin such as https://example.org:8080, or *")
    return text
