"""Starts all that the live page needs: a server with heads, the relay, the page; and a browser."""

import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from visavis.bridge.demo import DemoVoices
from visavis.bridge.head import HeadOptions
from visavis.bridge.outside.address import Address
from visavis.bridge.server import BridgeServer
from visavis.bridge.web import WebRelay
from visavis.viewer.take_data import TakeView
from visavis.viewer.takes import TakePages

if TYPE_CHECKING:
    from visavis.session import Model

LOOK_S = 0.1  # between looks at whether to stop


@dataclass(frozen=True)
class Page:
    """Where the page is, and whether a browser is opened on it."""

    address: Address
    origins: Sequence[str] = ()
    insecure: bool = False
    browser: bool = True
    quality: str | None = None

    def show(self, url: str) -> str:
        """Open a browser if wanted; a line to print."""
        url += f"?quality={self.quality}" if self.quality else ""
        if self.browser:  # a browser in the terminal would block
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        return f"the page is {url}{'' if self.browser else ' (open it in a browser)'}; stop with Ctrl-C"


@dataclass(frozen=True)
class Cast:
    """Who is on the page: the shipped conversation by one head or, as a pair, by two; and silent heads to talk to."""

    demo: bool = True
    pair: bool = False
    heads: Sequence[str] = ()
    options: HeadOptions = field(default_factory=HeadOptions)


def view_live(model: "Model", cast: Cast, page: Page, port: int, stop: Callable[[], bool]) -> Iterator[str]:
    """Serve until `stop()`; gives lines to print.  Raises the errors of the house."""
    with (
        BridgeServer(model, port=port) as server,
        WebRelay(server, page.address, origins=page.origins, insecure=page.insecure) as relay,
    ):
        _open_heads(server, cast)
        yield f"heads {', '.join(server.heads)}: model {model.name} on {model.engine_name}, {server.ports.endpoint}"
        yield page.show(relay.url)
        server.run(stop)


def view_takes(takes: Sequence[TakeView], page: Page, stop: Callable[[], bool]) -> Iterator[str]:
    """Serve takes until `stop()`; gives lines to print.  Raises the errors of the house."""
    with TakePages(page.address, takes, origins=page.origins, insecure=page.insecure) as pages:
        yield page.show(pages.url)
        while not stop():
            time.sleep(LOOK_S)


def _open_heads(server: BridgeServer, cast: Cast) -> None:
    for name in cast.heads:
        server.open_head(name, cast.options)
    if cast.pair:
        agent, user = (server.open_head(name, cast.options) for name in ("agent", "user"))
        server.pair_heads("agent", "user")
        server.feeders.append(DemoVoices(agent, loop=True, partner=user))
        server.owned_heads.update(("agent", "user"))
    elif cast.demo:
        head = server.open_head("demo", cast.options)
        server.feeders.append(DemoVoices(head, loop=True, publish=server.publish))
        server.owned_heads.add("demo")
