"""The parts of the Blender extension that know no Blender: names, axes, recording, and what it repeats of others."""

import importlib
import itertools
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import native_client
import numpy as np
import pytest

from visavis.head.mesh import head_rotation, power
from visavis.motion_space import ARKIT55

FOLDER = Path(__file__).parents[2] / "engine_plugins" / "blender" / "visavis_heads"

SPELLINGS = {  # as in the tests of the Unity package
    "jawOpen": "jawOpen", "JawOpen": "jawOpen", "jaw_open": "jawOpen", "JAW OPEN": "jawOpen",
    "blendShape1.jawOpen": "jawOpen", "eyeBlink_L": "eyeBlinkLeft", "EyeBlinkR": "eyeBlinkRight",
    "eyeBlinkLeft": "eyeBlinkLeft", "ARKit:eye_blink_left": "eyeBlinkLeft", "mouth_smile_l": "mouthSmileLeft",
    "head_lod0|browOuterUp_R": "browOuterUpRight", "mouthLeft": "mouthLeft", "mouth_L": "mouthLeft",
    "tongueOut": "tongueOut", "mouthFunnel": "mouthFunnel",
    "Fcl_MTH_A": "", "eyeBlink": "", "pupil": "",
}  # fmt: skip


def part(name: str) -> Any:
    """A module of the extension, without its __init__, which needs Blender."""
    if "visavis_heads" not in sys.modules:
        package = ModuleType("visavis_heads")
        package.__path__ = [str(FOLDER)]
        sys.modules["visavis_heads"] = package
    return importlib.import_module(f"visavis_heads.{name}")


def test_channels_are_those_of_the_house() -> None:
    assert ARKIT55.channels == part("names").CHANNELS


def test_names_of_other_tools_are_known() -> None:
    channel_of, shapes = part("names").channel_of, part("names").SHAPES
    for index, name in enumerate(shapes):
        side = name.replace("Left", "_L").replace("Right", "_R") if name.endswith(("Left", "Right")) else name
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        spellings = [name, name[0].upper() + name[1:], side, side.lower(), snake, snake.replace("_left", "_l")]
        spellings += [f"blendShape1.{name}", f"Face|{side}", f"head_lod0:{name}", side.replace("_", ".")]
        for spelling in spellings:
            assert channel_of(spelling) == index, (spelling, name)
    for name, expected in SPELLINGS.items():
        assert channel_of(name) == (shapes.index(expected) if expected else None), name
    for other in ("", "Basis", "open", "jaw", "jawOpenWide", "smile", "eyeBlink", "visemeAA", "L", "."):
        assert channel_of(other) is None, other


def test_head_and_neck_bones_of_common_rigs_are_found() -> None:
    find = part("names").find_bone
    rigs = {
        "Head": ["Bust", "Neck", "Head"],
        "mixamorig:Head": ["mixamorig:Neck", "mixamorig:Head", "mixamorig:HeadTop_End"],
        "CC_Base_Head": ["CC_Base_NeckTwist01", "CC_Base_Head", "CC_Base_JawRoot"],
        "c_head.x": ["c_neck.x", "c_head.x", "c_eye_target.x"],
        "J_Bip_C_Head": ["J_Bip_C_Neck", "J_Bip_C_Head"],
        "head": ["head", "DEF-head", "ORG-head", "forehead", "headset"],
        "": ["Spine", "forehead", "headset", "HeadTop_End"],
    }
    assert {expected: find(names, "head") for expected, names in rigs.items()} == {name: name for name in rigs}
    assert find(rigs["mixamorig:Head"], "neck") == "mixamorig:Neck"


def matrix(q: tuple[float, ...]) -> np.ndarray:
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize("angles", [*itertools.product((-0.6, 0.0, 0.4), repeat=3)])
def test_axes(angles: tuple[float, float, float]) -> None:
    """Against the head mesh's own rotations (glTF: y up, z out of the face)."""
    axes = part("axes")
    expected = head_rotation(*angles)
    assert matrix(axes.head_rotation(*angles, "YUP")) == pytest.approx(expected, abs=1e-6)
    to_blender = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # x, -z, y: what Blender's glTF importer does
    turn = axes.head_rotation(*angles, "BLENDER")
    assert matrix(turn) == pytest.approx(to_blender @ expected @ to_blender.T, abs=1e-6)
    assert matrix(axes.share(turn, 0.3)) == pytest.approx(to_blender @ power(expected, 0.3) @ to_blender.T, abs=2e-6)
    both = axes.multiply(axes.share(turn, 0.3), axes.share(turn, 0.7))
    assert matrix(both) == pytest.approx(matrix(turn), abs=1e-6)
    rest = axes.head_rotation(0.7, -0.2, 1.1, "YUP")
    back = axes.multiply(rest, axes.multiply(axes.in_bone(turn, rest), axes.inverse(rest)))
    assert matrix(back) == pytest.approx(matrix(turn), abs=1e-6), "the inverse undoes it"


def test_structs_are_those_of_the_header_as_our_tests_have_them() -> None:
    native = part("native")
    for name in ("Options", "Frame", "Stats"):
        ours, known = getattr(native, name), getattr(native_client, name)
        assert [(n, t.__name__) for n, t in ours._fields_] == [(n, t.__name__) for n, t in known._fields_]


def test_a_recording_goes_on_through_pauses_and_restarts() -> None:
    """Session time runs beside the client's; at 2 s the server begins anew, at 3 s Blender is busy for 4 s."""
    recording, ms = part("recording").Recording(), 1_000_000
    assert list(recording.due(0)) == []
    times = [*range(0, 3000, 16), 7000, 7016, 7100]
    for t in times:
        epoch, session = (1, t + 500) if t < 2000 else (2, t - 2000)
        for due in recording.due(t * ms):
            recording.add(due, epoch, (due / 1e9,))
        recording.reached(session * ms, epoch, t * ms)
    seconds = np.array(recording.times)
    steps = np.diff(seconds)
    assert (steps > 0).all() and len(seconds) == pytest.approx(3.0 / 0.04 + 60, abs=4)
    assert np.isclose(steps, 0.04, atol=1e-9).mean() > 0.95, "but at the restart and the pause"
    first = seconds < 1.95
    assert np.array(recording.values)[first, 0] == pytest.approx(seconds[first] + 0.5)
    late = seconds > 2.1
    assert np.array(recording.values)[late, 0] == pytest.approx(seconds[late] - 2.0)
    assert seconds[-1] == pytest.approx(7.08) and not recording.full


def test_a_recording_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    module = part("recording")
    monkeypatch.setattr(module, "LONGEST_S", 1.0)
    recording = module.Recording()
    for t_ns in range(0, 2_000_000_000, 20_000_000):
        for due in recording.due(t_ns):
            recording.add(due, 1, (0.0,))
        recording.reached(t_ns, 1, t_ns)
    assert recording.full and recording.seconds == 1.0 and math.isclose(len(recording.times), 25, abs_tol=1)
