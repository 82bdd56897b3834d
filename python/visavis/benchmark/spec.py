"""How an engine is named on the command line: `cpu:bf16`, `cpu:f32@avx2`, `cuda:f16`, `onnx:portable`, `torch`."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from visavis.engine import ENGINES
from visavis.errors import InvalidArgument
from visavis.export.onnx.profiles import PROFILES

PEER = "onnx"
VARIANTS = {
    "cpu": ("f32", "bf16", "int8", "auto"),
    "cuda": ("auto", "bf16", "f16"),
    "onnx": ("ort", *(name for name in PROFILES if name != "ort")),
}  # what may follow the colon, the default first


@dataclass(frozen=True)
class EngineSpec:
    """An engine with what is chosen of it."""

    kind: str  # one of ENGINES
    variant: str = ""  # precision, or, of onnx, the profile of the export
    isa: str = ""  # VISAVIS_ISA; "": the best there is

    @property
    def name(self) -> str:
        """As it is written, without what goes without saying; of engine cpu always with the precision."""
        said = self.variant and (self.kind == "cpu" or self.variant != VARIANTS[self.kind][0])
        return self.kind + (f":{self.variant}" if said else "") + (f"@{self.isa}" if self.isa else "")

    def options(self, threads: int, steps: int | None = None, window: str | None = None) -> dict[str, Any]:
        """For `load_engine`."""
        options: dict[str, Any] = {} if steps is None else {"steps": steps}
        if self.kind in ("cpu", "cuda"):
            options["precision"] = self.variant
        if self.kind in ("cpu", "onnx"):
            options["threads"] = threads
        if window is not None:
            options["window"] = window
        return options

    def environment(self, threads: int) -> dict[str, str]:
        """Of its process."""
        return {"OMP_NUM_THREADS": str(threads)} | ({"VISAVIS_ISA": self.isa} if self.isa else {})


def parse_spec(text: str) -> EngineSpec:
    """ENGINE[:PRECISION][@ISA], or onnx[:PROFILE].  Raises InvalidArgument."""
    rest, at, isa = text.partition("@")
    kind, colon, variant = rest.partition(":")
    if kind not in ENGINES:
        raise InvalidArgument(f"engine {text!r}: expected one of {', '.join(ENGINES)}, such as cpu:bf16")
    choices = VARIANTS.get(kind, ())
    if colon and variant not in choices:
        expected = f"one of {', '.join(choices)}" if choices else "none"
        raise InvalidArgument(f"engine {text!r}: {variant!r} after the colon; expected {expected}")
    if at and (kind != "cpu" or not isa):
        raise InvalidArgument(f"engine {text!r}: @ISA is for engine cpu; expected such as cpu:f32@avx2")
    return EngineSpec(kind, variant or next(iter(choices), ""), isa)


def default_specs() -> list[EngineSpec]:
    """Engine cpu in every precision, and the peer where it is installed."""
    specs = [EngineSpec("cpu", precision) for precision in VARIANTS["cpu"] if precision != "auto"]
    return specs + ([parse_spec(PEER)] if find_spec("onnxruntime") and find_spec("onnx") else [])
