"""What the real TensorRT for RTX makes of our graphs, with no GPU: every target, every attention, every byte.

The counts are those of the release that constraints.txt pins.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gpu_emulator
import numpy as np
import pytest
from engine_cases import write_model
from small_models import small_config

from visavis.engines.gpu import Gpu
from visavis.engines.graphs import GRAPHS
from visavis.engines.tensorrt_library import Library, load_library
from visavis.errors import Unsupported
from visavis.export.onnx import export_onnx
from visavis.export.tensorrt import exporter
from visavis.export.tensorrt.build import Built, build_engine
from visavis.export.tensorrt.exporter import export_tensorrt

pytestmark = pytest.mark.system

KERNELS = {"speech": 10, "backbone": 56, "head": 42}
TURING = {**KERNELS, "speech": 12}
MEGABYTES = {"speech": 1.96, "backbone": 8.19, "head": 6.68}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model's."""
    folder = tmp_path_factory.mktemp("graphs")
    export_onnx(None, folder, "trt")
    return folder


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library("tensorrt-rtx")


@pytest.mark.parametrize(
    "targets",
    [(), ("7.5",), ("8.0",), ("8.6",), ("8.9",), ("12.0",), ("12.1",), ("7.5", "8.6"), ("8.6", "8.9", "12.0")],
    ids=str,
)
def test_every_target_is_built_without_a_gpu(tmp_path: Path, targets: tuple[str, ...]) -> None:
    about = export_tensorrt(None, tmp_path, targets=targets)
    assert about == json.loads((tmp_path / "engines.json").read_bytes())
    assert about["library_version"] == load_library("tensorrt-rtx").version and about["targets"] == list(targets)
    engines = about["engines"]
    depth = json.loads((tmp_path / "manifest.json").read_bytes())["config"]["depth"]
    assert {name: engine["attentions"] for name, engine in engines.items()} == {
        "speech": 0,
        "backbone": depth,
        "head": 0,
    }
    counts = {name: sum(engine["kernels"].values()) for name, engine in engines.items()}
    assert counts == (TURING if "7.5" in targets else KERNELS)
    for name, engine in engines.items():
        size = (tmp_path / engine["file"]).stat().st_size / 1e6
        turing = 2.4 if "7.5" in targets and name == "speech" else 0.5 if "7.5" in targets else 0
        assert MEGABYTES[name] * 0.98 < size < MEGABYTES[name] * 1.02 + turing
        assert 0.1e6 < engine["weights_bytes"] < size * 1e6 and 1e6 < engine["activation_bytes"] < 20e6


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_graph_gives_the_same_engine(graphs: Path, library: Library, name: str) -> None:
    """To the byte, but for the order in which its outputs are listed: those of equal hash are as many as orders."""
    graph = (graphs / f"{name}.onnx").read_bytes()
    built = [build_engine(library, name, graph, ("8.6",)) for _ in range(5)]

    def content(one: Built) -> tuple[bytes, Any]:
        return np.bincount(np.frombuffer(one.data, np.uint8), minlength=256).tobytes(), one.kernels

    assert len({content(one)[0] for one in built}) == 1
    assert all(one.kernels == built[0].kernels for one in built)
    n_outputs = len(json.loads((graphs / "manifest.json").read_bytes())["graphs"][name]["outputs"])
    assert len({one.data for one in built}) <= {1: 1, 2: 2, 3: 6}[n_outputs]
    other = build_engine(library, name, graph, ("8.9",))
    assert content(other)[0] != content(built[0])[0]


@pytest.mark.parametrize(
    "switches",
    [
        {"own_past": "fed", "layout": "markers", "denoise_unit": "frame"},
        {"own_past": "masked", "denoise_target": "residual", "sampler": "dpm2m", "steps": 1},
        {"agent_lookahead_frames": 0, "turn_frames": 3, "context_turns": 2, "head_context_frames": 0},
    ],
    ids=str,
)
def test_the_switches_of_the_model(tmp_path: Path, switches: dict[str, Any]) -> None:
    model = write_model(tmp_path / "m.gguf", small_config(**switches))
    for targets in (("7.5",), ("8.6", "12.0")):
        engines = export_tensorrt(model, tmp_path / "engines", targets=targets)["engines"]
        assert all(engine["kernels"] for engine in engines.values())


