"""A GPU as engine tensorrt sees it: memory, one stream, engines that run on it, and work that is recorded once.

All that touches cuda.core, cuda.bindings and TensorRT's runtime is here.  Everything goes through the one stream, in
order; nothing but `wait` waits.
"""

import ctypes
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.engines.gpu import Gpu, find_gpu
from visavis.engines.tensorrt_library import Library
from visavis.errors import Error, FullError, InternalError, Unsupported

ALIGNMENT = 256  # of every tensor, as TensorRT asks
Field = tuple[str, tuple[int, ...], str]  # name, shape, dtype
log = logging.getLogger("visavis.tensorrt")


@dataclass(frozen=True)
class Memory:
    """A tensor on the GPU."""

    address: int
    shape: tuple[int, ...]
    dtype: str
    owner: Any  # keeps it allocated

    @property
    def n_bytes(self) -> int:
        """Its size."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


class Staging:
    """Tensors that travel together: arrays in pinned memory here, and their twins on the GPU."""

    def __init__(self, device: "CudaDevice", fields: Sequence[Field]) -> None:
        sizes = [prod(shape) * np.dtype(dtype).itemsize for _, shape, dtype in fields]
        offsets = [sum(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes[:i]) for i in range(len(sizes))]
        n_bytes = offsets[-1] + sizes[-1]
        self._device, self._here, self._there = device, device.pinned(n_bytes), device.block(n_bytes)
        raw = memoryview((ctypes.c_char * n_bytes).from_address(int(self._here.handle))).cast("B")
        self.host: dict[str, npt.NDArray[Any]] = {}
        self.memory: dict[str, Memory] = {}
        for (name, shape, dtype), offset in zip(fields, offsets, strict=True):
            self.host[name] = np.frombuffer(raw, dtype, prod(shape), offset).reshape(shape)
            self.host[name][:] = 0
            self.memory[name] = Memory(int(self._there.handle) + offset, shape, dtype, self._there)

    def upload(self) -> None:
        """From here to the GPU."""
        self._there.copy_from(self._here, stream=self._device.stream)

    def download(self) -> None:
        """From the GPU to here."""
        self._there.copy_to(self._here, stream=self._device.stream)


def cuda_packages(library: Library) -> tuple[Any, Any]:
    """cuda.core and cuda.bindings.runtime; raises Unsupported where they are missing."""
    try:
        return importlib.import_module("cuda.core"), importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError) as error:
        raise Unsupported(
            f"engine tensorrt: the packages cuda-core and cuda-bindings are not installed ({error}): "
            f"pip install 'visavis[{library.name}]'"
        ) from error


class CudaDevice:
    """One GPU, with the engines that were loaded on it."""

    def __init__(self, index: int, library: Library, jit_cache: Path | None = None) -> None:
        """`jit_cache`: file in which TensorRT for RTX keeps the kernels that it compiled for this GPU."""
        self.gpu: Gpu = find_gpu(index)
        self._library, self._index, self._jit_cache = library, index, jit_cache
        self._core, self._runtime = cuda_packages(library)
        with self.at_work("opening the GPU"):
            self.make_current()
            # Of the lowest priority, which is the default: a renderer on the same GPU goes first.
            self._stream = self._core.Device(index).create_stream()
        self.stream: Any = self._stream  # or the graph that is being recorded
        self._contexts: dict[str, Any] = {}
        self._jit: Any = None

    @contextmanager
    def at_work(self, doing: str) -> Iterator[None]:
        """What the GPU's libraries raise becomes an error that names the remedy."""
        try:
            yield
        except Error:
            raise
        except Exception as error:  # their own classes, one for each library
            text = f"engine tensorrt: {doing} on {self.gpu.name}: {' '.join(str(error).split())}"
            if "OUT_OF_MEMORY" in text or "MemoryAllocation" in text:
                raise FullError(f"{text}; close sessions or other programs on the GPU, or use engine cpu") from error
            if "INSUFFICIENT_DRIVER" in text or "InsufficientDriver" in text:
                known = f"the driver knows CUDA {self.gpu.cuda}"
                raise Unsupported(f"{text}; {known}: install a newer NVIDIA driver, or use engine cpu") from error
            raise InternalError(text) from error

    def make_current(self) -> None:
        """To be called by each thread before it uses the GPU."""
        self._core.Device(self._index).set_current()

    # ---- memory

    def block(self, n_bytes: int) -> Any:
        """Bytes on the GPU, of any value."""
        with self.at_work(f"taking {n_bytes} bytes of memory"):
            return self._core.Device(self._index).allocate(n_bytes, stream=self._stream)

    def pinned(self, n_bytes: int) -> Any:
        """Bytes here, which the GPU copies without help."""
        with self.at_work(f"taking {n_bytes} bytes of pinned memory"):
            return self._core.LegacyPinnedMemoryResource().allocate(n_bytes)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Memory:
        """A tensor of its own."""
        owner = self.block(prod(shape) * np.dtype(dtype).itemsize)
        owner.fill(0, stream=self._stream)
        return Memory(int(owner.handle), shape, dtype, owner)

    def copy(self, to: Memory, of: Memory) -> None:
        """A whole tensor of its own to another."""
        to.owner.copy_from(of.owner, stream=self.stream)

    def copy_rows(self, to: Memory, place: int, of: Memory) -> None:
        """`of` (..., T, d) over rows `place` to `place` + T of `to` (..., N, d), in each of the leading axes."""
        row = to.shape[-1] * np.dtype(to.dtype).itemsize
        n_rows, height = of.shape[-2], prod(of.shape[:-2])
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        (code,) = self._runtime.cudaMemcpy2DAsync(
            to.address + place * row, to.shape[-2] * row, of.address, n_rows * row, n_rows * row, height, kind,
            int(self._stream.handle),
        )  # fmt: skip
        if int(code) != 0:
            raise InternalError(f"engine tensorrt: writing keys into the ring: {code}")

    # ---- engines

    def load(self, engines: Mapping[str, bytes]) -> None:
        """Makes engines ready to run, under their names.  Raises Unsupported where this GPU cannot run them."""
        trt, said = self._library.module, self._library.log
        said.begin()
        runtime = trt.Runtime(said)
        self._engines: dict[str, Any] = {}
        self._keep = runtime  # until the engines are gone
        for name, data in engines.items():
            self._check_validity(runtime, name, data)
            with self.at_work(f"loading engine {name}"):
                engine = runtime.deserialize_cuda_engine(data)
            if engine is None:
                raise self._refusal(name, "does not load")
            self._engines[name] = engine
        # Engines run one after the other: they share the memory of what lies between their layers.
        n_bytes = max(ALIGNMENT, *(int(engine.device_memory_size_v2) for engine in self._engines.values()))
        self._between = self.block(n_bytes)
        for name, engine in self._engines.items():
            with self.at_work(f"preparing engine {name}"):
                context = engine.create_execution_context(self._config(engine))
            if context is None:
                raise self._refusal(name, "does not prepare")
            context.set_device_memory(int(self._between.handle), n_bytes)
            self._contexts[name] = context

    def _refusal(self, name: str, what: str) -> Error:
        why = self._library.log.why()
        text = f"engine {name}: {self._library.name} {what} it on {self._where}: {why}"
        if "memory" in why.lower():
            return FullError(f"{text}; close sessions or other programs on the GPU, or use engine cpu")
        return Unsupported(f"{text}; use engine cuda or cpu")

    @property
    def _where(self) -> str:
        return f"{self.gpu.name} (compute capability {self.gpu.capability}, driver for CUDA {self.gpu.cuda})"

    def _check_validity(self, runtime: Any, name: str, data: bytes) -> None:
        if not hasattr(runtime, "get_engine_validity"):
            return
        validity, diagnostics = runtime.get_engine_validity(data)
        trt = self._library.module
        if validity != trt.EngineValidity.INVALID:
            return
        flags = trt.EngineInvalidityDiagnostics.__members__
        reasons = [REASONS.get(flag, flag.lower()) for flag, value in flags.items() if int(diagnostics) & int(value)]
        raise Unsupported(
            f"engine {name}: {self._library.name} {self._library.version} refuses it on {self._where}: "
            f"{'; '.join(reasons) or self._library.log.why()}"
        )

    def _config(self, engine: Any) -> Any:
        config = engine.create_runtime_config()
        strategy = self._library.module.ExecutionContextAllocationStrategy.USER_MANAGED
        config.set_execution_context_allocation_strategy(strategy)
        if not hasattr(config, "create_runtime_cache"):
            return config
        if self._jit is None:
            self._jit = config.create_runtime_cache()
            if self._jit_cache is not None and self._jit_cache.is_file():
                known = self._jit.deserialize(self._jit_cache.read_bytes())
                log.debug("compiled kernels of %s: %s", self._jit_cache, "taken" if known else "of another GPU")
        config.set_runtime_cache(self._jit)
        return config

    def keep_compiled(self) -> None:
        """Writes the kernels that were compiled to their file, for the next start; it is no error if it cannot be."""
        if self._jit is None or self._jit_cache is None:
            return
        try:
            self._jit_cache.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._jit_cache.with_suffix(".tmp")
            unfinished.write_bytes(bytes(self._jit.serialize()))
            unfinished.replace(self._jit_cache)
        except OSError as error:
            log.debug("compiled kernels are not kept in %s: %s", self._jit_cache, error)

    def enqueue(self, name: str, tensors: Mapping[str, Memory]) -> None:
        """Runs an engine on these tensors, by the names of its inputs and outputs."""
        context = self._contexts[name]
        for tensor, memory in tensors.items():
            if not context.set_tensor_address(tensor, memory.address):
                raise InternalError(f"engine {name} has no tensor {tensor}: {self._library.log.why()}")
        if not context.execute_async_v3(int(self._handle())):
            raise InternalError(f"engine {name} did not run: {self._library.log.why()}")

    # ---- time

    def record(self, work: Callable[[], None]) -> Callable[[], None] | None:
        """`work` as one CUDA graph, to be launched again and again; None where it cannot be recorded.

        It must have run before: what is compiled or allocated at first cannot be recorded.
        """
        if not self._capturable():
            log.debug("engines are not capturable: each turn launches its kernels one by one")
            return None
        builder = self._stream.create_graph_builder().begin_building()
        self.stream = builder
        try:
            work()
        finally:
            self.stream = self._stream
            builder.end_building()
        graph = builder.complete()
        graph.upload(self._stream)
        return lambda: graph.launch(self._stream)

    def _capturable(self) -> bool:
        handle = int(self._stream.handle)
        return all(
            context.is_stream_capturable(handle) if hasattr(context, "is_stream_capturable") else True
            for context in self._contexts.values()
        )

    def _handle(self) -> Any:
        return self._stream.handle if self.stream is self._stream else self.stream.stream.handle

    def wait(self) -> None:
        """Until all that was asked for is done."""
        self._stream.sync()


REASONS = {
    "VERSION_MISMATCH": "it was built by another release: export it again",
    "UNSUPPORTED_CC": "it was not built for this compute capability: export with --target, or use engine cuda or cpu",
    "OLD_CUDA_DRIVER": "the NVIDIA driver is too old: install a newer one",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is too old: update the package",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little free memory: close other programs on it",
    "MALFORMED_ENGINE": "it is damaged: export it again",
    "CUDA_ERROR": "the CUDA driver or runtime does not work: reinstall it",
}
