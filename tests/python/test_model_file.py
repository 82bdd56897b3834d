"""The native reader takes what a valid model file holds and names what is wrong with any other."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf_bytes import (
    F32,
    F64,
    SMALL,
    STRING,
    TENSOR_BF16,
    TENSOR_F16,
    TENSOR_I32,
    TENSOR_Q8_0,
    U32,
    RawFile,
    RawTensor,
    config_pairs,
    hearing_model_file,
    model_file,
    pair,
    wav2vec2_pairs,
)
from gguf_malformed import ABSURD, absurd_file

from visavis import _core
from visavis.errors import FileError, ModelFileError
from visavis.model.config import ModelConfig, live_config, paper_config


def write(tmp_path: Path, file: RawFile) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.to_bytes())
    return path


def refused(tmp_path: Path, file: RawFile, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        _core.ModelFile(write(tmp_path, file))


@pytest.mark.parametrize(
    "config", [live_config(), paper_config(), live_config(layout="markers", noise_coherence=0.7, noise_scale=1.25)]
)
def test_metadata_comes_back_and_derived_sizes_agree_with_python(tmp_path: Path, config: ModelConfig) -> None:
    read = _core.ModelFile(write(tmp_path, model_file(config)))
    metadata = read.metadata()
    fields = {name: metadata[f"visavis.{name}"] for name in config.to_dict()}
    assert ModelConfig.from_dict(fields) == config
    assert (read.name, read.license, read.data_note) == ("tiny", "Apache-2.0", "random")
    assert tuple(read.channels) == config.space.channels and tuple(read.units) == config.space.units
    for derived in ("context_samples", "row_width", "condition_width", "tokens_per_turn"):
        assert getattr(read, derived) == getattr(config, derived)


def test_empty_arrays_and_texts_that_gguf_writers_leave_out_are_empty(tmp_path: Path) -> None:
    left_out = {f"visavis__conv_{part}": None for part in ("widths", "kernels", "strides")}
    file = model_file(paper_config(), general__license=None, visavis__data_note=None, **left_out)
    read = _core.ModelFile(write(tmp_path, file))
    assert read.license == read.data_note == ""


def test_tensors_come_back_in_torch_shape_as_float32(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plain = rng.standard_normal((3, 5)).astype(np.float32)
    half = np.concatenate([np.arange(0, 0x7C00, dtype=np.uint16), np.arange(0x8000, 0xFC00, dtype=np.uint16)])
    upper = (plain.view(np.uint32) >> 16).astype(np.uint16)
    steps = rng.integers(-128, 128, (2, 32), dtype=np.int8)
    scales = np.array([0.5, -3.25], np.float16)
    blocks = b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, steps, strict=True))
    file = model_file()
    file.tensors = [
        RawTensor("plain", (5, 3), plain.tobytes()),
        RawTensor("half", (half.size,), half.tobytes(), TENSOR_F16),
        RawTensor("brain", (5, 3), upper.tobytes(), TENSOR_BF16),
        RawTensor("blocks", (64, 1), blocks, TENSOR_Q8_0),
    ]
    read = _core.ModelFile(write(tmp_path, file))
    assert read.tensors()["plain"] == ("F32", (3, 5)) and read.tensors()["blocks"] == ("Q8_0", (1, 64))
    np.testing.assert_array_equal(read.floats("plain", [3, 5]), plain)
    np.testing.assert_array_equal(read.floats("half"), half.view(np.float16).astype(np.float32))
    np.testing.assert_array_equal(read.floats("brain"), (upper.astype(np.uint32) << 16).view(np.float32))
    np.testing.assert_array_equal(read.floats("blocks")[0], (scales[:, None].astype(np.float32) * steps).ravel())


def test_tensor_errors_name_the_tensor_the_shape_found_and_the_shape_expected(tmp_path: Path) -> None:
    file = model_file()
    file.tensors = [
        RawTensor("a.weight", (5, 3), bytes(60)),
        RawTensor("counts", (4,), bytes(16), TENSOR_I32),
        RawTensor("bad", (2,), struct.pack("<2f", 1.0, float("nan"))),
    ]
    read = _core.ModelFile(write(tmp_path, file))
    with pytest.raises(ModelFileError, match=r'model\.gguf": tensor "a\.weight" has shape \(3, 5\); expected \(5, 3\)'):
        read.floats("a.weight", [5, 3])
    with pytest.raises(ModelFileError, match=r'tensor "b" is missing; expected shape \(7\)'):
        read.floats("b", [7])
    with pytest.raises(ModelFileError, match='tensor "counts" holds I32; expected F32, F16, BF16 or Q8_0'):
        read.floats("counts")
    with pytest.raises(ModelFileError, match='tensor "bad" holds nan at value 1; expected finite numbers'):
        read.floats("bad")


@pytest.mark.parametrize("key", config_pairs(SMALL))
def test_every_key_is_needed_and_has_one_type(tmp_path: Path, key: str) -> None:
    argument = key.replace(".", "__")
    wrong = F32 if key != "general.license" else F64
    refused(tmp_path, model_file(**{argument: pair(key, wrong, 1.0)}), f'metadata "{key}" is f(32|64); expected')
    if key not in ("general.license", "visavis.data_note", "visavis.turn_join"):  # these may be missing
        refused(tmp_path, model_file(**{argument: None}), f'metadata "{key}" is missing; expected')


@pytest.mark.parametrize("key", [key for key in wav2vec2_pairs() if key != "visavis.wav2vec2.width"])
def test_a_wav2vec2_needs_every_key_once_it_has_a_width(tmp_path: Path, key: str) -> None:
    refused(tmp_path, hearing_model_file(**{key.replace(".", "__"): None}), f'metadata "{key}" is missing; expected')


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_values_are_refused_by_name(tmp_path: Path, name: str) -> None:
    entry, message = ABSURD[name]
    refused(tmp_path, absurd_file(entry), message)


def test_a_history_of_terabytes_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    changes = {"visavis__depth": pair("visavis.depth", U32, 256)}
    changes["visavis__width"] = pair("visavis.width", U32, 1024)
    changes["visavis__context_turns"] = pair("visavis.context_turns", U32, 4096)
    message = r"the history of one session has 2 x 4096 turns x 10 tokens x \d+ x 256 values; at most 2\^31"
    refused(tmp_path, model_file(**changes), message)


def test_a_residual_without_its_base_is_refused(tmp_path: Path) -> None:
    residual = pair("visavis.denoise_target", STRING, "residual")
    no_context = pair("visavis.head_context_frames", U32, 0)
    file = model_file(visavis__denoise_target=residual, visavis__head_context_frames=no_context)
    refused(tmp_path, file, "residual needs denoise_unit turn and at least 1 of head_context_frames")


def test_files_that_cannot_be_mapped_are_file_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    for path, message in (
        (tmp_path / "none.gguf", "cannot be opened: No such file"),
        (tmp_path, "is not a regular file"),
        (tmp_path / "empty.gguf", "is empty"),
    ):
        with pytest.raises(FileError, match=message):
            _core.ModelFile(path)