def test_tf32_is_off(graphs: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag is in the engine: with it the bytes are others."""
    graph = (graphs / "speech.onnx").read_bytes()
    without = build_engine(library, "speech", graph, ("8.6",))
    monkeypatch.setattr(library.module.IBuilderConfig, "clear_flag", lambda self, flag: None)
    assert build_engine(library, "speech", graph, ("8.6",)).data != without.data


def test_good_and_corrupt_files(graphs: Path, library: Library) -> None:
    """The header is what the library looks at; what is damaged behind it is known by the hash in engines.json."""
    trt = library.module
    good = build_engine(library, "head", (graphs / "head.onnx").read_bytes(), ()).data
    malformed = int(trt.EngineInvalidityDiagnostics.MALFORMED_ENGINE)
    runtime = trt.Runtime(library.log)

    def is_malformed(data: bytes) -> bool:
        return bool(int(runtime.get_engine_validity(data)[1]) & malformed)

    assert good[:4] == gpu_emulator.MAGIC and not is_malformed(good) and not is_malformed(good[:64])
    onnx_file = (graphs / "head.onnx").read_bytes()
    for data in (onnx_file, b"junk" * 100, good[:63], b"vtrx" + good[4:], bytes(1000)):
        assert is_malformed(data)


def test_what_the_library_refuses_is_told(graphs: Path, library: Library, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"graph head: tensorrt-rtx 1\.\d.* cannot read it: "):
        build_engine(library, "head", b"no graph", ())
    export_onnx(None, tmp_path, "portable")  # its spectrum is a product in float32, which Turing does not have
    with pytest.raises(Unsupported, match=r"graph speech: .* cannot build it: .*FP32 GEMM is not supported"):
        build_engine(library, "speech", (tmp_path / "speech.onnx").read_bytes(), ("7.5",))


def test_one_exporter_for_both_libraries(tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full library lacks compute capabilities and the flag: the same code must do without them."""
    hidden = ("ComputeCapability", "BuilderFlag", "EngineValidity", "EngineInvalidityDiagnostics")
    shown = {name: value for name, value in vars(library.module).items() if name not in hidden}
    module = SimpleNamespace(**shown, BuilderFlag=SimpleNamespace(TF32=library.module.BuilderFlag.TF32))
    full = Library.__new__(Library)
    full.name, full.module, full.log = "tensorrt", module, library.log
    assert not full.builds_ahead and full.version == library.version
    monkeypatch.setattr(exporter, "load_library", lambda name: full)
    monkeypatch.setattr(exporter, "find_gpu", lambda device: Gpu("a GPU", "8.9", 0, "13.0"))
    core = SimpleNamespace(Device=lambda device: SimpleNamespace(set_current=lambda: None))
    monkeypatch.setattr(exporter, "cuda_packages", lambda library: (core, None))
    about = export_tensorrt(None, tmp_path, "tensorrt")
    assert about["targets"] == ["8.9"] and about["engines"]["backbone"]["attentions"] == 4


def test_the_emulated_gpu_has_the_names_of_the_packages(library: Library) -> None:
    from cuda import core
    from cuda.bindings import runtime
    from cuda.core import graph

    trt = library.module
    real = {
        gpu_emulator.Block: core.Buffer,
        gpu_emulator.Stream: core.Stream,
        gpu_emulator.GraphBuilder: graph.GraphBuilder,
        gpu_emulator.Graph: graph.Graph,
        gpu_emulator.Device: core.Device,
        gpu_emulator.LegacyPinnedMemoryResource: core.LegacyPinnedMemoryResource,
        gpu_emulator.ILogger: trt.ILogger,
        gpu_emulator.BuilderConfig: trt.IBuilderConfig,
        gpu_emulator.OnnxParser: trt.OnnxParser,
        gpu_emulator.Context: trt.IExecutionContext,
    }
    made = gpu_emulator.make_tensorrt(True, "1")
    real |= {getattr(made, name): getattr(trt, name) for name in ("Builder", "Runtime")}
    internal = {"submit", "recording"}
    for emulated, package in real.items():
        names = {name for name in vars(emulated) if not name.startswith("_")} - internal
        assert names and not [name for name in names if not hasattr(package, name)], emulated
    for name in ("ComputeCapability", "EngineValidity", "EngineInvalidityDiagnostics"):
        assert set(getattr(made, name).__members__) <= set(getattr(trt, name).__members__)
    missing = [name for name in vars(made) if not name.startswith("_") and not hasattr(trt, name)]
    assert not missing and hasattr(runtime, "cudaMemcpy2DAsync")
    assert int(runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice) == 3
    for name in ("create_runtime_config", "create_execution_context", "device_memory_size_v2"):
        assert hasattr(trt.ICudaEngine, name)
    for name in ("create_runtime_cache", "set_runtime_cache", "set_execution_context_allocation_strategy"):
        assert hasattr(trt.IRuntimeConfig, name)
    assert {"deserialize", "serialize"} <= set(dir(trt.IRuntimeCache))
