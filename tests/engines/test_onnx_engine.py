"""Exported ONNX graphs: what they are made of, and that ONNX Runtime gives with them what engine cpu gives."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from engine_cases import STYLES, random_turns, write_model
from small_models import small_config

import visavis
from visavis import cli
from visavis.bridge.demo import demo_voice
from visavis.diagnosis.machine import diagnose_machine
from visavis.engine import DEFAULT_MODEL, Engine, TurnInput, load_engine
from visavis.engines.graphs import GRAPHS
from visavis.errors import Error, FileError, InternalError, InvalidArgument, ModelFileError, Unsupported
from visavis.export.onnx import PROFILES, export_onnx, exporter
from visavis.export.onnx.profiles import PORTABLE_OPERATORS
from visavis.model.config import ModelConfig
from visavis.takes.file import load_take

SECONDS = 20
TOLERANCE = 1e-4  # raw units
Floats = np.typing.NDArray[np.float32]


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model's graphs."""
    folder = tmp_path_factory.mktemp("onnx") / "portable"
    export_onnx(None, folder)
    return folder


@pytest.fixture(scope="module")
def ort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model's graphs in the form that ONNX Runtime is fastest with."""
    folder = tmp_path_factory.mktemp("onnx") / "ort"
    export_onnx(None, folder, "ort")
    return folder


def motions(engine: Engine, seconds: float = SECONDS, **options: Any) -> Iterator[Floats]:
    assert engine.open() == 0
    for turn in random_turns(engine.config, int(seconds * 25 / engine.config.turn_frames), **options):
        yield engine.step([turn])[0].motion


def worst_difference(native: Engine, exported: Engine, seconds: float = SECONDS, **turn_options: Any) -> float:
    """Of any value in any frame, each with its own memory."""
    a, b = (np.concatenate(list(motions(engine, seconds, **turn_options))) for engine in (native, exported))
    assert a.std(axis=0).max() > 0.03 and np.abs(a).max() < 20  # and not running away
    return float(np.abs(a - b).max())


EXACT_SECONDS = 8  # the packaged model magnifies what differs: a turn hears the one before


# ---------------------------------------------------------------------------------------------------------- parity


@pytest.mark.parametrize("options", [{}, {"guidance": 1.6, "temperature": 0.7, "seed": 5}], ids=str)
def test_the_packaged_model(portable: Path, options: dict[str, Any]) -> None:
    exported = load_engine(portable, engine="onnx")
    voice = demo_voice("agent").samples  # noise hardly moves a trained mouth
    assert worst_difference(load_engine(), exported, EXACT_SECONDS, voice=voice, **options) < TOLERANCE / 3


def test_the_packaged_model_as_the_benchmark_runs_it(ort: Path) -> None:
    exported = load_engine(ort, engine="onnx")
    voice = demo_voice("agent").samples
    assert worst_difference(load_engine(), exported, voice=voice, temperature=0.7, seed=5) < TOLERANCE
    with pytest.raises(Unsupported, match="guidance is 1.5; graphs of profile ort have none"):
        exported.step([TurnInput(exported.open(), guidance=1.5)])


@pytest.mark.parametrize(
    ("switches", "turn_options"),
    [
        ({}, {"guidance": 1.4}),
        ({"denoise_target": "residual", "sampler": "dpm2m", "steps": 1}, {}),
        ({"denoise_target": "residual", "lip_noise": 0.0}, {"temperature": 1.2}),
        ({"denoise_target": "residual", "lip_noise": 0.0, "sampler": "dpm2m", "steps": 3}, {}),
        ({"own_past": "masked", "denoise_unit": "frame", "noise_coherence": 0.6}, {"guidance": 0.5}),
        ({"own_past": "fed", "sampler": "dpm2m", "steps": 4}, {"guidance": 1.5, "temperature": 0.6}),
        ({"own_past": "fed", "layout": "markers", "denoise_unit": "frame"}, {}),
        ({"layout": "markers", "head_context_frames": 0}, {}),
        ({"agent_lookahead_frames": 0, "turn_frames": 3, "context_turns": 2}, {"turn": 1 << 30}),
        ({"styles": STYLES}, {"guidance": 1.4}),
        ({"styles": STYLES[:1], "layout": "markers", "own_past": "masked", "denoise_unit": "frame"}, {}),
        ({"styles": STYLES, "own_past": "fed"}, {"guidance": 1.5}),
    ],
    ids=str,
)
@pytest.mark.parametrize("ring", ["shift", "slots", "layers"])
def test_switches(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ring: str,
    switches: dict[str, Any],
    turn_options: dict[str, Any],
) -> None:
    """`slots` is what profile trt has, here in float32; `layers` has no guidance."""
    monkeypatch.setitem(PROFILES, "trt", replace(PROFILES["trt"], dtype="float32"))
    if ring == "layers":
        turn_options = {**turn_options, "guidance": 1.0}
    model = write_model(tmp_path / "m.gguf", small_config(**switches))
    if ring == "layers" and switches.get("own_past") == "fed":
        with pytest.raises(Unsupported, match="own past fed, which takes the backbone twice a turn"):
            export_onnx(model, tmp_path / "graphs", "ort")
        return
    export_onnx(model, tmp_path / "graphs", {p.ring: p.name for p in PROFILES.values()}[ring])
    exported = load_engine(model, engine="onnx", graphs=tmp_path / "graphs")
    assert exported.manifest.ring == ring  # type: ignore[attr-defined]
    assert worst_difference(load_engine(model), exported, seed=3, **turn_options) < TOLERANCE


