"""libvisavis_client through ctypes: the structs of client.h declared anew, and one thin class around the handle."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64
from ctypes import c_void_p as handle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
OK, INVALID, UNSUPPORTED, BUSY, FULL, _, REFUSED, PENDING = range(8)
MANUAL, NO_AUDIO, NO_CONTROL = 1, 2, 4
SPEAKING, LISTENING, HELD, EASING, NEUTRAL = 1, 2, 16, 32, 64
NEXT = -(1 << 63)
MOTION, CONTROL, INPUT, MESSAGE = range(4)
CONNECTED = 3


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("flags", c_uint32),
        ("min_delay_ns", c_int64), ("max_delay_ns", c_int64), ("hold_ns", c_int64), ("ease_ns", c_int64),
        ("output_ns", c_int64), ("max_heads", c_uint32), ("outgoing_bytes", c_uint32),
        ("server_key", c_uint8 * 48), ("public_key", c_uint8 * 48), ("secret_key", c_uint8 * 48),
        ("log", handle), ("log_user", handle), ("allocate", handle), ("release", handle), ("allocator_user", handle),
    ]  # fmt: skip


class Frame(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("state", c_uint32), ("session_ns", c_int64), ("frame", c_int64),
        ("delay_ns", c_int64), ("epoch", c_uint32), ("phase", c_float), ("shapes", c_float * 52),
        ("yaw", c_float), ("pitch", c_float), ("roll", c_float), ("reserved", c_uint32),
    ]  # fmt: skip


class Audio(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("source_rate", c_uint32), ("session_ns", c_int64), ("n_voiced", c_uint32),
        ("reserved", c_uint32),
    ]  # fmt: skip


class Stats(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("connection", c_uint32), ("control", c_uint32), ("n_connects", c_uint32),
        ("round_trip_ns", c_int64), ("bytes", c_uint64), ("malformed", c_uint64), ("unsent", c_uint64),
        ("frames", c_uint64), ("lost", c_uint64), ("late", c_uint64), ("dropped", c_uint64), ("cuts", c_uint64),
        ("restarts", c_uint64), ("starved", c_uint64), ("delay_ns", c_int64), ("target_delay_ns", c_int64),
        ("silence_ns", c_int64), ("epoch", c_uint32), ("followed", c_uint32), ("schema_hash", c_uint64),
        ("audio_packets", c_uint64), ("audio_jumps", c_uint64),
    ]  # fmt: skip


class HeadOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("live", c_uint32), ("seed", c_uint64), ("norm16", c_uint32),
                ("reserved", c_uint32)]  # fmt: skip


STRUCTS = (Options, Frame, Audio, Stats, HeadOptions)


def run(*command: str | Path, timeout: float = 600) -> str:
    """A program of this environment or the system; its output.  Fails with what it said."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    program = shutil.which(str(command[0]), path=environment["PATH"])
    assert program, f"{command[0]} is not installed"
    arguments = [program, *map(str, command[1:])]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=timeout)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(folder: Path, *options: str) -> Path:
    """A fresh libvisavis_client.so."""
    run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DVISAVIS_PYTHON=OFF", *options)
    run("cmake", "--build", folder, "--target", "visavis_client")
    return folder / "csrc" / "client" / "libvisavis_client.so"


def load(path: Path) -> ctypes.CDLL:
    """The library with the types of its calls."""
    library = ctypes.CDLL(str(path))
    client, floats = handle, POINTER(c_float)
    types: dict[str, tuple[Any, list[Any]]] = {
        "vvc_abi_matches": (c_int32, [c_uint32]), "vvc_version": (c_char_p, []), "vvc_has_curve": (c_int32, []),
        "vvc_struct_size": (c_uint32, [c_uint32]), "vvc_last_error": (c_char_p, []), "vvc_now": (c_int64, []),
        "vvc_default_options": (None, [POINTER(Options), c_uint32]),
        "vvc_open": (c_int32, [c_char_p, POINTER(Options), POINTER(client)]), "vvc_close": (None, [client]),
        "vvc_shape_name": (c_char_p, [c_uint32]), "vvc_follow": (c_int32, [client, c_char_p]),
        "vvc_unfollow": (c_int32, [client, c_int32]), "vvc_list_heads": (c_int32, [client, c_char_p, c_size_t]),
        "vvc_sample": (c_int32, [client, c_int32, c_int64, POINTER(Frame)]),
        "vvc_sample_at": (c_int32, [client, c_int32, c_int64, POINTER(Frame)]),
        "vvc_read_audio": (c_int32, [client, c_int32, c_int64, floats, c_uint32, c_uint32, POINTER(Audio)]),
        "vvc_send_user_audio": (c_int32, [client, c_int32, floats, c_uint32, c_uint32, c_int64]),
        "vvc_send_agent_audio": (c_int32, [client, c_int32, floats, c_uint32, c_uint32, c_int64]),
        "vvc_send_user_face": (c_int32, [client, c_int32, floats, c_int64]),
        "vvc_session_time": (c_int64, [client, c_int32, c_int64]),
        "vvc_open_head": (c_int64, [client, c_char_p, POINTER(HeadOptions)]),
        "vvc_close_head": (c_int64, [client, c_char_p]),
        "vvc_set_dial": (c_int64, [client, c_int32, c_char_p, c_double]),
        "vvc_cancel": (c_int64, [client, c_int32, c_int64]),
        "vvc_get_reply": (c_int32, [client, c_int64, c_char_p, c_size_t]),
        "vvc_get_stats": (c_int32, [client, c_int32, POINTER(Stats)]),
        "vvc_status_text": (c_int32, [client, c_int32, c_char_p, c_size_t]),
        "vvc_next_log": (c_int32, [client, POINTER(c_int32), c_char_p, c_size_t]),
        "vvc_set_link": (c_int32, [client, c_uint32, c_int32, c_int64]),
        "vvc_feed": (c_int32, [client, c_uint32, c_char_p, c_size_t, c_int64]),
        "vvc_drain": (c_size_t, [client, c_uint32, c_char_p, c_size_t, c_int64]),
    }  # fmt: skip
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.calls = sorted(types)  # type: ignore[attr-defined]
    return library


