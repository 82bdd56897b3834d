"""The Blender extension inside real Blender (the bpy module), against live servers.

Blender wants a Python and a numpy of its own: .ci/run makes .venv-blender from tests/blender/requirements.txt.  The
cases are in tests/blender and run there, in one process; here are the servers, takes and packages that they need, and
what the FBX of the reference head must hold.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import take_cases
from client_server import FRAME_NS, FakeHead, Publisher
from native_client import run

from visavis import __version__
from visavis.bridge.keys import new_keys
from visavis.head.mesh import HeadMesh
from visavis.motion_file import write_motion
from visavis.motion_space import ARKIT_SHAPES
from visavis.plugins.package import make_packages
from visavis.takes.export import voices_in_sync
from visavis.takes.file import write_take
from visavis.takes.take import WITHDRAWN

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "blender"
HEAD_FILE = ROOT / "engine_plugins" / "head" / "visavis_head.glb"
PYTHON = Path(os.environ.get("VISAVIS_BLENDER_PYTHON", ROOT / ".venv-blender" / "bin" / "python"))
OTHER_ABI = """
int vvc_abi_matches(unsigned version) { return version == 0; }
const char* vvc_version(void) { return "9.9.9"; }
"""


def test_inside_blender(tmp_path: Path, natives_folder: Path) -> None:
    assert PYTHON.is_file(), f"{PYTHON} is not there: make it as {CASES / 'requirements.txt'} says"
    package = make_packages(tmp_path / "packages", ["blender"], ROOT, natives_folder, say=lambda _: None)[0]
    given = {
        "package": str(tmp_path / "packages" / package.file),
        "version": __version__,
        "head": str(HEAD_FILE),
        "fbx": str(HEAD_FILE.with_suffix(".fbx")),
        "expected_head": str(expected_head(tmp_path / "expected_head.npz")),
        "other_abi": str(other_abi(tmp_path)),
        "pictures": str(tmp_path),
        **takes(tmp_path),
    }
    with ExitStack() as stack:
        new_keys(tmp_path / "keys", ["alice"])
        given["key"] = str(tmp_path / "keys" / "alice.key")
        given["demo"] = stack.enter_context(server("--demo"))
        given["secured"] = stack.enter_context(server("--keys", str(tmp_path / "keys")))
        given["ramp"] = stack.enter_context(publishing(ramp))
        given["comes_and_goes"] = stack.enter_context(publishing(comes_and_goes))
        given["other_schema"] = stack.enter_context(publishing(other_schema))
        (tmp_path / "given.json").write_text(json.dumps(given))
        (tmp_path / "home").mkdir()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment["VISAVIS_BLENDER_TESTS"] = str(tmp_path / "given.json")
        environment["BLENDER_USER_RESOURCES"] = str(tmp_path / "home")
        command = [PYTHON, "-m", "pytest", "-c", CASES / "pytest.ini", CASES]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 29 and "skipped" not in done.stdout


def other_abi(folder: Path) -> Path:
    """A client library of another ABI with every symbol that is asked for."""
    names = re.findall(r'"(vvc_\w+)": \(', (ROOT / "engine_plugins/blender/visavis_heads/native.py").read_text())
    assert len(names) > 10
    rest = "".join(f"void {name}(void) {{}}\n" for name in names if f"{name}(" not in OTHER_ABI)
    (folder / "other.c").write_text(OTHER_ABI + rest)
    run("cc", "-shared", "-fPIC", folder / "other.c", "-o", folder / "other.so")
    return folder / "other.so"


def expected_head(path: Path) -> Path:
    """What the FBX must hold: the GLB's mesh Face by corners of its triangles (C), in metres."""
    head = HeadMesh(HEAD_FILE)
    rows: dict[str, list[np.ndarray]] = {"positions": [], "head_weights": [], "deltas": []}
    for surface in head.surfaces[:-1]:
        own = surface.triangles.reshape(-1)
        deltas = np.zeros((len(ARKIT_SHAPES), len(own), 3), np.float32)
        deltas[list(surface.shapes)] = surface.deltas.reshape(len(surface.shapes), -1, 3)[:, own]
        rows["positions"].append(surface.positions[own])
        rows["head_weights"].append(surface.joints[own, 2])
        rows["deltas"].append(deltas)
    joined = {name: np.concatenate(parts, 1 if name == "deltas" else 0) for name, parts in rows.items()}
    materials = [surface.name for surface in head.surfaces]
    assert materials[-1] == "shirt"
    np.savez(path, shapes=ARKIT_SHAPES, materials=materials, joint_places=head.joint_places, **joined)
    return path


def takes(folder: Path) -> dict[str, str]:
    """A take of a live agent with a barge-in, its motion as a file, and what must come of it."""
    model = take_cases.small_model(folder / "small.gguf")
    take, _ = take_cases.live(model, folder / "live.npz", agent_audio="live")
    state = take.state.copy()
    state[60:64] |= WITHDRAWN
    take = replace(take, state=state)
    write_take(folder / "talk.npz", take)
    shown, (agent, user) = take.shown(), voices_in_sync(take)
    assert len(shown.values) == len(take.values) - 4 and take.about.delay_ns > 0
    write_motion(folder / "motion.npz", shown)
    agent = agent[: len(take.agent_audio) + round(take.about.delay_ns * 16e-6)]
    expected = {"values": shown.values, "time_ns": shown.time_ns, "agent": agent, "user": user[: len(take.user_audio)]}
    np.savez(folder / "expected.npz", **expected)
    return {
        "take": str(folder / "talk.npz"),
        "motion": str(folder / "motion.npz"),
        "expected": str(folder / "expected.npz"),
    }


@contextmanager
def server(*options: str) -> Iterator[str]:
    """`visavis serve`; its endpoint."""
    command = [sys.executable, "-m", "visavis", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"motion (tcp://127.0.0.1:\d+)", process.stdout.readline())
        assert found
        yield found[1]
    finally:
        process.kill()
        process.communicate()


def ramp(head: FakeHead, frame: int, now_ns: int) -> list[bytes]:
    """Frame k has every shape at k / 100,000."""
    values = [frame / 100_000] * 52 + [0.0] * 3
    return [head.motion(frame, values, now_ns)]


def comes_and_goes(head: FakeHead, frame: int, now_ns: int) -> list[bytes]:
    """Two seconds of frames, three of silence."""
    return [head.motion(frame, [0.4] * 52 + [0.0] * 3, now_ns)] if frame % 125 < 50 else []


def other_schema(head: FakeHead, frame: int, now_ns: int) -> list[bytes]:
    """Channels of another motion space."""
    return [head.motion(frame, [0.4] * 56, now_ns, schema_hash=1)]


@contextmanager
def publishing(frames) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """A head `npc` in real time, on a thread; its endpoint."""
    head, stop = FakeHead(), threading.Event()
    facts = {"channels": [f"c{i}" for i in range(56)], "units": ["shape"] * 56} if frames is other_schema else {}
    with Publisher() as publisher:

        def work() -> None:
            start, frame = time.monotonic_ns(), 0
            while not stop.wait(max(0.0, (start + frame * FRAME_NS - time.monotonic_ns()) / 1e9)):
                if frame % 25 == 0:
                    publisher.send(head.describe(frame * FRAME_NS, time.monotonic_ns(), **facts))
                for message in frames(head, frame, time.monotonic_ns()):
                    publisher.send(message)
                frame += 1

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield publisher.endpoint
        finally:
            stop.set()
            thread.join()