def test_a_fed_model_may_run_masked_and_with_other_steps(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.gguf", small_config(own_past="fed"))
    export_onnx(model, tmp_path / "graphs", steps=3, sampler="dpm2m")
    exported = load_engine(tmp_path / "graphs", engine="onnx", history="masked")
    native = load_engine(model, history="masked", steps=3, sampler="dpm2m")
    assert worst_difference(native, exported) < TOLERANCE
    assert native.config == exported.config and exported.info == replace(native.info, least_steps=3)


def test_half_precision_stays_near(tmp_path: Path) -> None:
    export_onnx(None, tmp_path, "trt")
    exported = load_engine(tmp_path, engine="onnx")
    a, b = (np.concatenate(list(motions(engine, 4))) for engine in (load_engine(), exported))
    deviation = a.std(0)
    moved = deviation > 0.01
    share = np.abs(a - b).mean(0)[moved] / deviation[moved]
    assert 0 < share.mean() < 0.01 and share.max() < 0.03, (share.mean(), share.max())
    assert visavis.load(tmp_path, engine="onnx").engine.precision == "f16"  # type: ignore[attr-defined]


def test_explicit_noise_and_the_engines_own_are_the_same(portable: Path) -> None:
    engine = load_engine(portable, engine="onnx")
    config, core = engine.config, visavis._core  # type: ignore[attr-defined]
    noise = core.noise(9, 0, config.turn_frames, config.n_channels, config.steps, config.noise_coherence)
    turns = [TurnInput(engine.open(), seed=9), TurnInput(engine.open(), noise=noise)]
    a, b = engine.step(turns)
    assert np.array_equal(a.motion, b.motion) and a.steps == config.steps
    assert set(a.stage_ns) == {"speech", "backbone", "denoise"} and min(a.stage_ns.values()) > 0


@pytest.mark.parametrize("profile", ["portable", "ort"])
def test_slots_are_independent_and_a_failed_step_moves_none(profile: str, request: pytest.FixtureRequest) -> None:
    engine = load_engine(request.getfixturevalue(profile), engine="onnx")
    alone, other, third = (engine.open() for _ in range(3))
    bad = TurnInput(other, user_audio=np.zeros(7, np.float32))
    for turn in random_turns(engine.config, 6, seed=2):
        (a,) = engine.step([replace(turn, slot=alone)])
        with pytest.raises(InvalidArgument, match="user_audio has shape"):
            engine.step([replace(turn, slot=third), bad])
        b, _ = engine.step([replace(turn, slot=third), TurnInput(other)])
        assert np.array_equal(a.motion, b.motion)
    engine.reset(alone)
    first = next(random_turns(engine.config, 1, seed=2))
    fresh = engine.open()
    a, b = engine.step([replace(first, slot=alone), replace(first, slot=fresh)])
    assert np.array_equal(a.motion, b.motion)
    engine.close(other)
    with pytest.raises(InvalidArgument, match=f"slot {other} is not open"):
        engine.step([TurnInput(other)])


def test_a_session_runs_on_it(portable: Path) -> None:
    voice = (0.1 * np.sin(np.arange(32_000) * 0.1)).astype(np.float32), 16_000
    native = visavis.animate(agent=voice, seed=4)
    model = visavis.load(portable, engine="onnx")
    assert model.engine_name == "onnx" and model.path == portable / "manifest.json"
    assert np.abs(visavis.animate(agent=voice, seed=4, model=model).values - native.values).max() < TOLERANCE
    checked = visavis.load(engine="onnx", graphs=portable)
    assert checked.path == DEFAULT_MODEL


# ---------------------------------------------------------------------------------------------------------- graphs


@pytest.mark.parametrize("name", PROFILES)
def test_graphs_keep_their_profile(tmp_path: Path, name: str) -> None:
    """Also where every switch that adds operators is on."""
    profile = PROFILES[name]
    own_past = "masked" if profile.single else "fed"
    models = [None, write_model(tmp_path / "m.gguf", small_config(own_past=own_past, layout="markers"))]
    for model in models:
        manifest = export_onnx(model, tmp_path / "graphs", name)
        assert manifest == json.loads((tmp_path / "graphs" / "manifest.json").read_bytes())
        assert tuple(manifest["graphs"]) == (("turn",) if profile.single else GRAPHS)
        for graph in manifest["graphs"]:
            found = onnx.load(tmp_path / "graphs" / f"{graph}.onnx")
            onnx.checker.check_model(found, full_check=True)
            assert [(o.domain, o.version) for o in found.opset_import] == [("", profile.opset)]
            assert {node.op_type for node in found.graph.node} <= profile.operators
            told = manifest["graphs"][graph]
            for side, values in (("inputs", found.graph.input), ("outputs", found.graph.output)):
                shapes = [[d.dim_value for d in value.type.tensor_type.shape.dim] for value in values]
                assert shapes == [value["shape"] for value in told[side]] and all(min(shape) > 0 for shape in shapes)
                assert [value.name for value in values] == [value["name"] for value in told[side]]
            kinds = {onnx.TensorProto.DataType.Name(t.data_type) for t in found.graph.initializer}
            assert kinds <= {"FLOAT", "INT64", "INT32"} if profile.dtype == "float32" else "FLOAT16" in kinds
            assert "INT32" not in kinds or name != "portable"


def test_portable_operators_have_been_in_onnx_since_opset_15() -> None:
    for operator in PORTABLE_OPERATORS:
        assert onnx.defs.get_schema(operator, 15).since_version <= 15


def test_an_operator_that_the_profile_does_not_have_is_refused() -> None:
    with pytest.raises(InternalError, match="graph head uses Gelu, Loop, which profile portable does not have"):
        PROFILES["portable"].check_operators("head", {"Add", "Loop", "Gelu"})


def test_the_same_model_gives_the_same_bytes(portable: Path, tmp_path: Path) -> None:
    export_onnx(None, tmp_path)
    files = sorted(path.name for path in portable.iterdir())
    assert files == ["backbone.onnx", "head.onnx", "manifest.json", "speech.onnx"]
    for file in files:
        assert (tmp_path / file).read_bytes() == (portable / file).read_bytes()


# ---------------------------------------------------------------------------------------------------------- errors


def spoil_manifest(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))

    return spoil


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def truncate(folder: Path) -> None:
    (folder / "head.onnx").write_bytes((folder / "head.onnx").read_bytes()[:-9])