class NativeClient:
    """A client; use in a `with` block.  Options by name; keys as Z85 bytes."""

    def __init__(self, library: ctypes.CDLL, endpoint: str = "tcp://127.0.0.1:5570", **options: Any) -> None:
        self.library = library
        made = Options()
        library.vvc_default_options(byref(made), ctypes.sizeof(Options))
        for name, value in options.items():
            if isinstance(value, bytes):
                value = (c_uint8 * 48)(*value)
            setattr(made, name, value)
        self.client = handle()
        self.result = library.vvc_open(endpoint.encode(), byref(made), byref(self.client))
        if self.result != OK:
            raise ValueError(library.vvc_last_error().decode())

    def follow(self, name: str) -> int:
        head: int = self.library.vvc_follow(self.client, name.encode())
        return head

    def sample(self, head: int, t_ns: int | None = None) -> Frame:
        frame = Frame(struct_size=ctypes.sizeof(Frame))
        t_ns = self.library.vvc_now() if t_ns is None else t_ns
        assert self.library.vvc_sample(self.client, head, t_ns, byref(frame)) == OK
        return frame

    def sample_at(self, head: int, session_ns: int) -> Frame:
        frame = Frame(struct_size=ctypes.sizeof(Frame))
        assert self.library.vvc_sample_at(self.client, head, session_ns, byref(frame)) == OK
        return frame

    def read_audio(self, head: int, n: int, rate: int, t_ns: int | None = None) -> tuple[NDArray[np.float32], Audio]:
        samples, audio = np.full(n, 9.0, np.float32), Audio(struct_size=ctypes.sizeof(Audio))
        t_ns = self.library.vvc_now() if t_ns is None else t_ns
        where = samples.ctypes.data_as(POINTER(c_float))
        assert self.library.vvc_read_audio(self.client, head, t_ns, where, n, rate, byref(audio)) == OK
        return samples, audio

    def send(self, what: str, head: int, values: NDArray[np.float32], *rest: int) -> int:
        """`what`: user_audio, agent_audio (rest: rate, time) or user_face (rest: time)."""
        where = np.ascontiguousarray(values, np.float32).ctypes.data_as(POINTER(c_float))
        count = () if what == "user_face" else (len(values),)
        result: int = getattr(self.library, f"vvc_send_{what}")(self.client, head, where, *count, *rest)
        return result

    def stats(self, head: int = -1) -> Stats:
        stats = Stats(struct_size=ctypes.sizeof(Stats))
        assert self.library.vvc_get_stats(self.client, head, byref(stats)) == OK
        return stats

    def status(self, head: int = -1) -> str:
        return self._text(lambda text: self.library.vvc_status_text(self.client, head, text, 1024))

    def heads(self) -> list[str]:
        return self._text(lambda text: self.library.vvc_list_heads(self.client, text, 1024)).split()

    def reply(self, request: int) -> tuple[int, str]:
        results: list[int] = []
        text = self._text(lambda text: results.append(self.library.vvc_get_reply(self.client, request, text, 1024)))
        return results[0], text

    def log(self) -> list[str]:
        lines = []
        while line := self._text(lambda text: self.library.vvc_next_log(self.client, None, text, 1024)):
            lines.append(line)
        return lines

    def feed(self, message: bytes, now_ns: int, link: int = MESSAGE) -> int:
        result: int = self.library.vvc_feed(self.client, link, message, len(message), now_ns)
        return result

    def drain(self, now_ns: int, link: int = MOTION) -> bytes:
        out = ctypes.create_string_buffer(1 << 17)
        return out.raw[: self.library.vvc_drain(self.client, link, out, len(out), now_ns)]

    def _text(self, call: Callable[[Any], object]) -> str:
        text = ctypes.create_string_buffer(1024)
        call(text)
        return text.value.decode()

    def close(self) -> None:
        self.library.vvc_close(self.client)
        self.client = handle()

    def __enter__(self) -> "NativeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
