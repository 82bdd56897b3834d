"""Engine tensorrt on an emulated GPU: its loop, its memory, its cache and its errors; and engine auto.

The graphs of profile trt run in ONNX Runtime on both sides, so that engine onnx is met to the bit.
"""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gpu_emulator
import numpy as np
import pytest
from engine_cases import STYLES, random_turns, write_model
from gpu_emulator import Emulator, install
from small_models import small_config

import visavis
from visavis import cli, engine
from visavis.diagnosis.machine import diagnose_machine
from visavis.engine import Engine, TurnInput, load_engine
from visavis.engines.engine_cache import cache_folder
from visavis.engines.engine_set import ENGINES_FILE, read_engine_set
from visavis.errors import Error, FileError, FullError, InvalidArgument, ModelFileError, Unsupported
from visavis.export.onnx import PROFILES
from visavis.export.tensorrt import export_tensorrt


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.gguf", small_config())


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emulator:
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "cache"))
    return install(monkeypatch)


@pytest.fixture
def folder(gpu: Emulator, model: Path, tmp_path: Path) -> Path:
    export_tensorrt(model, tmp_path / "engines", targets=("8.6", "8.9"))
    return tmp_path / "engines"


def motions(engine: Engine, n_turns: int = 25, **options: Any) -> Iterator[Any]:
    slot = engine.open()
    for turn in random_turns(engine.config, n_turns, **options):
        yield engine.step([replace(turn, slot=slot)])[0].motion


# ---------------------------------------------------------------------------------------------------------- turns


@pytest.mark.parametrize(
    ("switches", "options"),
    [
        ({}, {}),
        ({}, {"guidance": 1.5, "temperature": 0.7}),
        ({"own_past": "masked", "denoise_unit": "frame"}, {"guidance": 0.5}),
        ({"own_past": "fed", "sampler": "dpm2m", "steps": 3}, {}),
        ({"own_past": "fed"}, {"guidance": 1.5}),
        ({"own_past": "fed", "styles": STYLES}, {"guidance": 1.5}),
        ({"layout": "markers", "context_turns": 2, "turn_frames": 3, "agent_lookahead_frames": 0}, {"turn": 1 << 30}),
    ],
    ids=str,
)
def test_turns_are_those_of_engine_onnx(
    gpu: Emulator, tmp_path: Path, switches: dict[str, Any], options: dict[str, Any]
) -> None:
    path = write_model(tmp_path / "m.gguf", small_config(**switches))
    export_tensorrt(path, tmp_path / "engines")
    exported, other = load_engine(tmp_path / "engines", "tensorrt"), load_engine(tmp_path / "engines", "onnx")
    assert exported.config == other.config and exported.info == other.info
    made = list(zip(motions(exported, **options), motions(other, **options), strict=True))
    assert all(np.array_equal(a, b) for a, b in made) and np.std([a for a, _ in made]) > 0.03


