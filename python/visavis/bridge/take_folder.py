"""Where a server records the takes of its heads, and the threads that write them when heads close."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from visavis.errors import FileError
from visavis.takes.journal import journal_path

log = logging.getLogger("visavis.bridge")


class TakeFolder:
    """Names the takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"take folder {folder}: cannot be made ({error.strerror or error})") from None

    def path(self, head: str, epoch: int) -> Path:
        """A take of a head that opens now: HEAD-DATE-TIME.npz (UTC), with a number where that exists."""
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in head)
        stem = f"{safe}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(epoch))}"
        number, path = 1, self.folder / f"{stem}.npz"
        while path.exists() or journal_path(path).exists():
            number += 1
            path = self.folder / f"{stem}-{number}.npz"
        return path


class TakeWriters:
    """Threads that write takes beside the server's work: a long one takes seconds."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, write: Callable[[], None]) -> None:
        """Write one."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=_write, args=(write,), name="take writer"))
        self._threads[-1].start()

    def join(self) -> None:
        """Wait until all are written."""
        for thread in self._threads:
            thread.join()


def _write(write: Callable[[], None]) -> None:
    try:
        write()
    except FileError as error:
        log.error("%s", error)
