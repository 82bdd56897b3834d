"""Files of `torch.save`, read so that nothing in them can execute: tensors and plain values alone."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

WANTED = re.compile(r"GLOBAL ([\w.]+)")  # as torch names what a file asks to be called


def read_saved(path: Path, allowed: Sequence[type] = (), mmap: bool = False) -> Any:
    """What is in the file, on the CPU; classes besides torch's own must be `allowed`.

    Raises ValueError with the reason, one line.
    """
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(list(allowed)):
            warnings.simplefilter("ignore")  # on pickle protocols, before the file is refused
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch raises many kinds for a damaged file, and advises to read unsafely
        wanted = WANTED.search(str(error))
        if wanted:
            raise ValueError(f"it asks for {wanted[1]}; only tensors and plain values are read") from None
        raise ValueError(f"damaged, cut short or no file of torch.save: {type(error).__name__}") from None
