"""libvisavis_client through ctypes: the structs of client.h, finding and checking the library.  Knows no Blender."""

import ctypes
import platform
import sys
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64
from ctypes import c_void_p as handle
from pathlib import Path

ABI_VERSION = 1 << 16 | 0  # of the client.h that this file repeats
OK, BUSY = 0, 3
NO_AUDIO = 2
NEUTRAL = 64
CONNECTED = 3

_FILES = {"linux": "libvisavis_client.so", "win32": "visavis_client.dll", "darwin": "libvisavis_client.dylib"}
_FOLDERS = {"linux": "linux", "win32": "windows", "darwin": "macos"}
_CPUS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class LibraryError(Exception):
    """The native library is missing or another one than this file is made for."""


class Options(ctypes.Structure):
    """vvc_options."""

    _fields_ = [
        ("struct_size", c_uint32), ("flags", c_uint32),
        ("min_delay_ns", c_int64), ("max_delay_ns", c_int64), ("hold_ns", c_int64), ("ease_ns", c_int64),
        ("output_ns", c_int64), ("max_heads", c_uint32), ("outgoing_bytes", c_uint32),
        ("server_key", c_uint8 * 48), ("public_key", c_uint8 * 48), ("secret_key", c_uint8 * 48),
        ("log", handle), ("log_user", handle), ("allocate", handle), ("release", handle), ("allocator_user", handle),
    ]  # fmt: skip


class Frame(ctypes.Structure):
    """vvc_frame."""

    _fields_ = [
        ("struct_size", c_uint32), ("state", c_uint32), ("session_ns", c_int64), ("frame", c_int64),
        ("delay_ns", c_int64), ("epoch", c_uint32), ("phase", c_float), ("shapes", c_float * 52),
        ("yaw", c_float), ("pitch", c_float), ("roll", c_float), ("reserved", c_uint32),
    ]  # fmt: skip


class Stats(ctypes.Structure):
    """vvc_stats."""

    _fields_ = [
        ("struct_size", c_uint32), ("connection", c_uint32), ("control", c_uint32), ("n_connects", c_uint32),
        ("round_trip_ns", c_int64), ("bytes", c_uint64), ("malformed", c_uint64), ("unsent", c_uint64),
        ("frames", c_uint64), ("lost", c_uint64), ("late", c_uint64), ("dropped", c_uint64), ("cuts", c_uint64),
        ("restarts", c_uint64), ("starved", c_uint64), ("delay_ns", c_int64), ("target_delay_ns", c_int64),
        ("silence_ns", c_int64), ("epoch", c_uint32), ("followed", c_uint32), ("schema_hash", c_uint64),
        ("audio_packets", c_uint64), ("audio_jumps", c_uint64),
    ]  # fmt: skip


_STRUCTS = {0: Options, 1: Frame, 3: Stats}  # by vvc_struct
_CALLS = {
    "vvc_abi_matches": (c_int32, [c_uint32]), "vvc_version": (c_char_p, []), "vvc_has_curve": (c_int32, []),
    "vvc_struct_size": (c_uint32, [c_uint32]), "vvc_last_error": (c_char_p, []), "vvc_now": (c_int64, []),
    "vvc_default_options": (None, [POINTER(Options), c_uint32]),
    "vvc_open": (c_int32, [c_char_p, POINTER(Options), POINTER(handle)]), "vvc_close": (None, [handle]),
    "vvc_shape_name": (c_char_p, [c_uint32]), "vvc_follow": (c_int32, [handle, c_char_p]),
    "vvc_list_heads": (c_int32, [handle, c_char_p, c_size_t]),
    "vvc_sample": (c_int32, [handle, c_int32, c_int64, POINTER(Frame)]),
    "vvc_sample_at": (c_int32, [handle, c_int32, c_int64, POINTER(Frame)]),
    "vvc_get_stats": (c_int32, [handle, c_int32, POINTER(Stats)]),
    "vvc_status_text": (c_int32, [handle, c_int32, c_char_p, c_size_t]),
    "vvc_next_log": (c_int32, [handle, POINTER(c_int32), c_char_p, c_size_t]),
}  # fmt: skip


def system_folder():
    """This computer's folder of natives, such as linux-x64."""
    machine = platform.machine().lower()
    return f"{_FOLDERS.get(sys.platform, sys.platform)}-{_CPUS.get(machine, machine)}"


def library_path():
    """Where the extension's package has the library of this system."""
    return Path(__file__).parent / "native" / system_folder() / _FILES.get(sys.platform, _FILES["linux"])


def load_library(path=None):
    """The checked library: `path`, or that of the package.  Raises LibraryError, which says the remedy."""
    path = Path(path) if path else library_path()
    remedy = (
        f"install the extension's package for {system_folder()} (`visavis plugins package`), or build visavis_client "
        "and name the file in the add-on's preferences"
    )
    if not path.is_file():
        raise LibraryError(f"native library {path}: not there; {remedy}")
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _CALLS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise LibraryError(f"native library {path}: cannot be used ({error}); {remedy}") from None
    if not library.vvc_abi_matches(ABI_VERSION):
        raise LibraryError(
            f"native library {path}: release {library.vvc_version().decode()} has another ABI; this extension needs "
            f"{ABI_VERSION >> 16}.{ABI_VERSION & 0xFFFF}: {remedy}"
        )
    for which, struct in _STRUCTS.items():
        if library.vvc_struct_size(which) < ctypes.sizeof(struct):
            raise LibraryError(
                f"native library {path}: {struct.__doc__} has {library.vvc_struct_size(which)} bytes, at least "
                f"{ctypes.sizeof(struct)} are expected; {remedy}"
            )
    return library
