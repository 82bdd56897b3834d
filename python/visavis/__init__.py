"""Visavis: a face for game characters that talks and listens.

Two live voices in, ARKit blendshapes and head motion out.  `load` opens a model, `Model.session` starts one
character's conversation, `Runtime` serves a crowd of them together, `animate` turns whole files into motion.
Importing this package needs numpy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from visavis.errors import Error

if TYPE_CHECKING:
    from visavis.engine import TurnInput, TurnOutput, load_engine
    from visavis.pairing import Pair, pair
    from visavis.runtime import Runtime
    from visavis.session import Frame, FrameState, Model, Motion, Session, animate, load
    from visavis.turn_report import LateAction, TurnReport

__version__ = "0.1.0"

# Public name -> module that defines it, imported on first use: the native core and torch stay out of `import visavis`.
_LAZY: dict[str, str] = {
    "Frame": "visavis.session",
    "FrameState": "visavis.session",
    "LateAction": "visavis.turn_report",
    "Model": "visavis.session",
    "Motion": "visavis.session",
    "Pair": "visavis.pairing",
    "Runtime": "visavis.runtime",
    "Session": "visavis.session",
    "TurnInput": "visavis.engine",
    "TurnOutput": "visavis.engine",
    "TurnReport": "visavis.turn_report",
    "animate": "visavis.session",
    "load": "visavis.session",
    "load_engine": "visavis.engine",
    "pair": "visavis.pairing",
}
__all__ = [
    "Error",
    "Frame",
    "FrameState",
    "LateAction",
    "Model",
    "Motion",
    "Pair",
    "Runtime",
    "Session",
    "TurnInput",
    "TurnOutput",
    "TurnReport",
    "__version__",
    "animate",
    "load",
    "load_engine",
    "pair",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'visavis' has no attribute {name!r}")
