"""`visavis export --to gguf`: a model file with other defaults, and a history that is seen less far."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import randomised, small_config

from visavis import _core
from visavis.cli import build_app
from visavis.engine import TurnInput
from visavis.errors import InvalidArgument
from visavis.export.defaults import change_defaults
from visavis.export.gguf import load_gguf, save_gguf
from visavis.model.timar import Timar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = randomised(Timar(small_config(denoise_target="residual", sampler="dpm2m")))
    save_gguf(tmp_path / "m.gguf", model, name="small", license="MIT", data_note="noise", dtype="bf16")
    return tmp_path / "m.gguf"


def motions(path: Path, n_turns: int) -> list[np.ndarray]:
    engine = _core.CpuEngine(path)
    info, slot, rng = engine.info, engine.open(), np.random.default_rng(1)
    n = info.turn_frames * 640
    return [
        engine.step([TurnInput(slot, agent_audio=rng.standard_normal(n + info.agent_lookahead_frames * 640, np.float32),
                               user_audio=rng.standard_normal(n, np.float32), seed=1)])[0].motion
        for _ in range(n_turns)
    ]  # fmt: skip


def test_defaults_change_and_nothing_else(path: Path, tmp_path: Path) -> None:
    words = ["export", "--to", "gguf", "--model", path, "--out", tmp_path / "n.gguf", "--steps", "2",
             "--set", "noise_coherence=0.5", "--set", "lip_noise=0.25", "--set", "turn_join=0.75",
             "--set", "noise_scale=1.25"]  # fmt: skip
    build_app()([str(w) for w in words], prog_name="visavis", standalone_mode=False)
    old, new = load_gguf(path), load_gguf(tmp_path / "n.gguf")
    assert new.config == old.config.with_options(
        steps=2, noise_coherence=0.5, lip_noise=0.25, turn_join=0.75, noise_scale=1.25
    )
    for name, tensor in old.saved_tensors().items():
        assert torch.equal(tensor, new.saved_tensors()[name]), name
    file = _core.ModelFile(tmp_path / "n.gguf")
    assert (file.name, file.license, file.data_note) == ("small", "MIT", "noise")
    assert file.tensors() == _core.ModelFile(path).tensors()
    change_defaults(path, tmp_path / "same.gguf", [])
    assert (tmp_path / "same.gguf").read_bytes() == path.read_bytes()


def test_the_mean_of_models_of_one_lineage(path: Path, tmp_path: Path) -> None:
    models = [load_gguf(path) for _ in range(3)]
    for i, model in enumerate(models[1:]):
        for parameter in model.parameters():
            parameter.data += 0.25 * (i + 1)
        save_gguf(tmp_path / f"{i}.gguf", model, dtype="f32")
    words = ["export", "--to", "gguf", "--model", path, "--average", tmp_path / "0.gguf", "--average",
             tmp_path / "1.gguf", "--steps", "2", "--out", tmp_path / "mean.gguf"]  # fmt: skip
    build_app()([str(w) for w in words], prog_name="visavis", standalone_mode=False)
    mean, trained = load_gguf(tmp_path / "mean.gguf"), {name for name, _ in models[0].named_parameters()}
    assert mean.config.steps == 2 and _core.ModelFile(tmp_path / "mean.gguf").name == "small"
    for name, tensor in models[0].saved_tensors().items():
        wanted = tensor + 0.25 if name in trained else tensor
        torch.testing.assert_close(mean.saved_tensors()[name], wanted, rtol=2**-8, atol=1e-6, msg=name)


def test_models_of_another_kind_have_no_mean(path: Path, tmp_path: Path) -> None:
    blind = Timar(load_gguf(path).config.with_options(own_past="masked"))
    other = load_gguf(path)
    other.motion_mean += 1
    kinds = ((blind, r"own_past masked \(now lagged\): .* one configuration"), (other, "motion_mean.*same history"))
    for model, what in kinds:
        save_gguf(tmp_path / "other.gguf", model)
        with pytest.raises(InvalidArgument, match=rf"other\.gguf and .*m\.gguf differ in {what}"):
            change_defaults(path, tmp_path / "mean.gguf", [], [tmp_path / "other.gguf"])
    assert not (tmp_path / "mean.gguf").exists()


def test_a_shorter_history_is_the_same_until_it_is_full(path: Path, tmp_path: Path) -> None:
    change_defaults(path, tmp_path / "short.gguf", ["context_turns=2"])
    short, whole = motions(tmp_path / "short.gguf", 4), motions(path, 4)
    for turn in (0, 1):
        np.testing.assert_array_equal(short[turn], whole[turn])
    assert not np.allclose(short[2], whole[2], atol=1e-3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("context_turns=5", "context_turns=5: the model was trained with 4 and relative positions; expected 1 to 4"),
        ("width=8", "setting 'width=8'; expected KEY=VALUE with one of steps, sampler"),
        ("steps=two", "setting 'steps=two': expected a number"),
        ("noise_coherence=1", "noise_coherence is 1, steps 5; expected 0 <= r < 1"),
        ("sampler=euler", "sampler is 'euler'; expected one of ancestral, dpm2m"),
    ],
)
def test_what_needs_training_is_refused(path: Path, tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        change_defaults(path, tmp_path / "n.gguf", [setting])
    assert not (tmp_path / "n.gguf").exists()


def test_settings_are_of_model_files_alone(tmp_path: Path) -> None:
    words = ["export", "--to", "onnx", "--set", "steps=2", "--out", str(tmp_path / "g")]
    with pytest.raises(InvalidArgument, match="--set and --average go with --to gguf"):
        build_app()(words, prog_name="visavis", standalone_mode=False)
