"""Serves the page, its modules and the head to browsers, from a thread of its own, to allowed origins alone.

    with PageServer(parse_address("5580", "--web")) as pages:
        print(pages.url)

`WebRelay` adds a stream of heads, `TakePages` recorded takes.
"""

import asyncio
import ipaddress
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import visavis
from visavis.bridge.outside.address import Address
from visavis.bridge.sockets import LOOPBACK, checked_address
from visavis.errors import FileError, InvalidArgument, StateError, Unsupported
from visavis.head.mesh import HEAD_FILE

if TYPE_CHECKING:
    from aiohttp import web

# Images and fetched blobs are the head's textures, the blob that runs is the microphone's, styles are the pages' own.
POLICY = (
    "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self' ws: wss: blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
}


def web_folder() -> Path:
    """Where the JavaScript modules lie: in the package, or in the source tree.  Raises FileError."""
    package = Path(__file__).parents[1]
    for folder in (package / "web", package.parents[1] / "engine_plugins" / "web"):
        if (folder / "visavis.js").is_file():
            return folder
    raise FileError(f"the web files are missing: expected {package / 'web'}; install visavis again")


class PageServer:
    """Serves until `close`; use in a `with` block."""

    def __init__(self, address: Address, *, origins: Sequence[str] = (), insecure: bool = False) -> None:
        try:
            import aiohttp.web  # noqa: F401
        except ImportError:
            raise Unsupported(
                "the page needs aiohttp, which is not installed; run `pip install 'visavis[viewer]'`"
            ) from None
        self._host = checked_address(address.host, insecure, what="--web", remedy="or ")
        self._origins = frozenset(_origin(text) for text in origins)
        self._folder = web_folder()
        self.counters: Counter[str] = Counter(refused_clients=0)
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._problem = ""
        self.address = Address(self._host, address.port)
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._problem:
            self._thread.join()
            raise StateError(f"--web {self.address}: cannot be bound ({self._problem}); choose another port")

    @property
    def url(self) -> str:
        """Where the page is."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.address.host, self.address.host)
        return f"http://{Address(host, self.address.port)}/"

    def close(self) -> None:
        """Close every connection and the thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def __enter__(self) -> "PageServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -------------------------------------------------------------------------------------- on the server's thread

    def about(self) -> dict[str, Any]:
        """What the page asks first: whether there is a stream of heads, and which takes there are."""
        return {"version": visavis.__version__, "stream": False, "takes": []}

    def add_routes(self, router: "web.UrlDispatcher") -> None:
        """More than the page."""

    async def close_connections(self) -> None:
        """Before the server stops."""

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        from aiohttp import web

        app = web.Application(middlewares=[self._guard])
        self.add_routes(app.router)
        app.router.add_get("/", self._file(self._folder / "view" / "index.html"))
        app.router.add_get("/head.glb", self._file(HEAD_FILE))
        app.router.add_get("/about.json", self._about)
        app.router.add_static("/visavis/", self._folder)
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
            await self.close_connections()
            await runner.cleanup()

    async def _about(self, _request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        return web.json_response(self.about())

    @staticmethod
    def _file(path: Path) -> Any:
        async def give(_request: "web.Request") -> "web.StreamResponse":
            from aiohttp import web

            return web.FileResponse(path)

        return give

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
