"""The native libraries that packages carry: built by CMake, the same bytes from the same sources and compiler."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from visavis.errors import Error, Unsupported

CLIENT, RUNTIME = "visavis_client", "visavis"  # CMake's targets
MINGW = "x86_64-w64-mingw32-"
FILES = {"linux-x86_64": "lib{}.so", "windows-x86_64": "{}.dll", "macos": "lib{}.dylib"}
FOLDERS = {CLIENT: "csrc/client", RUNTIME: "csrc"}  # where CMake puts them


class BuildError(Error):
    """A native library could not be built."""


def host() -> str:
    """This computer's platform."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    return "macos" if sys.platform == "darwin" else f"{'windows' if os.name == 'nt' else sys.platform}-{machine}"


def missing(wanted: str) -> str:
    """What keeps this computer from building for a platform; "" if nothing does."""
    if _tool("cmake") is None:
        return "cmake is not installed (pip install cmake ninja, or the system's package)"
    if wanted == host():
        compilers = ("cl", "c++", "g++", "clang++")
        return "" if any(map(_tool, compilers)) else "no C++ compiler is installed (Debian, Ubuntu: apt install g++)"
    if wanted == "windows-x86_64":
        if all(_cross(compiler) for compiler in ("gcc", "g++")):
            return ""
        return (
            f"{MINGW}gcc and {MINGW}g++ are not installed (Debian, Ubuntu: apt install gcc-mingw-w64-x86-64-posix "
            "g++-mingw-w64-x86-64-posix)"
        )
    return f"cannot be made on {host()}: make the package on a {wanted} computer"


def build(source: Path, wanted: str, targets: list[str], folder: Path) -> dict[str, Path]:
    """Build targets for a platform in a folder (quicker when it was used before); where each is.  Raises Error."""
    reason = missing(wanted)
    if reason:
        raise Unsupported(f"natives for {wanted}: {reason}")
    mapped = f"-ffile-prefix-map={source}=."
    link = "-s"
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DVISAVIS_PYTHON=OFF"]
    if wanted == "macos":
        link = "-Wl,-x"
    if wanted == "windows-x86_64" and os.name != "nt":
        options += ["-DCMAKE_SYSTEM_NAME=Windows", "-DCMAKE_SYSTEM_PROCESSOR=x86_64", "-DVISAVIS_CURVE=OFF"]
        options += [f"-DCMAKE_C_COMPILER={_cross('gcc')}", f"-DCMAKE_CXX_COMPILER={_cross('g++')}"]
        link = "-static -s -Wl,--no-insert-timestamp"
    if _tool("cl") is None or wanted != "windows-x86_64":
        options += [f"-DCMAKE_{language}_FLAGS={mapped}" for language in ("C", "CXX")]
        options.append(f"-DCMAKE_SHARED_LINKER_FLAGS={link}")
    generator = ["-G", "Ninja"] if _tool("ninja") else []
    _run(f"natives for {wanted}", "cmake", "-S", source, "-B", folder, *generator, *options)
    _run(f"natives for {wanted}", "cmake", "--build", folder, "--config", "Release", "--target", *targets, "-j2")
    return {target: _built(folder, target, wanted) for target in targets}


def _built(folder: Path, target: str, wanted: str) -> Path:
    name = FILES[wanted].format(target)
    for path in (folder / FOLDERS[target] / name, folder / FOLDERS[target] / "Release" / name):
        if path.is_file():
            return path
    raise BuildError(f"natives for {wanted}: {name} was not made in {folder / FOLDERS[target]}")


def _cross(compiler: str) -> str | None:
    """The mingw compiler that knows threads, or the plain one."""
    names = (f"{MINGW}{compiler}-posix", f"{MINGW}{compiler}")
    return next((name for name in names if _tool(name)), None)


def _tool(name: str) -> str | None:
    """A program of this environment or the system."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _run(what: str, *command: str | Path) -> None:
    program = _tool(str(command[0])) or str(command[0])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [program, *map(str, command[1:])], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise BuildError(f"{what}: {' '.join(map(str, command[:3]))} ended with {done.returncode}: {said}")
