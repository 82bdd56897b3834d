"""The in-process runtime as it is shipped: one file beside the package, and C programs that use it."""

import ctypes
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_server import serving
from native_client import run
from small_models import randomised, small_config

import visavis
from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar

ROOT = Path(__file__).parents[2]
PACKAGE = Path(visavis.__file__).parent
RUNTIME, CLIENT = (PACKAGE / "native" / f"lib{name}.so" for name in ("visavis", "visavis_client"))
MODEL = PACKAGE / "assets" / "default.gguf"
EXAMPLE = ROOT / "csrc" / "examples" / "animate_pair.c"
SPIKES = ROOT / "benchmarks" / "frame_spikes.c"
FLAGS = ("-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc' / 'include'}")
JAW, BLINK = 2 + 17, 2
SYSTEM_LIBRARIES = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libpthread.so.0"}


def compiled(source: Path, library: Path, program: Path, *flags: str) -> Path:
    run("gcc", *flags, *FLAGS, source, library, f"-Wl,-rpath,{library.parent}", "-lm", "-lpthread", "-o", program)
    return program


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first six seconds of the demo's two voices as WAV files."""
    folder = tmp_path_factory.mktemp("voices")
    for who in ("agent", "user"):
        samples, rate = soundfile.read(PACKAGE / "assets" / f"demo_{who}.flac", frames=6 * 16000)
        soundfile.write(folder / f"{who}.wav", samples, rate, subtype="PCM_16")
    return [folder / "agent.wav", folder / "user.wav"]


def motion_of(text: str) -> np.ndarray:
    """The lines of the example: (ticks, 57)."""
    return np.array([[float(value) for value in line.split(",")] for line in text.splitlines()])


def test_the_library_needs_the_system_alone_and_exports_the_abi() -> None:
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", RUNTIME)))
    assert needed <= SYSTEM_LIBRARIES
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", RUNTIME).splitlines()}
    assert len(exported) >= 50 and all(name.startswith("vv_") for name in exported)


def test_the_example_animates_a_pair_in_process(voices: list[Path], tmp_path: Path) -> None:
    assert EXAMPLE.read_text("utf-8").count("\n") < 100
    program = compiled(EXAMPLE, RUNTIME, tmp_path / "animate_pair", "-std=c99", "-Wpedantic")
    done = subprocess.run([program, MODEL, *voices], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and 'head "npc" is live' in done.stderr
    motion = motion_of(done.stdout)
    assert motion.shape[1] == 57 and len(motion) > 100
    speaking = motion[:, 1] == 1
    assert 0.2 < speaking.mean() < 0.9
    assert motion[speaking, JAW].mean() > 3 * motion[~speaking, JAW].mean()
    assert motion[:, JAW].max() > 0.15 and motion[:, BLINK].max() > 0.3, "it speaks and blinks"
    for model, remedy in (("nothing.gguf", "cannot be opened"), (voices[0], "GGUF")):
        refused = subprocess.run([program, model, *voices], capture_output=True, text=True)
        assert refused.returncode == 1 and str(model) in refused.stderr and remedy in refused.stderr


def test_the_same_example_through_a_server(voices: list[Path], tmp_path: Path) -> None:
    program = compiled(EXAMPLE, CLIENT, tmp_path / "animate_pair", "-std=c99", "-DWITH_CLIENT")
    with serving(heads=()) as server:  # the example opens its head itself
        motion = motion_of(run(program, server.ports.endpoint, *voices))
    speaking = motion[:, 1] == 1
    assert 0.2 < speaking.mean() < 0.9 and motion[speaking, JAW].max() > 0.02


def test_frames_of_a_game_take_no_memory(tmp_path: Path) -> None:
    """100 heads beside a game loop of 60 Hz.  Times are the benchmark's: python benchmarks/frame_spikes.py."""
    model = tmp_path / "small.gguf"
    save_gguf(model, randomised(Timar(small_config())), name="small", dtype="f32")
    stage = compiled(SPIKES, RUNTIME, tmp_path / "stage", "-O2")
    found = json.loads(run(stage, model, "2", "100"))
    assert found["allocations"] == 0 and found["frames"] == 120 and found["live"] > 0.5 and found["voiced"] > 0
    client = compiled(SPIKES, CLIENT, tmp_path / "client", "-O2", "-DWITH_CLIENT")
    with serving(heads=()) as server:
        found = json.loads(run(client, server.ports.endpoint, "2", "4"))
    assert found["allocations"] == 0 and found["frames"] == 120 and found["live"] > 0.5


def test_a_stage_refuses_a_model_of_another_motion_space(tmp_path: Path) -> None:
    path = tmp_path / "flame.gguf"
    save_gguf(path, randomised(Timar(small_config(motion_space="flame56", eyes="model"))), name="flame", dtype="f32")
    library = ctypes.CDLL(str(RUNTIME))
    library.vv_last_error.restype = ctypes.c_char_p
    model, engine, stage = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    assert library.vv_model_load(str(path).encode(), ctypes.byref(model)) == 0
    assert library.vv_engine_create(model, None, ctypes.byref(engine)) == 0
    assert library.vv_stage_create(engine, None, ctypes.byref(stage)) == 4 and not stage
    assert b'"flame"' in library.vv_last_error() and b"arkit55" in library.vv_last_error()
    library.vv_engine_destroy(engine)
    library.vv_model_destroy(model)
