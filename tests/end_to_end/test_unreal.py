"""The Unreal plugin's module with a stand-in engine (tests/native/unreal): what was seen in unreal_scenarios.py."""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import unreal_plugin
from native_client import run
from numpy.typing import NDArray
from unreal_scenarios import Scenarios

from visavis.motion_space import ARKIT55

CURVES = [name[0].upper() + name[1:] for name in ARKIT55.channels]
STALL_MS = 250  # under a sanitizer, with a lock's holder swept off a busy processor


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenarios]:
    made = Scenarios(tmp_path_factory.mktemp("unreal"))
    yield made
    made.close()


def column(frames: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([frame[name] for frame in frames], np.float64)


def test_live_link_shows_what_the_server_sends(scenarios: Scenarios) -> None:
    seen, others, endpoint = scenarios["live_link"]
    assert seen["faults"] == [] and seen["valid"] == 1 and seen["machine"] == endpoint
    assert 'head "demo" is live' in seen["status"] and any("connected to" in line for line in seen["log"])
    (subject,) = seen["subjects"]
    assert subject["name"] == "demo" and subject["properties"] == CURVES and subject["static"] == 1
    assert subject["removed"] == 1 and seen["asked"] < 100, "shut down without waiting, subjects gone"

    frames = [frame for frame in subject["frames"] if frame["state"] != "neutral"]
    session, world = column(frames, "session"), column(frames, "world")
    assert len(frames) > 60 and (np.diff(session) > 0).all() and (np.diff(world) > 0).all()
    live = session > session[0] + 1.0  # the first frames ease in from neutral
    values = np.array([frame["values"] for frame in frames])
    error = np.abs(values - others.at(session))[live].max(axis=1)
    assert np.quantile(error, 0.3) < 1e-5 and error.max() < 0.1  # eased over 200 ms where a frame came late
    assert np.ptp(values[live], axis=0).max() > 0.05, "the face moved"
    scene = column(frames, "frame") + column(frames, "sub")
    assert np.abs(scene - session * 30000 / 1001).max() < 1e-4  # the session time is printed to the microsecond
    assert {round(frame["rate"], 3) for frame in frames} == {29.97}
    assert seen["longest_wait_ms"] < STALL_MS


def test_settings_change_while_it_runs(scenarios: Scenarios) -> None:
    seen, endpoint = scenarios["settings"]
    assert seen["faults"] == [] and seen["machine"] == endpoint
    assert {subject["name"] for subject in seen["subjects"]} == {"A_npc", "A_guard", "B_smith"}
    assert all(subject["removed"] for subject in seen["subjects"])
    (smith,) = [subject for subject in seen["subjects"] if subject["name"] == "B_smith"]
    day = [frame["frame"] / 30 for frame in smith["frames"]]
    assert 0 <= min(day) <= max(day) < 86400 and len(day) > 10


def test_a_missing_server_is_said_and_nothing_stalls(scenarios: Scenarios) -> None:
    seen, nonsense, keys = scenarios["no_server"]
    assert [line for line in seen["log"] if "visavis serve" in line and "Warning" in line]
    assert len(seen["log"]) < 5 and "visavis serve" in seen["status"] and seen["longest_wait_ms"] < STALL_MS
    (subject,) = seen["subjects"]  # can be chosen all the same, at rest
    assert subject["static"] == 1 and len(subject["frames"]) == 1 and not any(subject["frames"][0]["values"])
    assert any("Error" in line and "expected" in line for line in nonsense["log"])
    assert "expected" in nonsense["status"]
    assert any("ThirdParty/Sodium" in line for line in keys["log"])


def test_another_schema_is_named(scenarios: Scenarios) -> None:
    seen = scenarios["other_schema"]
    assert "2 channels of schema" in seen["status"] and "arkit55" in seen["status"] and seen["neutral"] == 1
    assert any("does not move" in line and "arkit55" in line for line in seen["log"])


def test_a_stream_component_talks_and_listens(scenarios: Scenarios) -> None:
    seen = scenarios["talk"]
    assert seen["faults"] == [] and "is live" in seen["status"]
    jaw, weight = np.array(seen["jaw"]), np.array(seen["weight"])
    assert jaw.max() > 0.1 and (jaw == weight).all(), "the mesh shows the face, at each tick"
    assert seen["speaking_changes"] >= 2 and seen["speaking_changes"] % 2 == 0 and max(seen["levels"]) > 0.3
    spoke = np.flatnonzero(seen["speaking"]) / 60
    assert 0.9 < spoke[-1] - spoke[0] < 6.0, "eight seconds of voice, interrupted after one"
    assert max(seen["levels"][-10:]) == 0.0
    log = "\n".join(seen["log"])
    assert seen["answers"] == [1, 1, 1, 0, 0, 1]  # an unknown dial is refused later, by the server
    for text in ("no.such.dial", "expected 52 weights", "rate is 7 Hz", "3 morph targets of 1 meshes"):
        assert text in log, text
    (subject,) = seen["subjects"]
    assert subject["name"] == "Npc" and subject["removed"] == 1 and len(subject["frames"]) > 100
    assert seen["rest_weight"] == 0.0 and seen["longest_wait_ms"] < STALL_MS


def test_a_component_eases_to_neutral(scenarios: Scenarios) -> None:
    seen, alone = scenarios["ease"]
    half = round(seen["disconnected_at"] * 60)
    yaw, turned = np.array(seen["yaw"]), np.array(seen["quaternion_z"])
    assert np.abs(yaw[half]) > 0.5 and seen["neutral"] == 1 and yaw[-1] == 0.0
    assert np.abs(np.diff(yaw[half:])).max() < 0.2 * np.abs(yaw[half]), "no jump"
    assert np.allclose(turned, np.sin(np.radians(yaw) / 2), atol=0.02)  # pitch and roll are small
    assert "no head is open" in seen["status"]
    assert any("enable the plugin Live Link" in line for line in alone["log"]) and alone["neutral"] == 1
    assert any("does not move" in line and "visavis serve" in line for line in alone["log"])


def test_a_server_dies_and_the_face_eases_to_neutral(scenarios: Scenarios) -> None:
    seen = scenarios["killed"]
    yaw = np.array(seen["yaw"])
    assert np.abs(yaw).max() > 0.5 and seen["neutral"] == 1 and yaw[-1] == 0.0
    last = np.flatnonzero(yaw)[-1]
    assert np.abs(np.diff(yaw[last - 25 :])).max() < 0.3 * np.abs(yaw[:last]).max(), "no jump"
    assert "visavis serve" in seen["status"] and any("does not move" in line for line in seen["log"])
    assert seen["faults"] == [] and seen["longest_wait_ms"] < STALL_MS and not any(seen["speaking"][-30:])


@pytest.mark.parametrize("sanitizer", ["threads", "memory"])
def test_characters_in_this_process(sanitizer: str, scenarios: Scenarios) -> None:
    seen = scenarios[f"characters_{sanitizer}"]
    log = "\n".join(seen["log"])
    assert seen["opened_at"] >= 0, log
    assert seen["faults"] == [] and seen["longest_wait_ms"] < STALL_MS
    jaw, weight, speaking = np.array(seen["jaw"]), np.array(seen["weight"]), np.array(seen["speaking"])
    assert (jaw == weight).all() and np.ptp(seen["yaw"]) > 0.1 and max(seen["levels"]) > 0.1
    assert jaw[speaking == 1].max() > 0.05 and jaw[speaking == 1].mean() > 2 * jaw[speaking == 0].mean()
    spoke = np.flatnonzero(speaking) / 60
    assert 1.0 < spoke[-1] - spoke[0] < 9.0, "ten seconds of voice, interrupted after two and a half"
    assert max(seen["levels"][-9:]) == 0.0
    assert seen["answers"] == [1, 1, 0, 0, 1] and seen["others_spoke"] == [1, 1]
    assert "no.such.dial" in log and "no values" in log
    (subject,) = seen["subjects"]
    assert subject["name"] == "Npc" and len(subject["frames"]) > 100 and subject["properties"] == CURVES
    assert seen["rest_weight"] == 0.0


def test_what_is_missing_in_process_is_said(scenarios: Scenarios) -> None:
    for text, seen in scenarios["missing"]:
        (line,) = [line for line in seen["log"] if "Error" in line]
        assert text in line and line.count("Npc.Visavis") == 1 and text in seen["status"], line
        assert seen["neutral"] == 1 and not any(seen["jaw"]) and not any(seen["levels"])
        assert seen["longest_wait_ms"] < STALL_MS


def rotation(axis: int, angle: float) -> NDArray[np.float64]:
    """About a coordinate axis, counterclockwise as seen from its tip in a right-handed frame."""
    a, b = [one for one in range(3) if one != axis]
    sign = -1 if axis == 1 else 1
    made = np.eye(3)
    made[a, a] = made[b, b] = math.cos(angle)
    made[b, a], made[a, b] = sign * math.sin(angle), -sign * math.sin(angle)
    return made


def test_axes_units_and_times(scenarios: Scenarios) -> None:
    seen = unreal_plugin.play(scenarios.memory, "axes")
    to_unreal = np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]])  # X, Y, Z are ARKit's z, -x, y
    for yaw, pitch, roll, ue_pitch, ue_yaw, ue_roll, *back in seen["rotations"]:
        arkit = rotation(1, yaw) @ rotation(0, pitch) @ rotation(2, roll)
        p, y, r = np.radians([ue_pitch, ue_yaw, ue_roll])
        # Unreal: yaw turns X to Y, pitch lifts X to Z, roll lowers Y from Z; yaw outermost.
        unreal = rotation(2, y) @ rotation(1, -p) @ rotation(0, -r)
        assert np.allclose(to_unreal @ arkit @ to_unreal.T, unreal, atol=1e-6)
        assert np.allclose(back, [yaw, pitch, roll], atol=1e-6)
    assert np.allclose(seen["units"], [1, 180 / math.pi, 1 / math.pi], rtol=1e-6)
    for numerator, denominator, time_ns, frame, sub in seen["scenes"]:
        exact = Fraction(int(time_ns), 10**9) * Fraction(int(numerator), int(denominator))
        assert frame == math.floor(exact) and abs(sub - float(exact - math.floor(exact))) < 1e-6
    wanted = {
        "jawOpen": "JawOpen", "JawOpen": "JawOpen", "jaw_open": "JawOpen", "blendShape1.jawOpen": "JawOpen",
        "eyeBlink_L": "EyeBlinkLeft", "EyeBlinkR": "EyeBlinkRight", "eye_blink_left": "EyeBlinkLeft",
        "head_mouthSmile_R": "MouthSmileRight", "Mesh:tongueOut": "TongueOut", "Face|browDown_R": "BrowDownRight",
        "mouthFunnel": "MouthFunnel", "Smoker": "", "xjawOpen": "", "jawOpener": "", "": "", "_L": "",
    }  # fmt: skip
    assert seen["shapes"] == wanted


