"""The native test programs and libraries, compiled from tests/native."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Output of a program of this Python's environment or of the system."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **(env or {}),
    }
    program = shutil.which(command[0], path=environment["PATH"])
    assert program, f"{command[0]} is not installed: pip install {command[0]}"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(folder: Path, *targets: str, options: tuple[str, ...] = ()) -> Path:
    """Builds targets of tests/native; the folder that they are in."""
    configure = ("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON")
    run(*configure, *options)
    run("cmake", "--build", folder, "--target", *targets)
    return folder / "tests" / "native"
