"""Malformed GGUF files, those of past advisories among them, are refused with a message that names what is wrong."""

from pathlib import Path

import pytest
from gguf_bytes import (
    ARRAY,
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
    U64,
    RawFile,
    RawTensor,
    array,
    model_file,
    pair,
    string,
    u32,
    u64,
)

from visavis import _core
from visavis.errors import ModelFileError

MOST = 2**64 - 1


def tensors(*entries: RawTensor) -> RawFile:
    return RawFile(tensors=list(entries))


def one(dims: tuple[int, ...], kind: int = 0, data: bytes = bytes(64), **changes: object) -> RawFile:
    return tensors(RawTensor("a", dims, data, kind, **changes))  # type: ignore[arg-type]


def metadata(*entries: bytes, **changes: int) -> RawFile:
    return RawFile(metadata=list(entries), **changes)  # type: ignore[arg-type]


def key(name: str, kind: int, body: bytes) -> bytes:
    return string(name) + u32(kind) + body


MALFORMED: dict[str, tuple[RawFile | bytes, str]] = {
    # by advisory
    "CVE-2024-21802 five dimensions": (one((1, 1, 1, 1, 1)), 'tensor "a" has rank 5; expected 1 to 4'),
    "CVE-2024-21825 array of 2^62 items": (
        metadata(array("k", U32, (), n_items=2**62)),
        'metadata "k" has 4611686018427387904 items; at most 1048576',
    ),
    "CVE-2024-21825 string of 2^62 bytes in an array": (
        metadata(key("k", ARRAY, u32(STRING) + u64(1) + string("x", length=2**62))),
        'string 0 of metadata "k" has 4611686018427387904 bytes; at most 1048576',
    ),
    "CVE-2024-21836 2^64-1 tensors": (RawFile(n_tensors=MOST), "tensor count 18446744073709551615; at most 65536"),
    "CVE-2024-23496 key of 2^64-1 bytes": (
        metadata(string("k", length=MOST)),
        "key of metadata entry 0 has 18446744073709551615 bytes; at most 256",
    ),
    "CVE-2024-23605 2^64-1 metadata entries": (
        RawFile(n_metadata=MOST),
        "metadata count 18446744073709551615; at most 4096",
    ),
    "CVE-2025-53630 sizes whose padded sum wraps": (
        tensors(
            RawTensor("a", (2**61,), b"", TENSOR_I8),
            RawTensor("b", (2**61,), b"", TENSOR_I8, offset=2**61),
            RawTensor("c", (8,), bytes(8), offset=2**62),
        ),
        'tensor "a" is truncated: it needs 2305843009213693952 bytes',
    ),
    "CVE-2026-27940 a size next to 2^64": (one((2**62 - 1,)), 'tensor "a" is truncated: it needs 18446744073709551612'),
    "CVE-2026-33298 bytes wrap though the count fits": (
        one((2**62, 1), TENSOR_F64),
        'tensor "a": its size in bytes overflows 64 bits',
    ),
    "CVE-2026-7482 a tensor larger than the file": (
        one((1024, 1024)),
        'tensor "a" is truncated: it needs 4194304 bytes at data offset 0 of 64',
    ),
    # tensors
    "product of dimensions 2^64": (one((2**32, 2**32)), 'tensor "a": its number of values overflows 63 bits'),
    "a dimension of -1": (one((MOST,)), 'tensor "a": its number of values overflows 63 bits'),
    "a dimension of 0": (one((0, 4)), 'tensor "a" has a dimension of 0; expected at least 1'),
    "no dimension": (one(()), 'tensor "a" has rank 0; expected 1 to 4'),
    "type -1": (one((4,), 2**32 - 1), 'tensor "a" has type 4294967295; expected F32, F16'),
    "a removed type": (one((4,), 4), 'tensor "a" has type 4; expected F32, F16'),
    "a row that is no multiple of the block": (
        one((33,), TENSOR_Q8_0),
        'tensor "a" has rows of 33 values; blocks of Q8_0 take 32',
    ),
    "an unaligned offset": (
        one((4,), offset=7),
        'tensor "a" has offset 7; expected a multiple of the alignment 32',
    ),
    "an offset next to 2^64": (one((4,), offset=2**64 - 32), 'tensor "a" has offset 18446744073709551584; expected 0'),
    "overlapping tensors": (
        tensors(RawTensor("a", (16,), bytes(64)), RawTensor("b", (16,), bytes(64), offset=32)),
        'tensor "b" has offset 32; expected 64: tensors may not overlap or leave gaps',
    ),
    "a gap between tensors": (
        tensors(RawTensor("a", (4,), bytes(16)), RawTensor("b", (4,), bytes(96), offset=64)),
        'tensor "b" has offset 64; expected 32',
    ),
    "the same tensor twice": (
        tensors(RawTensor("a", (4,), bytes(32)), RawTensor("a", (4,), bytes(32))),
        'tensor "a" appears twice',
    ),
    "a tensor without a name": (tensors(RawTensor("", (4,), bytes(32))), "name of tensor 0 is empty"),
    "a name of 64 bytes": (
        tensors(RawTensor("n" * 64, (4,), bytes(32))),
        "name of tensor 0 has 64 bytes; at most 63",
    ),
    "a name that is not UTF-8": (
        tensors(RawTensor(b"\xff", (4,), bytes(32))),
        r'name of tensor 0 is not UTF-8: "\\xff"',
    ),
    "more tensors than there are": (RawFile(n_tensors=2), "truncated: length of name of tensor 0 needs 8 bytes"),
    "no padding before the data": (
        RawFile(tensors=[RawTensor("a", (4,), b"")]).to_bytes()[:-4],
        "truncated: padding before the tensor data",
    ),
    "bytes behind the last tensor": (
        RawFile(tensors=[RawTensor("a", (4,), bytes(16))], tail=b"PK\x03\x04"),
        "4 bytes follow the last entry",
    ),
    "bytes behind metadata alone": (RawFile(tail=bytes(33)), "33 bytes follow the last entry"),
    # metadata
    "an empty key": (metadata(pair("", U32, 1)), "key of metadata entry 0 is empty"),
    "the same key twice": (metadata(pair("k", U32, 1), pair("k", U32, 1)), 'metadata "k" appears twice'),
    "a key that is not UTF-8": (metadata(string(b"\xc3(") + u32(U32) + u32(1)), "key of metadata entry 0 is not UTF-8"),
    "a key with NUL": (metadata(pair("a\0b", U32, 1)), r'not UTF-8: "a\\x00b"'),
    "a text that is not UTF-8": (metadata(key("k", STRING, string(b"\xed\xa0\x80"))), 'metadata "k" is not UTF-8'),
    "a text beyond the limit": (metadata(pair("k", STRING, "x" * (2**20 + 1))), 'metadata "k" has 1048577 bytes'),
    "a text that ends with the file": (
        metadata(key("k", STRING, string("abc", length=9))),
        'truncated: metadata "k" needs 9 bytes at offset 45, 3 are left',
    ),
    "a bool of 2": (metadata(pair("k", BOOL, 2)), 'metadata "k" is a bool of value 2; expected 0 or 1'),
    "a bool of 255 in an array": (metadata(array("k", BOOL, (1, 255))), 'metadata "k" is a bool of value 255'),
    "a value of type 13": (metadata(key("k", 13, u64(0))), 'metadata "k" has type 13; known are 0 to 12'),
    "a value of type -1": (metadata(key("k", 2**32 - 1, u64(0))), 'metadata "k" has type 4294967295'),
    "items of type 13": (metadata(key("k", ARRAY, u32(13) + u64(1) + u64(0))), 'metadata "k" has items of type 13'),
    "an array of arrays": (
        metadata(key("k", ARRAY, u32(ARRAY) + u64(1) + u32(U8) + u64(0))),
        'metadata "k" is an array of arrays',
    ),
    "an array of numbers that ends with the file": (
        metadata(array("k", U64, (1, 2), n_items=2**20)),
        'truncated: metadata "k" needs 8388608 bytes',
    ),
    "an array of strings that ends with the file": (
        metadata(array("k", STRING, (), n_items=2**19)),
        'truncated: metadata "k" has 524288 strings, 0 bytes are left',
    ),
    "fewer metadata entries than counted": (
        metadata(pair("k", U32, 1), n_metadata=2),
        "truncated: length of key of metadata entry 1 needs 8 bytes",
    ),
    "alignment 0": (metadata(pair("general.alignment", U32, 0)), "general.alignment is 0; expected a power of two"),
    "alignment 3": (metadata(pair("general.alignment", U32, 3)), "general.alignment is 3; expected a power of two"),
    "alignment 2^30": (metadata(pair("general.alignment", U32, 2**30)), "general.alignment is 1073741824"),
    "alignment as a string": (
        metadata(pair("general.alignment", STRING, "32")),
        'metadata "general.alignment" is string; expected u32',
    ),
    # header
    "another magic": (RawFile(magic=b"PK\x03\x04"), r'begins with "PK\\x03\\x04"; a GGUF file begins with "GGUF"'),
    "version 2": (RawFile(version=2), "GGUF version 2; expected 3"),
    "version 4": (RawFile(version=4), "GGUF version 4; expected 3"),
    "big-endian": (RawFile(version=0x03000000), "is big-endian; expected little-endian GGUF version 3"),
    "three bytes": (b"GGU", "truncated: magic needs 4 bytes at offset 0, 3 are left"),
}


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
