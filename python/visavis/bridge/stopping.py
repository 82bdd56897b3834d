"""When to stop: at SIGINT, SIGTERM, or after some seconds."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Calling it says whether to stop.  In a `with` block in the main thread the two signals make it true."""

    def __init__(self, seconds: float | None = None) -> None:
        self.requested = False
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether to stop now."""
        return self.requested or (self._deadline is not None and time.monotonic() >= self._deadline)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
