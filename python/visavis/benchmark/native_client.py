"""The native client (client.h) from Python, as far as the latency benchmark needs it."""

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_uint32, c_uint64
from ctypes import c_void_p as handle
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import visavis
from visavis.errors import InvalidArgument, Unsupported

OK = 0
CONNECTED = 3
NEXT_TIME = -(1 << 63)  # as a time: behind what was sent before
NAMES = {"win32": "visavis_client.dll", "darwin": "libvisavis_client.dylib"}


class Frame(ctypes.Structure):
    """vvc_frame."""

    _fields_ = (
        ("struct_size", c_uint32), ("state", c_uint32), ("session_ns", c_int64), ("frame", c_int64),
        ("delay_ns", c_int64), ("epoch", c_uint32), ("phase", c_float), ("shapes", c_float * 52),
        ("yaw", c_float), ("pitch", c_float), ("roll", c_float), ("reserved", c_uint32),
    )  # fmt: skip


class Stats(ctypes.Structure):
    """vvc_stats."""

    _fields_ = (
        ("struct_size", c_uint32), ("connection", c_uint32), ("control", c_uint32), ("n_connects", c_uint32),
        ("round_trip_ns", c_int64), ("bytes", c_uint64), ("malformed", c_uint64), ("unsent", c_uint64),
        ("frames", c_uint64), ("lost", c_uint64), ("late", c_uint64), ("dropped", c_uint64), ("cuts", c_uint64),
        ("restarts", c_uint64), ("starved", c_uint64), ("delay_ns", c_int64), ("target_delay_ns", c_int64),
        ("silence_ns", c_int64), ("epoch", c_uint32), ("followed", c_uint32), ("schema_hash", c_uint64),
        ("audio_packets", c_uint64), ("audio_jumps", c_uint64),
    )  # fmt: skip


def library() -> ctypes.CDLL:
    """The client's library that came with the package.  Raises Unsupported."""
    path = Path(visavis.__file__).parent / "native" / NAMES.get(sys.platform, "libvisavis_client.so")
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:
        raise Unsupported(f"native client {path}: {error}; install the package again") from None
    floats = POINTER(c_float)
    types: dict[str, tuple[Any, list[Any]]] = {
        "vvc_open": (c_int32, [c_char_p, handle, POINTER(handle)]),
        "vvc_close": (None, [handle]),
        "vvc_now": (c_int64, []),
        "vvc_last_error": (c_char_p, []),
        "vvc_follow": (c_int32, [handle, c_char_p]),
        "vvc_sample": (c_int32, [handle, c_int32, c_int64, POINTER(Frame)]),
        "vvc_send_user_audio": (c_int32, [handle, c_int32, floats, c_uint32, c_uint32, c_int64]),
        "vvc_send_agent_audio": (c_int32, [handle, c_int32, floats, c_uint32, c_uint32, c_int64]),
        "vvc_get_stats": (c_int32, [handle, c_int32, POINTER(Stats)]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class NativeClient:
    """One connection to a server; use in a `with` block.  Times are nanoseconds of the system's monotonic clock."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: tcp://HOST:PORT.  Raises Unsupported, InvalidArgument."""
        self._library, self._client = library(), handle()
        if self._library.vvc_open(endpoint.encode(), None, byref(self._client)) != OK:
            raise InvalidArgument(self._library.vvc_last_error().decode())
        self._frame = Frame(struct_size=ctypes.sizeof(Frame))
        self._stats = Stats(struct_size=ctypes.sizeof(Stats))

    def now_ns(self) -> int:
        """The client's clock."""
        return int(self._library.vvc_now())

    def follow(self, head: str) -> int:
        """Receive this head; its handle."""
        return int(self._library.vvc_follow(self._client, head.encode()))

    def sample(self, head: int) -> Frame:
        """The face to show now; the same object each time."""
        self._library.vvc_sample(self._client, head, self._library.vvc_now(), byref(self._frame))
        return self._frame

    def stats(self, head: int) -> Stats:
        """Counters; the same object each time."""
        self._library.vvc_get_stats(self._client, head, byref(self._stats))
        return self._stats

    def send(self, who: str, head: int, samples: NDArray[np.float32], rate: int, session_ns: int = NEXT_TIME) -> bool:
        """Voice of `user` or `agent`; false where the outgoing queue is full."""
        where = samples.ctypes.data_as(POINTER(c_float))
        call = getattr(self._library, f"vvc_send_{who}_audio")
        return bool(call(self._client, head, where, len(samples), rate, session_ns) == OK)

    def close(self) -> None:
        """End the connection."""
        self._library.vvc_close(self._client)
        self._client = handle()

    def __enter__(self) -> "NativeClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
