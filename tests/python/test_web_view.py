"""The page's modules under node: the head against `visavis.head.mesh`, numbers, voices, and the words for trouble."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visavis.head.mesh import HEAD_FILE, HeadMesh, head_rotation, power

pytestmark = pytest.mark.system  # node

SCRIPT = Path(__file__).parents[1] / "web" / "view.mjs"
THREE = Path(__file__).parents[2] / "engine_plugins" / "web" / "three"


def node(task: str, **members: Any) -> Any:
    told = json.dumps({"task": task, **members})
    result = subprocess.run(["node", SCRIPT], input=told, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def test_the_page_poses_the_head_as_python_does() -> None:
    rng = np.random.default_rng(3)
    poses = [(np.zeros(52), np.zeros(3)), (rng.uniform(0, 1, 52), np.array([0.4, -0.2, 0.1]))]
    told = node("pose", path=str(HEAD_FILE), poses=[{"weights": list(w), "angles": list(a)} for w, a in poses])
    mesh = HeadMesh()
    assert [surface["name"] for surface in told["surfaces"]] == [surface.name for surface in mesh.surfaces]
    assert [surface["count"] for surface in told["surfaces"]] == [surface.triangles.size for surface in mesh.surfaces]
    for (weights, angles), found in zip(poses, told["poses"], strict=True):
        positions, normals = (np.array(found[name]).reshape(-1, 3) for name in ("positions", "normals"))
        expected = mesh.pose(weights, angles)
        assert np.abs(positions - np.concatenate([p for p, _ in expected])).max() < 1e-6
        aligned = (normals * np.concatenate([n for _, n in expected])).sum(axis=1)
        assert np.quantile(aligned, 0.001) > 0.999
    moved = np.array(told["poses"][1]["positions"]) - np.array(told["poses"][0]["positions"])
    assert np.abs(moved).max() > 0.02


def test_turns_of_the_head_are_those_of_python() -> None:
    angles = [(0.0, 0.0, 0.0), (0.5, -0.3, 0.2), (-1.2, 0.4, -0.6)]
    for angle, told in zip(angles, node("rotations", angles=angles), strict=True):
        rotation = head_rotation(*angle)
        assert np.abs(np.array(told["head"]).reshape(3, 3) - rotation).max() < 1e-6
        assert np.abs(np.array(told["neck"]).reshape(3, 3) - power(rotation, 0.3)).max() < 1e-6


def test_a_broken_head_file_is_refused() -> None:
    assert all("is no .glb" in text for text in node("broken", path=str(HEAD_FILE)))


def test_numbers_are_of_the_last_values_and_the_clock_of_the_shortest_way() -> None:
    told = node("meter")
    assert (told["p0"], told["p50"], told["p99"], told["count"]) == (150, 200, 249, 100)
    assert told["empty"] is None and told["none"] is None
    assert told["server"] == pytest.approx(5200) and told["session"] == pytest.approx(1200)


def test_voices_are_seen_where_they_were_heard_and_only_talking_interrupts() -> None:
    told = node("voices")
    assert told["at"] == 0.5 and told["after"] == pytest.approx(0.001) and told["older"] == 0
    assert told["newest"] == 1200 and told["speaks"] == [True, True, False]
    assert told["cut"] == [0.5, 0]
    assert (told["cough"], told["pause"], told["talk"], told["goesOn"]) == (-1, -1, 12, -1)


def test_the_page_says_why_nothing_moves() -> None:
    told = node("reasons")
    assert told["well"] is None and told["early"] is None and told["closed"] == "no connection"
    for name, part in (
        ("none", "visavis view"),
        ("silent", "no frame of head npc for 5.0 s"),
        ("never", "no frame of head npc for 10.0 s"),
        ("foreign", "visavis retarget apply"),
        ("ended", "head npc closed"),
        ("slow", "takes this machine 0.9 s: open the page with ?quality=low"),
        ("refused", "allow it"),
        ("insecure", "needs https or localhost, and this page comes from 10.0.0.2:5580"),
        ("other", "odd"),
    ):
        assert part in told[name], name


def test_a_voice_is_played_without_seams_and_says_what_is_heard() -> None:
    told = node("voice", lateFrom=1000, latenessMs=0)
    steps = np.diff(told["started"])
    assert told["played"] == 100 and told["moved"] == 1 and told["dropped"] == 0
    assert np.abs(steps - 40).max() < 1e-6
    # 30 ms before its time on the card's clock, so that it is heard at its time
    assert told["started"][0] == pytest.approx(970)
    heard = [(now, ms) for now, ms in told["heard"] if ms is not None]
    assert len(heard) > 90 and max(abs(now - 1000 - ms) for now, ms in heard) < 1
    assert told["cut"] == 3


def test_a_voice_that_comes_late_is_put_back_once_and_the_face_can_follow_it() -> None:
    told = node("voice", lateFrom=50, latenessMs=120)
    steps = np.diff(told["started"])
    assert told["dropped"] == 0 and told["moved"] in (2, 3)
    assert (np.abs(steps - 40) > 1e-6).sum() == told["moved"] - 1
    late = [now - 1000 - ms for now, ms in told["heard"][60:] if ms is not None]
    assert min(late) > 60 and max(late) < 140, "what is heard is as late as the voice was"


def test_takes_are_shown_between_frames_over_holes_and_against_each_other() -> None:
    told = node("takes")
    assert told["between"] == pytest.approx([0.1, 0.5]) and told["last"] == pytest.approx([0.96, 0.5])
    assert told["hole"] == pytest.approx([0.5 * 0.75 + 0.5 * 0.25, 9 / 25 * 0.75 + 11 / 25 * 0.25])
    assert told["before"] == [0, 0] and told["speaks"] == [False, True] and told["seconds"] == 1
    assert told["peaks"] == [0.5, 0, 0.5, 0.5] and told["empty"] == 0
    assert told["turns"] == [None, 0.2, 0.4, None]
    assert told["frames"] == 20 and told["missing"] and told["at"] == pytest.approx(-0.4)
    assert [name for name, _ in told["ranking"]] == ["b", "a"]
    assert told["ranking"][0][1] == pytest.approx(np.sqrt(0.16 / 18)) and told["ranking"][1][1] == pytest.approx(
        0, abs=1e-6
    )
    assert (told["next"], told["previous"], told["none"]) == (16, 16, None)


def test_the_bundle_of_three_is_the_one_that_is_locked() -> None:
    bundle, lock = (THREE / "three.js").read_text(), json.loads((THREE / "package-lock.json").read_text())
    version = lock["packages"]["node_modules/three"]["version"]
    assert bundle.startswith(f"/* three.js {version}, ") and "LICENSE.three" in bundle[:200]
    assert "MIT" in (THREE / "LICENSE.three").read_text() and "import(" not in bundle
