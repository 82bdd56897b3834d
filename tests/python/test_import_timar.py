"""`visavis import-timar`: one model file of checkpoint and wav2vec2, equal to the authors' code on golden data."""

import argparse
import io
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import visavis
from visavis import _core
from visavis.engine import Engine, TurnInput
from visavis.errors import Error, FileError, InvalidArgument, ModelFileError
from visavis.export.gguf import load_gguf, save_gguf
from visavis.model.checkpoint import import_timar, load_official
from visavis.model.config import paper_config
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import load_folder

TINY = Path(__file__).parents[1] / "data" / "timar-tiny"
CHECKPOINT, WAV2VEC2 = TINY / "TIMAR-tiny.pth", TINY / "wav2vec2"


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "visavis", "import-timar", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "tiny.gguf"
    done = command(CHECKPOINT, "--wav2vec2", WAV2VEC2, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "64 wide, 4 blocks, 4 heads, 4 turns of 25 frames, speech 32 wide" in done.stdout
    return out


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(TINY / f"{name}.npz") as file:
        return dict(file)


def stream(engine: Engine, data: dict[str, np.ndarray], noise: list[np.ndarray], **options: float) -> np.ndarray:
    slot = engine.open()
    user, agent = (data[f"{who}_audio"].reshape(6, -1) for who in ("user", "agent"))
    motion = data["user_motion"].reshape(6, 25, 56)
    turns = [TurnInput(slot, user[t], agent[t], motion[t], noise=noise[t], **options) for t in range(6)]
    return np.concatenate([engine.step([turn])[0].motion for turn in turns])


@pytest.mark.parametrize(
    ("name", "options", "turn"),
    [
        ("paper_setting", {}, {}),
        ("history_fed", {"history": "fed"}, {}),
        ("iterative", {"history": "fed", "passes": 4}, {}),
        ("guided", {"history": "fed"}, {"guidance": 1.5, "temperature": 0.8}),
    ],
)
@pytest.mark.parametrize("engine_name", ["torch", "cpu"])
def test_the_imported_file_gives_the_golden_motion(
    imported: Path, engine_name: str, name: str, options: dict[str, Any], turn: dict[str, float]
) -> None:
    data = golden(name)
    noise = (
        data["noise"]
        if name != "iterative"
        else [np.concatenate([data[f"noise_turn{t}_iter{i}"] for i in range(4)], axis=1) for t in range(6)]
    )
    engine = visavis.load_engine(imported, engine=engine_name, **options)
    assert (engine.config.steps, engine.config.window) == (5, "exact")
    np.testing.assert_allclose(stream(engine, data, list(noise), **turn), data["motion"], rtol=0, atol=2e-4)


def test_its_speech_encoder_gives_the_golden_embedding(imported: Path) -> None:
    data = golden("speech")
    found = load_gguf(imported).speech_encoder(torch.from_numpy(data["audio"]))
    np.testing.assert_allclose(found, data["embedding"], rtol=0, atol=2e-4)


def test_an_amortised_window_runs_from_the_file(imported: Path) -> None:
    data = golden("paper_setting")
    torch_motion, cpu_motion = (
        stream(visavis.load_engine(imported, engine=engine, window="amortised"), data, list(data["noise"]))
        for engine in ("torch", "cpu")
    )
    np.testing.assert_allclose(cpu_motion, torch_motion, rtol=0, atol=2e-4)
    np.testing.assert_allclose(torch_motion[:100], data["motion"][:100], rtol=0, atol=2e-4)
    assert np.abs(torch_motion[100:] - data["motion"][100:]).max() > 1e-3


def test_half_precision_halves_the_file_and_stays_close(imported: Path, tmp_path: Path) -> None:
    import_timar(CHECKPOINT, WAV2VEC2, tmp_path / "half.gguf", dtype="f16")
    data = golden("paper_setting")
    motion = stream(visavis.load_engine(tmp_path / "half.gguf", engine="torch"), data, list(data["noise"]))
    assert 0 < np.abs(motion - data["motion"]).max() < 0.02
    assert (tmp_path / "half.gguf").stat().st_size < 0.62 * imported.stat().st_size


def test_the_native_reader_carries_everything(imported: Path) -> None:
    file = _core.ModelFile(imported)
    assert file.name == "timar_tiny" and "averaged weights of epoch" in file.data_note
    assert file.metadata()["visavis.wav2vec2.conv_kernels"] == [10, 3, 3, 3, 3, 2, 2]
    encoder = load_folder(WAV2VEC2, 25)
    for name, tensor in encoder.state_dict().items():
        np.testing.assert_array_equal(file.floats(f"speech_encoder.{name}", list(tensor.shape)), tensor)


def test_raw_weights_and_steps_can_be_chosen(tmp_path: Path) -> None:
    done = command(CHECKPOINT, "--wav2vec2", WAV2VEC2, "--out", tmp_path / "raw.gguf", "--weights", "raw", "--steps", 9)
    assert done.returncode == 0, done.stderr
    with torch.serialization.safe_globals([argparse.Namespace]):
        document = torch.load(CHECKPOINT, weights_only=True)
    model = load_gguf(tmp_path / "raw.gguf")
    assert model.config.steps == 9
    assert (document["model"]["z_proj.weight"] != document["model_ema"]["z_proj.weight"]).any()
    torch.testing.assert_close(model.z_proj.weight.detach(), document["model"]["z_proj.weight"], rtol=0, atol=0)


def write_checkpoint(path: Path, name: str, width: int, heads: int, **options: Any) -> Timar:
    config = paper_config(
        width=width, heads=heads, depth=2, token_width=32, speech_width=32, head_width=24, head_depth=1, **options
    )
    model = Timar(config)
    outer = ("motion_mean", "motion_std", "motion_weight")
    weights = {k: v for k, v in model.saved_tensors().items() if k not in outer}
    args = argparse.Namespace(model=name, motion_fps=25, chunk_second=1, use_causal_attn=True, use_encoder_only=True)
    torch.save({"model": weights, "model_ema": weights, "epoch": 3, "args": args}, path)
    return model


@pytest.mark.parametrize(("size", "width", "heads"), [("base", 768, 12), ("large", 1024, 16), ("huge", 1280, 16)])
def test_the_published_sizes_are_inferred(size: str, width: int, heads: int, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c.pth", f"timar_{size}", width, heads)
    c = import_timar(tmp_path / "c.pth", WAV2VEC2, tmp_path / "m.gguf", dtype="f16").config
    assert (c.width, c.heads, c.depth, c.context_turns, c.turn_frames) == (width, heads, 2, 8, 25)
    assert (c.token_width, c.head_width, c.head_depth, c.mlp_ratio) == (32, 24, 1, 4)
    assert _core.ModelFile(tmp_path / "m.gguf").metadata()["visavis.heads"] == heads


def test_other_sizes_need_their_number_of_heads(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "c.pth", "mine", 48, 3, mlp_ratio=2, context_turns=3)
    with pytest.raises(InvalidArgument, match="'mine' and 48 wide.*give heads"):
        import_timar(tmp_path / "c.pth", WAV2VEC2, tmp_path / "m.gguf")
    assert import_timar(tmp_path / "c.pth", WAV2VEC2, tmp_path / "m.gguf", heads=3).config == model.config


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["model_ema"].pop(name)


def reshaped(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["model_ema"].update({name: torch.zeros(3, 5)})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("mask_token"), "tensor 'mask_token' is missing"),
        (without("encoder_norm.bias"), "tensors missing: encoder_norm.bias"),
        (without("encoder_blocks.2.mlp.fc1.weight"), "tensors missing: encoder_blocks.2.mlp.fc1.weight"),
        (reshaped("z_proj.weight"), "tensor z_proj.weight has shape (3, 5); expected (64, 48)"),
        (reshaped("mask_token"), "tensors of odd ranks|tensor tuple index out of range is missing"),
        (reshaped("encoder_pos_embed_learned"), "5 positions are no whole number of turns of 110 tokens"),
        (lambda d: d["model_ema"].update(stranger=torch.zeros(1)), "tensors unknown: stranger"),
        (lambda d: d["model_ema"].update(z_proj=3), "model_ema['z_proj'] is a int; expected a tensor"),
        (lambda d: d["model_ema"]["z_proj.bias"].fill_(np.nan), "z_proj.bias holds values that are not finite"),
        (lambda d: d.pop("model_ema"), "no 'model_ema' of type dict"),
        (lambda d: d.pop("args"), "no 'args' of type Namespace"),
        (lambda d: setattr(d["args"], "use_causal_attn", False), "holds a bidirectional model"),
        (lambda d: setattr(d["args"], "use_encoder_only", False), "holds an encoder-decoder model"),
    ],
)
def test_a_wrong_checkpoint_is_named_and_leaves_no_file(
    spoil: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    with torch.serialization.safe_globals([argparse.Namespace]):
        document = torch.load(CHECKPOINT, weights_only=True)
    spoil(document)
    torch.save(document, tmp_path / "c.pth")
    with pytest.raises(Error) as error:
        import_timar(tmp_path / "c.pth", WAV2VEC2, tmp_path / "m.gguf")
    assert any(part in str(error.value) for part in message.split("|")), error.value
    assert [p.name for p in tmp_path.iterdir()] == ["c.pth"]


class Payload:
    """What must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("it ran",))


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    torch.save(document, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(CHECKPOINT.read_bytes()[:100_000], "damaged, cut short or no file of torch.save: ", id="cut"),
        pytest.param(b"no checkpoint", "damaged, cut short or no file of torch.save: UnpicklingError", id="text"),
        pytest.param(pickle.dumps({"model": Payload()}, 4), "damaged, cut short or no file of torch", id="pickle"),
        pytest.param(saved({"model": Payload()}), "it asks for print; only tensors and plain values", id="payload"),
    ],
)
def test_the_command_refuses_in_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(content)
    done = command(path, "--wav2vec2", WAV2VEC2, "--out", tmp_path / "m.gguf")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import: ")]  # progress, if it takes long
    assert done.returncode == 2 and len(lines) == 1 and done.stdout == ""
    assert lines[0].startswith(f"visavis: checkpoint {path}: cannot be read safely ({reason}")
    assert [p.name for p in tmp_path.iterdir()] == ["cut.pth"]


# ---- wav2vec2


def hugging_face(folder: Path, norm: str, stable: bool, bias: bool, **options: Any) -> Any:
    """A random wav2vec2 as its own library writes it."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(1)
    small = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40)
    convolutions = dict(conv_dim=[12] * 7, num_conv_pos_embeddings=9 + stable, num_conv_pos_embedding_groups=2)
    config = Wav2Vec2Config(
        **small, **convolutions, feat_extract_norm=norm, do_stable_layer_norm=stable, conv_bias=bias, **options
    )
    model = Wav2Vec2Model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize("stable", [True, False])
