"""The nodes of a binary FBX 7.4 file (little-endian) as bytes; what they mean is fbx.py's.

A node: its end in the file u32, number of values u32, bytes of the values u32, length of its name u8, name, values,
child nodes and, where there are children or no values, 13 zero bytes.  A value: a letter for its type, then the value;
arrays have a count, an encoding (0 as they are, 1 zlib) and the bytes that follow.  Autodesk publishes no description;
https://code.blender.org/2013/08/fbx-binary-file-format-specification has one.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

VERSION = 7400
MAGIC = b"Kaydara FBX Binary  \0\x1a\0"
# Readers check that these three belong together; these belong to this time, whatever else is in the file.
CREATION_TIME = "1970-01-01 10:00:00:000"
FILE_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
FOOT_ID = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
FOOT_MAGIC = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
HEAD_BYTES = 13  # of a node before its name, and of the zeros that end a list
LEAST_PACKED_BYTES = 128  # shorter arrays are written as they are

Value: TypeAlias = "bool | int | np.int64 | float | str | bytes | NDArray[np.int32] | NDArray[np.float64]"


@dataclass
class Node:
    """A name, values (an int is 32 bits wide, an np.int64 64), children."""

    name: str
    values: tuple[Value, ...] = ()
    children: list["Node"] = field(default_factory=list)

    def add(self, name: str, *values: Value) -> "Node":
        """Append a child; the child."""
        self.children.append(Node(name, values))
        return self.children[-1]

    def properties(self, rows: Iterable[tuple[Value, ...]]) -> None:
        """Append a list of (name, type, subtype, flags, values ...)."""
        own = self.add("Properties70")
        for row in rows:
            own.add("P", *row)

    def encode(self, start: int) -> bytes:
        """Bytes of the node at `start` in the file."""
        name, values = self.name.encode(), b"".join(map(_value, self.values))
        body = name + values
        for child in self.children:
            body += child.encode(start + HEAD_BYTES + len(body))
        if self.children or not self.values:
            body += bytes(HEAD_BYTES)
        end = start + HEAD_BYTES + len(body)
        return struct.pack("<IIIB", end, len(self.values), len(values), len(name)) + body


def file_bytes(nodes: list[Node]) -> bytes:
    """A file of these nodes."""
    content = MAGIC + struct.pack("<I", VERSION)
    for node in nodes:
        content += node.encode(len(content))
    content += bytes(HEAD_BYTES) + FOOT_ID
    content += bytes(4) + bytes(16 - (len(content) + 4) % 16)
    return content + struct.pack("<I", VERSION) + bytes(120) + FOOT_MAGIC


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, str | bytes):
        content = value.encode() if isinstance(value, str) else value
        return struct.pack("<cI", b"S" if isinstance(value, str) else b"R", len(content)) + content
    for kind, letter, form in ((bool, b"C", "?"), (np.int64, b"L", "q"), (int, b"I", "i"), (float, b"D", "d")):
        if isinstance(value, kind):
            return letter + struct.pack(f"<{form}", value)
    raise TypeError(f"FBX value of type {type(value).__name__}")


def _array(values: NDArray[Any]) -> bytes:
    letter = {"<i4": b"i", "<f8": b"d"}[values.dtype.str]
    content = np.ascontiguousarray(values).tobytes()
    packed = zlib.compress(content, 9) if len(content) >= LEAST_PACKED_BYTES else content
    return struct.pack("<cIII", letter, values.size, packed is not content, len(packed)) + packed
