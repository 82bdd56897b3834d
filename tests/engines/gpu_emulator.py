"""A GPU that is not there, for engine tensorrt: what it takes of cuda.core, cuda.bindings and TensorRT, on the CPU.

Memory is the processor's, fresh memory holds NaN, every access is checked; work waits in its stream until somebody
waits for it; an "engine" is the ONNX graph, and ONNX Runtime runs it.  test_tensorrt_build.py compares the names of
these classes with those of the packages.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from enum import IntEnum
from math import prod
from types import ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary, finalize

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from visavis.engines import gpu

Work = Callable[[], None]
MAGIC = b"vtrt"
TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int32)": "int32"}


class CUDAError(Exception):
    """Stands for cuda.core's."""


class Emulator:
    """The machine: set what it has before it is used, read what was done after."""

    def __init__(self) -> None:
        self.driver = True
        self.n_gpus = 1
        self.capability = "8.9"
        self.cuda = 13000
        self.room = 1 << 40  # bytes of memory
        self.capturable = True
        self.blocks: WeakValueDictionary[int, Block] = WeakValueDictionary()
        self.streams: dict[int, Stream] = {}
        self.n_allocations = self.n_launches = self.n_builds = self.n_compiled = 0

    def bytes_at(self, address: int, n_bytes: int) -> npt.NDArray[np.uint8]:
        """Memory, of one allocation."""
        for block in self.blocks.values():
            if block.handle <= address and address + n_bytes <= block.handle + block.size:
                return block.bytes[address - block.handle :][:n_bytes]
        raise CUDAError("CUDA_ERROR_ILLEGAL_ADDRESS")

    def tensor(self, address: int, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        """An array over memory."""
        assert address % 256 == 0, "TensorRT wants aligned tensors"
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        return self.bytes_at(address, n_bytes).view(dtype).reshape(shape)


emulator = Emulator()  # of the running test; `install` makes a new one


# ------------------------------------------------------------------------------------------------- cuda.core


class Block:
    """Buffer of cuda.core."""

    def __init__(self, size: int, poison: int = 0xFF) -> None:
        self._raw = np.full(size + 256, poison, np.uint8)
        begin = -self._raw.ctypes.data % 256
        self.bytes, self.size = self._raw[begin : begin + size], size
        self.handle = int(self.bytes.ctypes.data)
        emulator.blocks[self.handle] = self
        emulator.n_allocations += 1

    def fill(self, value: int, *, stream: "Stream | GraphBuilder") -> None:
        _submit(stream, lambda: self.bytes.fill(value))

    def copy_from(self, src: "Block", *, stream: "Stream | GraphBuilder") -> None:
        assert src.size == self.size
        _submit(stream, lambda: np.copyto(self.bytes, src.bytes))

    def copy_to(self, dst: "Block", *, stream: "Stream | GraphBuilder") -> None:
        dst.copy_from(self, stream=stream)


class Stream:
    """Work in order, done when it is waited for."""

    def __init__(self) -> None:
        self.handle = 1000 + len(emulator.streams)
        emulator.streams[self.handle] = self
        self._waiting: list[Work] = []
        self.recording: list[Work] | None = None

    def submit(self, work: Work) -> None:
        (self._waiting if self.recording is None else self.recording).append(work)

    def sync(self) -> None:
        assert self.recording is None, "a stream that is recorded cannot be waited for"
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()

    def create_graph_builder(self) -> "GraphBuilder":
        return GraphBuilder(self)


class GraphBuilder:
    """Records what is submitted to the stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def begin_building(self) -> "GraphBuilder":
        self.stream.recording = []
        return self

    def end_building(self) -> "GraphBuilder":
        assert self.stream.recording is not None
        self._work, self.stream.recording = self.stream.recording, None
        return self

    def complete(self) -> "Graph":
        return Graph(self._work)


class Graph:
    """What was recorded."""

    def __init__(self, work: list[Work]) -> None:
        self._work = work

    def upload(self, stream: Stream) -> None:
        assert stream.recording is None

    def launch(self, stream: Stream) -> None:
        emulator.n_launches += 1
        for work in self._work:
            stream.submit(work)


class Device:
    """The GPU."""

    def __init__(self, device_id: int) -> None:
        assert device_id < emulator.n_gpus

    def set_current(self) -> None:
        if emulator.cuda < 13000:
            raise CUDAError("CUDA_ERROR_INSUFFICIENT_DRIVER: the driver is older than the CUDA runtime")

    def create_stream(self) -> Stream:
        return Stream()

    def allocate(self, size: int, *, stream: Stream) -> Block:
        if size > emulator.room:
            raise CUDAError("CUDA_ERROR_OUT_OF_MEMORY: the API call failed")
        block, owner = Block(size), emulator
        owner.room -= size
        finalize(block, lambda: setattr(owner, "room", owner.room + size))
        return block


class LegacyPinnedMemoryResource:
    """Memory of the processor that the GPU copies."""

    def allocate(self, size: int) -> Block:
        return Block(size)


def _submit(stream: Stream | GraphBuilder, work: Work) -> None:
    (stream.stream if isinstance(stream, GraphBuilder) else stream).submit(work)


def cuda_memcpy_2d_async(
    to: int, to_pitch: int, of: int, of_pitch: int, width: int, height: int, kind: int, stream: int
) -> tuple[int]:
    """Rows of bytes."""
    assert kind == 3 and width <= to_pitch and width <= of_pitch

    def copy() -> None:
        for row in range(height):
            emulator.bytes_at(to + row * to_pitch, width)[:] = emulator.bytes_at(of + row * of_pitch, width)

    emulator.streams[stream].submit(copy)
    return (0,)


# -------------------------------------------------------------------------------------------------- TensorRT


class ILogger:
    """Levels as TensorRT has them."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, level: int, text: str) -> None:
        raise NotImplementedError


class ComputeCapability(IntEnum):
    NONE, CURRENT, SM75, SM86, SM89, SM120 = range(6)


class EngineValidity(IntEnum):
    VALID, SUBOPTIMAL, INVALID = range(3)


class EngineInvalidityDiagnostics(IntEnum):
    VERSION_MISMATCH, UNSUPPORTED_CC, MALFORMED_ENGINE = 1, 2, 32


class ExecutionContextAllocationStrategy(IntEnum):
    STATIC, ON_PROFILE_CHANGE, USER_MANAGED = range(3)


class BuilderConfig:
    """What an engine is built for."""

    def __init__(self) -> None:
        self.profiling_verbosity, self.num_compute_capabilities = 0, 0
        self.flags, self.capabilities = {"TF32"}, dict[int, str]()

    def clear_flag(self, flag: str) -> None:
        self.flags.discard(flag)

    def set_flag(self, flag: str) -> None:
        self.flags.add(flag)

    def set_compute_capability(self, capability: IntEnum, index: int) -> None:
        self.capabilities[index] = capability.name


class OnnxParser:
    """Reads the graph into the network, which is a list here."""

    num_errors = 1

    def __init__(self, network: list[bytes], log: ILogger) -> None:
        self._network = network

    def parse(self, graph: bytes) -> bool:
        try:
            onnx.checker.check_model(onnx.load_from_string(graph))
        except Exception:
            return False
        self._network.append(graph)
        return True

    def get_error(self, index: int) -> str:
        return "In node -1: not a model"


class Context:
    """Runs an engine: IExecutionContext."""

    def __init__(self, session: onnxruntime.InferenceSession, n_bytes: int) -> None:
        self._session, self._n_bytes, self._addresses, self._compiled = session, n_bytes, dict[str, int](), False
        self._named = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
        self._memory = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        assert size >= self._n_bytes and memory % 256 == 0
        self._memory = memory

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return name in self._named

    def is_stream_capturable(self, stream: int) -> bool:
        return emulator.capturable

    def execute_async_v3(self, handle: int) -> bool:
        stream, addresses = emulator.streams[handle], dict(self._addresses)
        assert self._memory and set(addresses) == self._named
        if not self._compiled and stream.recording is not None:
            return False  # nothing can be compiled there
        if not self._compiled:
            emulator.n_compiled += 1
        self._compiled = True
        stream.submit(lambda: self._run(addresses))
        return True

    def _run(self, addresses: dict[str, int]) -> None:
        def tensor(value: Any) -> npt.NDArray[Any]:
            return emulator.tensor(addresses[value.name], tuple(value.shape), TYPES[value.type])

        inputs = {value.name: tensor(value).copy() for value in self._session.get_inputs()}
        for value, made in zip(self._session.get_outputs(), self._session.run(None, inputs), strict=True):
            tensor(value)[...] = made


def make_tensorrt(rtx: bool, version: str) -> ModuleType:
    """A module as `tensorrt_rtx` is, or `tensorrt`."""

    class RuntimeCache:
        def deserialize(self, blob: bytes) -> bool:
            return blob == self.serialize()

        def serialize(self) -> bytes:
            return f"compiled for {emulator.capability}".encode()

    class RuntimeConfig:
        def set_execution_context_allocation_strategy(self, strategy: IntEnum) -> None:
            assert strategy == ExecutionContextAllocationStrategy.USER_MANAGED

        if rtx:

            def create_runtime_cache(self) -> RuntimeCache:
                return RuntimeCache()

            def set_runtime_cache(self, cache: RuntimeCache) -> None:
                assert isinstance(cache, RuntimeCache)

    class Engine:
        device_memory_size_v2 = 1000

        def __init__(self, graph: bytes) -> None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 3
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

        def create_runtime_config(self) -> RuntimeConfig:
            return RuntimeConfig()

        def create_execution_context(self, config: RuntimeConfig) -> Context:
            assert isinstance(config, RuntimeConfig)
            return Context(self._session, self.device_memory_size_v2)

    class Builder:
        def __init__(self, log: ILogger) -> None:
            self._log = log

        def create_network(self, flags: int) -> list[bytes]:
            return []

        def create_builder_config(self) -> BuilderConfig:
            return BuilderConfig()

        def build_serialized_network(self, network: list[bytes], config: BuilderConfig) -> bytes | None:
            emulator.n_builds += 1
            assert "TF32" not in config.flags and ("REQUIRE_USER_ALLOCATION" in config.flags) == rtx
            if not network:
                self._log.log(ILogger.ERROR, "Error Code 4: the network has no outputs")
                return None
            self._log.log(ILogger.VERBOSE, "Layers:\nName: a, LayerType: kgen, TacticName: _gemm_mha_v2_0x1")
            built_for = [name[2:] for name in config.capabilities.values()]
            about = {"version": version, "for": built_for if rtx else [emulator.capability.replace(".", "")]}
            return MAGIC + json.dumps(about).encode() + b"\n" + network[0]

    class Runtime:
        def __init__(self, log: ILogger) -> None:
            self._log = log

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            if self._validity(data) != 0:
                self._log.log(ILogger.ERROR, "Error Code 1: it does not fit")
                return None
            return Engine(data.partition(b"\n")[2])

        if rtx:

            def get_engine_validity(self, data: bytes) -> tuple[EngineValidity, int]:
                flags = self._validity(data)
                return EngineValidity.INVALID if flags else EngineValidity.VALID, flags

        def _validity(self, data: bytes) -> int:
            if data[:4] != MAGIC:
                return EngineInvalidityDiagnostics.MALFORMED_ENGINE
            about = json.loads(data[4:].partition(b"\n")[0])
            fits = not about["for"] or emulator.capability.replace(".", "") in about["for"]
            wrong = 0 if fits else EngineInvalidityDiagnostics.UNSUPPORTED_CC
            return wrong | (0 if about["version"] == version else EngineInvalidityDiagnostics.VERSION_MISMATCH)

    module = ModuleType("tensorrt_rtx" if rtx else "tensorrt")
    flags = {"TF32": "TF32"} | ({"REQUIRE_USER_ALLOCATION": "REQUIRE_USER_ALLOCATION"} if rtx else {})
    names: dict[str, Any] = {
        "__version__": version,
        "ILogger": ILogger,
        "Builder": Builder,
        "OnnxParser": OnnxParser,
        "Runtime": Runtime,
        "BuilderFlag": SimpleNamespace(**flags),
        "NetworkDefinitionCreationFlag": SimpleNamespace(STRONGLY_TYPED=1),
        "ProfilingVerbosity": SimpleNamespace(DETAILED=2),
        "ExecutionContextAllocationStrategy": ExecutionContextAllocationStrategy,
    }
    if rtx:
        names |= {
            "ComputeCapability": ComputeCapability,
            "EngineValidity": EngineValidity,
            "EngineInvalidityDiagnostics": EngineInvalidityDiagnostics,
        }
    for name, value in names.items():
        setattr(module, name, value)
    return module


# ---------------------------------------------------------------------------------------------------- driver


class Driver:
    """libcuda, as ctypes sees it."""

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0 if emulator.n_gpus else gpu.NO_DEVICE

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = emulator.cuda
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = emulator.n_gpus
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:  # noqa: N802
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = b"Emulated"
        return 0

    def cuDeviceTotalMem_v2(self, n_bytes: Any, device: Any) -> int:  # noqa: N802
        n_bytes._obj.value = 24 * 10**9
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        major, _, minor = emulator.capability.partition(".")
        value._obj.value = int(major if attribute == gpu.CAPABILITY_MAJOR else minor)
        return 0


def install(patch: pytest.MonkeyPatch, rtx: str | None = "1.7.1", full: str | None = None) -> Emulator:
    """Puts the GPU into this process, with these releases of the libraries; None: not installed."""
    global emulator
    emulator = made = Emulator()
    core = ModuleType("cuda.core")
    for kind in (Device, LegacyPinnedMemoryResource):
        setattr(core, kind.__name__, kind)
    runtime = ModuleType("cuda.bindings.runtime")
    setattr(runtime, "cudaMemcpyKind", SimpleNamespace(cudaMemcpyDeviceToDevice=3))  # noqa: B010
    setattr(runtime, "cudaMemcpy2DAsync", cuda_memcpy_2d_async)  # noqa: B010
    patch.setitem(sys.modules, "cuda.core", core)
    patch.setitem(sys.modules, "cuda.bindings.runtime", runtime)
    patch.setitem(sys.modules, "tensorrt_rtx", rtx and make_tensorrt(True, rtx))
    patch.setitem(sys.modules, "tensorrt", full and make_tensorrt(False, full))
    real = ctypes.CDLL

    def load(name: str, *rest: Any, **options: Any) -> Any:
        if name != gpu.DRIVER:
            return real(name, *rest, **options)
        if not made.driver:
            raise OSError("libcuda.so.1: cannot open shared object file")
        return Driver()

    patch.setattr(gpu.ctypes, "CDLL", load)
    return made
