"""The Python modules `tensorrt_rtx` and `tensorrt` behind one door.

Both know strongly typed networks only, and nearly the same calls; what one of them lacks is asked for where it is used.
TensorRT for RTX builds engines for GPUs that are not there and compiles their kernels where they run; TensorRT builds
on the GPU that will run them.
"""

import importlib
import logging
from types import ModuleType
from typing import Any

from visavis.errors import InvalidArgument, Unsupported

MODULES = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}  # as --to names them, the one to prefer first
log = logging.getLogger("visavis.tensorrt")
_logs: dict[ModuleType, Any] = {}


class Library:
    """One of the two, with what it says while it works."""

    def __init__(self, name: str, module: Any) -> None:
        self.name, self.module = name, module
        if module not in _logs:  # the library keeps the first log that it is given until the process ends
            _logs[module] = _new_log(module)
        self.log = _logs[module]

    @property
    def version(self) -> str:
        """Engines of another one are not run."""
        return str(self.module.__version__)

    @property
    def builds_ahead(self) -> bool:
        """Whether it builds for GPUs that are not there."""
        return hasattr(self.module, "ComputeCapability")

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The compute capabilities that it builds for by name, such as 8.6; none where it builds on the GPU alone."""
        if not self.builds_ahead:
            return ()
        names = self.module.ComputeCapability.__members__
        return tuple(f"{name[2:-1]}.{name[-1]}" for name in names if name.startswith("SM"))

    def capability(self, text: str) -> Any:
        """Its value for a compute capability, such as 8.6; raises InvalidArgument for those that it does not know."""
        if text not in self.capabilities:
            raise InvalidArgument(
                f"target {text!r}: {self.name} {self.version} builds for compute capability "
                f"{', '.join(self.capabilities)}; expected one of these"
            )
        return self.module.ComputeCapability.__members__["SM" + text.replace(".", "")]


def load_library(name: str) -> Library:
    """`tensorrt-rtx` or `tensorrt`; raises Unsupported where it is not installed."""
    if name not in MODULES:
        raise InvalidArgument(f"library is {name!r}; expected one of {', '.join(MODULES)}")
    try:
        return Library(name, importlib.import_module(MODULES[name]))
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # a shared library is missing, or a stub
        raise Unsupported(f"{name}: the package is not installed ({error}): pip install 'visavis[{name}]'") from error


def _new_log(module: Any) -> Any:
    severity = module.ILogger

    class Log(module.ILogger):  # type: ignore[misc]
        """Keeps what went wrong, and what the builder tells of its work, until it is taken."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.wrong: list[str] = []
            self.told: list[str] = []

        def log(self, level: Any, text: str) -> None:
            if level in (severity.INTERNAL_ERROR, severity.ERROR):
                self.wrong.append(text)
            elif level == severity.WARNING:
                log.debug("%s", text)
            elif text.startswith(("Layers:", "Total Activation Memory:", "Total Weights Memory:")):
                self.told.append(text)

        def begin(self) -> None:
            """Forget what was kept."""
            self.wrong.clear()
            self.told.clear()

        def why(self) -> str:
            """What went wrong since then."""
            return "; ".join(dict.fromkeys(self.wrong)) or "it gives no reason"

    return Log()
