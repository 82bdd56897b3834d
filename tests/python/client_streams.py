"""What a server writes on a connection: greeting, handshake, frames; for fuzzing and for a client without sockets."""

import json
import struct

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """One ZMTP frame."""
    return bytes([flags, len(body)]) + body if len(body) < 256 else struct.pack(">BQ", flags | 2, len(body)) + body


def ready(socket_type: bytes) -> bytes:
    """Greeting and READY of a server's socket."""
    metadata = b"\x0bSocket-Type" + struct.pack(">I", len(socket_type)) + socket_type
    return GREETING + frame(b"\x05READY" + metadata + b"\x08Identity\0\0\0\0", 4)


def motion_stream(messages: list[bytes]) -> bytes:
    """A PUB's stream with a heartbeat in the middle and an oversized frame at the end."""
    half = len(messages) // 2
    parts = [ready(b"PUB"), *map(frame, messages[:half]), frame(b"\x04PING\0\x0acontext", 4)]
    return b"".join([*parts, frame(b"first part", 1), *map(frame, messages[half:]), frame(b"x" * 70_000)])


def control_stream() -> bytes:
    """A ROUTER's replies: a clock, a description, requests that were met and refused."""
    clock = {"ok": True, "id": 0, "client_ns": 0, "server_receive_ns": 5, "server_send_ns": 6, "head": "npc"}
    head = {"head": "npc", "epoch": 7, "running": True, "server_ns": 5, "session_ns": 1, "channels": ["jawOpen"]}
    replies = [
        clock,
        {"ok": True, "id": -1, "heads": [head, {"head": "Zo\u00eb"}, {"head": "\n\u00e9\\ud83d\\ude00"}, 5]},
        *({"ok": True, "id": number, "reply": "dials"} for number in range(1, 4)),
        *({"ok": False, "id": number, "error": {"code": "x", "message": 'no "dial" \\ \u20ac'}} for number in (4, 70)),
    ]
    return ready(b"ROUTER") + b"".join(frame(json.dumps(reply).encode()) for reply in replies)
