"""The rules of IL2CPP, by Mono's full ahead-of-time mode: nothing may be compiled at run time."""

import shutil
import subprocess
from pathlib import Path

import pytest
from live_server import serving
from native_client import run
from unity_mono import CHECKS, COMPILE, EDITOR, ENGINE, HEADS, MODEL, PROGRAMS, RUNTIME, Unity

pytestmark = pytest.mark.system
MSCORLIB = Path("/usr/lib/mono/4.5/mscorlib.dll")
CALLBACKS = "Callbacks.exe"


@pytest.fixture(scope="module")
def ahead(unity: Unity, client_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Unity:
    """Everything compiled ahead of time, mscorlib too."""
    folder = tmp_path_factory.mktemp("ahead") / "of_time"
    made = unity.beside(folder, client_path, RUNTIME)
    run(*COMPILE, "-unsafe", f"-out:{folder / CALLBACKS}", PROGRAMS / "aot" / "Callbacks.cs")
    shutil.copy(MSCORLIB, folder / MSCORLIB.name)
    for name in (MSCORLIB.name, ENGINE, HEADS, EDITOR, CHECKS, CALLBACKS):
        command = ["mono", "--aot=full", str(folder / name)]
        done = subprocess.run(command, capture_output=True, text=True, env=made.environment(), timeout=300)
        assert done.returncode == 0, f"{name}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
    return made


def callback(unity: Unity, case: str) -> subprocess.CompletedProcess[str]:
    command = ["mono", "--full-aot", str(unity.folder / CALLBACKS), case]
    return subprocess.run(command, capture_output=True, text=True, env=unity.environment(), timeout=60)


def test_the_package_runs_without_a_compiler_at_run_time(ahead: Unity) -> None:
    with serving() as server:
        found = ahead.check("garbage", server.ports.endpoint, "npc", 400, options=("--full-aot",))
    assert found["bytes"] == 0 and found["moved"] > 30
    found = ahead.check("garbage", MODEL, "npc", 200, options=("--full-aot",))
    assert found["bytes"] == 0 and found["moved"] > 30


def test_a_callback_needs_its_attribute(ahead: Unity) -> None:
    """Why the package has no callbacks: what IL2CPP forbids, this mode forbids too."""
    marked = callback(ahead, "marked")
    assert marked.returncode == 0 and "called: no connection to tcp://127.0.0.1:1" in marked.stdout
    unmarked = callback(ahead, "unmarked")
    assert unmarked.returncode != 0
    assert "ExecutionEngineException" in unmarked.stderr and "native-to-managed" in unmarked.stderr
