"""`export_tensorrt`: a model file as a folder of graphs, engines that were built of them, and what is known of both."""

import hashlib
import json
from pathlib import Path
from typing import Any

from visavis.engines.cuda_device import cuda_packages
from visavis.engines.engine_set import ENGINES_FILE, FORMAT, FORMAT_VERSION
from visavis.engines.gpu import find_gpu
from visavis.engines.graphs import GRAPHS, MANIFEST
from visavis.engines.tensorrt_library import Library, load_library
from visavis.errors import FileError, Unsupported
from visavis.export.onnx import export_onnx
from visavis.export.tensorrt.build import Built, build_engine


def export_tensorrt(
    model: str | Path | None,
    folder: str | Path,
    library: str = "tensorrt-rtx",
    targets: tuple[str, ...] = (),
    steps: int | None = None,
    sampler: str | None = None,
    device: int = 0,
) -> dict[str, Any]:
    """Writes the graphs of profile `trt`, an engine of each and engines.json; returns what engines.json says.

    `tensorrt-rtx` needs no GPU: `targets` are compute capabilities such as 8.6, none of them is what the library takes
    by itself (8.0 and later).  `tensorrt` builds on the GPU `device`, for it alone.  Builds of the same
    differ in the order of an engine's outputs.  Raises Unsupported for a package or a GPU that is missing, for a graph
    that the library refuses, and what `export_onnx` raises.
    """
    folder, loaded = Path(folder), load_library(library)
    if loaded.builds_ahead:
        for target in targets:
            loaded.capability(target)
    elif targets:
        raise Unsupported(
            f"target {', '.join(targets)}: {library} builds for the GPU of this machine alone; leave it out, or use "
            "tensorrt-rtx"
        )
    else:
        targets = (find_gpu(device).capability,)
        cuda_packages(loaded)[0].Device(device).set_current()  # the library builds for the one that is
    try:
        (folder / ENGINES_FILE).unlink(missing_ok=True)  # a folder that has one is whole
    except OSError as error:
        raise FileError(f"export folder {folder}: cannot be written ({error.strerror or error})") from None
    export_onnx(model, folder, "trt", steps, sampler)
    return build_folder(loaded, folder, targets)


def build_folder(library: Library, folder: Path, targets: tuple[str, ...]) -> dict[str, Any]:
    """Builds what `export_onnx` has written, for these targets."""
    ahead = targets if library.builds_ahead else ()
    try:
        built = {name: build_engine(library, name, (folder / f"{name}.onnx").read_bytes(), ahead) for name in GRAPHS}
        about = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "library": library.name,
            "library_version": library.version,
            "targets": list(targets),
            "manifest_sha256": hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
            "engines": {name: _described(name, engine) for name, engine in built.items()},
        }
        for name, engine in built.items():
            (folder / f"{name}.engine").write_bytes(engine.data)
        (folder / ENGINES_FILE).write_text(json.dumps(about, indent=2) + "\n")
    except OSError as error:
        raise FileError(f"export folder {folder}: cannot be written ({error.strerror or error})") from None
    return about


def _described(name: str, engine: Built) -> dict[str, Any]:
    return {
        "file": f"{name}.engine",
        "sha256": hashlib.sha256(engine.data).hexdigest(),
        "kernels": engine.kernels,
        "attentions": engine.attentions,
        "activation_bytes": engine.activation_bytes,
        "weights_bytes": engine.weights_bytes,
    }
