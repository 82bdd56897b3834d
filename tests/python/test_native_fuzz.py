"""The native readers of bytes from outside under address and undefined-behaviour sanitizers, and their coverage.

One build of `tests/native` (g++, cmake and ninja) serves all tests of this file.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from client_streams import control_stream, motion_stream
from gguf_bytes import (
    TENSOR_BF16,
    TENSOR_F16,
    TENSOR_I8,
    TENSOR_I64,
    TENSOR_Q8_0,
    RawTensor,
    array,
    hearing_model_file,
    model_file,
)
from gguf_malformed import ABSURD, MALFORMED, absurd_file
from small_models import small_config

from visavis.model.config import paper_config

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "tests" / "data" / "wire"
N_MUTATIONS = 100_000
LEAST_COVERAGE = 85  # percent of lines


def tool(name: str) -> str:
    """A program of this environment, or else of the system."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: pip install {name}"
    return found


def run(*command: str | Path, **options: Any) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def fuzz(program: Path, target: str, *arguments: str | Path, n_mutations: int = N_MUTATIONS) -> dict[str, int]:
    result: dict[str, int] = json.loads(run(program, target, str(n_mutations), "20260101", *arguments, timeout=300))
    return result


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fuzzer, compiled with sanitizers and coverage."""
    build = tmp_path_factory.mktemp("native")
    environment = {**os.environ, "PATH": f"{Path(tool('ninja')).parent}{os.pathsep}{os.environ['PATH']}"}
    options = ("-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON", "-DVISAVIS_COVERAGE=ON", "-G", "Ninja")
    sanitize = "-DVISAVIS_SANITIZE=address,undefined"
    run(tool("cmake"), "-S", ROOT, "-B", build, *options, sanitize, env=environment)
    run(tool("cmake"), "--build", build, "--target", "fuzz", env=environment)
    return build / "tests" / "native" / "fuzz"


@pytest.fixture(scope="module")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of valid and of invalid model files."""
    valid, invalid = tmp_path_factory.mktemp("valid"), tmp_path_factory.mktemp("invalid")
    with_tensors = model_file()
    kinds = {0: 128, TENSOR_F16: 64, TENSOR_BF16: 64, TENSOR_Q8_0: 34, TENSOR_I8: 32, TENSOR_I64: 256}
    with_tensors.tensors = [RawTensor(f"t.{kind}", (32, 1), bytes(size), kind) for kind, size in kinds.items()]
    with_tensors.metadata.append(array("unknown.bools", 7, (0, 1)))
    files = {"none": model_file(), "tensors": with_tensors, "paper": model_file(paper_config())}
    files["hearing"] = hearing_model_file()
    files["styled"] = model_file(small_config(styles=("nods", "gaze")))
    for name, file in files.items():
        (valid / name).write_bytes(file.to_bytes())
    for index, (content, _) in enumerate(MALFORMED.values()):
        (invalid / f"malformed{index}").write_bytes(content if isinstance(content, bytes) else content.to_bytes())
    for index, (entry, _) in enumerate(ABSURD.values()):
        (invalid / f"absurd{index}").write_bytes(absurd_file(entry).to_bytes())
    return valid, invalid


def test_the_model_file_reader_survives_mutations(program: Path, model_files: tuple[Path, Path]) -> None:
    found = fuzz(program, "model_file", *model_files)
    assert found["invalid"] == len(MALFORMED) + len(ABSURD)
    assert 0.005 < found["taken"] / found["mutations"] < 0.9  # they reach the depths of the reader


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the golden messages, valid and invalid."""
    folder = tmp_path_factory.mktemp("messages")
    for kind, names in (("valid", ("outputs", "inputs")), ("invalid", ("malformed",))):
        (folder / kind).mkdir()
        for name in names:
            for entry in json.loads((WIRE / f"{name}.json").read_text("utf-8")):
                (folder / kind / entry["name"]).write_bytes(bytes.fromhex(entry["hex"]))
    return folder / "valid", folder / "invalid"


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory, messages: tuple[Path, Path]) -> Path:
    """A folder of what servers write on their connections."""
    folder = tmp_path_factory.mktemp("streams")
    outputs = [path.read_bytes() for path in sorted(messages[0].iterdir())]
    (folder / "motion").write_bytes(b"\0" + motion_stream(outputs))
    (folder / "control").write_bytes(b"\1" + control_stream())
    return folder


def test_the_wire_decoder_survives_mutations(program: Path, messages: tuple[Path, Path]) -> None:
    found = fuzz(program, "wire", *messages, n_mutations=3 * N_MUTATIONS)
    assert 0.05 < found["taken"] / found["mutations"] < 0.9


def test_the_client_survives_mutated_messages_and_decodes_as_cpp_does(
    program: Path, messages: tuple[Path, Path]
) -> None:
    found = fuzz(program, "client", *messages)
    assert found["valid"] >= 10 and found["invalid"] >= 20
    assert 0.05 < found["taken"] / found["mutations"] < 0.9


def test_the_client_survives_mutated_connections(program: Path, streams: Path) -> None:
    found = fuzz(program, "stream", streams, n_mutations=N_MUTATIONS // 10)
    assert 0.05 < found["taken"] / found["mutations"] < 0.95


def test_the_fuzzer_is_deterministic_and_notices_both_kinds_of_failure(
    program: Path, model_files: tuple[Path, Path], tmp_path: Path
) -> None:
    assert fuzz(program, "model_file", *model_files, n_mutations=300) == fuzz(
        program, "model_file", *model_files, n_mutations=300
    )
    for valid, invalid in (model_files[::-1], (model_files[0], model_files[0])):
        done = subprocess.run([program, "model_file", "0", "1", valid, invalid], capture_output=True, text=True)
        assert done.returncode == 1 and ("refused the valid" in done.stderr or "took the invalid" in done.stderr)


def test_tests_cover_the_readers(program: Path, model_files: tuple[Path, Path], tmp_path: Path) -> None:
    """Lines of the readers that the fuzzer and the named files run through."""
    fuzz(program, "model_file", *model_files, n_mutations=2000)
    report = tmp_path / "coverage.json"
    rooms = [part for room in ("model_file", "wire") for part in ("--filter", str(ROOT / "csrc" / room))]
    build = program.parents[2]
    run(tool("gcovr"), "--root", ROOT, *rooms, "--json-summary", report, "--gcov-object-directory", build, build)
    files = json.loads(report.read_text("utf-8"))["files"]
    assert len(files) >= 8
    for file in files:
        if file["line_total"] >= 20:
            assert file["line_percent"] >= LEAST_COVERAGE, f"{file['filename']}: {file['line_percent']} %"
