"""Wire protocol v1 in plain Python: decodes every message, encodes the inputs (docs/protocol.md).

Written from the document alone and with `struct` alone, so that it is a second opinion on the C++ codec and a model for
clients in other languages.  The server uses the C++ codec; `visavis watch` and the tests use this one.
"""

import json as json_module
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from visavis.errors import InvalidArgument

HEADER = struct.Struct("<4s16sHHQQqqqIHHBBHI")
MAX_MESSAGE_BYTES = 65_536
TIMED, END = 1, 2  # flags
SPEAKING, LISTENING, LATE, WITHDRAWN = 1, 2, 4, 8  # state
DTYPES = ("none", "f32", "norm16", "s16", "json")
FACES, VOICES, CUT, DESCRIPTION = ("VVM1", "VVT1"), ("VVA1", "VVU1", "VVG1"), "VVC1", "VVD1"
AUDIO_RATES = (4_000, 384_000)  # Hz, least and most


@dataclass(frozen=True)
class Message:
    """One message.  `values` of norm16 are None while the units of its channels are unknown."""

    magic: str
    head: str
    flags: int = TIMED
    schema_hash: int = 0
    sequence: int = 0
    frame: int = 0
    presentation_ns: int = 0  # session clock
    publish_ns: int = 0  # sender's monotonic clock
    epoch: int = 0
    state: int = 0
    channels: int = 0
    dtype: str = "none"
    revision: int = 0
    rate: int = 0  # Hz
    values: tuple[float, ...] | None = ()
    json: str | None = None

    def description(self) -> dict[str, Any]:
        """The object of a VVD1 message; raises InvalidArgument where it is none."""
        try:
            description = json_module.loads(self.json or "")
        except (ValueError, RecursionError) as error:
            raise _malformed(f"JSON cannot be read: {error}") from None
        if not isinstance(description, dict):
            raise _malformed(f"JSON is {type(description).__name__}; expected an object")
        return description


def topic(magic: str, head: str) -> bytes:
    """The 20 bytes that a SUB socket subscribes to for one kind of message of one head."""
    return magic.encode("ascii") + _head_bytes(head).ljust(16, b"\0")


def schema_hash(names: Sequence[str], units: Sequence[str]) -> int:
    """FNV-1a 64 over names and units, joined by newlines."""
    text = "\n".join(part for pair in zip(names, units, strict=True) for part in pair)
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def decode(packet: bytes, units: Sequence[str] | None = None) -> Message:
    """Takes a message apart; raises InvalidArgument that says what is malformed."""
    if not HEADER.size <= len(packet) <= MAX_MESSAGE_BYTES:
        raise _malformed(f"{len(packet)} bytes; expected {HEADER.size} to {MAX_MESSAGE_BYTES}")
    magic_bytes, head_bytes, header_bytes, flags, schema, *rest = HEADER.unpack_from(packet)
    sequence, frame, presentation_ns, publish_ns, epoch, state, channels, dtype, revision, _, rate = rest
    magic = magic_bytes.decode("ascii", "replace")
    if magic not in (*FACES, *VOICES, CUT, DESCRIPTION):
        raise _malformed(f"magic {magic!r} is unknown")
    if header_bytes < HEADER.size or header_bytes % 4 or header_bytes > len(packet):
        raise _malformed(f"header size is {header_bytes} in a message of {len(packet)} bytes")
    if dtype >= len(DTYPES):
        raise _malformed(f"dtype is {dtype}; known are 0 to {len(DTYPES) - 1}")
    payload = packet[header_bytes:]
    message = Message(
        magic=magic,
        head=_head_name(head_bytes),
        flags=flags,
        schema_hash=schema,
        sequence=sequence,
        frame=frame,
        presentation_ns=presentation_ns,
        publish_ns=publish_ns,
        epoch=epoch,
        state=state,
        channels=channels,
        dtype=DTYPES[dtype],
        revision=revision,
        rate=rate,
        json=_text(payload) if DTYPES[dtype] == "json" else None,
        values=_values(payload, DTYPES[dtype], units),
    )
    _check(message, len(payload))
    return message


def encode_voice(
    magic: str,
    head: str,
    samples: Iterable[float],
    rate: int,
    *,
    time_ns: int | None = None,
    frame: int = 0,
    sequence: int = 0,
    epoch: int = 0,
    publish_ns: int = 0,
    dtype: str = "f32",
    end: bool = False,
) -> bytes:
    """A packet of a voice: magic `VVU1` (user) or `VVG1` (agent); `time_ns` None lets the server append it."""
    values = tuple(samples)
    if end and not values:
        dtype = "none"
    message = Message(
        magic=magic,
        head=head,
        flags=(TIMED if time_ns is not None else 0) | (END if end else 0),
        sequence=sequence,
        frame=frame,
        presentation_ns=time_ns or 0,
        publish_ns=publish_ns,
        epoch=epoch,
        channels=1 if values else 0,
        dtype=dtype,
        rate=rate,
        values=values,
    )
    return _encode(message, None)


