"""Visavis: a face for game characters that talks and listens.

Two live voices in, ARKit blendshapes and head motion out.  `load` opens a model, `Model.session` starts one
character's conversation, `animate` turns whole files into motion.  Importing this package needs numpy alone.
"""

from importlib import import_module
from typing import Any

from visavis.errors import Error

__version__ = "0.1.0"

# Public name -> module that defines it, imported on first use: the native core and torch stay out of `import visavis`.
_LAZY: dict[str, str] = {}
__all__ = ["Error", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'visavis' has no attribute {name!r}")
