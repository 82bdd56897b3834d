"""Progress of verbs that take more than a moment: a bar on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_S, LATER_S = 2.0, 5.0  # when the first line is due, and how long until the next at least
LATER_SHARE = 0.25  # of the time spent so far: the longer it takes, the fewer lines


@contextmanager
def progress_bar(title: str, quiet: bool = False) -> Iterator[Callable[[float], None] | None]:
    """Shows that work goes on, on stderr.  Gives a function that takes the share done, 0 to 1, for those who know it;
    None where nothing is shown."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(title, total=None)  # pulses until a share is known
            yield lambda share: bar.update(task, completed=share, total=1.0)
    else:
        with _Lines(title) as lines:
            yield lines.tell


class _Lines:
    """Prints the time spent, and the share where it is known, from a thread of its own."""

    def __init__(self, title: str) -> None:
        self._title, self._share, self._start = title, -1.0, time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def tell(self, share: float) -> None:
        self._share = share

    def _run(self) -> None:
        wait_s = FIRST_S
        while not self._done.wait(wait_s):
            spent_s = time.monotonic() - self._start
            share = f"{self._share:.0%}, " if self._share >= 0 else ""
            print(f"{self._title}: {share}{spent_s:.0f} s", file=sys.stderr, flush=True)
            wait_s = max(LATER_S, LATER_SHARE * spent_s)

    def __enter__(self) -> "_Lines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
