"""A connection to a Visavis server: heads to follow, faces to sample, and why nothing moves.  Knows no Blender."""

import ctypes
import os
import re
import stat
from ctypes import byref
from pathlib import Path

from . import native

LARGEST_KEY_FILE = 4096  # bytes
_KEY = re.compile(r'^\s*(public|secret|server)-key\s*=\s*"([^"\n]{40})"\s*$', re.MULTILINE)
_TEXT = 2048
_LEVELS = ("ERROR", "WARNING", "INFO")


class ClientError(Exception):
    """An endpoint, a head's name or a key that cannot be used."""


def read_keys(path):
    """A client's file of `visavis keys new`: public, secret and server key.  Raises ClientError."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            raw = file.read(LARGEST_KEY_FILE)
    except OSError as error:
        raise ClientError(
            f"key file {path}: cannot be read ({error.strerror}); expected one of `visavis keys new`"
        ) from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ClientError(f"key file {path}: others may read it; expected mode 0600: chmod 600 {path}")
    keys = dict(_KEY.findall(raw.decode("utf-8", "replace")))
    for kind in ("public", "secret", "server"):
        if kind not in keys:
            raise ClientError(f"key file {path}: no {kind}-key; expected the NAME.key that `visavis keys new` made")
    return keys


class Client:
    """One connection.  `close` ends it; the library's thread does the network."""

    def __init__(self, library, endpoint, key_file=""):
        self._library, self._client = library, native.handle()
        self._frames = {}  # by head: what a sample that fails leaves as it was
        options = native.Options()
        library.vvc_default_options(byref(options), ctypes.sizeof(options))
        options.flags = native.NO_AUDIO
        for kind, key in (read_keys(key_file) if key_file else {}).items():
            setattr(options, f"{kind}_key", (ctypes.c_uint8 * 48)(*key.encode("ascii", "replace")))
        if library.vvc_open(endpoint.encode(), byref(options), byref(self._client)) != native.OK:
            raise ClientError(library.vvc_last_error().decode("utf-8", "replace"))

    def close(self):
        """End thread and connection; may be called again."""
        if self._client:
            self._library.vvc_close(self._client)
            self._client = native.handle()

    def follow(self, head):
        """The handle of a head; it need not exist yet.  Raises ClientError."""
        followed = self._library.vvc_follow(self._client, head.encode())
        if followed < 0:
            raise ClientError(f"head {head!r}: {self._library.vvc_last_error().decode('utf-8', 'replace')}")
        return followed

    def now(self):
        """The client's clock, ns."""
        return self._library.vvc_now()

    def sample(self, head, t_ns):
        """The face at a time of the client's clock; the frame is the same one each time."""
        frame = self._frames.setdefault(head, native.Frame(struct_size=ctypes.sizeof(native.Frame)))
        self._library.vvc_sample(self._client, head, t_ns, byref(frame))
        return frame

    def sample_at(self, head, session_ns):
        """The face at a time of the head's session clock."""
        frame = native.Frame(struct_size=ctypes.sizeof(native.Frame))
        self._library.vvc_sample_at(self._client, head, session_ns, byref(frame))
        return frame

    def connected(self):
        """Whether there is a connection now."""
        stats = native.Stats(struct_size=ctypes.sizeof(native.Stats))
        self._library.vvc_get_stats(self._client, -1, byref(stats))
        return stats.connection == native.CONNECTED

    def status(self, head=-1):
        """Why nothing moves, and the remedy; or that all is well."""
        text = ctypes.create_string_buffer(_TEXT)
        self._library.vvc_status_text(self._client, head, text, _TEXT)
        return text.value.decode("utf-8", "replace")

    def heads(self):
        """Names of the server's heads, as far as known."""
        text = ctypes.create_string_buffer(_TEXT)
        self._library.vvc_list_heads(self._client, text, _TEXT)
        return [name for name in text.value.decode("utf-8", "replace").split("\n") if name]

    def log(self):
        """New lines of the log: (level, text)."""
        level, text = ctypes.c_int32(), ctypes.create_string_buffer(_TEXT)
        lines = []
        while self._library.vvc_next_log(self._client, byref(level), text, _TEXT):
            lines.append((_LEVELS[min(max(level.value, 0), 2)], text.value.decode("utf-8", "replace")))
        return lines


def values_of(frame):
    """The 55 values of a sampled frame."""
    return (*frame.shapes, frame.yaw, frame.pitch, frame.roll)