def exchange(folder: Path) -> None:
    (folder / "head.onnx").write_bytes((folder / "speech.onnx").read_bytes())


def change_a_shape(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["graphs"]["backbone"]["inputs"][0]["shape"][0] = 3
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), FileError, "no manifest.json"),
        (lambda folder: (folder / "head.onnx").unlink(), FileError, "head.onnx: cannot be read"),
        (write("manifest.json", b"\xff{"), ModelFileError, "not JSON"),
        (write("manifest.json", b"[1]"), ModelFileError, "format is 'list'; expected 'visavis-onnx'"),
        (write("manifest.json", b'{"format": "x"}'), ModelFileError, "format is 'x'"),
        (spoil_manifest(version=2), ModelFileError, "version is 2; expected 1"),
        (spoil_manifest(config={"depth": 3}), ModelFileError, "fields missing or unknown"),
        (spoil_manifest(graphs={}), ModelFileError, "speech"),
        (spoil_manifest(graphs=3), ModelFileError, "TypeError"),
        (spoil_manifest(ring="loop"), ModelFileError, "ring is 'loop'"),
        (change_a_shape, ModelFileError, "backbone.onnx: inputs are .*the manifest says"),
        (truncate, ModelFileError, "head.onnx: sha256 is .*damaged, or of another export"),
        (exchange, ModelFileError, "head.onnx: sha256 is"),
    ],
)
def test_a_folder_that_is_not_whole(
    portable: Path, tmp_path: Path, spoil: Callable[[Path], None], kind: type[Error], message: str
) -> None:
    shutil.copytree(portable, tmp_path / "graphs")
    spoil(tmp_path / "graphs")
    with pytest.raises(kind, match=message) as caught:
        load_engine(tmp_path / "graphs", engine="onnx")
    assert "visavis export --to onnx" in str(caught.value)


def test_a_graph_that_onnx_runtime_refuses(portable: Path, tmp_path: Path) -> None:
    import hashlib

    shutil.copytree(portable, tmp_path / "graphs")
    (tmp_path / "graphs" / "head.onnx").write_bytes(b"nothing of the kind")
    manifest = json.loads((portable / "manifest.json").read_bytes())
    manifest["graphs"]["head"]["sha256"] = hashlib.sha256(b"nothing of the kind").hexdigest()
    (tmp_path / "graphs" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match="head.onnx: ONNX Runtime refuses it"):
        load_engine(tmp_path / "graphs", engine="onnx")


