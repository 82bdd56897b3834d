"""Tables of a campaign on a page: mean and spread over seeds, and the place between two marks."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.errors import FileError, InvalidArgument

Array = npt.NDArray[np.floating[Any]]
END = "<!-- end of results -->"


def begin_mark(verb: str) -> str:
    """The line above a verb's tables; END is the one below."""
    return f"<!-- results: written by `visavis {verb}` -->"


def require_extras(what: str) -> None:
    """Raises InvalidArgument without torch or matplotlib: every run needs both, and may be hours away."""
    try:
        for name in ("torch", "matplotlib"):
            importlib.import_module(name)
    except ImportError as error:
        raise InvalidArgument(f"{what} needs {error.name}: pip install 'visavis[train,plot]'") from error


def publish(text: str, out: Path, verb: str, page: Path | None) -> str:
    """Tables into OUT/results.md and, where there is one, into a page; the text again."""
    (out / "results.md").write_text(text)
    if page is not None:
        write_into(page, verb, text)
    return text


def write_into(page: Path, verb: str, text: str) -> None:
    """Put the tables between the two marks of a page, in place of what was there."""
    begin = begin_mark(verb)
    if not page.is_file():
        raise FileError(f"{page}: no such page; expected one with the lines {begin} and {END}")
    old = page.read_text()
    if old.count(begin) != 1 or END not in old[old.index(begin) :]:
        raise InvalidArgument(f"{page}: expected the line {begin} once and {END} after it")
    first = old.index(begin) + len(begin)
    before, after = old[:first], old[old.index(END, first) :]
    page.write_text(f"{before}\n\n{text}\n{after}")


def spread(values: Array) -> str:
    """Mean +- standard deviation of the sample, three digits."""
    if len(values) < 2:
        return f"{values.mean():.3g}"
    return f"{values.mean():.3g} ± {values.std(ddof=1):.2g}"
