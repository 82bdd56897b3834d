"""Engines: what executes a model, a batch of turns of different sessions at a time.

    engine = visavis.load_engine("model.gguf", engine="cpu")
    slot = engine.open()
    out = engine.step([visavis.TurnInput(slot, user_audio=u, agent_audio=a, seed=7)])
    out[0].motion  # (F, C) float32, before the rig

Every engine, native or Python, keeps the contract of `Engine`; one caller at a time per engine.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from visavis.errors import FileError, FullError, InternalError, InvalidArgument, Unsupported
from visavis.model.config import CHOICES

if TYPE_CHECKING:
    from visavis.model.config import ModelConfig

FloatArray: TypeAlias = npt.NDArray[np.float32]

ENGINES = ("cpu", "cuda", "tensorrt", "torch", "onnx")
AUTO = "auto"  # engine cuda where it works, else cpu
GUIDANCE_SCHEDULES = ("constant", "linear")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8")
ON_GPU = ("cuda", "tensorrt", AUTO)
EXPORTED = ("onnx", "tensorrt")
log = logging.getLogger("visavis")
_said: set[str] = set()  # lines that were in the log
# Models inside the package, by name (docs/model_card.md).
PACKAGED = {name: Path(__file__).parent / "assets" / f"{name}.gguf" for name in ("default", "tiny")}
DEFAULT_MODEL = PACKAGED["default"]


@dataclass
class TurnInput:
    """One turn of one session.  Arrays are float32; None means that the stream is absent."""

    slot: int
    user_audio: FloatArray | None = None  # (F*640,) at 16 kHz, already lagged by user_lag_frames and, where the
    # model's info says normalised_audio, of zero mean and unit variance; so is agent_audio
    agent_audio: FloatArray | None = None  # (F*640,), or ((F + lookahead)*640,) when that much is known
    user_motion: FloatArray | None = None  # (F, C) raw units, already lagged
    user_motion_present: npt.NDArray[np.bool_] | None = None  # (F,) False: that frame is absent; None: all are there
    noise: FloatArray | None = None  # (1 + steps, F, C), x_T first; None: Philox noise from seed and turn
    seed: int = 0
    temperature: float = 1.0  # scales the step noise (ancestral) or x_T (dpm2m)
    guidance: float = 1.0  # 1: no guidance
    style: FloatArray | None = None  # (S,) in [-1, 1], of models with styles; None: zeros, the average person
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
    normalised_audio: bool = False  # voices have zero mean and unit variance; sessions see to it
    styles: tuple[str, ...] = ()  # S names: the axes of a person's style
    turn_join: float = 0.0  # in [0, 1], share of the mean of its neighbours in a turn's first frame (mouth)
    noise_scale: float = 1.0  # of sessions, on top of their temperature


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
        normalised_audio=config.speech_encoder == "wav2vec2",
        styles=config.styles,
        turn_join=config.turn_join,
        noise_scale=config.noise_scale,
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
    precision: str | None = None,
    threads: int = 1,
    graphs: str | Path | None = None,
    device: int = 0,
    multiprocessors: int | None = None,
) -> Engine:
    """Load a model file (None: the packaged default model) into an engine: "cpu", "cuda", "tensorrt", "torch", "onnx".

    "auto" is cuda where it is built, finds a GPU and makes a turn, and cpu elsewhere; a line in the log says which and
    why.

    `window`, `history` (the own past: masked, fed or lagged), `steps` and `sampler` default to what the file says.
    `passes` of masked decoding matter with guidance_schedule="linear" alone: guidance then grows with the share of the
    turn that is decoded.  `speech_encoder` is the folder of a wav2vec2 model, for models that hear through one.

    `precision` (cpu): "f32"; "bf16" computes the large products in bfloat16 (needs AVX-512-BF16), "int8" most of them
    in 8-bit integers (needs AVX-512-VNNI); "auto" is bf16 where the processor has it and f32 elsewhere; None is f32.
    `threads` (cpu) share the turns of a step, the caller's own included; a turn of a large model, such as TIMAR's own,
    is shared, too, a smaller one takes one thread.  docs/engines.md has the figures.

    Engine cuda runs on the NVIDIA GPU `device` (0: the first), with `multiprocessors` of it at most (None: all), so
    that what else runs there keeps its pace.  `precision` is "bf16" (needs compute capability 8.0), "f16" or "auto"
    (the default): bf16 where the GPU has it.

    Engine tensorrt runs what `visavis export --to tensorrt-rtx` (or tensorrt) wrote, on the GPU `device`: `path` or
    `graphs` as with engine onnx.  Of a model file alone it builds engines for this GPU and keeps them (VISAVIS_CACHE,
    or the user's cache folder).

    Engine onnx runs what `visavis export --to onnx` wrote: `path` is that folder, or `graphs` is, and is then checked
    to come from the model file `path`.  Steps and sampler are those of the export, `threads` are ONNX Runtime's.
    """
    _check_choice("engine", engine, (*ENGINES, AUTO))
    _check_choice("window", window, CHOICES["window"])
    _check_choice("history", history, CHOICES["own_past"])
    _check_choice("sampler", sampler, CHOICES["sampler"])
    _check_choice("guidance_schedule", guidance_schedule, GUIDANCE_SCHEDULES)
    _check_count("steps", steps, None)
    _check_count("passes", passes, 1)
    _check_choice("precision", precision, PRECISIONS)
    _check_count("threads", threads, 1)
    _check_count("multiprocessors", multiprocessors, None)
    options: dict[str, Any] = {
        "window": window,
        "history": history,
        "steps": steps,
        "passes": passes,
        "sampler": sampler,
        "guidance_schedule": guidance_schedule,
    }
    if graphs is not None and engine not in EXPORTED:
        raise Unsupported(f"graphs: engine {engine} runs model files; use engine onnx")
    if engine not in ON_GPU and (device != 0 or multiprocessors is not None):
        raise Unsupported(f"device, multiprocessors: engine {engine} does not run on a GPU; use engine cuda")
    if engine == AUTO:
        options |= {"speech_encoder": speech_encoder}
        return _auto_engine(path, precision, threads, {"device": device, "multiprocessors": multiprocessors}, options)
    if engine == "tensorrt":
        if precision not in (None, "auto", "f16") or threads != 1 or speech_encoder or multiprocessors is not None:
            raise Unsupported(
                "precision, threads, speech_encoder, multiprocessors: engine tensorrt computes in f16 on the whole "
                "GPU; use engine cuda or cpu"
            )
        return _tensorrt_engine(path, graphs, device=device, **options)
    if engine == "onnx":
        if precision not in (None, "f32") or speech_encoder is not None:
            raise Unsupported("precision, speech_encoder: the exported graphs decide them; use engine cpu or torch")
        return _onnx_engine(path, graphs, threads=threads, **options)
    file = model_path(path)
    if engine == "torch":
        if precision not in (None, "f32") or threads != 1:
            raise Unsupported("precision, threads: engine torch runs in f32 with the threads of torch; use engine cpu")
        return _torch_engine(file, speech_encoder=speech_encoder, **options)
    if is_checkpoint(file):
        raise Unsupported(f"engine {engine} does not run {file}, a model for comparison (checkpoint): use engine torch")
    if speech_encoder is not None:
        raise Unsupported(
            f"speech_encoder: engine {engine} takes wav2vec2 from the model file (visavis import-timar); "
            "use engine torch"
        )
    from visavis import _core

    if engine == "cuda":
        if precision == "f32" or threads != 1:
            raise Unsupported(
                "precision f32, threads: engine cuda multiplies bf16 or f16, on the GPU alone; use engine cpu"
            )
        return _core.CudaEngine(
            str(file), precision=precision or "auto", device=device, multiprocessors=multiprocessors or 0, **options
        )
    return _core.CpuEngine(str(file), precision=precision or "f32", threads=threads, **options)


def model_path(path: str | Path | None = None) -> Path:
    """The model file to open: a path, or the name of a packaged model; None is the default one."""
    found = DEFAULT_MODEL if path is None else Path(path)
    if not found.exists():
        found = PACKAGED.get(str(path), found)
    if not found.is_file():
        missing = (
            "is not in this installation; give the path of a model file"
            if path is None
            else f"does not exist; packaged ones are called {' and '.join(PACKAGED)}"
        )
        raise FileError(f"model file {found} {missing}")
    return found


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of torch (a zip archive): a model for comparison, which is no model file."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _torch_engine(path: Path, **options: Any) -> Engine:
    from visavis.engines.sequence import load_torch

    return load_torch(path, **options)


def _auto_engine(
    path: str | Path | None, precision: str | None, threads: int, gpu: dict[str, Any], options: dict[str, Any]
) -> Engine:
    """Engine cuda if it makes a turn, else cpu, and a line in the log, once."""
    try:
        if precision in ("f32", "int8"):
            raise Unsupported(f"precision is {precision}, which engine cuda does not have")
        engine = load_engine(path, "cuda", precision=precision, **gpu, **options)
        try_engine(engine)
    except (Unsupported, FullError, InternalError) as error:
        _say_once(f"engine auto: cpu, because {error}")
        precision = None if precision == "f16" else precision
        return load_engine(path, "cpu", precision=precision, threads=threads, **options)
    _say_once(f"engine auto: cuda, in {engine.precision}")  # type: ignore[attr-defined]
    return engine


def try_engine(engine: Engine) -> None:
    """Make a turn of silence; raises what the engine raises, and InternalError for motion that is not finite."""
    slot = engine.open()
    silence = np.zeros(engine.config.turn_samples, np.float32)
    (out,) = engine.step([TurnInput(slot, user_audio=silence, agent_audio=silence)])
    engine.close(slot)
    if not np.isfinite(out.motion).all():
        raise InternalError(f"{type(engine).__name__}: motion is not finite for silent voices")


def _say_once(line: str) -> None:
    if line not in _said:
        _said.add(line)
        log.warning("%s", line)


def _tensorrt_engine(
    path: str | Path | None, graphs: str | Path | None, passes: int, guidance_schedule: str, **options: Any
) -> Engine:
    from visavis.engines.tensorrt import TensorRtEngine

    _check_one_pass("tensorrt", passes, guidance_schedule)
    if graphs is not None:
        return TensorRtEngine(graphs, model_path(path), **options)
    if path is not None and Path(path).is_dir():
        return TensorRtEngine(Path(path), **options)
    return TensorRtEngine.of_model(model_path(path), **options)


def _check_one_pass(engine: str, passes: int, guidance_schedule: str) -> None:
    if passes != 1 or guidance_schedule != "constant":
        raise Unsupported(
            f"passes, guidance_schedule: engine {engine} decodes a turn in one pass; use engine cpu or torch"
        )


def _onnx_engine(
    path: str | Path | None, graphs: str | Path | None, passes: int, guidance_schedule: str, **options: Any
) -> Engine:
    from visavis.engines.onnx import OnnxEngine

    _check_one_pass("onnx", passes, guidance_schedule)
    if graphs is not None:
        return OnnxEngine(graphs, model_path(path), **options)
    if path is None or Path(path).is_file():
        raise InvalidArgument(
            f"engine onnx: {'no path' if path is None else path} is not a folder of graphs; make one with `visavis "
            "export --to onnx --out FOLDER`, and give it as the path (or as graphs=FOLDER)"
        )
    return OnnxEngine(Path(path), **options)


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
