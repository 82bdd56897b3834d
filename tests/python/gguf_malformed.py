"""Malformed GGUF files and absurd model files, each with the message that must refuse it."""

import struct

from gguf_bytes import (
    ARRAY,
    BOOL,
    F64,
    I32,
    STRING,
    TENSOR_F64,
    TENSOR_I8,
    TENSOR_Q8_0,
    U8,
    U32,
    U64,
    RawFile,
    RawTensor,
    array,
    hearing_model_file,
    model_file,
    pair,
    string,
    u32,
    u64,
)

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

# A visavis model file that is valid but for one metadata entry.
ABSURD: dict[str, tuple[bytes, str]] = {
    "a foreign architecture": (
        pair("general.architecture", STRING, "llama"),
        'architecture "llama"; expected "visavis"',
    ),
    "a newer format": (pair("visavis.format_version", U32, 2), "format_version.* is 2; this build reads 1"),
    "no frames": (pair("visavis.turn_frames", U32, 0), "turn_frames is 0; expected 1 to 250"),
    "a number beyond int": (pair("visavis.depth", U32, 2**32 - 1), "depth.* is 4294967295; expected less than"),
    "too many turns": (pair("visavis.context_turns", U32, 5000), "context_turns is 5000; expected 1 to 4096"),
    "an unknown choice": (
        pair("visavis.own_past", STRING, "none"),
        'own_past is "none"; expected one of masked, fed, lagged',
    ),
    "an unknown motion space": (pair("visavis.motion_space", STRING, "arkit52"), "expected one of arkit55, flame56"),
    "another motion space": (pair("visavis.motion_space", STRING, "flame56"), "55 channels .* flame56 has 56"),
    "heads that do not divide": (pair("visavis.heads", U32, 3), "width 16 does not divide by heads 3"),
    "an odd token width": (pair("visavis.token_width", U32, 13), "token_width is 13; expected an even number"),
    "a window without its positions": (
        pair("visavis.window", STRING, "exact"),
        "relative positions go with window ring",
    ),
    "coherence 1": (pair("visavis.noise_coherence", F64, 1.0), "noise_coherence is 1.0.*expected 0 <= r < 1"),
    "coherence NaN": (pair("visavis.noise_coherence", F64, float("nan")), "noise_coherence is nan"),
    "noise scale 5": (pair("visavis.noise_scale", F64, 5.0), "noise_scale is 5.0.*expected 0 to 4"),
    "noise scale NaN": (pair("visavis.noise_scale", F64, float("nan")), "noise_scale is nan"),
    "turn join 2": (pair("visavis.turn_join", F64, 2.0), "turn_join is 2.0.*expected 0 to 1"),
    "turn join NaN": (pair("visavis.turn_join", F64, float("nan")), "turn_join is nan"),
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
    "a last width that is not the encoder's": (
        pair("visavis.speech_width", U32, 13),
        "last conv width 12 is not speech_width 13",
    ),
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
    "a wav2vec2 without depth": (
        pair("visavis.wav2vec2.depth", U32, 0),
        'wav2vec2.depth" is 0; expected 1 to 256',
    ),
    "a wav2vec2 of another width": (pair("visavis.wav2vec2.width", U32, 10), "wav2vec2 is 10 wide; speech_width is 8"),
    "a wav2vec2 with heads that do not divide": (
        pair("visavis.wav2vec2.heads", U32, 3),
        "wav2vec2: width 8 does not divide by 3 heads or 2 groups",
    ),
    "a wav2vec2 without convolutions": (
        array("visavis.wav2vec2.conv_strides", I32, ()),
        'wav2vec2.conv_strides" has 0 items; expected 1 to 16',
    ),
    "a wav2vec2 with a stride of 0": (
        array("visavis.wav2vec2.conv_strides", I32, (5, 0)),
        'wav2vec2.conv_strides" holds 0; expected 1 to 1024',
    ),
    "a wav2vec2 with a stride too few": (
        array("visavis.wav2vec2.conv_strides", I32, (5,)),
        "conv_widths, conv_kernels and conv_strides differ in length",
    ),
    "a wav2vec2 that sees nothing": (
        array("visavis.wav2vec2.conv_strides", I32, (1024, 2)),
        "wav2vec2 sees nothing in the 16000 samples of a turn",
    ),
    "a wav2vec2 with an unknown norm": (
        pair("visavis.wav2vec2.conv_norm", STRING, "batch"),
        'wav2vec2.conv_norm" is "batch"; expected layer or group',
    ),
    "a wav2vec2 with eps 0": (pair("visavis.wav2vec2.eps", F64, 0.0), "eps is 0.0.*; expected 0 < eps < 1"),
    "a style twice": (array("visavis.styles", STRING, ("nods", "nods")), 'style "nods" appears twice'),
    "a style in capitals": (array("visavis.styles", STRING, ("Nods",)), 'style "Nods"; expected a name of 1 to 32'),
    "a style without a name": (array("visavis.styles", STRING, ("",)), 'style ""; expected a name'),
    "a style with a long name": (array("visavis.styles", STRING, ("a" * 33,)), "expected a name of 1 to 32 letters"),
    "too many styles": (
        array("visavis.styles", STRING, tuple(f"s{i}" for i in range(65))),
        "number of styles is 65; expected 0 to 64",
    ),
    "styles as numbers": (array("visavis.styles", I32, (1, 2)), 'styles" is i32 array; expected string array'),
    "styles as a number": (pair("visavis.styles", F64, 1.0), 'styles" is f64; expected array'),
    "a marker in a fused turn": (array("visavis.layout_kind", I32, (9,) * 10), "layout_kind is 9; expected 14 to 15"),
}


def absurd_file(entry: bytes) -> RawFile:
    """A valid model file but for this metadata entry."""
    length = struct.unpack_from("<Q", entry)[0]
    name = entry[8 : 8 + length].decode()
    valid = hearing_model_file if name.startswith("visavis.wav2vec2.") else model_file
    return valid(**{name.replace(".", "__"): entry})
