"""Reads binary FBX 7.4, enough to check what `visavis head build` writes."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ARRAYS = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4"}
SCALARS = {"Y": "<h", "C": "<?", "I": "<i", "F": "<f", "D": "<d", "L": "<q"}
ENDS_WITH_LIST = 13  # zero bytes


@dataclass
class FbxNode:
    name: str
    values: list[Any] = field(default_factory=list)
    children: list["FbxNode"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["FbxNode"]:
        return (child for child in self.children if child.name == name)

    def __getitem__(self, name: str) -> "FbxNode":
        return next(self.all(name))


def read_fbx(path: Path) -> FbxNode:
    """The file as one node.  Raises AssertionError where offsets and lengths contradict each other."""
    content = path.read_bytes()
    assert content[:23] == b"Kaydara FBX Binary  \0\x1a\0" and struct.unpack_from("<I", content, 23) == (7400,)
    nodes, end = _list(content, 27)
    foot = content[end:]
    padding = len(foot) - 16 - 4 - 4 - 120 - 16
    assert 0 < padding <= 16 and (end + 16 + 4 + padding) % 16 == 0
    assert not any(foot[16 : 20 + padding]) and foot[20 + padding : 24 + padding] == struct.pack("<I", 7400)
    return FbxNode("", [], nodes)


def _list(content: bytes, at: int) -> tuple[list[FbxNode], int]:
    """Nodes until the zeros that end a list; where it ends."""
    nodes = []
    while True:
        end, n_values, values_length, name_length = struct.unpack_from("<IIIB", content, at)
        if end == 0:
            assert not any(content[at : at + ENDS_WITH_LIST])
            return nodes, at + ENDS_WITH_LIST
        start = at + ENDS_WITH_LIST + name_length
        node = FbxNode(content[at + ENDS_WITH_LIST : start].decode())
        at = start
        for _ in range(n_values):
            value, at = _value(content, at)
            node.values.append(value)
        assert at == start + values_length
        if at < end:
            node.children, at = _list(content, at)
        assert at == end
        nodes.append(node)


def _value(content: bytes, at: int) -> tuple[Any, int]:
    kind, at = chr(content[at]), at + 1
    if kind in SCALARS:
        return struct.unpack_from(SCALARS[kind], content, at)[0], at + struct.calcsize(SCALARS[kind])
    if kind in "SR":
        length = struct.unpack_from("<I", content, at)[0]
        value = content[at + 4 : at + 4 + length]
        return value.decode() if kind == "S" else value, at + 4 + length
    count, packed, length = struct.unpack_from("<III", content, at)
    data = content[at + 12 : at + 12 + length]
    values = np.frombuffer(zlib.decompress(data) if packed else data, ARRAYS[kind])
    assert len(values) == count
    return values, at + 12 + length
