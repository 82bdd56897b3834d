"""What is installed, which engines run and why the others do not."""

import platform
import time
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import visavis
from visavis.constants import FRAME_NS, SAMPLES_PER_FRAME
from visavis.diagnosis.check import Check
from visavis.errors import Error, Unsupported
from visavis.export.onnx import export_onnx

REQUIRED = ("numpy", "pyzmq", "soundfile", "typer", "rich")
EXTRAS = {
    "matplotlib": "plot",
    "aiohttp": "viewer",
    "torch": "train",
    "safetensors": "train",
    "tensorboard": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
}
GPU_ENGINES = ("cuda", "tensorrt")
ENGINES = ("cpu", "torch", "onnx", *GPU_ENGINES)
REMEDIES = {
    "torch": "pip install 'visavis[train]' (only for training and comparison)",
    "onnx": "pip install 'visavis[onnx]' (only for exported graphs)",
}
TIMED_TURNS = 5


def diagnose_machine(model: Path | None = None) -> Iterator[Check]:
    """Every check, in order; none raises."""
    yield Check("visavis", "ok", f"{visavis.__version__}, Python {platform.python_version()}, {_system()}")
    yield from (_package(name) for name in REQUIRED)
    yield from (_extra(name, extra) for name, extra in EXTRAS.items())
    yield _native()
    yield _model_file(model)
    yield _gpu()
    yield from (_engine(name, model) for name in ENGINES)


def _system() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def _package(name: str) -> Check:
    try:
        version = metadata.version(name)
        import_module({"pyzmq": "zmq"}.get(name, name))
    except (ImportError, OSError) as error:  # OSError: a shared library that it loads is missing
        return Check(name, "fail", _short(error), f"pip install {name}")
    return Check(name, "ok", version + _library(name))


def _library(name: str) -> str:
    if name == "pyzmq":
        return f", libzmq {import_module('zmq').zmq_version()}"
    if name == "soundfile":
        return f", libsndfile {import_module('soundfile').__libsndfile_version__}"
    return ""


def _extra(name: str, extra: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "warn", "not installed", f"pip install 'visavis[{extra}]'")


def _native() -> Check:
    try:
        core = import_module("visavis._core")
    except ImportError as error:
        return Check("native runtime", "fail", _short(error), "pip install . (needs g++), or build in place with CMake")
    return Check("native runtime", "ok", f"{core.__version__}, {Path(core.__file__ or '').name}")


def _model_file(model: Path | None) -> Check:
    try:
        from visavis.engine import model_path

        path = model_path(model)
        import_module("visavis._core").ModelFile(str(path))
    except (Error, ImportError, AttributeError) as error:
        return Check("model file", "fail", _short(error), "give a model file with --model")
    return Check("model file", "ok", f"{path}, {path.stat().st_size / 1e6:.1f} MB")


def _gpu() -> Check:
    from visavis.engines.gpu import find_gpus

    try:
        gpus = find_gpus()
    except Unsupported as error:
        return Check("gpu", "warn", *_found_and_remedy(error))
    told = (f"{gpu.name}, compute capability {gpu.capability}, {gpu.n_bytes / 1e9:.0f} GB" for gpu in gpus)
    return Check("gpu", "ok", f"{'; '.join(told)}; driver for CUDA {gpus[0].cuda}")


def _engine(name: str, model: Path | None) -> Check:
    try:
        turn_ms, length_ms, isa = _time_turns(name, model)
    except (Error, ImportError, AttributeError, RuntimeError) as error:  # AttributeError: an old native module
        if name in GPU_ENGINES:
            return Check(f"engine {name}", "warn", *_found_and_remedy(error))
        missing = isinstance(error, ImportError) or isinstance(error.__cause__, ImportError)
        remedy = REMEDIES.get(name, "") if missing else ""
        return Check(f"engine {name}", "fail" if name == "cpu" else "warn", _short(error), remedy)
    factor = turn_ms / length_ms
    status = "ok" if factor < 0.5 else "warn"
    slow = "fewer --steps, or a faster machine" if name == "cpu" else "use cpu"
    remedy = "" if status == "ok" else f"{slow}; this is too slow for a live head"
    found = f"{isa}{turn_ms:.1f} ms for a turn of {length_ms:.0f} ms ({factor:.3f} of real time)"
    return Check(f"engine {name}", status, found, remedy)


def _time_turns(name: str, model: Path | None) -> tuple[float, float, str]:
    """Median time of a turn of silence, its length, and the instruction set in use."""
    from visavis.engine import TurnInput, load_engine

    if name == "onnx":
        with TemporaryDirectory() as folder:
            export_onnx(model, folder)
            engine = load_engine(folder, engine=name)
    else:
        engine = load_engine(model, engine=name)
    n_frames = engine.info.turn_frames
    silence = np.zeros(n_frames * SAMPLES_PER_FRAME, np.float32)
    slot = engine.open()
    times_ms = []
    for _ in range(1 + TIMED_TURNS):
        start_ns = time.perf_counter_ns()
        (out,) = engine.step([TurnInput(slot, agent_audio=silence, user_audio=silence)])
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        if not np.isfinite(out.motion).all():
            raise RuntimeError("motion is not finite for silent voices")
    engine.close(slot)
    isa = f"{engine.isa}, " if hasattr(engine, "isa") else ""
    return float(np.median(times_ms[1:])), n_frames * FRAME_NS / 1e6, isa


def _found_and_remedy(error: BaseException) -> tuple[str, str]:
    """Errors about GPUs end with what to do."""
    found, semicolon, remedy = _short(error).rpartition("; ")
    return (found, remedy) if semicolon else (remedy, "use engine cpu")


def _short(error: BaseException) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