def test_turns_are_those_of_engine_cpu(
    gpu: Emulator, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, which no engine of TensorRT has, so that nothing but the loop could differ."""
    monkeypatch.setitem(PROFILES, "trt", replace(PROFILES["trt"], dtype="float32"))
    export_tensorrt(model, tmp_path / "engines")
    exported = load_engine(model, "tensorrt", graphs=tmp_path / "engines")
    for options in ({"seed": 3}, {"seed": 3, "guidance": 1.4}):
        a, b = (np.array(list(motions(one, 60, **options))) for one in (load_engine(model), exported))
        assert np.abs(a - b).max() < 1e-4 and a.std() > 0.03


def test_guidance_may_come_and_go(folder: Path) -> None:
    a, b = (load_engine(folder, name) for name in ("tensorrt", "onnx"))
    slot = a.open(), b.open()
    for i, turn in enumerate(random_turns(a.config, 9)):
        turn.guidance = 1.0 if i % 3 else 1.7
        made = [one.step([replace(turn, slot=s)])[0].motion for one, s in zip((a, b), slot, strict=True)]
        assert np.array_equal(*made)


def test_slots_are_independent_and_a_failed_step_moves_none(folder: Path) -> None:
    engine = load_engine(folder, "tensorrt")
    alone, other, third = (engine.open() for _ in range(3))
    bad = TurnInput(other, user_audio=np.zeros(7, np.float32))
    for turn in random_turns(engine.config, 9, seed=2):
        (a,) = engine.step([replace(turn, slot=alone)])
        with pytest.raises(InvalidArgument, match="user_audio has shape"):
            engine.step([replace(turn, slot=third), bad])
        b, _ = engine.step([replace(turn, slot=third), TurnInput(other)])
        assert np.array_equal(a.motion, b.motion)
    engine.reset(alone)
    first, fresh = next(random_turns(engine.config, 1, seed=2)), engine.open()
    a, b = engine.step([replace(first, slot=alone), replace(first, slot=fresh)])
    assert np.array_equal(a.motion, b.motion)
    engine.close(other)
    with pytest.raises(InvalidArgument, match=f"slot {other} is not open"):
        engine.step([TurnInput(other)])


def test_a_turn_is_one_launch_and_takes_no_memory(folder: Path, gpu: Emulator) -> None:
    engine = load_engine(folder, "tensorrt")
    assert (gpu.n_compiled, gpu.n_launches) == (3, 0)  # compiled before the first session
    slot = engine.open()
    n_allocations = gpu.n_allocations
    for guidance in (1.0, 1.0, 1.3, 1.3):
        (out,) = engine.step([TurnInput(slot, guidance=guidance)])
    assert gpu.n_launches == 4 and gpu.n_allocations == n_allocations and gpu.n_compiled == 3
    assert out.steps == engine.config.steps and out.stage_ns["turn"] > 0
    assert (engine.precision, engine.capability) == ("f16", "8.9")  # type: ignore[attr-defined]


@pytest.mark.parametrize("capturable", [True, False])
def test_a_closed_session_gives_its_memory_back(folder: Path, gpu: Emulator, capturable: bool) -> None:
    gpu.capturable = capturable
    engine = load_engine(folder, "tensorrt")
    engine.close(engine.open())
    room = gpu.room
    for _ in range(3):
        slot = engine.open()
        engine.step([TurnInput(slot), TurnInput(engine.open(), guidance=1.5)])
        engine.reset(slot)
        for open_slot in list(engine._slots):  # type: ignore[attr-defined]
            engine.close(open_slot)
        assert gpu.room == room


def test_engines_that_cannot_be_recorded_run_all_the_same(folder: Path, gpu: Emulator) -> None:
    gpu.capturable = False
    a, b = (np.array(list(motions(load_engine(folder, name), 5))) for name in ("tensorrt", "onnx"))
    assert np.array_equal(a, b) and gpu.n_launches == 0


def test_a_session_runs_on_it(folder: Path) -> None:
    voice = (0.1 * np.sin(np.arange(32_000) * 0.1)).astype(np.float32), 16_000
    loaded = visavis.load(folder, engine="tensorrt")
    assert loaded.engine_name == "tensorrt" and loaded.path == folder / "manifest.json"
    made = visavis.animate(agent=voice, seed=4, model=loaded).values
    assert np.array_equal(made, visavis.animate(agent=voice, seed=4, model=folder, engine="onnx").values)


# -------------------------------------------------------------------------------------- engines of a model file


def test_a_model_file_is_built_once_for_the_gpu(
    gpu: Emulator, model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_engine(model, "tensorrt", steps=3)
    assert gpu.n_builds == 3 and first.info.steps == 3
    (line,) = (record.message for record in caplog.records)
    assert "builds engines of small.gguf for Emulated in" in line
    (built,) = (path for path in cache_folder().iterdir() if path.is_dir())
    assert read_engine_set(built).targets == ("8.9",)
    a, b = (np.array(list(motions(one, 3))) for one in (first, load_engine(model, "tensorrt", steps=3)))
    assert np.array_equal(a, b) and gpu.n_builds == 3 and len(caplog.records) == 1

    def n_folders() -> int:
        return sum(path.is_dir() for path in cache_folder().iterdir())

    load_engine(model, "tensorrt")  # other steps
    assert (gpu.n_builds, n_folders()) == (6, 2)
    (built / "head.engine").write_bytes(b"damaged")
    load_engine(model, "tensorrt", steps=3)
    assert (gpu.n_builds, n_folders()) == (9, 2)
    assert "builds its engines again: " in caplog.text and "head.engine: sha256 is" in caplog.text
    install(monkeypatch, rtx="1.8.0")
    load_engine(model, "tensorrt", steps=3)
    assert (gpu_emulator.emulator.n_builds, n_folders()) == (3, 3)  # of another release: beside the others
    assert not list(cache_folder().glob("unfinished-*"))


def test_the_library_that_knows_the_gpu_is_taken(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path / "cache"))
    gpu = install(monkeypatch, rtx="1.7.1", full="11.4")
    gpu.capability = "9.0"
    load_engine(model, "tensorrt")
    (built,) = (path for path in cache_folder().iterdir() if path.is_dir())
    engines = read_engine_set(built)
    assert (engines.library, engines.library_version, engines.targets) == ("tensorrt", "11.4", ("9.0",))
    install(monkeypatch).capability = "9.0"
    with pytest.raises(Unsupported, match=r"1.7.1 knows compute capability 7.5, .*has 9.0; tensorrt: the package"):
        load_engine(model, "tensorrt")


def test_compiled_kernels_are_kept(folder: Path, gpu: Emulator) -> None:
    load_engine(folder, "tensorrt")
    (file,) = cache_folder().glob("compiled-*.cache")
    assert file.read_bytes() == b"compiled for 8.9"
    file.write_bytes(b"of another driver")
    load_engine(folder, "tensorrt")
    assert file.read_bytes() == b"compiled for 8.9"
    file.unlink()
    file.mkdir()  # nothing can be written there, which is no error
    load_engine(folder, "tensorrt")


# --------------------------------------------------------------------------------------------------------- errors


def no_driver(gpu: Emulator) -> None:
    gpu.driver = False


def no_gpu(gpu: Emulator) -> None:
    gpu.n_gpus = 0


def another_gpu(gpu: Emulator) -> None:
    gpu.capability = "12.0"


def old_driver(gpu: Emulator) -> None:
    gpu.cuda = 12020


def full(gpu: Emulator) -> None:
    gpu.room = 5_000


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (no_driver, Unsupported, "no NVIDIA driver: libcuda.so.1 .*install the driver of its GPU, or use engine cpu"),
        (no_gpu, Unsupported, "no NVIDIA GPU: the driver sees none .*use engine cpu"),
        (another_gpu, Unsupported, "built for compute capability 8.6, 8.9; the GPU has 12.0; .*--target 12.0"),
        (old_driver, Unsupported, "INSUFFICIENT_DRIVER.*knows CUDA 12.2: install a newer NVIDIA driver"),
        (full, FullError, "OUT_OF_MEMORY.*close sessions or other programs on the GPU, or use engine cpu"),
    ],
)
def test_a_gpu_that_does_not_do(folder: Path, gpu: Emulator, spoil: Any, kind: type[Error], message: str) -> None:
    spoil(gpu)
    with pytest.raises(kind, match=message):
        load_engine(folder, "tensorrt")


def test_a_gpu_that_is_full_takes_no_more_sessions(folder: Path, gpu: Emulator) -> None:
    engine = load_engine(folder, "tensorrt")
    slot = engine.open()
    gpu.room = 1000
    with pytest.raises(FullError, match="taking .* bytes of memory on Emulated: .*OUT_OF_MEMORY"):
        engine.open()
    assert np.isfinite(engine.step([TurnInput(slot)])[0].motion).all()


def test_the_library_refuses_an_engine(folder: Path, gpu: Emulator) -> None:
    """Where engines.json names no target, the library alone knows."""
    gpu.capability = "12.0"
    path = folder / ENGINES_FILE
    path.write_text(path.read_text().replace('"8.6",', "").replace('"8.9"', '"12.0"'))
    with pytest.raises(Unsupported, match="engine speech: .*refuses it on Emulated .*not built for this compute capab"):
        load_engine(folder, "tensorrt")


def test_engines_of_another_release(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, rtx="1.8.0")
    with pytest.raises(Unsupported, match=r"built by tensorrt-rtx 1.7.1; installed is 1.8.0, .*visavis export --to"):
        load_engine(folder, "tensorrt")


def test_missing_packages_are_named(folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(Unsupported, match=r"cuda-core and cuda-bindings .*pip install 'visavis\[tensorrt-rtx\]'"):
        load_engine(folder, "tensorrt")
    install(monkeypatch, rtx=None)
    for call in (lambda: load_engine(folder, "tensorrt"), lambda: export_tensorrt(model, tmp_path / "x")):
        with pytest.raises(Unsupported, match=r"tensorrt-rtx: the package is not .*'visavis\[tensorrt-rtx\]'"):
            call()
    with pytest.raises(Unsupported, match=r"engine tensorrt: tensorrt-rtx: the package.*; tensorrt: the package .*cpu"):
        load_engine(model, "tensorrt")


def damage(folder: Path) -> None:
    path = folder / "head.engine"
    path.write_bytes(path.read_bytes()[:-9])


def other_graphs(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"random"', '"another"'))


def without_engine(folder: Path) -> None:
    (folder / "speech.engine").unlink()


def write(text: str) -> Any:
    return lambda folder: (folder / ENGINES_FILE).write_text(text) and None


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda folder: (folder / ENGINES_FILE).unlink(), FileError, "no engines.json"),
        (without_engine, FileError, "speech.engine: cannot be read"),
        (damage, ModelFileError, "head.engine: sha256 is .*damaged, or of another export"),
        (other_graphs, ModelFileError, "of other graphs than manifest.json tells of"),
        (write("{"), ModelFileError, "not JSON"),
        (write("[]"), ModelFileError, "format is 'list'; expected 'visavis-tensorrt'"),
        (write('{"format": "visavis-tensorrt", "version": 7}'), ModelFileError, "version is 7; expected 1"),
        (write('{"format": "visavis-tensorrt", "version": 1}'), ModelFileError, "KeyError"),
    ],
)
def test_a_folder_that_is_not_whole(folder: Path, spoil: Any, kind: type[Error], message: str) -> None:
    spoil(folder)
    with pytest.raises(kind, match=message) as caught:
        load_engine(folder, "tensorrt")
    assert "visavis export --to tensorrt-rtx" in str(caught.value)


def test_a_folder_that_was_begun_is_not_taken_for_whole(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_emulator.OnnxParser, "parse", lambda self, graph: False)
    with pytest.raises(Unsupported, match="graph speech: tensorrt-rtx 1.7.1 cannot read it: In node -1: not a model"):
        export_tensorrt(model, folder)
    with pytest.raises(FileError, match=r"no engines\.json"):
        load_engine(folder, "tensorrt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 7}, "steps is 7; the graphs in .* were exported with"),
        ({"precision": "bf16"}, "engine tensorrt computes in f16"),
        ({"threads": 2}, "engine tensorrt computes in f16"),
        ({"passes": 2}, "engine tensorrt decodes a turn in one pass"),
    ],
)
def test_options_that_the_engines_do_not_have(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        load_engine(folder, "tensorrt", **options)


def test_other_engines_of_other_models(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match="was exported from model 'random'"):
        load_engine(engine="tensorrt", graphs=folder)
    with pytest.raises(InvalidArgument, match="device is 3; expected 0 to 0"):
        load_engine(folder, "tensorrt", device=3)
    engine = load_engine(folder, "tensorrt")
    with pytest.raises(Unsupported, match="steps is 2; these graphs have 5: visavis export --to tensorrt-rtx --steps"):
        engine.step([TurnInput(engine.open(), steps=2)])


# --------------------------------------------------------------------------------------------------------- export


def test_the_full_library_builds_on_the_gpu(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = install(monkeypatch, rtx=None, full="11.4")
    about = export_tensorrt(model, tmp_path / "engines", "tensorrt")
    assert (about["library"], about["targets"]) == ("tensorrt", ["8.9"])
    a, b = (np.array(list(motions(load_engine(tmp_path / "engines", name), 5))) for name in ("tensorrt", "onnx"))
    assert np.array_equal(a, b)
    with pytest.raises(Unsupported, match="target 8.6: tensorrt builds for the GPU of this machine alone"):
        export_tensorrt(model, tmp_path / "engines", "tensorrt", ("8.6",))
    gpu.n_gpus = 0
    with pytest.raises(Unsupported, match="no NVIDIA GPU"):
        export_tensorrt(model, tmp_path / "engines", "tensorrt")


def test_what_the_export_refuses(gpu: Emulator, model: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="target '9.0': .* builds for compute capability 7.5, 8.6, 8.9, 12.0;"):
        export_tensorrt(model, tmp_path, targets=("8.6", "9.0"))
    with pytest.raises(InvalidArgument, match="library is 'rtx'; expected one of tensorrt-rtx, tensorrt"):
        export_tensorrt(model, tmp_path, "rtx")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="export folder .*file: cannot be written"):
        export_tensorrt(model, tmp_path / "file")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code


def test_the_verb(
    gpu: Emulator, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "engines"
    words = ["export", "--to", "tensorrt-rtx", "--model", str(model), "--out", str(out)]
    assert not run(monkeypatch, *words, "--target", "8.6", "--target", "8.9", "--steps", "2")
    told = capsys.readouterr().out
    assert "speech, backbone, head; tensorrt-rtx 1.7.1 for compute capability 8.6, 8.9; 3 kernels, 3 of them" in told
    assert load_engine(out, "tensorrt").info.steps == 2
    assert run(monkeypatch, *words, "--profile", "ort") == 2
    assert "--profile ort is for --to onnx; engines are built of profile trt" in capsys.readouterr().err
    assert run(monkeypatch, *words[:2], "onnx", *words[3:], "--target", "8.6") == 2
    assert "--target is for engines" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------- auto and the doctor


def test_auto_is_cpu_where_cuda_does_not_run(
    model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_said", set())
    monkeypatch.setenv("VISAVIS_CUDA_LIBRARY", "/nowhere/libvisavis_cuda.so")
    with caplog.at_level(logging.WARNING):
        for options in ({}, {}, {"threads": 2, "precision": "f32"}, {"precision": "f16", "device": 1}):
            made = load_engine(model, "auto", **options)
            assert type(made).__name__ == "CpuEngine" and made.precision == "f32"  # type: ignore[attr-defined]
    first, second = (record.message for record in caplog.records)
    assert first.startswith("engine auto: cpu, because library") and "libvisavis_cuda.so" in first
    assert second == "engine auto: cpu, because precision is f32, which engine cuda does not have"
    with pytest.raises(Unsupported, match="graphs: engine auto runs model files"):
        load_engine(model, "auto", graphs=model.parent)


def test_the_doctor_says_what_runs(gpu: Emulator, model: Path) -> None:
    checks = {check.name: check for check in diagnose_machine(model)}
    assert checks["gpu"].found == "Emulated, compute capability 8.9, 24 GB; driver for CUDA 13.0"
    assert "ms for a turn of 200 ms" in checks["engine tensorrt"].found
    gpu.driver = False
    checks = {check.name: check for check in diagnose_machine(model)}
    for name in ("gpu", "engine tensorrt"):
        assert checks[name].status == "warn" and checks[name].found.startswith("no NVIDIA driver: libcuda.so.1")
        assert checks[name].remedy == "install the driver of its GPU, or use engine cpu"
    assert (
        "without libvisavis_cuda" in checks["engine cuda"].found and "VISAVIS_CUDA=on" in checks["engine cuda"].remedy
    )


@pytest.mark.gpu
def test_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves against float32 over 4 s, as test_onnx_engine.py has them for the same graphs."""
    monkeypatch.setenv("VISAVIS_CACHE", str(tmp_path))
    a, b = (np.concatenate(list(motions(load_engine(engine=name), 20))) for name in ("tensorrt", "cpu"))
    deviation = b.std(0)
    moved = deviation > 0.01
    share = np.abs(a - b).mean(0)[moved] / deviation[moved]
    assert 0 < share.mean() < 0.01 and share.max() < 0.03, (share.mean(), share.max())
