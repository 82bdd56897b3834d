"""What waits for one connected page: a bounded queue that drops its oldest messages, and a task that sends it."""

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

QUEUE_BYTES, QUEUE_MESSAGES = 1_000_000, 500  # that wait for one client; older ones are dropped


class WebClient:
    """A connected page: what waits for it.  Touched by the relay's thread alone."""

    def __init__(self, name: bytes, heads: frozenset[str], audio: bool) -> None:
        self.name, self.heads, self.audio = name, heads, audio
        self.counters: Counter[str] = Counter(sent=0, dropped=0, received=0, refused=0)
        self._waiting: deque[bytes | str] = deque()
        self._n_bytes = 0
        self._filled = asyncio.Event()

    def wants(self, message: bytes) -> bool:
        """Whether it asked for that head, and for its voices."""
        if self.heads and message[4:20].rstrip(b"\0").decode() not in self.heads:
            return False
        return self.audio or not message.startswith((b"VVA1", b"VVU1"))

    def put(self, message: bytes | str) -> None:
        """Queue a message behind the others; the oldest make room."""
        self._waiting.append(message)
        self._n_bytes += len(message)
        while self._n_bytes > QUEUE_BYTES or len(self._waiting) > QUEUE_MESSAGES:
            self._n_bytes -= len(self._waiting.popleft())
            self.counters["dropped"] += 1
        self._filled.set()

    async def send_all(self, socket: "web.WebSocketResponse") -> None:
        """Send what is put, until the connection ends."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                message = self._waiting.popleft()
                self._n_bytes -= len(message)
                await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
                self.counters["sent"] += 1
