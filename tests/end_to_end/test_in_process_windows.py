"""The in-process runtime as a Windows DLL by mingw, under Wine: what it needs, what it shows, and golden turns."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from native_client import run
from small_models import randomised, small_config

import visavis
from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar
from visavis.plugins import natives

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
TOOLS = "x86_64-w64-mingw32-"
SYSTEM_LIBRARIES = {"KERNEL32.dll", "msvcrt.dll"}
DEFAULT = Path(visavis.__file__).parent / "assets" / "default.gguf"
GOLDEN = ROOT / "tests" / "native" / "golden_turns.c"
EXAMPLE = ROOT / "csrc" / "examples" / "animate_pair.c"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, natives_folder: Path) -> Path:
    """The DLL, built as it ships, and programs beside it."""
    folder, targets = tmp_path_factory.mktemp("windows"), [natives.CLIENT, natives.RUNTIME]
    built = natives.build(ROOT, "windows-x86_64", targets, natives_folder / "windows-x86_64")
    shutil.copy(built[natives.RUNTIME], folder)
    for source in (GOLDEN, EXAMPLE):
        flags = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc' / 'include'}")
        run(f"{TOOLS}gcc-posix", *flags, source, folder / "visavis.dll", "-o", folder / f"{source.stem}.exe")
    return folder


def under_wine(program: Path, *arguments: str | Path) -> str:
    quiet = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=", "DISPLAY": ""}
    environment = {**os.environ, **quiet, "WINEPREFIX": str(program.parent / "prefix")}
    command = ["wine", str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def demo_voices(seconds: int) -> list[np.ndarray]:
    assets = DEFAULT.parent
    return [soundfile.read(assets / f"demo_{who}.flac", frames=seconds * 16000, dtype="float32")[0]
            for who in ("agent", "user")]  # fmt: skip


def test_the_dll_needs_the_system_alone_and_exports_the_abi(folder: Path) -> None:
    text = run(f"{TOOLS}objdump", "-p", folder / "visavis.dll")
    assert {line.split()[-1] for line in text.splitlines() if "DLL Name" in line} == SYSTEM_LIBRARIES
    table = text.split("[Ordinal/Name Pointer] Table")[1]
    names = re.findall(r"^\s*\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?([A-Za-z_]\w+)$", table, re.MULTILINE)
    assert len(names) >= 50 and all(name.startswith("vv_") for name in names)


@pytest.mark.parametrize("which", ["small", "default"])
def test_golden_turns(folder: Path, tmp_path: Path, which: str) -> None:
    """The DLL's frames are those of the reference engine (torch), and of the native one on this system."""
    model, seconds = DEFAULT, 6
    if which == "small":
        model, seconds = tmp_path / "small.gguf", 1  # a random model doubles differences each turn
        save_gguf(model, randomised(Timar(small_config())), name="small", dtype="f32")
    agent, user = demo_voices(seconds)
    for name, samples in (("agent", agent), ("user", user)):
        samples.tofile(tmp_path / f"{name}.f32")
    files = [tmp_path / f"{name}.f32" for name in ("agent", "user", "frames")]
    assert under_wine(folder / "golden_turns.exe", model, *files).split() == ["ok"]
    found = np.fromfile(files[2], np.float32).reshape(-1, 55)
    for engine in ("torch", "cpu"):
        golden = visavis.animate((agent, 16000), (user, 16000), model=model, engine=engine, seed=7).values
        assert found.shape == golden.shape == (25 * seconds, 55)
        np.testing.assert_allclose(found, golden, atol=1e-4)


def test_the_example_animates_a_pair(folder: Path, tmp_path: Path) -> None:
    for name, samples in zip(("agent", "user"), demo_voices(3), strict=True):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, subtype="PCM_16")
    text = under_wine(folder / "animate_pair.exe", DEFAULT, tmp_path / "agent.wav", tmp_path / "user.wav")
    motion = np.array([[float(value) for value in line.split(",")] for line in text.splitlines()])
    assert motion.shape[1] == 57 and len(motion) > 30
    assert motion[:, 2 + 17].max() > 0.05 and 0.1 < motion[:, 1].mean() < 1
