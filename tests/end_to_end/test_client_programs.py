"""C programs around the native client: the example, and all of a game's threads at once under sanitizers."""

import json
import subprocess
from pathlib import Path

import pytest
from live_server import serving
from native_client import run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "csrc" / "examples" / "follow_head.c"
THREADS = ROOT / "tests" / "native" / "client_threads.c"
SOURCES = sorted((ROOT / "csrc" / "client").glob("*.c"))
FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    f"-I{ROOT / 'csrc'}",
    f"-I{ROOT / 'csrc' / 'include'}",
)


def test_the_example_follows_a_head(client_path: Path, tmp_path: Path) -> None:
    assert EXAMPLE.read_text("utf-8").count("\n") < 100
    program = tmp_path / "follow_head"
    run("gcc", *FLAGS, EXAMPLE, client_path, f"-Wl,-rpath,{client_path.parent}", "-o", program)
    with serving() as server:
        lines = run(program, server.ports.endpoint, "npc", "2").splitlines()
        assert "listens  jaw 0.00" in lines[-1] and "# connected to" in "\n".join(lines)
        assert "it has: npc" in run(program, server.ports.endpoint, "other", "2").splitlines()[-1]
    assert "visavis serve" in run(program, server.ports.endpoint, "npc", "1").splitlines()[-1]
    refused = subprocess.run([program, "tcp://host:nonsense"], capture_output=True, text=True)
    assert refused.returncode == 1 and "expected tcp://HOST:PORT" in refused.stderr


def torture(compiler: str, program: Path, *sanitize: str) -> None:
    run(compiler, *FLAGS, "-DVVC_STATIC", "-g", "-O1", *sanitize, THREADS, *SOURCES, "-lm", "-lpthread", "-o", program)
    with serving() as server:
        found = json.loads(run(program, server.ports.endpoint, "2.5"))
    assert found["allocations"] == found["blocks_left"] == 0
    assert found["live"] > 200 and found["sent"] > 100 and found["looked"] > 50 and found["frames"] > 5
    found = json.loads(run(program, server.ports.endpoint, "0.5"))
    assert found["frames"] == found["blocks_left"] == 0, "nobody listens there any more"


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_all_threads_of_a_game_at_once(sanitizer: str, tmp_path: Path) -> None:
    torture("gcc", tmp_path / "client_threads", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")


@pytest.mark.system
def test_all_threads_of_a_game_at_once_by_clang(tmp_path: Path) -> None:
    torture("clang", tmp_path / "client_threads")
