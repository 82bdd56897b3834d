"""The native client as a Windows DLL by mingw, under Wine, against the real server."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from live_server import serving
from native_client import run

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "csrc" / "client").glob("*.c"))
COMPILE = ("x86_64-w64-mingw32-gcc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wpedantic",
           "-Werror", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}")  # fmt: skip
SYSTEM_LIBRARIES = {"KERNEL32.dll", "msvcrt.dll", "WS2_32.dll"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DLL and the example beside it."""
    folder = tmp_path_factory.mktemp("windows")
    library = folder / "visavis_client.dll"
    run(*COMPILE, "-DVVC_BUILD", "-shared", *SOURCES, "-static", "-lws2_32", "-o", library)
    run(*COMPILE, ROOT / "csrc" / "examples" / "follow_head.c", library, "-o", folder / "follow_head.exe")
    return folder


def under_wine(program: Path, *arguments: str) -> str:
    quiet = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=", "DISPLAY": ""}
    environment = {**os.environ, **quiet, "WINEPREFIX": str(program.parent / "prefix")}
    done = subprocess.run(["wine", program, *arguments], capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_dll_needs_the_system_alone_and_exports_the_abi(folder: Path) -> None:
    text = run("x86_64-w64-mingw32-objdump", "-p", folder / "visavis_client.dll")
    assert {line.split()[-1] for line in text.splitlines() if "DLL Name" in line} == SYSTEM_LIBRARIES
    table = text.split("[Ordinal/Name Pointer] Table")[1]
    names = re.findall(r"^\s*\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?([A-Za-z_]\w+)$", table, re.MULTILINE)
    assert len(names) >= 30 and all(name.startswith("vvc_") for name in names)


def test_the_dll_follows_a_head_of_the_real_server(folder: Path) -> None:
    program = folder / "follow_head.exe"
    assert "nothing listens there" in under_wine(program, "tcp://127.0.0.1:1", "npc", "4")
    with serving() as server:
        lines = under_wine(program, server.ports.endpoint, "npc", "4").splitlines()
    assert "listens" in lines[-1] and "# connected to" in "\n".join(lines)
