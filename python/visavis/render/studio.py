"""Draws the reference head with one frame of motion: `Studio(480, 480).picture(frame)`."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import _core
from visavis.errors import InvalidArgument, Unsupported
from visavis.head.mesh import HeadMesh
from visavis.motion_space import ARKIT55, ARKIT_SHAPES

Picture = NDArray[np.uint8]  # (height, width, 3)

# Where the camera stands for a portrait, metres from the head joint.
TARGET = np.array([0.0, 0.012, 0.020])
DISTANCE, HEIGHT = 1.0, 0.018
FIELD_OF_VIEW = 0.300  # radians, of the smaller side
SKIN_SPECULAR, HAIR_SPECULAR = 0.035, 0.020  # reflectance straight on


def require_pillow() -> Any:
    """Pillow's Image module; raises Unsupported with the remedy."""
    try:
        from PIL import Image
    except ImportError:
        raise Unsupported("pictures need Pillow, which is not installed; run `pip install 'visavis[render]'`") from None
    return Image


class Studio:
    """A head, a camera, lamps.  Not for several threads at once: give each its own, with the same `mesh`."""

    def __init__(
        self, width: int, height: int, *, mesh: HeadMesh | None = None, samples: int = 2, turn_degrees: float = 0.0
    ) -> None:
        """`samples` a side of each pixel; `turn_degrees`: the camera goes round to the person's left."""
        self.mesh = mesh or HeadMesh()
        self._painter = _core.Painter(width, height, samples, materials(self.mesh))
        turn = np.radians(turn_degrees)
        eye = TARGET + np.array([np.sin(turn) * DISTANCE, HEIGHT, np.cos(turn) * DISTANCE])
        field = 2 * np.arctan(np.tan(FIELD_OF_VIEW / 2) * max(1.0, height / width))
        self._camera = (_triple(eye), _triple(TARGET), float(field))

    def picture(self, frame: NDArray[np.floating]) -> Picture:
        """The head with a frame (55,) of arkit55: (height, width, 3) bytes of sRGB."""
        if frame.shape != (len(ARKIT55.channels),):
            raise InvalidArgument(f"frame of shape {frame.shape}; expected ({len(ARKIT55.channels)},) of arkit55")
        n = len(ARKIT_SHAPES)
        posed = self.mesh.pose(np.clip(frame[:n], 0, 1), frame[n:])
        surfaces = [
            (number, positions, normals, surface.uvs, surface.triangles)
            for number, (surface, (positions, normals)) in enumerate(zip(self.mesh.surfaces, posed, strict=True))
        ]
        return self._painter.paint(surfaces, *self._camera)


def materials(mesh: HeadMesh) -> list[dict[str, Any]]:
    """What the painter needs to know of each surface's material."""
    image = require_pillow()
    decoded: dict[int, Picture] = {}

    def texture(reference: dict[str, int] | None) -> Picture | None:
        if reference is None:
            return None
        index = reference["index"]
        if index not in decoded:
            decoded[index] = np.asarray(image.open(io.BytesIO(mesh.image(index))))
        return decoded[index]

    rows = []
    for surface in mesh.surfaces:
        surface_of, extras = surface.material["pbrMetallicRoughness"], surface.material.get("extras", {})
        rows.append(
            {
                "colour": tuple(surface_of["baseColorFactor"][:3]),
                "roughness": surface_of["roughnessFactor"],
                "specular": HAIR_SPECULAR if surface.name.startswith("hair") else SKIN_SPECULAR,
                "scattering": extras.get("scattering", 0.0),
                "mirror": extras.get("mirror", 0.0),
                "alpha_cutoff": surface.material.get("alphaCutoff", 0.0),
                "two_sided": surface.material.get("doubleSided", False),
                "colour_map": texture(surface_of.get("baseColorTexture")),
                "surface_map": texture(surface_of.get("metallicRoughnessTexture")),
            }
        )
    return rows


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
