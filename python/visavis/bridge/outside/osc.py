"""Open Sound Control 1.0, as much of it as VMC needs: messages and bundles to bytes and back."""

import struct
from collections.abc import Iterable, Iterator

from visavis.errors import InvalidArgument

Argument = int | float | str | bytes | bool | None
BUNDLE = b"#bundle\0"
AT_ONCE = b"\0\0\0\0\0\0\0\1"
MOST_ARGUMENTS = 64
DEEPEST = 4  # bundles in bundles
SINGLE = {"T": True, "F": False, "N": None, "I": float("inf")}
FIXED = {"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q", "r": ">I", "m": ">I", "c": ">I"}


def padded(raw: bytes) -> bytes:
    """A string with its NUL and padding to 4 bytes."""
    return raw + bytes(4 - len(raw) % 4)


def message(address: str, tags: str = "", *arguments: Argument) -> bytes:
    """A message of `i`, `f` and `s` arguments."""
    parts = [padded(address.encode()), padded(b"," + tags.encode())]
    for tag, argument in zip(tags, arguments, strict=True):
        parts.append(padded(str(argument).encode()) if tag == "s" else struct.pack(FIXED[tag], argument))
    return b"".join(parts)


def bundles(messages: Iterable[bytes], largest: int) -> list[bytes]:
    """The messages in order, in as few bundles as fit into so many bytes each."""
    full, size = [[]], len(BUNDLE) + len(AT_ONCE)  # type: list[list[bytes]], int
    for content in messages:
        if full[-1] and size + 4 + len(content) > largest:
            full.append([])
            size = len(BUNDLE) + len(AT_ONCE)
        full[-1].append(struct.pack(">i", len(content)) + content)
        size += 4 + len(content)
    return [BUNDLE + AT_ONCE + b"".join(contents) for contents in full]


def decode(datagram: bytes, depth: int = 0) -> Iterator[tuple[str, tuple[Argument, ...]]]:
    """Address and arguments of each message of a datagram; raises InvalidArgument at what is malformed."""
    if not datagram.startswith(BUNDLE):
        yield _message(datagram)
        return
    if depth >= DEEPEST:
        raise _malformed(f"bundles in bundles, more than {DEEPEST} deep")
    at = len(BUNDLE) + len(AT_ONCE)
    if len(datagram) < at:
        raise _malformed(f"bundle of {len(datagram)} bytes; expected at least {at}")
    while at < len(datagram):
        if len(datagram) < at + 4:
            raise _malformed("bundle ends inside an element's size")
        (size,) = struct.unpack_from(">i", datagram, at)
        if size <= 0 or size % 4 or at + 4 + size > len(datagram):
            raise _malformed(f"element of {size} bytes; expected a multiple of 4 inside the bundle")
        yield from decode(datagram[at + 4 : at + 4 + size], depth + 1)
        at += 4 + size


def _message(raw: bytes) -> tuple[str, tuple[Argument, ...]]:
    address, at = _string(raw, 0)
    if not address.startswith("/"):
        raise _malformed(f"address {address[:40]!r}; expected one that begins with /")
    if at == len(raw):
        return address, ()  # some senders leave the type tags out where there are no arguments
    tags, at = _string(raw, at)
    if not tags.startswith(",") or len(tags) > MOST_ARGUMENTS + 1:
        raise _malformed(f"type tags {tags[:40]!r}; expected a comma and at most {MOST_ARGUMENTS} tags")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        argument, at = _argument(raw, at, tag)
        arguments.append(argument)
    if at != len(raw):
        raise _malformed(f"{len(raw) - at} bytes behind the last argument")
    return address, tuple(arguments)


def _argument(raw: bytes, at: int, tag: str) -> tuple[Argument, int]:
    if tag in SINGLE:
        return SINGLE[tag], at
    if tag in FIXED:
        end = at + struct.calcsize(FIXED[tag])
        if end > len(raw):
            raise _malformed(f"ends inside an argument {tag!r}")
        return struct.unpack_from(FIXED[tag], raw, at)[0], end
    if tag in "sS":
        return _string(raw, at)
    if tag == "b" and len(raw) >= at + 4:
        (size,) = struct.unpack_from(">i", raw, at)
        end = at + 4 + size + -size % 4
        if size < 0 or end > len(raw):
            raise _malformed(f"blob of {size} bytes")
        return raw[at + 4 : at + 4 + size], end
    raise _malformed(f"type tag {tag!r} is unknown")


def _string(raw: bytes, at: int) -> tuple[str, int]:
    nul = raw.find(b"\0", at)
    end = nul + 4 - (nul - at) % 4
    if nul < 0 or end > len(raw):
        raise _malformed("a string does not end")
    try:
        return raw[at:nul].decode("utf-8"), end
    except UnicodeDecodeError:
        raise _malformed("a string is not UTF-8") from None


def _malformed(what: str) -> InvalidArgument:
    return InvalidArgument(f"OSC message: {what}")