@torch.no_grad()
def test_both_kinds_of_norm_equal_the_library_they_come_from(norm: str, stable: bool, tmp_path: Path) -> None:
    theirs = hugging_face(tmp_path / "w", norm, stable, bias=norm == "layer")
    audio = torch.randn(3, 2 * 16000, generator=torch.Generator().manual_seed(2))
    x = theirs.feature_extractor(audio.reshape(6, 16000))
    x = torch.nn.functional.interpolate(x, size=25, mode="linear", align_corners=True)
    x, _ = theirs.feature_projection(x.transpose(1, 2))
    expected = theirs.encoder(x).last_hidden_state.reshape(3, 50, 24)
    torch.testing.assert_close(load_folder(tmp_path / "w", 25)(audio), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize("stable", [True, False])
def test_engine_cpu_hears_as_torch_does(norm: str, stable: bool, tmp_path: Path) -> None:
    """Several heads in one step, one of them without a voice."""
    hugging_face(tmp_path / "w", norm, stable, bias=norm == "layer")
    config = paper_config(width=32, heads=2, depth=1, token_width=16, speech_width=24, head_width=24, head_depth=1)
    torch.manual_seed(3)
    model = Timar(config.with_options(context_turns=2), speech_encoder=tmp_path / "w")
    with torch.no_grad():
        for parameter in model.diffloss.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_gguf(tmp_path / "m.gguf", model.eval(), dtype="f32")
    audio = np.random.default_rng(0).standard_normal((3, 2, 2, 16000)).astype(np.float32)
    found = {}
    for name in ("torch", "cpu"):
        engine = visavis.load_engine(tmp_path / "m.gguf", engine=name)
        slots = [engine.open() for _ in range(3)]
        found[name] = []
        for t in range(2):
            turns = [TurnInput(s, audio[s, 0, t], audio[s, 1, t] if s else None, seed=s) for s in slots]
            found[name] += [out.motion for out in engine.step(turns)]
    np.testing.assert_allclose(found["cpu"], found["torch"], rtol=0, atol=1e-4)
    assert np.abs(found["cpu"][1] - found["cpu"][2]).max() > 1e-3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", 0, '"visavis.wav2vec2.width" is 0; expected 1 to 16384'),
        ("width", 64, "wav2vec2 is 64 wide; speech_width is 32"),
        ("heads", 5, "width 32 does not divide by 5 heads"),
        ("depth", 3, '"speech_encoder.blocks.2.norm1.weight" is missing'),
        ("mlp_width", 65, "expected (65"),
        ("position_kernel", 5000, "expected 1 to 4096"),
        ("conv_strides", [5, 2, 2], "differ in length"),
        ("conv_strides", [5, 2, 2, 2, 2, 2, 1000], None),
        ("conv_strides", [1000, 1000, 2, 2, 2, 2, 2], "sees nothing in the 16000 samples"),
        ("conv_kernels", [], "is missing"),
        ("conv_norm", "none", "expected layer or group"),
        ("eps", 0.0, "expected 0 < eps < 1"),
    ],
)
def test_engine_cpu_refuses_a_wrong_description_of_its_encoder(
    field: str, value: Any, message: str | None, tmp_path: Path
) -> None:
    model = load_official(CHECKPOINT, WAV2VEC2)
    fields = model.speech_encoder.config.to_dict() | {field: value}
    model.speech_encoder.config = SimpleNamespace(to_dict=lambda: {k: v for k, v in fields.items() if v != []})
    save_gguf(tmp_path / "m.gguf", model, dtype="f32")
    if message is None:
        assert visavis.load_engine(tmp_path / "m.gguf", engine="cpu").open() == 0
        return
    with pytest.raises(ModelFileError) as error:
        visavis.load_engine(tmp_path / "m.gguf", engine="cpu")
    assert message in str(error.value)


