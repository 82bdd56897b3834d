"""Malformed GGUF files, those of past advisories among them, are refused with a message that names what is wrong."""

from pathlib import Path

import pytest
from gguf_bytes import (
    BOOL,
    F32,
    F64,
    STRING,
    TENSOR_BF16,
    TENSOR_F16,
    TENSOR_F64,
    TENSOR_I8,
    TENSOR_I16,
    TENSOR_I32,
    TENSOR_I64,
    TENSOR_Q8_0,
    U8,
    U32,
    RawFile,
    RawTensor,
    array,
    model_file,
    pair,
)
from gguf_malformed import MALFORMED, MOST

from visavis import _core
from visavis.errors import ModelFileError


def read(tmp_path: Path, content: RawFile | bytes) -> tuple[dict[str, object], dict[str, object]]:
    path = tmp_path / "file.gguf"
    path.write_bytes(content if isinstance(content, bytes) else content.to_bytes())
    found: tuple[dict[str, object], dict[str, object]] = _core.read_gguf(path)
    return found


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    content, message = MALFORMED[name]
    with pytest.raises(ModelFileError, match=message) as raised:
        read(tmp_path, content)
    assert "file.gguf" in str(raised.value)


def test_array_element_types_are_never_confused(tmp_path: Path) -> None:
    """The count of an array was checked elsewhere, its 1-byte items then read as float32."""
    path = tmp_path / "model.gguf"
    file = model_file(visavis__layout_kind=array("visavis.layout_kind", U8, (14,) * 5 + (15,) * 5))
    path.write_bytes(file.to_bytes())
    with pytest.raises(ModelFileError, match='metadata "visavis.layout_kind" is u8 array; expected i32 array'):
        _core.ModelFile(path)


def test_every_valid_type_comes_back(tmp_path: Path) -> None:
    numbers = {0: 255, 1: -128, 2: 65535, 3: -3, 4: 2**32 - 1, 5: -7, 10: MOST, 11: -9, F32: 0.5, F64: 0.1}
    entries = [pair(f"n{kind}", kind, value) for kind, value in numbers.items()]
    arrays = [array(f"a{kind}", kind, (value, value)) for kind, value in numbers.items()]
    texts = [pair("t", STRING, "größe 猫"), array("ts", STRING, ("", "b")), array("none", U32, ())]
    bools = [pair("yes", BOOL, 1), array("bools", BOOL, (0, 1)), pair("general.alignment", U32, 64)]
    kinds = (0, TENSOR_F16, TENSOR_BF16, TENSOR_Q8_0, TENSOR_I8, TENSOR_I16, TENSOR_I32, TENSOR_I64, TENSOR_F64)
    sizes = (4, 2, 2, 34 / 32, 1, 2, 4, 8, 8)
    data = [RawTensor(f"t{k}", (32, 1, 2, 1), bytes(int(64 * size)), k) for k, size in zip(kinds, sizes, strict=True)]
    file = RawFile(metadata=entries + arrays + texts + bools, tensors=data, alignment=64)
    found, placed = read(tmp_path, file)
    for kind, value in numbers.items():
        assert found[f"n{kind}"] == value and found[f"a{kind}"] == [value, value]
    assert (found["t"], found["ts"], found["none"]) == ("größe 猫", ["", "b"], [])
    assert (found["yes"], found["bools"]) == (True, [False, True])
    names = ("F32", "F16", "BF16", "Q8_0", "I8", "I16", "I32", "I64", "F64")
    assert placed == {f"t{k}": (name, (1, 2, 1, 32)) for k, name in zip(kinds, names, strict=True)}


def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    file = RawFile(
        metadata=[pair("k", STRING, "v"), array("a", U32, (1, 2))], tensors=[RawTensor("t", (8,), bytes(32))]
    )
    whole = file.to_bytes()
    read(tmp_path, whole)
    for n_bytes in range(1, len(whole)):
        with pytest.raises(ModelFileError, match="truncated|follow the last entry"):
            read(tmp_path, whole[:n_bytes])
