"""The native reader takes what a valid model file holds and names what is wrong with any other."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf_bytes import (
    F32,
    F64,
    I32,
    STRING,
    TENSOR_BF16,
    TENSOR_F16,
    TENSOR_I32,
    TENSOR_Q8_0,
    U32,
    RawFile,
    RawTensor,
    array,
    config_pairs,
    model_file,
    pair,
)

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


@pytest.mark.parametrize("config", [live_config(), paper_config(), live_config(layout="markers", noise_coherence=0.7)])
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


@pytest.mark.parametrize("key", config_pairs(live_config()))
def test_every_key_is_needed_and_has_one_type(tmp_path: Path, key: str) -> None:
    argument = key.replace(".", "__")
    wrong = F32 if key != "general.license" else F64
    refused(tmp_path, model_file(**{argument: pair(key, wrong, 1.0)}), f'metadata "{key}" is f(32|64); expected')
    if key not in ("general.license", "visavis.data_note"):
        refused(tmp_path, model_file(**{argument: None}), f'metadata "{key}" is missing; expected')


ABSURD = {
    "a foreign architecture": (
        pair("general.architecture", STRING, "llama"),
        'architecture "llama"; expected "visavis"',
    ),
    "a newer format": (pair("visavis.format_version", U32, 2), "format_version.* is 2; this build reads 1"),
    "no frames": (pair("visavis.turn_frames", U32, 0), "turn_frames is 0; expected 1 to 250"),
    "a number beyond int": (pair("visavis.depth", U32, 2**32 - 1), "depth.* is 4294967295; expected less than"),
    "too many turns": (pair("visavis.context_turns", U32, 5000), "context_turns is 5000; expected 1 to 4096"),
    "a history of terabytes": (pair("visavis.depth", U32, 256), None),
    "an unknown choice": (
        pair("visavis.own_past", STRING, "none"),
        'own_past is "none"; expected one of masked, fed, lagged',
    ),
    "an unknown motion space": (pair("visavis.motion_space", STRING, "arkit52"), "expected one of arkit55, flame56"),
    "another motion space": (pair("visavis.motion_space", STRING, "flame56"), "55 channels .* flame56 has 56"),
    "heads that do not divide": (pair("visavis.heads", U32, 3), "width 224 does not divide by heads 3"),
    "an odd token width": (pair("visavis.token_width", U32, 191), "token_width is 191; expected an even number"),
    "a window without its positions": (
        pair("visavis.window", STRING, "exact"),
        "relative positions go with window ring",
    ),
    "coherence 1": (pair("visavis.noise_coherence", F64, 1.0), "noise_coherence is 1.0.*expected 0 <= r < 1"),
    "coherence NaN": (pair("visavis.noise_coherence", F64, float("nan")), "noise_coherence is nan"),
    "one ancestral step": (pair("visavis.steps", U32, 1), "steps is 1; expected 2 to 1000"),
    "more head context than a turn": (
        pair("visavis.head_context_frames", U32, 6),
        "head_context_frames is 6; expected 0 to 5",
    ),
    "strides of another rate": (
        array("visavis.conv_strides", I32, (1, 2, 1, 1)),
        "conv_strides multiply to 2; expected 4",
    ),
    "a huge stride": (array("visavis.conv_strides", I32, (2**31 - 1,) * 4), "conv_strides is 2147483647"),
    "a negative kernel": (array("visavis.conv_kernels", I32, (5, -5, 5, 3)), "conv_kernels is -5; expected 1 to 64"),
    "no convolutions": (array("visavis.conv_widths", I32, ()), "differ in length"),
    "a hundred convolutions": (array("visavis.conv_widths", I32, (8,) * 100), "length of conv_widths is 100"),
    "kernels shorter than a frame": (
        array("visavis.conv_kernels", I32, (1, 1, 1, 1)),
        "less than the 40 ms of a frame",
    ),
    "a last width that is not the encoder's": (pair("visavis.speech_width", U32, 191), "last conv width 192"),
    "a channel twice": (array("visavis.channels", STRING, ("jawOpen",) * 55), 'channel "jawOpen" appears twice'),
    "an empty channel": (array("visavis.channels", STRING, ("",) * 55), "expected a text of one line"),
    "a unit of degrees": (array("visavis.channel_units", STRING, ("deg",) * 55), 'channel unit "deg"'),
    "a short layout": (array("visavis.layout_kind", I32, (14,)), "layout_kind has 1 tokens, layout_frame 10"),
    "a token twice": (
        array("visavis.layout_frame", I32, (0, 0, 2, 3, 4, 0, 1, 2, 3, 4)),
        "kind 14, frame 0 appears twice",
    ),
    "a frame outside the turn": (
        array("visavis.layout_frame", I32, (0, 1, 2, 3, 5, 0, 1, 2, 3, 4)),
        "layout_frame is 5",
    ),
    "a marker in a fused turn": (array("visavis.layout_kind", I32, (9,) * 10), "layout_kind is 9; expected 14 to 15"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_values_are_refused_by_name(tmp_path: Path, name: str) -> None:
    entry, message = ABSURD[name]
    length = struct.unpack_from("<Q", entry)[0]
    key = entry[8 : 8 + length].decode()
    changes = {key.replace(".", "__"): entry}
    if name == "a history of terabytes":
        changes["visavis__context_turns"] = pair("visavis.context_turns", U32, 4096)
        message = "the history of one session has 2 x 4096 turns x 10 tokens x 224 x 256 values"
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
