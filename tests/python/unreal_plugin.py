"""The Unreal plugin as its zip holds it, compiled with the stand-in engine of tests/native/unreal into one program."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import unreal_headers
from native_client import ROOT, run

from visavis.plugins.description import Plugin, read_plugins
from visavis.plugins.package import copied

PLUGIN = ROOT / "engine_plugins" / "unreal"
STUB = ROOT / "tests" / "native" / "unreal" / "stub"
HARNESS = ROOT / "tests" / "native" / "unreal"
# Types of the module that are reflected nowhere but known to Blueprint.
DELEGATES = {"FVisavisSpeakingChanged"}
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")


def description() -> Plugin:
    """engine_plugins/unreal/package.json: what belongs into the zip."""
    return read_plugins(ROOT, ["unreal"])[0]


def assemble(into: Path) -> Path:
    """The plugin's folder as `visavis plugins package` fills it, without a runtime library."""
    plugin = into / description().folder
    for name, content in copied(description(), ROOT).items():
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_bytes(content)
    return plugin


def generate(plugin: Path, into: Path) -> Path:
    """Generated headers of the module."""
    headers = sorted((plugin / "Source" / "Visavis" / "Public").glob("*.h"))
    known = set(DELEGATES).union(*(unreal_headers.declared(header) for header in headers))
    for header in headers:
        unreal_headers.generate(header, into, known)
    return into


def flags(plugin: Path, generated: Path, minor: int) -> list[str]:
    """Of the module's C++ files, for the engine 5.minor."""
    module = plugin / "Source" / "Visavis"
    folders = (STUB, generated, module / "Public", module / "Private", module / "csrc", module / "csrc" / "include")
    defines = (f"VISAVIS_STUB_UE_MINOR={minor}", "VVC_STATIC=1", "VV_STATIC=1")
    options = ["-std=c++20", *WARNINGS, "-fno-exceptions"]
    return [*options, *(f"-D{define}" for define in defines), *(f"-I{folder}" for folder in folders)]


def build(folder: Path, minor: int, *sanitize: str) -> Path:
    """A program that plays engine: the module in one piece (a unity build, Unreal's default), the client's C files."""
    plugin = assemble(folder)
    module = plugin / "Source" / "Visavis"
    options = [*flags(plugin, generate(plugin, folder / "generated"), minor), "-g1", *sanitize]
    of_tests = [option for option in options if option != "-fno-exceptions"]
    of_c = [option for option in of_tests if option != "-std=c++20"]
    whole = folder / "whole.cpp"
    sources = sorted((module / "Private").glob("*.cpp"))
    whole.write_text("".join(f'#include "{source}"\n' for source in sources), "utf-8")
    jobs: list[list[str | Path]] = [["g++", *options, "-c", whole]]
    jobs += [["g++", *of_tests, "-c", source] for source in (STUB / "Stub" / "Engine.cpp", *HARNESS.glob("*.cpp"))]
    jobs += [["gcc", *of_c, "-c", source] for source in sorted((module / "csrc" / "client").glob("*.c"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda job: run(*job, "-o", folder / f"{Path(job[-1]).name}.o"), jobs))
    program = folder / "harness"
    run("g++", *sanitize, *sorted(folder.glob("*.o")), "-ldl", "-lpthread", "-o", program)
    return program


def play(program: Path, *words: object, timeout: float = 120, **environment: str) -> dict[str, Any]:
    """Runs the program; what it saw.  A sanitizer's report fails."""
    sanitizers = {"TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **sanitizers, **environment})  # fmt: skip
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr[-6000:]}"
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
