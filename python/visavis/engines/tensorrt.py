"""Engine `tensorrt`: engines of TensorRT or TensorRT for RTX on a GPU, from an exported folder or a model file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visavis.engine import TurnInput, TurnOutput
from visavis.engines.cuda_device import CudaDevice
from visavis.engines.engine_cache import cache_folder, cached_engines
from visavis.engines.engine_set import ENGINES_FILE, EngineSet, read_engine_set
from visavis.engines.exported import ExportedEngine
from visavis.engines.gpu import find_gpu
from visavis.engines.graphs import GRAPHS, check_model
from visavis.engines.tensorrt_library import load_library
from visavis.engines.tensorrt_turns import DeviceTurns


class TensorRtEngine(ExportedEngine):
    """Executes a folder of engines turn by turn.  One caller at a time."""

    FORM = "tensorrt-rtx"

    def __init__(self, folder: str | Path, model: Path | None = None, *, device: int = 0, **options: Any) -> None:
        """`model`: the file from which the folder must come; options are those of ExportedEngine.

        Raises Unsupported where a package, a driver, a GPU or the right release is missing, FileError or ModelFileError
        for a folder that is not whole, FullError where the GPU's memory is not enough.
        """
        engines = read_engine_set(Path(folder))
        if model is not None:
            check_model(engines.folder, engines.manifest, model)
        super().__init__(folder, engines.manifest, **options)
        self.FORM = engines.library
        library = load_library(engines.library)
        engines.check_library(library)
        engines.check_capability(find_gpu(device).capability)
        data = {name: engines.data(name) for name in GRAPHS}
        self._device = CudaDevice(device, library, _compiled(engines))
        self._device.load(data)
        with self._device.at_work("making the first turn"):
            self._turns = DeviceTurns(self._device, engines.manifest, self.config)
        self._device.keep_compiled()

    @classmethod
    def of_model(
        cls, model: Path, *, device: int = 0, steps: int | None = None, sampler: str | None = None, **options: Any
    ) -> "TensorRtEngine":
        """From a model file, by engines that are kept in the cache folder, and built when they are not there."""
        gpu = find_gpu(device)
        return cls(cached_engines(model, gpu, device, steps, sampler), device=device, **options)

    @property
    def capability(self) -> str:
        """Compute capability of the GPU, such as 8.6."""
        return self._device.gpu.capability

    def open(self) -> int:
        """A new slot: one session's history.  Raises FullError where the GPU's memory is not enough."""
        self._device.make_current()
        return super().open()

    def close(self, slot: int) -> None:
        """Give the slot back."""
        self._device.make_current()
        super().close(slot)

    def reset(self, slot: int) -> None:
        """Forget the slot's history."""
        self._device.make_current()
        super().reset(slot)

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        """Generate one turn for each input, each of another slot; on an error no slot has moved on."""
        self._device.make_current()
        return super().step(inputs)


def _compiled(engines: EngineSet) -> Path:
    """The file in which kernels that were compiled for these engines are kept."""
    digest = hashlib.sha256((engines.folder / ENGINES_FILE).read_bytes()).hexdigest()
    return cache_folder() / f"compiled-{digest[:16]}.cache"
