"""The real server with a quick engine, in real time on a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from echo_engine import EchoEngine

from visavis.bridge.keys import ServerKeys
from visavis.bridge.server import BridgeServer
from visavis.session import Model


@contextmanager
def serving(
    port: int = 0,
    heads: tuple[str, ...] = ("npc",),
    engine: EchoEngine | None = None,
    keys: ServerKeys | None = None,
) -> Iterator[BridgeServer]:
    """A server with those heads, until the block is left."""
    with BridgeServer(Model(engine or EchoEngine()), port=port, keys=keys) as server:
        for head in heads:
            server.open_head(head)
        stop = threading.Event()
        thread = threading.Thread(target=server.run, args=(stop.is_set,))
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()
