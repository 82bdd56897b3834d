"""One graph as an engine: parsed, built, and what the build log says of it.

The engine can be inspected on a GPU alone; the log tells the same while it is built, wherever that is.
"""

import re
from dataclasses import dataclass
from typing import Any

from visavis.engines.tensorrt_library import Library
from visavis.errors import Unsupported

ATTENTION = "_gemm_mha"  # begins the name of a kernel that does a whole attention


@dataclass(frozen=True)
class Built:
    """An engine, and what is known of it."""

    data: bytes
    kernels: dict[str, int]  # how many of each kind; empty where the library does not tell
    attentions: int  # of these, kernels that do a whole attention
    activation_bytes: int  # memory that a run needs beside inputs, outputs and weights; 0: not told
    weights_bytes: int


def build_engine(library: Library, name: str, graph: bytes, targets: tuple[str, ...]) -> Built:
    """Builds `graph` (an ONNX file) for compute capabilities such as 8.6; none: as the library does by itself.

    Raises Unsupported where the library refuses the graph, with its reason.
    """
    trt, log = library.module, library.log
    log.begin()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise Unsupported(f"graph {name}: {library.name} {library.version} cannot read it: {reasons}")
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # TF32 keeps 10 bits of a float32: loud partials would drown the quiet ones of the spectrum.
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):  # without it a run may allocate, and cannot be captured
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    if targets:
        config.num_compute_capabilities = len(targets)
        for i, target in enumerate(targets):
            config.set_compute_capability(library.capability(target), i)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise Unsupported(f"graph {name}: {library.name} {library.version} cannot build it: {log.why()}")
    kernels = _kernels(log.told)
    return Built(
        bytes(built),
        {kind: sum(kind == other for other, _ in kernels) for kind in sorted({kind for kind, _ in kernels})},
        sum(tactic.startswith(ATTENTION) for _, tactic in kernels),
        _number("Total Activation Memory", log.told),
        _number("Total Weights Memory", log.told),
    )


def _kernels(told: list[str]) -> list[tuple[str, str]]:
    """Kind and name of each kernel, of the list that the build log has."""
    rows = [row for text in told if text.startswith("Layers:") for row in text.split("\n") if row.startswith("Name:")]
    return [(_field("LayerType", row), _field("TacticName", row) or _field("Name", row)) for row in rows]


def _field(name: str, row: str) -> str:
    found = re.search(rf"(?:^|, ){name}: ([^,]*)", row)
    return found[1].strip() if found else ""


def _number(name: str, told: list[Any]) -> int:
    found = [re.search(rf"{name}: (\d+)", text) for text in told]
    return next((int(match[1]) for match in found if match), 0)
