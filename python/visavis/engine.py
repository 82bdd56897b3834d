"""Engines: what executes a model, a batch of turns of different sessions at a time.

    engine = visavis.load_engine("model.gguf", engine="cpu")
    slot = engine.open()
    out = engine.step([visavis.TurnInput(slot, user_audio=u, agent_audio=a, seed=7)])
    out[0].motion  # (F, C) float32, before the rig

Every engine, native or Python, keeps the contract of `Engine`; one caller at a time per engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.model.config import CHOICES

if TYPE_CHECKING:
    from visavis.model.config import ModelConfig

FloatArray: TypeAlias = npt.NDArray[np.float32]

ENGINES = ("cpu", "torch")
GUIDANCE_SCHEDULES = ("constant", "linear")
DEFAULT_MODEL = Path(__file__).parent / "assets" / "default.gguf"


@dataclass
class TurnInput:
    """One turn of one session.  Arrays are float32; None means that the stream is absent."""

    slot: int
    user_audio: FloatArray | None = None  # (F*640,) at 16 kHz, already lagged by user_lag_frames
    agent_audio: FloatArray | None = None  # (F*640,), or ((F + lookahead)*640,) when that much is known
    user_motion: FloatArray | None = None  # (F, C) raw units, already lagged
    user_motion_present: npt.NDArray[np.bool_] | None = None  # (F,) False: that frame is absent; None: all are there
    noise: FloatArray | None = None  # (1 + steps, F, C), x_T first; None: Philox noise from seed and turn
    seed: int = 0
    temperature: float = 1.0  # scales the step noise (ancestral) or x_T (dpm2m)
    guidance: float = 1.0  # 1: no guidance
    turn: int | None = None  # index of the turn in its session, for the noise; None: the slot's own count
    steps: int | None = None  # denoising steps; None: the engine's default


@dataclass
class TurnOutput:
    """What one turn gave."""

    motion: FloatArray  # (F, C) raw units, before the rig
    stage_ns: dict[str, int] = field(default_factory=dict)  # speech, backbone, denoise
    steps: int = 0  # denoising steps that were run


@dataclass(frozen=True)
class ModelInfo:
    """What a session must know of a model."""

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    turn_frames: int
    user_lag_frames: int
    agent_lookahead_frames: int
    context_turns: int
    steps: int
    noise_coherence: float
    eye_layer: bool = False  # the rig moves the eyes; the model leaves their channels at 0
    least_steps: int = 1  # the fewest that its sampler takes


@runtime_checkable
class Engine(Protocol):
    """The engine contract in Python (csrc/engines/engine.h is its twin)."""

    @property
    def info(self) -> ModelInfo:
        """What a session must know of the model."""

    @property
    def config(self) -> "ModelConfig":
        """The configuration in force: the model file's, with the options of `load_engine`."""

    def open(self) -> int:
        """A new slot: one session's history."""

    def close(self, slot: int) -> None:
        """Give the slot back."""

    def reset(self, slot: int) -> None:
        """Forget the slot's history."""

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        """Generate one turn for each input, each of another slot; on an error no slot has moved on."""


def model_info(config: "ModelConfig", name: str) -> ModelInfo:
    """The part of a configuration that sessions read."""
    return ModelInfo(
        name=name,
        channels=config.space.channels,
        units=config.space.units,
        turn_frames=config.turn_frames,
        user_lag_frames=config.user_lag_frames,
        agent_lookahead_frames=config.agent_lookahead_frames,
        context_turns=config.context_turns,
        steps=config.steps,
        noise_coherence=config.noise_coherence,
        eye_layer=config.eyes == "layer",
        least_steps=2 if config.sampler == "ancestral" else 1,
    )


def load_engine(
    path: str | Path | None = None,
    engine: str = "cpu",
    *,
    window: str | None = None,
    history: str | None = None,
    steps: int | None = None,
    passes: int = 1,
    sampler: str | None = None,
    guidance_schedule: str = "constant",
    speech_encoder: str | Path | None = None,
) -> Engine:
    """Load a model file (None: the packaged default model) into an engine, "cpu" or "torch".

    `window`, `history` (the own past: masked, fed or lagged), `steps` and `sampler` default to what the file says.
    `passes` of masked decoding matter with guidance_schedule="linear" alone: guidance then grows with the share of the
    turn that is decoded.  `speech_encoder` is the folder of a wav2vec2 model, for models that hear through one.
    """
    _check_choice("engine", engine, ENGINES)
    _check_choice("window", window, CHOICES["window"])
    _check_choice("history", history, CHOICES["own_past"])
    _check_choice("sampler", sampler, CHOICES["sampler"])
    _check_choice("guidance_schedule", guidance_schedule, GUIDANCE_SCHEDULES)
    _check_count("steps", steps, None)
    _check_count("passes", passes, 1)
    options: dict[str, Any] = {
        "window": window,
        "history": history,
        "steps": steps,
        "passes": passes,
        "sampler": sampler,
        "guidance_schedule": guidance_schedule,
    }
    file = model_path(path)
    if engine == "torch":
        return _torch_engine(file, speech_encoder=speech_encoder, **options)
    if speech_encoder is not None:
        raise Unsupported("speech_encoder: engine cpu does not run wav2vec2; use engine torch")
    from visavis import _core

    return _core.CpuEngine(str(file), **options)


def model_path(path: str | Path | None = None) -> Path:
    """The model file to open; None is the packaged default model."""
    found = DEFAULT_MODEL if path is None else Path(path)
    if not found.is_file():
        missing = "is not in this installation; give the path of a model file" if path is None else "does not exist"
        raise FileError(f"model file {found} {missing}")
    return found


def _torch_engine(path: Path, **options: Any) -> Engine:
    from visavis.engines.torch import TorchEngine

    return TorchEngine.load(path, **options)


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is None and name not in ("engine", "guidance_schedule"):
        return
    if value not in choices:
        raise InvalidArgument(f"{name} is {value!r}; expected one of {', '.join(choices)}")


def _check_count(name: str, value: int | None, default: int | None) -> None:
    if value is None and default is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(f"{name} is {value!r}; expected a whole number of at least 1")
