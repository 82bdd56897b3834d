"""Serves recorded takes to the take browser: `with TakePages(address, [view, other]): ...`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from visavis.bridge.outside.address import Address
from visavis.viewer.pages import PageServer
from visavis.viewer.take_data import TakeView

if TYPE_CHECKING:
    from aiohttp import web


class TakePages(PageServer):
    """The page with takes and without a stream; nothing is read from disk after its start."""

    def __init__(
        self, address: Address, takes: Sequence[TakeView], *, origins: Sequence[str] = (), insecure: bool = False
    ) -> None:
        self._takes = list(takes)
        super().__init__(address, origins=origins, insecure=insecure)

    def about(self) -> dict[str, Any]:
        """As the page asks: what the takes are."""
        return {**super().about(), "takes": [take.about for take in self._takes]}

    def add_routes(self, router: "web.UrlDispatcher") -> None:
        """The numbers of each take."""
        router.add_get(r"/takes/{number:\d{1,3}}/{what:values|speaking|agent|user}", self._give)

    async def _give(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web

        number, what = int(request.match_info["number"]), request.match_info["what"]
        if number >= len(self._takes):
            raise web.HTTPNotFound(text=f"take {number}; there are {len(self._takes)}")
        take = self._takes[number]
        parts = {"values": take.values, "speaking": take.speaking, **take.voices}
        return web.Response(body=parts.get(what, b""), content_type="application/octet-stream")
