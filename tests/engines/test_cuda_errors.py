"""What engine cuda says where it cannot run: the thing, what was found, what was expected, what to do instead.

The emulator plays the machines: without a GPU, with an old driver, an old or a small GPU.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_cases import random_turns, write_model
from small_models import small_config

import visavis
from visavis.engine import Engine
from visavis.errors import Error, FullError, InvalidArgument, Unsupported

NATIVE = Path(visavis.__file__).parent / "native"
CONFIG = small_config()


@pytest.fixture(autouse=True)
def emulator(emulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_CUDA_LIBRARY", str(emulated))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.gguf", CONFIG)


def load(path: Path, **options: Any) -> Engine:
    return visavis.load_engine(path, "cuda", **options)


NO_DRIVER = "engine cuda: no NVIDIA driver was found; install a newer NVIDIA driver, or use engine cpu"
NEWER_DRIVER = "the NVIDIA driver knows CUDA 12.4, expected at least 13.0; install a newer"
NO_GPU = "looking for a GPU: cudaErrorNoDevice.*no NVIDIA GPU is visible: use engine cpu"
NO_CODE = "cudaErrorNoKernelImageForDevice.*CMAKE_CUDA_ARCHITECTURES=native, or use engine"
NO_BF16 = "capability 7.5; expected at least 8.0: use precision f16"
NO_MEMORY = "32 MiB of which 30 MiB are free .all: 30 MiB.*a smaller model, or engine cpu"


@pytest.mark.parametrize(
    ("device", "options", "kind", "message"),
    [
        ({"DRIVER": 0}, {}, Unsupported, NO_DRIVER),
        ({"DRIVER": 12040}, {}, Unsupported, NEWER_DRIVER),
        ({"DEVICES": 0}, {}, Unsupported, NO_GPU),
        ({}, {"device": 3}, InvalidArgument, "device is 3; expected 0 to 0, the GPUs of this machine"),
        ({"CAPABILITY": 70}, {}, Unsupported, "has compute capability 7.0; expected at least 7.5 .*use engine cpu"),
        ({"CAPABILITY": 75}, {"precision": "bf16"}, Unsupported, NO_BF16),
        ({"BUILT_FOR": 0}, {}, Unsupported, NO_CODE),
        ({}, {"multiprocessors": 5}, InvalidArgument, "multiprocessors is 5; expected 1 to 4, those of the GPU"),
        ({"MEMORY": 30 << 20}, {}, FullError, NO_MEMORY),
    ],
)  # fmt: skip
def test_a_machine_that_will_not_do(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: dict[str, int],
    options: dict[str, Any],
    kind: type[Error],
    message: str,
) -> None:
    for name, value in device.items():
        monkeypatch.setenv(f"VISAVIS_EMULATOR_{name}", str(value))
    with pytest.raises(kind, match=message):
        load(model, **options)


def test_a_library_that_is_not_there(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISAVIS_CUDA_LIBRARY", str(tmp_path / "nothing.so"))
    with pytest.raises(Unsupported, match="nothing.so"):
        load(model)
    if not (NATIVE / "libvisavis_cuda.so").exists():
        monkeypatch.delenv("VISAVIS_CUDA_LIBRARY")
        with pytest.raises(Unsupported, match="without libvisavis_cuda.so; build it with VISAVIS_CUDA=on .*engine cpu"):
            load(model)


def motion(engine: Engine) -> np.ndarray:
    """What slot 0 gives in its first turns."""
    return np.concatenate([engine.step([turn])[0].motion for turn in random_turns(CONFIG, 3)])


@pytest.fixture(scope="module")
def expected(emulated: Path, model: Path) -> np.ndarray:
    """What it gives on a machine with memory for everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISAVIS_CUDA_LIBRARY", str(emulated))
        engine = load(model)
        assert engine.open() == 0
        return motion(engine)


