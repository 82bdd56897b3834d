"""libvisavis_cuda as it ships, compiled for every architecture with the compiler of pip's packages; no GPU needed."""

import struct
import sys
from pathlib import Path

import pytest
from native_build import ROOT, run

import visavis
from visavis.errors import Unsupported

REAL, PTX = {75, 80, 86, 89, 90, 120}, {90, 120}
MOST_BYTES = 8_000_000


def architectures(code: bytes) -> dict[int, set[int]]:
    """Compute capabilities by kind (1: PTX, 2: machine code) of the entries in a library's fat binaries.

    A fat binary is a header of 16 bytes (magic, version, header size u16, size u64) and entries: kind u16, header size
    u32 at 4, size u64 at 8, capability u32 at 28.
    """
    found: dict[int, set[int]] = {1: set(), 2: set()}
    magic = struct.pack("<IH", 0xBA55ED50, 1)
    begin = code.find(magic)
    while begin >= 0:
        header, size = struct.unpack_from("<HQ", code, begin + 6)
        at, end = begin + header, begin + header + size
        while at < end:
            kind, _, header, size = struct.unpack_from("<HHIQ", code, at)
            found[kind].add(struct.unpack_from("<I", code, at + 28)[0])
            at += header + size
        begin = code.find(magic, end)
    return found


@pytest.mark.system
def test_the_library_holds_code_for_every_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("-DVISAVIS_PYTHON=OFF", "-DVISAVIS_CUDA=ON", f"-DPython_EXECUTABLE={sys.executable}")
    run("cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", *options)
    run("cmake", "--build", tmp_path, "--target", "visavis_cuda")
    library = tmp_path / "csrc" / "engines" / "cuda" / "libvisavis_cuda.so"
    run("strip", library)
    size = library.stat().st_size
    print(f"libvisavis_cuda.so: {size / 1e6:.1f} MB")
    assert size < MOST_BYTES
    assert architectures(library.read_bytes()) == {1: PTX, 2: REAL}
    exported = run("nm", "-D", "--defined-only", library).split()
    assert [name for name in exported if not name.startswith("0") and len(name) > 1] == ["vv_cuda_plugin"]
    if not Path("/proc/driver/nvidia").exists():
        monkeypatch.setenv("VISAVIS_CUDA_LIBRARY", str(library))
        with pytest.raises(
            Unsupported, match="no NVIDIA driver was found; install a newer NVIDIA driver, or use engine"
        ):
            visavis.load_engine(engine="cuda")
