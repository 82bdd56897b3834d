"""Types of the native core, one section per file of csrc/bindings."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visavis.engine import ModelInfo, TurnInput, TurnOutput
from visavis.model.config import ModelConfig

__version__: str

# noise.cpp
def noise(
    seed: int, first_frame: int, n_frames: int, n_channels: int, n_steps: int, coherence: float = 0.0
) -> npt.NDArray[np.float32]: ...
def philox4x32(counter: Sequence[int], key: Sequence[int]) -> list[int]: ...

# engine.cpp
class CpuEngine:
    def __init__(
        self,
        path: str,
        *,
        window: str | None = None,
        history: str | None = None,
        steps: int | None = None,
        passes: int = 1,
        sampler: str | None = None,
    ) -> None: ...
    @property
    def info(self) -> ModelInfo: ...
    @property
    def config(self) -> ModelConfig: ...
    @property
    def isa(self) -> str: ...
    def open(self) -> int: ...
    def close(self, slot: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]: ...