def test_sessions_beyond_the_memory_are_refused_and_the_others_go_on(
    model: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISAVIS_EMULATOR_MEMORY", str(160 << 20))
    engine = load(model)
    with pytest.raises(FullError, match=r"sessions are open, each takes \d+ KiB"):
        for _ in range(100_000):
            engine.open()
    np.testing.assert_array_equal(motion(engine), expected)


def test_a_batch_beyond_the_memory_is_refused_whole_and_smaller_ones_go_on(
    model: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(model)
    slots = [engine.open() for _ in range(300)]
    turns = list(random_turns(CONFIG, 1))
    batch = [visavis.TurnInput(slot, agent_audio=turns[0].agent_audio) for slot in slots]
    monkeypatch.setenv("VISAVIS_EMULATOR_MEMORY", "1")  # nothing more
    with pytest.raises(FullError, match="of which"):
        engine.step(batch)
    monkeypatch.delenv("VISAVIS_EMULATOR_MEMORY")
    np.testing.assert_array_equal(motion(engine), expected)  # slot 0 had not moved on
    assert len(engine.step(batch)) == 300


@pytest.mark.parametrize("capability", [75, 86, 90])
def test_a_wide_head_on_every_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: int) -> None:
    """25 rows 1024 wide take more shared memory than a block of a Turing GPU has: single kernels, then."""
    monkeypatch.setenv("VISAVIS_EMULATOR_CAPABILITY", str(capability))
    config = small_config(denoise_unit="frame", turn_frames=25, head_width=1024, steps=2)
    path = write_model(tmp_path / "m.gguf", config)
    cuda, cpu = load(path, precision="f16"), visavis.load_engine(path, "cpu")
    assert cuda.open() == cpu.open() == 0
    for turn in random_turns(config, 2):
        found, expected = cuda.step([turn])[0].motion, cpu.step([turn])[0].motion
        assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()


# ---- through visavis.h


class EngineConfig(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("window", ctypes.c_uint32),
        ("history", ctypes.c_uint32),
        ("sampler", ctypes.c_uint32),
        ("steps", ctypes.c_int32),
        ("passes", ctypes.c_int32),
        ("precision", ctypes.c_uint32),
        ("threads", ctypes.c_int32),
        ("device", ctypes.c_int32),
        ("multiprocessors", ctypes.c_int32),
    )


class Frame(ctypes.Structure):
    _fields_ = (
        ("index", ctypes.c_int64),
        ("time_ns", ctypes.c_int64),
        ("state", ctypes.c_uint32),
        ("_", ctypes.c_uint32),
    )


CPU, CUDA = 0, 1
F32, BF16, INT8, F16 = 2, 3, 4, 5
OK, UNSUPPORTED, OUT_OF_MEMORY = 0, 4, 6
NEXT = ctypes.c_int64(-(1 << 63))


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(NATIVE / "libvisavis.so"))
    library.vv_last_error.restype = ctypes.c_char_p
    return library


@pytest.fixture
def handle(library: ctypes.CDLL, model: Path) -> Iterator[ctypes.c_void_p]:
    handle = ctypes.c_void_p()
    assert library.vv_model_load(str(model).encode(), ctypes.byref(handle)) == OK
    yield handle
    library.vv_model_destroy(handle)


def create(library: ctypes.CDLL, model: ctypes.c_void_p, **fields: int) -> tuple[int, ctypes.c_void_p]:
    config, engine = EngineConfig(struct_size=ctypes.sizeof(EngineConfig), **fields), ctypes.c_void_p()
    return library.vv_engine_create(model, ctypes.byref(config), ctypes.byref(engine)), engine


def conversation(library: ctypes.CDLL, engine: ctypes.c_void_p) -> np.ndarray:
    """(frames, C) of two seconds of two voices."""
    session, n, voices = ctypes.c_void_p(), ctypes.c_size_t(), np.random.default_rng(3)
    assert library.vv_session_create(engine, None, ctypes.byref(session)) == OK
    for push in (library.vv_session_push_agent_audio, library.vv_session_push_user_audio):
        voice = (0.1 * voices.standard_normal(32000)).astype(np.float32)
        assert push(session, voice.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(32000), 16000, NEXT, None) == OK
    assert library.vv_session_end(session) == OK
    frames, values = (Frame * 64)(), np.empty((64, CONFIG.n_channels), np.float32)
    address = values.ctypes.data_as(ctypes.c_void_p)
    assert library.vv_session_poll(session, frames, address, ctypes.c_size_t(64), ctypes.byref(n)) == OK
    library.vv_session_destroy(session)
    library.vv_engine_destroy(engine)
    return values[: n.value]


def test_in_process(library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
    motion = {}
    for kind, precision in ((CPU, F32), (CUDA, F16), (CUDA, BF16)):
        status, engine = create(library, handle, kind=kind, precision=precision)
        assert status == OK, library.vv_last_error()
        motion[kind, precision] = conversation(library, engine)
    expected = motion[CPU, F32]
    assert len(expected) == 50
    for precision, tolerance in ((F16, 2e-3), (BF16, 1e-2)):
        error = np.linalg.norm(motion[CUDA, precision] - expected) / np.linalg.norm(expected - expected.mean(axis=0))
        assert error < tolerance


@pytest.mark.parametrize(
    ("device", "fields", "status", "message"),
    [
        (
            {"DRIVER": 0},
            {},
            UNSUPPORTED,
            "no NVIDIA driver was found; install a newer NVIDIA driver, or use engine cpu",
        ),
        ({"DEVICES": 0}, {}, UNSUPPORTED, "no NVIDIA GPU is visible: use engine cpu"),
        ({"CAPABILITY": 61}, {}, UNSUPPORTED, "has compute capability 6.1; expected at least 7.5"),
        ({"MEMORY": 30 << 20}, {}, OUT_OF_MEMORY, "MiB are free"),
        ({}, {"precision": INT8}, UNSUPPORTED, "precision of engine cuda; expected AUTO, BF16 or F16"),
        ({}, {"device": 1}, 1, "device is 1; expected 0 to 0"),
    ],
)
def test_in_process_errors(
    library: ctypes.CDLL,
    handle: ctypes.c_void_p,
    monkeypatch: pytest.MonkeyPatch,
    device: dict[str, int],
    fields: dict[str, int],
    status: int,
    message: str,
) -> None:
    for name, value in device.items():
        monkeypatch.setenv(f"VISAVIS_EMULATOR_{name}", str(value))
    found, engine = create(library, handle, kind=CUDA, **fields)
    assert (found, engine.value) == (status, None)
    assert message in library.vv_last_error().decode()
