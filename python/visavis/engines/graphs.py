"""A folder of exported ONNX graphs: its manifest, checked against the files, and their ONNX Runtime sessions."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.config import ModelConfig

MANIFEST = "manifest.json"
FORMAT, FORMAT_VERSION = "visavis-onnx", 1
GRAPHS = ("speech", "backbone", "head")
SINGLE = ("turn",)  # of ring "layers"
RINGS = ("shift", "slots", "layers")
AGAIN = "export it again: visavis export --to onnx"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says."""

    config: ModelConfig
    name: str
    model_sha256: str
    profile: str
    ring: str  # one of RINGS
    dtype: str  # of speech, z, keys and values
    graphs: dict[str, dict[str, Any]]


def read_manifest(folder: Path) -> Manifest:
    """Raises FileError or ModelFileError: no folder, no manifest, a foreign or a malformed one."""
    path = folder / MANIFEST
    values = read_description(
        path, (FORMAT, FORMAT_VERSION), f"ONNX folder {folder}", "`visavis export --to onnx`", AGAIN
    )
    try:
        manifest = Manifest(
            config=ModelConfig.from_dict(values["config"]),
            name=str(values["model"]["name"]),
            model_sha256=str(values["model"]["sha256"]),
            profile=str(values["profile"]),
            ring=str(values["ring"]),
            dtype=str(values["dtype"]),
            graphs={name: dict(values["graphs"][name]) for name in (SINGLE if values["ring"] == "layers" else GRAPHS)},
        )
    except (InvalidArgument, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: {error!r}; {AGAIN}") from None
    if manifest.ring not in RINGS or manifest.dtype not in ("float32", "float16"):
        raise ModelFileError(f"{path}: ring is {manifest.ring!r}, dtype {manifest.dtype!r}; {AGAIN}")
    return manifest


def read_description(path: Path, form: tuple[str, int], what: str, writer: str, again: str) -> dict[str, Any]:
    """A JSON file of this format and version; `what` is its folder in words, `again` the remedy.

    Raises FileError where there is none, ModelFileError for a foreign or a malformed one.
    """
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise FileError(f"{what}: no {path.name} ({error.strerror or error}); expected what {writer} wrote") from None
    except ValueError as error:
        raise ModelFileError(f"{path}: not JSON ({error}); {again}") from None
    if not isinstance(values, dict) or values.get("format") != form[0]:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise ModelFileError(f"{path}: format is {found!r}; expected {form[0]!r}; {again}")
    if values.get("version") != form[1]:
        raise ModelFileError(f"{path}: version is {values.get('version')!r}; expected {form[1]}; {again}")
    return values


def checked_bytes(path: Path, sha256: object, again: str) -> bytes:
    """A file's bytes; raises FileError or ModelFileError, with the remedy `again`, where they are not the exported."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); {again}") from None
    found, expected = hashlib.sha256(data).hexdigest(), str(sha256)
    if found != expected:
        raise ModelFileError(
            f"{path}: sha256 is {found[:12]}..., the manifest says {expected[:12]}...: damaged, or of another "
            f"export; {again}"
        )
    return data


def check_model(folder: Path, manifest: Manifest, path: Path) -> None:
    """Raises InvalidArgument where the folder was exported from another model file."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != manifest.model_sha256:
        raise InvalidArgument(
            f"ONNX folder {folder} was exported from model {manifest.name!r}, sha256 "
            f"{manifest.model_sha256[:12]}...; {path} has {found[:12]}...; export that one, or give the "
            "folder alone"
        )


class GraphFolder:
    """The three graphs, ready to run."""

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        """Raises Unsupported without ONNX Runtime, FileError or ModelFileError for a folder that is not whole."""
        try:
            import onnxruntime
        except ImportError as error:
            raise Unsupported(
                f"engine onnx needs ONNX Runtime, which is missing ({error}): pip install 'visavis[onnx]'"
            ) from error
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._sessions = {}
        for name in self.manifest.graphs:
            data = checked_bytes(self.folder / f"{name}.onnx", self.manifest.graphs[name].get("sha256"), AGAIN)
            try:
                session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # its own classes, one for each reason
                raise ModelFileError(f"{self.folder / name}.onnx: ONNX Runtime refuses it ({error}); {AGAIN}") from None
            self._check_interface(name, session)
            self._sessions[name] = session

    def _check_interface(self, name: str, session: Any) -> None:
        """The manifest and the graph must tell the same of inputs and outputs."""
        for side, found in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            told = {v["name"]: tuple(v["shape"]) for v in self.manifest.graphs[name].get(side, ())}
            has = {value.name: tuple(value.shape) for value in found}
            if told != has:
                raise ModelFileError(f"{self.folder / name}.onnx: {side} are {has}; the manifest says {told}; {AGAIN}")

    def shape(self, graph: str, name: str) -> tuple[int, ...]:
        """The shape of an input."""
        for value in self.manifest.graphs[graph]["inputs"]:
            if value["name"] == name:
                return tuple(value["shape"])
        raise ModelFileError(f"{self.folder / MANIFEST}: graph {graph} has no input {name}; {AGAIN}")

    def bound(self, graph: str) -> tuple[Arrays, Callable[[], None]]:
        """Arrays of zeros for all inputs and outputs, and a run of the graph that reads and writes them in place."""
        from onnxruntime import OrtValue

        session, memory = self._sessions[graph], Arrays()
        binding = session.io_binding()
        sides = (("inputs", binding.bind_ortvalue_input), ("outputs", binding.bind_ortvalue_output))
        for side, bind in sides:
            for value in self.manifest.graphs[graph][side]:
                array = memory[value["name"]] = np.zeros(value["shape"], value["dtype"])
                bind(value["name"], OrtValue.ortvalue_from_numpy(array))
        return memory, lambda: session.run_with_iobinding(binding)

    def run(self, graph: str, **inputs: npt.NDArray[Any]) -> Arrays:
        """One run: outputs by name."""
        session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))
