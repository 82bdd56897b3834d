"""`export_onnx`: a model file as a folder of graphs and a manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

from visavis.engine import load_engine, model_path
from visavis.engines.graphs import FORMAT, FORMAT_VERSION, MANIFEST
from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.export.onnx.profiles import PROFILES
from visavis.model.config import ModelConfig


def export_onnx(
    model: str | Path | None,
    folder: str | Path,
    profile: str = "portable",
    steps: int | None = None,
    sampler: str | None = None,
) -> dict[str, Any]:
    """Writes speech.onnx, backbone.onnx, head.onnx (profile `ort`: turn.onnx) and manifest.json; returns the manifest.

    `model` None is the packaged one.  `steps` and `sampler` default to the model's; they are part of the graphs.  The
    same model, options and release of `onnx` give the same bytes.  Raises Unsupported for models with absolute
    positions or wav2vec2, with profile `ort` for a past that is `fed`, and where the package `onnx` is missing.
    """
    if profile not in PROFILES:
        raise InvalidArgument(f"profile is {profile!r}; expected one of {', '.join(PROFILES)}")
    path, folder = model_path(model), Path(folder)
    engine = load_engine(path, "cpu", steps=steps, sampler=sampler)  # checks file and options
    graphs = _graphs(path, engine.config, profile)
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "profile": profile,
        "opset": PROFILES[profile].opset,
        "dtype": PROFILES[profile].dtype,
        "ring": PROFILES[profile].ring,
        "model": {"name": engine.info.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "config": engine.config.to_dict(),
        "channels": list(engine.info.channels),
        "units": list(engine.info.units),
        "context_samples": engine.config.context_samples,
        "graphs": {name: described for name, (_, described) in graphs.items()},
    }
    files = {described["file"]: data for data, described in graphs.values()}
    text = json.dumps(manifest, indent=2) + "\n"
    _write(folder, {**files, MANIFEST: text.encode()})
    written: dict[str, Any] = json.loads(text)
    return written


def _graphs(path: Path, config: ModelConfig, profile: str) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Name -> bytes and what the manifest says of them."""
    try:
        from visavis.export.onnx.backbone import add_backbone
        from visavis.export.onnx.graph import Graph
        from visavis.export.onnx.head import add_head
        from visavis.export.onnx.speech import add_speech
    except ImportError as error:
        raise Unsupported(f"ONNX export needs the package {error.name}: pip install 'visavis[onnx]'") from error
    from visavis.export.onnx.weights import Weights, check_single

    weights, made = Weights(path, config), PROFILES[profile]
    parts = {"speech": add_speech, "backbone": add_backbone, "head": add_head}
    if made.single:
        check_single(config)
        graphs = [Graph("turn", made, inner=("speech", "z"))] * len(parts)
    else:
        graphs = [Graph(name, made) for name in parts]
    for graph, add in zip(graphs, parts.values(), strict=True):
        add(graph, weights)
    built = {}
    for graph in dict.fromkeys(graphs):
        data = graph.build()
        about = {"file": f"{graph.name}.onnx", "sha256": hashlib.sha256(data).hexdigest(), **graph.interface()}
        built[graph.name] = (data, about)
    return built


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """The manifest last: a folder that has one is whole."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise FileError(f"export folder {folder}: cannot be written ({error.strerror or error})") from None