@pytest.mark.system
@pytest.mark.parametrize("minor", [3, 6])
def test_each_file_compiles_alone(minor: int, tmp_path: Path) -> None:
    plugin = unreal_plugin.assemble(tmp_path)
    flags = unreal_plugin.flags(plugin, unreal_plugin.generate(plugin, tmp_path / "generated"), minor)
    sources = sorted((plugin / "Source" / "Visavis" / "Private").glob("*.cpp"))
    headers = sorted((plugin / "Source" / "Visavis" / "Public").glob("*.h"))
    for header in headers:  # each includes what it uses
        alone = tmp_path / f"{header.stem}_alone.cpp"
        alone.write_text(f'#include "{header}"\n', "utf-8")
        sources.append(alone)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source: run("clang++", *flags, "-fsyntax-only", source), sources))


@pytest.mark.system
def test_the_client_compiles_as_in_a_windows_module(tmp_path: Path) -> None:
    """With the definitions that a build of Unreal's brings along."""
    module = unreal_plugin.assemble(tmp_path) / "Source" / "Visavis" / "csrc"
    defines = ("UNICODE", "_UNICODE", "WIN32_LEAN_AND_MEAN", "NOMINMAX", "_WIN32_WINNT=0x0A00", "VVC_STATIC=1")
    options = ("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Werror", "-fsyntax-only")
    includes = (f"-I{module}", f"-I{module / 'include'}", *(f"-D{define}" for define in defines))
    run("x86_64-w64-mingw32-gcc", *options, *includes, *sorted((module / "client").glob("*.c")))


def test_connection_strings(scenarios: Scenarios) -> None:
    whole = ("endpoint=a:1;heads=x,y;prefix=P_;rate=30;timecode=24000/1001;scene=session;angles=degrees;"
             "server_key=s=1;public_key=p;secret_key=q")  # fmt: skip
    texts = ["", "tcp://1.2.3.4:99", whole, "rate=0;rate=241;rate=x", "timecode=x;scene=mars;angles=q;secret=quiet"]
    seen = unreal_plugin.play(scenarios.memory, "strings", *texts)["strings"]
    assert all(one["read"] == one["again"] for one in seen)
    assert "endpoint=tcp://127.0.0.1:5570;" in seen[0]["read"] and "endpoint=tcp://1.2.3.4:99;" in seen[1]["read"]
    assert seen[2]["read"] == whole and not any(one["problems"] for one in seen[:3])
    assert len(seen[3]["problems"]) == 3 and "rate=60" in seen[3]["read"]
    assert ["expected" in problem for problem in seen[4]["problems"]] == [True] * 4
    assert "quiet" not in seen[4]["problems"][3]
