"""A folder with engines of TensorRT: `engines.json` beside the graphs of which they were built, and their manifest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.engines.graphs import GRAPHS, MANIFEST, Manifest, checked_bytes, read_description, read_manifest
from visavis.engines.tensorrt_library import MODULES, Library
from visavis.errors import ModelFileError, Unsupported

ENGINES_FILE = "engines.json"
FORMAT, FORMAT_VERSION = "visavis-tensorrt", 1


@dataclass(frozen=True)
class EngineSet:
    """What engines.json says, and the manifest of the graphs."""

    folder: Path
    manifest: Manifest
    library: str  # one of MODULES
    library_version: str
    targets: tuple[str, ...]  # compute capabilities, such as 8.6; none: as the library builds by itself
    engines: dict[str, dict[str, Any]]  # file, sha256, ... of each graph

    @property
    def again(self) -> str:
        """The remedy for a folder that is not whole."""
        return f"export it again: visavis export --to {self.library} --out {self.folder}"

    def data(self, name: str) -> bytes:
        """An engine's bytes, compared with their hash."""
        about = self.engines[name]
        return checked_bytes(self.folder / str(about.get("file")), about.get("sha256"), self.again)

    def check_library(self, library: Library) -> None:
        """Raises Unsupported where the engines are of another release than the one that is installed."""
        if library.version != self.library_version:
            raise Unsupported(
                f"engines in {self.folder}: built by {self.library} {self.library_version}; installed is "
                f"{library.version}, which does not run them; {self.again}"
            )

    def check_capability(self, found: str) -> None:
        """Raises Unsupported where the engines were built for other GPUs."""
        if self.targets and found not in self.targets:
            raise Unsupported(
                f"engines in {self.folder}: built for compute capability {', '.join(self.targets)}; the GPU has "
                f"{found}; {self.again}" + (f" --target {found}" if self.library == "tensorrt-rtx" else "")
            )


def read_engine_set(folder: Path) -> EngineSet:
    """Raises FileError or ModelFileError: no folder, no engines, foreign, malformed or of other graphs."""
    again = "export it again: visavis export --to tensorrt-rtx"
    path = folder / ENGINES_FILE
    writer = "`visavis export --to tensorrt-rtx` (or tensorrt)"
    values = read_description(path, (FORMAT, FORMAT_VERSION), f"engines folder {folder}", writer, again)
    try:
        engines = EngineSet(
            folder=folder,
            manifest=read_manifest(folder),
            library=str(values["library"]),
            library_version=str(values["library_version"]),
            targets=tuple(map(str, values["targets"])),
            engines={name: dict(values["engines"][name]) for name in GRAPHS},
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: {error!r}; {again}") from None
    if engines.library not in MODULES:
        raise ModelFileError(f"{path}: library is {engines.library!r}; expected one of {', '.join(MODULES)}; {again}")
    found = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    if found != values.get("manifest_sha256"):
        raise ModelFileError(f"{path}: the engines are of other graphs than {MANIFEST} tells of; {engines.again}")
    return engines
