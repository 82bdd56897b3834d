"""Parts of the Unity package under Mono that need no server: struct layouts, names, axes, bones, speech, inspectors."""

import re
from pathlib import Path

import numpy as np
import pytest
from live_server import serving
from native_client import run
from numpy.typing import NDArray
from unity_mono import Unity, shipped_voice

from visavis.motion_space import ARKIT55

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SPELLINGS = {
    "jawOpen": "jawOpen", "JawOpen": "jawOpen", "jaw_open": "jawOpen", "JAW OPEN": "jawOpen",
    "blendShape1.jawOpen": "jawOpen", "eyeBlink_L": "eyeBlinkLeft", "EyeBlinkR": "eyeBlinkRight",
    "eyeBlinkLeft": "eyeBlinkLeft", "ARKit:eye_blink_left": "eyeBlinkLeft", "mouth_smile_l": "mouthSmileLeft",
    "head_lod0|browOuterUp_R": "browOuterUpRight", "mouthLeft": "mouthLeft", "mouth_L": "mouthLeft",
    "tongueOut": "tongueOut", "mouthFunnel": "mouthFunnel",
    "": "", "Fcl_MTH_A": "", "jaw": "", "eyeBlink": "", "pupil": "", "L": "",
}  # fmt: skip


def test_structs_are_laid_out_as_the_c_compiler_does(unity: Unity, tmp_path: Path) -> None:
    lines = [line.split() for line in unity.text("layout").splitlines()]
    program = [
        "#include <stddef.h>",
        "#include <stdio.h>",
        '#include "visavis/client.h"',
        '#include "visavis/visavis.h"',
        "int main(void) {",
    ]
    for name, _ in lines:
        struct, _, field = name.partition(".")
        what = f"offsetof({struct}, {field})" if field else f"sizeof({struct})"
        program.append(f'    printf("{name} %zu\\n", {what});')
    source = tmp_path / "layout.c"
    source.write_text("\n".join([*program, "    return 0;", "}"]), "utf-8")
    run("gcc", "-std=c99", "-Wall", "-Werror", f"-I{ROOT / 'csrc' / 'include'}", source, "-o", tmp_path / "layout")
    assert [line.split() for line in run(tmp_path / "layout").splitlines()] == lines and len(lines) > 120


def test_meshes_may_spell_shapes_in_many_ways(unity: Unity) -> None:
    found = unity.check("names", *SPELLINGS)
    assert dict(zip(SPELLINGS, found["found"], strict=True)) == SPELLINGS
    assert tuple(found["order"]) == ARKIT55.channels[:52]


def turn(axis: int, angle: float) -> NDArray[np.float64]:
    """Right-handed, as ARKit turns."""
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[b, a], matrix[a, b] = np.sin(angle), -np.sin(angle)
    return matrix


def of_quaternion(q: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z, w = q
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def test_a_head_turns_as_arkit_means_it(unity: Unity) -> None:
    """Through neck and head bones with axes of their own, of a character that faces somewhere."""
    angles = np.random.default_rng(5).uniform(-0.9, 0.9, (40, 3))
    found = unity.check("axes", *angles.ravel())
    mirror = np.diag([-1.0, 1.0, 1.0])
    for (yaw, pitch, roll), shown, back in zip(angles, found["turns"], found["back"], strict=True):
        expected = mirror @ turn(1, yaw) @ turn(0, pitch) @ turn(2, roll) @ mirror
        np.testing.assert_allclose(of_quaternion(np.array(shown)), expected, atol=2e-6)
        np.testing.assert_allclose(back, [yaw, pitch, roll], atol=5e-6)
    # the golden pose in words: to the person's own left is Unity's -x, chin down is -y
    left = of_quaternion(np.array(unity.check("axes", 0.5, 0, 0)["turns"][0])) @ [0, 0, 1]
    down = of_quaternion(np.array(unity.check("axes", 0, 0.5, 0)["turns"][0])) @ [0, 0, 1]
    assert left[0] < -0.4 and down[1] < -0.4
    np.testing.assert_allclose(found["released"][0], [0, 0, 0, 1], atol=1e-6)


def test_the_turn_comes_on_top_of_an_animation_and_never_twice(unity: Unity) -> None:
    found = unity.check("animated")
    np.testing.assert_allclose(found["turns"], found["expected"] * 40, atol=2e-6)


def test_speech_waits_in_order(unity: Unity) -> None:
    found = unity.check("speech")
    assert found["same"] and found["full"] and found["refused"] == 0 and found["left"] > 0


def test_inspectors_and_the_window_say_why(unity: Unity, tmp_path: Path) -> None:
    with serving() as server:
        found = unity.check("editor", server.ports.endpoint, "npc", shipped_voice("agent", tmp_path))
    assert any("does not play" in line for line in found["window_edit"])
    assert any("3 of 52 shapes in 6 blend shapes; head bone: mixamorig:Head" in line for line in found["head_edit"])
    assert any("is live" in line for line in found["head"]) and "bar: jawOpen" in found["head"]
    assert any("round trip" in line for line in found["source"]) and "button: Interrupt" in found["source"]
    assert any("is live" in line for line in found["window"])
    assert any('source "Guard" is not enabled' in line for line in found["off"])
    assert any('"Nobody" has no source: add a VisavisCharacter' in line for line in found["off"])


def test_the_sample_makes_a_character(unity: Unity, tmp_path: Path) -> None:
    with serving() as server:
        found = unity.check("sample", server.ports.endpoint, "npc", shipped_voice("agent", tmp_path))
    assert all(found.values()), found


def test_it_is_made_of_what_every_compiler_of_csharp_7_3_takes(unity: Unity) -> None:
    assert unity.folder.is_dir()  # compiled with warnings as errors
    sources = sorted((ROOT / "engine_plugins" / "unity").rglob("*.cs"))
    assert len(sources) > 15
    for source in sources:
        text = source.read_text("utf-8")
        assert text.startswith("// "), f"{source.name} says what it is for"
        assert max(map(len, text.splitlines())) < 140 or source.name.endswith("Api.cs")
        assert not re.search(r"\bdelegate\b|UnmanagedFunctionPointer|GetFunctionPointer", text), "no callbacks"
