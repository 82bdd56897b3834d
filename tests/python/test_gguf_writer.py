"""What is saved comes back: configuration, rounded weights, and through the native reader too."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import randomised, small_config

from visavis import _core
from visavis.errors import FileError, InvalidArgument, ModelFileError
from visavis.export.gguf import is_matrix, load_gguf, save_gguf
from visavis.model.checkpoint import load_official
from visavis.model.config import ModelConfig
from visavis.model.timar import Timar

TINY = Path(__file__).parents[1] / "data" / "timar-tiny"


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize(
    "config",
    [
        small_config(),
        small_config(layout="markers", positions="absolute", window="exact", denoise_unit="frame", own_past="fed"),
        small_config(denoise_target="residual"),
    ],
)
def test_a_saved_model_comes_back(tmp_path: Path, config: ModelConfig, dtype: str) -> None:
    model = randomised(Timar(config))
    save_gguf(tmp_path / "m.gguf", model, name="small", license="Apache-2.0", data_note="noise", dtype=dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
    read = load_gguf(tmp_path / "m.gguf")
    assert read.config == config
    kind = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    for name, tensor in model.saved_tensors().items():
        rounded = tensor.to(kind).float() if is_matrix(name, tensor) else tensor
        torch.testing.assert_close(read.saved_tensors()[name], rounded, rtol=0, atol=0, msg=name)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    model = Timar(small_config())
    save_gguf(tmp_path / "m.gguf", model, name="small", license="MIT", data_note="noise")
    file = _core.ModelFile(tmp_path / "m.gguf")
    assert (file.name, file.license, file.data_note) == ("small", "MIT", "noise")
    assert tuple(file.channels) == model.config.space.channels
    assert file.context_samples == model.config.context_samples
    kinds = {name: kind for name, (kind, _) in file.tensors().items()}
    assert kinds["z_proj.weight"] == kinds["speech_encoder.conv.0.weight"] == "F16"
    assert {kinds[name] for name in ("speech_encoder.dft", "motion_std", "turn_bias", "z_proj.bias")} == {"F32"}


def test_channels_of_weight_0_stay_masked_after_loading(tmp_path: Path) -> None:
    model = Timar(small_config())
    model.motion_weight[3] = 0
    save_gguf(tmp_path / "m.gguf", model)
    mask = load_gguf(tmp_path / "m.gguf").diffloss.mask.view(-1, model.config.n_channels)
    assert not mask[:, 3].any() and mask[:, :3].all()


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    model = Timar(small_config())
    with pytest.raises(FileError, match="does not exist"):
        save_gguf(tmp_path / "no" / "m.gguf", model)
    with pytest.raises(InvalidArgument, match="dtype is 'q4'"):
        save_gguf(tmp_path / "m.gguf", model, dtype="q4")
    with torch.no_grad():
        model.z_proj.weight[0, 0] = 1e6
    with pytest.raises(InvalidArgument, match="beyond f16"):
        save_gguf(tmp_path / "m.gguf", model)
    with torch.no_grad():
        model.z_proj.weight[0, 0] = float("nan")
    with pytest.raises(InvalidArgument, match=r"z_proj\.weight holds values that are not finite"):
        save_gguf(tmp_path / "m.gguf", model, dtype="f32")
    model.z_proj = torch.nn.Linear(2, 2)
    model.register_buffer("a" * 64, torch.zeros(1))
    with pytest.raises(InvalidArgument, match="names of at most 63"):
        save_gguf(tmp_path / "m.gguf", model)
    assert not list(tmp_path.iterdir())


def test_files_whose_tensors_do_not_fit_their_configuration_are_refused(tmp_path: Path) -> None:
    model = Timar(small_config())
    model.z_proj = torch.nn.Linear(3, 3)
    save_gguf(tmp_path / "narrow.gguf", model)
    with pytest.raises(ModelFileError, match=r'"z_proj\.weight" has shape \(3, 3\)'):
        load_gguf(tmp_path / "narrow.gguf")
    model = Timar(small_config())
    model.register_buffer("stranger", torch.zeros(1))
    save_gguf(tmp_path / "stranger.gguf", model)
    with pytest.raises(ModelFileError, match="tensors stranger do not belong"):
        load_gguf(tmp_path / "stranger.gguf")
    model = Timar(small_config())
    model.motion_std[0] = 0
    save_gguf(tmp_path / "flat.gguf", model)
    with pytest.raises(ModelFileError, match="std must be over 0"):
        load_gguf(tmp_path / "flat.gguf")
    (tmp_path / "text.gguf").write_bytes(b"hello")
    with pytest.raises(ModelFileError):
        load_gguf(tmp_path / "text.gguf")
    with pytest.raises(FileError):
        load_gguf(tmp_path / "absent.gguf")


def test_normalisation_survives(tmp_path: Path) -> None:
    model = Timar(small_config(denoise_target="residual"))
    model.residual_scale.uniform_(0.5, 2)
    save_gguf(tmp_path / "m.gguf", model)
    np.testing.assert_array_equal(load_gguf(tmp_path / "m.gguf").residual_scale, model.residual_scale)


def test_the_format_page_names_every_key_and_tensor(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "model_format.md").read_text()
    markers = small_config(layout="markers", positions="absolute", window="exact", denoise_unit="frame")
    paper = load_official(TINY / "TIMAR-tiny.pth", TINY / "wav2vec2")
    for model in (Timar(small_config(denoise_target="residual")), Timar(markers), paper):
        save_gguf(tmp_path / "m.gguf", model, data_note="noise")
        metadata, tensors = _core.read_gguf(tmp_path / "m.gguf")
        for name in [*metadata, *(re.sub(r"(blocks|conv|conv_norm)\.\d+", r"\1.N", name) for name in tensors)]:
            assert "`" + name.removesuffix(".bias") in page, name