def test_older_folders_are_read_too(tmp_path: Path) -> None:
    """pytorch_model.bin of a model with a head, the weight norm's parts under their old names."""
    weights = load_file(WAV2VEC2 / "model.safetensors")
    conv = "encoder.pos_conv_embed.conv"
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        weights[f"{conv}.{old}"] = weights.pop(f"{conv}.parametrizations.weight.{new}")
    old_names = {f"wav2vec2.{name}": tensor for name, tensor in weights.items()}
    torch.save({**old_names, "lm_head.weight": torch.zeros(32, 32)}, tmp_path / "pytorch_model.bin")
    shutil.copy(WAV2VEC2 / "config.json", tmp_path)
    for name, tensor in load_folder(WAV2VEC2, 25).state_dict().items():
        torch.testing.assert_close(load_folder(tmp_path, 25).state_dict()[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "hubert"}, "model_type is 'hubert'; expected wav2vec2"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; only gelu"),
        ({"hidden_size": None}, "config.json is not readable"),
        ({"conv_stride": [5, 2]}, "three for each convolution"),
        ({"num_attention_heads": 5}, "width 32 does not divide by 5 heads"),
        ({"feat_extract_norm": "none"}, "conv_norm is 'none'; expected layer or group"),
        ({"intermediate_size": 65}, "blocks.0.mlp.fc1.weight has shape (64, 32); config.json says (65, 32)"),
        ({"num_hidden_layers": 3}, "tensor encoder.layers.2.layer_norm.weight is missing"),
        ({"adapter_attn_dim": 16}, "attention adapters"),
    ],
)
def test_a_wrong_speech_folder_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(WAV2VEC2, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(Error) as error:
        import_timar(CHECKPOINT, folder, tmp_path / "m.gguf")
    assert message in str(error.value)
    assert not (tmp_path / "m.gguf").exists()


def test_missing_parts_of_a_speech_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no config\.json"):
        load_folder(tmp_path, 25)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"config\.json is not readable"):
        load_folder(tmp_path, 25)
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    with pytest.raises(ModelFileError, match=r"config\.json has no 'hidden_size'"):
        load_folder(tmp_path, 25)
    shutil.copy(WAV2VEC2 / "config.json", tmp_path)
    with pytest.raises(FileError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        load_folder(tmp_path, 25)
    (tmp_path / "model.safetensors").write_bytes((WAV2VEC2 / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelFileError, match=r"model\.safetensors cannot be read"):
        load_folder(tmp_path, 25)
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"tensor feature_extractor\.conv_layers\.0\.conv\.weight is missing"):
        load_folder(tmp_path, 25)


def test_a_speech_encoder_of_another_width_is_refused(tmp_path: Path) -> None:
    hugging_face(tmp_path / "w", "group", stable=False, bias=False)
    with pytest.raises(InvalidArgument, match="is 24 wide; the model expects 32"):
        import_timar(CHECKPOINT, tmp_path / "w", tmp_path / "m.gguf")
    assert not (tmp_path / "m.gguf").exists()