def test_graphs_of_another_model(portable: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "m.gguf", small_config())
    with pytest.raises(InvalidArgument, match=r"was exported from model .*m\.gguf has"):
        load_engine(other, engine="onnx", graphs=portable)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 7}, "steps is 7; the graphs in .* were exported with"),
        ({"sampler": "ancestral"}, "sampler is ancestral"),
        ({"history": "lagged"}, "history=lagged: this model was trained with own past masked"),
        ({"precision": "bf16"}, "precision, speech_encoder"),
        ({"passes": 2}, "passes, guidance_schedule"),
        ({"guidance_schedule": "linear"}, "passes, guidance_schedule"),
    ],
)
def test_options_that_the_graphs_do_not_have(portable: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        load_engine(portable, engine="onnx", **options)


def test_steps_of_one_turn(portable: Path) -> None:
    engine = load_engine(portable, engine="onnx")
    with pytest.raises(Unsupported, match="steps is 2; these graphs have 3: visavis export --to onnx --steps N"):
        engine.step([TurnInput(engine.open(), steps=2)])


def test_a_model_file_in_place_of_a_folder() -> None:
    for path in (None, DEFAULT_MODEL):
        with pytest.raises(InvalidArgument, match="is not a folder of graphs; make one with `visavis export --to onnx"):
            load_engine(path, engine="onnx")
    with pytest.raises(Unsupported, match="graphs: engine cpu runs model files; use engine onnx"):
        load_engine(graphs="somewhere")


def test_what_the_export_refuses(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="profile is 'tiny'; expected one of portable, trt, ort"):
        export_onnx(None, tmp_path, "tiny")
    config = small_config(positions="absolute", window="exact", layout="markers", denoise_unit="frame")
    model = write_model(tmp_path / "m.gguf", config)
    with pytest.raises(Unsupported, match="the model has positions=absolute; expected relative"):
        export_onnx(model, tmp_path / "graphs")
    config = replace(config, positions="relative", window="ring", context_turns=1)
    with pytest.raises(Unsupported, match="sees 1 turn; expected at least 2"):
        export_onnx(write_model(tmp_path / "m.gguf", config), tmp_path / "graphs")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="export folder .*file: cannot be written"):
        export_onnx(None, tmp_path / "file")


def test_missing_packages_are_named(portable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unsupported, match=r"needs ONNX Runtime, which is missing .*pip install 'visavis\[onnx\]'"):
        load_engine(portable, engine="onnx")
    for name in [name for name in sys.modules if name.startswith("visavis.export.onnx.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(Unsupported, match=r"ONNX export needs the package onnx: pip install 'visavis\[onnx\]'"):
        exporter.export_onnx(None, tmp_path)
    checks = {check.name: check for check in diagnose_machine()}
    assert checks["engine onnx"].status == "warn" and "pip install 'visavis[onnx]'" in checks["engine onnx"].remedy


def test_torch_is_not_needed(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import visavis; from visavis.export.onnx import export_onnx\n"
        f"export_onnx(None, {str(tmp_path)!r}); engine = visavis.load_engine({str(tmp_path)!r}, engine='onnx')\n"
        "print(engine.step([visavis.TurnInput(engine.open())])[0].motion.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "(5, 55)\n", done.stderr


# ----------------------------------------------------------------------------------------------------------- verbs


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "--to", "onnx", "--profile", "trt", "--steps", "2", "--out", str(tmp_path / "graphs")]
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert "speech, backbone, head; opset 20, float16" in capsys.readouterr().out
    assert load_engine(tmp_path / "graphs", engine="onnx").info.steps == 2
    soundfile.write(tmp_path / "voice.wav", np.full(8000, 0.1, np.float32), 16_000)
    words = ["animate", "--model", str(tmp_path / "graphs"), "--engine", "onnx", "--quiet"]
    words += ["--agent", str(tmp_path / "voice.wav"), "--out", str(tmp_path / "motion.npz")]
    words += ["--take", str(tmp_path / "take.npz")]
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    about = load_take(tmp_path / "take.npz").about
    assert (about.engine, about.precision, about.model_file) == ("onnx", "float16", "manifest.json")


def test_the_doctor_times_it() -> None:
    checks = {check.name: check for check in diagnose_machine()}
    assert checks["onnxruntime"].status == "ok" and "ms for a turn of 200 ms" in checks["engine onnx"].found


def test_the_default_configuration_is_what_is_exported(portable: Path) -> None:
    config = ModelConfig.from_dict(json.loads((portable / "manifest.json").read_bytes())["config"])
    assert config == load_engine().config and (config.own_past, config.window) == ("masked", "ring")
