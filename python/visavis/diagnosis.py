"""What is installed, which engines run and why the others do not: the checks behind `visavis doctor`."""

import platform
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

import visavis
from visavis.constants import FRAME_NS, SAMPLES_PER_FRAME
from visavis.errors import Error

REQUIRED = ("numpy", "pyzmq", "soundfile", "typer", "rich")
EXTRAS = {"matplotlib": "plot", "aiohttp": "viewer", "torch": "train", "transformers": "train", "tensorboard": "train"}
ENGINES = ("cpu", "torch")
LATER_ENGINES = ("cuda", "onnx", "tensorrt")
TIMED_TURNS = 5


@dataclass(frozen=True)
class Check:
    """One finding.  `fail` means that the main job cannot run; `warn`, that something optional cannot."""

    name: str
    status: str  # ok, warn or fail
    found: str
    remedy: str = ""


def diagnose(model: Path | None = None, port: int = 5570) -> Iterator[Check]:
    """Every check, in order; none raises."""
    yield Check("visavis", "ok", f"{visavis.__version__}, Python {platform.python_version()}, {_system()}")
    yield from (_package(name) for name in REQUIRED)
    yield from (_extra(name, extra) for name, extra in EXTRAS.items())
    yield _native()
    yield _model_file(model)
    yield from (_engine(name, model) for name in ENGINES)
    yield from (Check(f"engine {name}", "warn", "not part of this release", "use cpu") for name in LATER_ENGINES)
    yield from (_port(port + i, use) for i, use in enumerate(("motion", "control", "input")))


def as_json(checks: list[Check]) -> dict[str, Any]:
    """The findings for scripts: `ok` is false if any check failed."""
    return {"ok": all(check.status != "fail" for check in checks), "checks": [asdict(check) for check in checks]}


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


def _engine(name: str, model: Path | None) -> Check:
    try:
        turn_ms, length_ms, isa = _time_turns(name, model)
    except (Error, ImportError, AttributeError, RuntimeError) as error:  # AttributeError: an old native module
        missing_torch = name == "torch" and isinstance(error, ImportError)
        remedy = "pip install 'visavis[train]' (only for training and comparison)" if missing_torch else ""
        return Check(f"engine {name}", "fail" if name == "cpu" else "warn", _short(error), remedy)
    factor = turn_ms / length_ms
    status = "ok" if factor < 0.5 else "warn"
    remedy = "" if status == "ok" else "fewer --steps, or a faster machine: this is too slow for a live head"
    found = f"{isa}{turn_ms:.1f} ms for a turn of {length_ms:.0f} ms ({factor:.3f} of real time)"
    return Check(f"engine {name}", status, found, remedy)


def _time_turns(name: str, model: Path | None) -> tuple[float, float, str]:
    """Median time of a turn of silence, its length, and the instruction set in use."""
    from visavis.engine import TurnInput, load_engine

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


def _port(port: int, use: str) -> Check:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            remedy = "a visavis server may be running (`visavis watch`); another port: --port"
            return Check(f"port {port}", "warn", f"{use}: {_short(error)}", remedy)
    return Check(f"port {port}", "ok", f"{use}: free")


def _short(error: BaseException) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