def encode_face(
    head: str,
    values: Iterable[float],
    names: Sequence[str],
    units: Sequence[str],
    *,
    time_ns: int | None = None,
    frame: int = 0,
    sequence: int = 0,
    epoch: int = 0,
    publish_ns: int = 0,
    rate: int = 0,
    dtype: str = "f32",
) -> bytes:
    """One frame of the user's tracked face; `time_ns` None: seen now."""
    message = Message(
        magic="VVT1",
        head=head,
        flags=TIMED if time_ns is not None else 0,
        schema_hash=schema_hash(names, units),
        sequence=sequence,
        frame=frame,
        presentation_ns=time_ns or 0,
        publish_ns=publish_ns,
        epoch=epoch,
        channels=len(names),
        dtype=dtype,
        rate=rate,
        values=tuple(values),
    )
    return _encode(message, units)


def _encode(message: Message, units: Sequence[str] | None) -> bytes:
    values = message.values or ()
    if not all(math.isfinite(value) for value in values):
        raise _malformed("a value is NaN or infinite")
    if message.dtype == "f32":
        payload = struct.pack(f"<{len(values)}f", *values)
    elif message.dtype == "s16":
        payload = struct.pack(f"<{len(values)}h", *(_round(min(max(v * 32768, -32768), 32767)) for v in values))
    elif message.dtype == "norm16":
        payload = b"".join(_norm16(value, unit) for value, unit in zip(values, units or (), strict=True))
    else:
        payload = b""
    _check(message, len(payload))
    if HEADER.size + len(payload) > MAX_MESSAGE_BYTES:
        raise _malformed(f"{HEADER.size + len(payload)} bytes; at most {MAX_MESSAGE_BYTES}")
    m = message
    header = (m.magic.encode("ascii"), _head_bytes(m.head), HEADER.size, m.flags, m.schema_hash, m.sequence, m.frame)
    clocks = (m.presentation_ns, m.publish_ns, m.epoch)
    return HEADER.pack(*header, *clocks, m.state, m.channels, DTYPES.index(m.dtype), 0, 0, m.rate) + payload


def _check(message: Message, payload_bytes: int) -> None:
    """Do dtype, channels, rate and payload size fit the kind?"""
    magic, dtype, channels = message.magic, message.dtype, message.channels
    found = f"{magic} with dtype {dtype}, {channels} channels, rate {message.rate}, {payload_bytes} bytes of payload"
    if magic in VOICES:
        bare_end = dtype == "none" and message.flags & END
        if not AUDIO_RATES[0] <= message.rate <= AUDIO_RATES[1]:
            fits = False
        elif bare_end:
            fits = channels == 0 and payload_bytes == 0
        else:
            width = {"f32": 4, "s16": 2}.get(dtype)
            fits = width is not None and channels == 1 and payload_bytes > 0 and payload_bytes % width == 0
    elif magic in FACES:
        width = {"f32": 4, "norm16": 2}.get(dtype)
        fits = width is not None and channels > 0 and payload_bytes == channels * width
    elif magic == DESCRIPTION:
        fits = dtype == "json" and payload_bytes > 0
    else:
        fits = dtype == "none" and channels == 0 and payload_bytes == 0
    if not fits:
        raise _malformed(f"{found} do not go together")


def _values(payload: bytes, dtype: str, units: Sequence[str] | None) -> tuple[float, ...] | None:
    n_values = len(payload) // (4 if dtype == "f32" else 2)
    if dtype == "f32":
        values = struct.unpack_from(f"<{n_values}f", payload)
        if not all(math.isfinite(value) for value in values):
            raise _malformed("a value is NaN or infinite")
        return values
    if dtype == "s16":
        return tuple(level / 32768 for level in struct.unpack_from(f"<{n_values}h", payload))
    if dtype == "norm16":
        if units is None:
            return None
        if len(units) != n_values:
            raise _malformed(f"{n_values} values and {len(units)} units")
        return tuple(_from_norm16(payload[2 * i : 2 * i + 2], unit) for i, unit in enumerate(units))
    return ()


def _norm16(value: float, unit: str) -> bytes:
    if unit == "rad":
        return struct.pack("<h", _round(min(max(value / math.pi, -1), 1) * 32767))
    return struct.pack("<H", _round(min(max(value, 0), 1) * 65535))


def _from_norm16(raw: bytes, unit: str) -> float:
    if unit == "rad":
        return _float32(max(struct.unpack("<h", raw)[0] / 32767, -1) * math.pi)
    return _float32(struct.unpack("<H", raw)[0] / 65535)


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _head_bytes(head: str) -> bytes:
    raw = head.encode("utf-8", "replace")
    if not 1 <= len(raw) <= 16 or any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise _malformed(f"head id {head!r}; expected 1 to 16 bytes of UTF-8 without control characters")
    return raw


def _head_name(field: bytes) -> str:
    name = _text(field.rstrip(b"\0"))
    _head_bytes(name)
    return name


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"text is not UTF-8: {error}") from None
    if "\0" in text:
        raise _malformed("text holds NUL")
    return text


def _malformed(what: str) -> InvalidArgument:
    return InvalidArgument(f"wire message: {what}")
