"""visavis.h and libvisavis: C11, nothing but vv_* exported, the promises of the header kept.

One build of libvisavis (g++, cmake and ninja) serves all tests of this file.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import randomised, small_config

from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar

ROOT = Path(__file__).parents[2]
INCLUDE = ROOT / "csrc" / "include"
HEADER = INCLUDE / "visavis" / "visavis.h"
HEADERS = (HEADER, INCLUDE / "visavis" / "stage.h")
C_FLAGS = ("-std=c11", "-D_ISOC11_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{INCLUDE}")
CXX_FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{INCLUDE}")


def run(*command: str | Path) -> str:
    beside = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    program = shutil.which(str(command[0]), path=environment["PATH"])
    assert program, f"{command[0]} is not installed"
    arguments = [program, *map(str, command[1:])]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh libvisavis.so, with the C++ runtime outside: its calls of operator new can be counted."""
    build = tmp_path_factory.mktemp("libvisavis")
    options = ("-DVISAVIS_PYTHON=OFF", "-DVISAVIS_STATIC_RUNTIME=OFF", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *options)
    run("cmake", "--build", build, "--target", "visavis")
    return build / "csrc" / "libvisavis.so"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    save_gguf(path, randomised(Timar(small_config(styles=("nods",)))), name="small", dtype="f32")
    return path


def link(compiler: str, flags: tuple[str, ...], source: Path, library: Path, program: Path) -> Path:
    run(compiler, *flags, source, library, f"-Wl,-rpath,{library.parent}", "-lm", "-o", program)
    return program


def test_the_c_abi_from_c(library: Path, model: Path, tmp_path: Path) -> None:
    source = ROOT / "tests" / "native" / "abi.c"
    assert run(link("gcc", C_FLAGS, source, library, tmp_path / "abi"), model) == "ok\n"


def test_the_stage_in_virtual_time(library: Path, model: Path, tmp_path: Path) -> None:
    source = ROOT / "tests" / "native" / "stage.cpp"
    assert run(link("g++", CXX_FLAGS, source, library, tmp_path / "stage"), model) == "ok\n"


def test_no_allocation_on_the_frame_path(library: Path, model: Path, tmp_path: Path) -> None:
    source = ROOT / "tests" / "native" / "allocations.cpp"
    program = link("g++", CXX_FLAGS, source, library, tmp_path / "allocations")
    found = json.loads(run(program, model))
    assert found["frames"] >= 1200 and found["allocations"] == 0
    assert min(found[path] for path in ("dropped", "idle", "fewer", "replaced")) > 0  # they were all walked


def test_only_the_abi_is_exported(library: Path) -> None:
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()}
    declared = {word.split("(")[0] for header in HEADERS
                for line in header.read_text("utf-8").splitlines() for word in line.split()[:4]
                if line.startswith("VV_API") and "(" in word}  # fmt: skip
    assert {name.lstrip("*") for name in declared} == exported
    assert len(exported) >= 20 and all(name.startswith("vv_") for name in exported)


def test_the_example_of_the_header_compiles(tmp_path: Path) -> None:
    text = HEADER.read_text("utf-8")
    assert text.count("\n") < 400
    first, last = text.index("   vv_model* model = NULL;"), text.index("vv_model_destroy(model);")
    body = "\n".join(line.removeprefix(" *") for line in text[first:last].splitlines())
    (tmp_path / "example.c").write_text(
        '#include "visavis/visavis.h"\n'
        "void show(int64_t time_ns, const float* values);\n"
        "int example(const float* npc, size_t n_npc, const float* player, size_t n_player);\n"
        "int example(const float* npc, size_t n_npc, const float* player, size_t n_player) {\n"
        f"{body}vv_model_destroy(model);\n  return 0;\n}}\n",
        encoding="utf-8",
    )
    run("gcc", *C_FLAGS, "-fsyntax-only", tmp_path / "example.c")
    run("g++", *CXX_FLAGS, "-x", "c++", "-fsyntax-only", tmp_path / "example.c")


def test_the_example_of_the_stage_compiles(tmp_path: Path) -> None:
    text = HEADERS[1].read_text("utf-8")
    first, last = text.index("   vv_model* model = NULL;"), text.index("vv_stage_destroy(stage);")
    body = "\n".join(line.removeprefix(" *") for line in text[first:last].splitlines())
    (tmp_path / "example.c").write_text(
        '#include "visavis/visavis.h"\n'
        "void show(const float* shapes, float yaw, float pitch, float roll);\n"
        "void say(const char* text);\n"
        "int example(const float* microphone, uint32_t n);\n"
        "int example(const float* microphone, uint32_t n) {\n"
        f"{body}\n}}\n",
        encoding="utf-8",
    )
    run("gcc", *C_FLAGS, "-fsyntax-only", tmp_path / "example.c")
    run("g++", *CXX_FLAGS, "-x", "c++", "-fsyntax-only", tmp_path / "example.c")
