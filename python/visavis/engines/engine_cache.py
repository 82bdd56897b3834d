"""Engines of TensorRT that were built of a model file, kept for the next start.

A folder for each model file, library, release, target and option; what is damaged is built again.
"""

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import visavis
from visavis.engines.engine_set import read_engine_set
from visavis.engines.gpu import Gpu
from visavis.engines.graphs import GRAPHS
from visavis.engines.tensorrt_library import MODULES, Library, load_library
from visavis.errors import Error, FileError, Unsupported

log = logging.getLogger("visavis")


def cache_folder() -> Path:
    """VISAVIS_CACHE, or the user's folder for what can be made again; the part of it that is TensorRT's."""
    if given := os.environ.get("VISAVIS_CACHE"):
        return Path(given) / "tensorrt"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "visavis" / "tensorrt"


def cached_engines(model: Path, gpu: Gpu, device: int, steps: int | None, sampler: str | None) -> Path:
    """A folder of engines of this model for this GPU; built now, with a line in the log, where there is none."""
    library = choose_library(gpu)
    key = {
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "library": [library.name, library.version],
        "target": gpu.capability,
        "options": [steps, sampler],
        "visavis": visavis.__version__,  # the graphs are its own
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = cache_folder() / f"{model.stem}-{digest[:16]}"
    if folder.is_dir():
        try:
            engines = read_engine_set(folder)
            engines.check_library(library)
            for name in GRAPHS:
                engines.data(name)
            return folder
        except Error as error:
            log.warning("engine tensorrt: builds its engines again: %s", error)
            shutil.rmtree(folder, ignore_errors=True)
    log.warning("engine tensorrt: builds engines of %s for %s in %s", model.name, gpu.name, folder)
    _build(library, model, folder, gpu, device, steps, sampler)
    return folder


def choose_library(gpu: Gpu) -> Library:
    """TensorRT for RTX where it is installed and knows the GPU, else TensorRT; raises Unsupported."""
    refusals = []
    for name in MODULES:
        try:
            library = load_library(name)
        except Unsupported as error:
            refusals.append(str(error))
            continue
        if not library.builds_ahead or gpu.capability in library.capabilities:
            return library
        refusals.append(
            f"{name} {library.version} knows compute capability {', '.join(library.capabilities)}; {gpu.name} has "
            f"{gpu.capability}"
        )
    raise Unsupported(f"engine tensorrt: {'; '.join(refusals)}; or use engine cuda or cpu")


def _build(
    library: Library, model: Path, folder: Path, gpu: Gpu, device: int, steps: int | None, sampler: str | None
) -> None:
    """Beside its place first: another process may build the same."""
    from visavis.export.tensorrt import export_tensorrt

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    except OSError as error:
        raise FileError(
            f"cache folder {folder.parent}: cannot be written ({error.strerror or error}); name one in VISAVIS_CACHE"
        ) from None
    try:
        targets = (gpu.capability,) if library.builds_ahead else ()
        export_tensorrt(model, unfinished, library.name, targets, steps, sampler, device)
        try:
            unfinished.replace(folder)
        except OSError:  # the other was first
            read_engine_set(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
