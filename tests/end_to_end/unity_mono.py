"""The Unity package under Mono: compiled against our own stand-in of the engine, run with the real native libraries."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import soundfile
from native_client import run

import visavis

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "engine_plugins" / "unity" / "dev.visavis.heads"
PROGRAMS = ROOT / "tests" / "unity"
VISAVIS = Path(visavis.__file__).parent
RUNTIME = VISAVIS / "native" / "libvisavis.so"  # as wheels and builds in place have it
MODEL = f"asset:{VISAVIS / 'assets' / 'default.gguf'}"  # what a check's character is to be computed with
# mcs ends at C# 7.2; the package keeps to 7.0, which every compiler of C# 7.3 takes.
COMPILE = (
    "mcs",
    "-langversion:7",
    "-warn:4",
    "-warnaserror",
    "-noconfig",
    "-define:ENABLE_LEGACY_INPUT_MANAGER",
)  # and mscorlib alone
ENGINE, HEADS, EDITOR = "UnityEngine.dll", "Visavis.Heads.dll", "Visavis.Heads.Editor.dll"
CHECKS = "Visavis.Heads.Checks.exe"


RATE = 16_000  # of the shipped voices, and of files that checks hear


def shipped_voice(who: str, folder: Path) -> Path:
    """Seven seconds of one voice ("agent" or "user") of the shipped conversation, as 32-bit floats for a check."""
    samples, rate = soundfile.read(VISAVIS / "assets" / f"demo_{who}.flac", dtype="float32")
    assert rate == RATE
    path = folder / who
    samples[11 * RATE : 18 * RATE].tofile(path)
    return path


def compile_package(folder: Path) -> None:
    """Engine stand-in, package, inspectors and checks, as Unity divides them into assemblies."""
    engine, heads, editor = (f"-r:{folder / name}" for name in (ENGINE, HEADS, EDITOR))
    sources = {name: sorted((PACKAGE / name).rglob("*.cs")) for name in ("Runtime", "Editor", "Samples~")}
    library = (*COMPILE, "-target:library")
    run(*library, f"-out:{folder / ENGINE}", *sorted((PROGRAMS / "engine").glob("*.cs")))
    run(*library, "-unsafe", engine, f"-out:{folder / HEADS}", *sources["Runtime"])  # as in players
    run(*library, "-unsafe", "-define:UNITY_EDITOR", engine, f"-out:{folder / HEADS}", *sources["Runtime"])
    run(*library, engine, heads, f"-out:{folder / EDITOR}", *sources["Editor"])
    checks = sorted((PROGRAMS / "checks").glob("*.cs"))
    run(*COMPILE, "-unsafe", engine, heads, editor, f"-out:{folder / CHECKS}", *sources["Samples~"], *checks)


class Unity:
    """A folder with the compiled package and the native libraries that are to be found."""

    def __init__(self, folder: Path, *libraries: Path) -> None:
        self.folder = folder
        for library in libraries:
            shutil.copy(library, folder / library.name)

    def beside(self, folder: Path, *libraries: Path) -> "Unity":
        """The same assemblies with other native libraries."""
        folder.mkdir()
        for name in (ENGINE, HEADS, EDITOR, CHECKS):
            shutil.copy(self.folder / name, folder / name)
        return Unity(folder, *libraries)

    def command(self, case: str, *arguments: object, options: tuple[str, ...] = ()) -> list[str]:
        """What runs a check."""
        return ["mono", *options, str(self.folder / CHECKS), case, *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        """Libraries are found in the folder alone."""
        return {**os.environ, "LD_LIBRARY_PATH": str(self.folder), "MONO_PATH": str(self.folder)}

    def text(self, case: str, *arguments: object, options: tuple[str, ...] = ()) -> str:
        """A check's output; fails with what it said."""
        command = self.command(case, *arguments, options=options)
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment(), timeout=120)
        assert done.returncode == 0, f"{case}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def check(self, case: str, *arguments: object, options: tuple[str, ...] = ()) -> Any:
        """What a check found."""
        return json.loads(self.text(case, *arguments, options=options).splitlines()[-1])

    @contextmanager
    def running(self, case: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """A check that goes on while the block runs."""
        command = self.command(case, *arguments)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.environment()) as process:
            try:
                yield process
            finally:
                process.kill()
