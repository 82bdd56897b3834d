"""The NVIDIA GPUs of this machine, asked of the driver itself: no package, no toolkit."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from visavis.errors import InvalidArgument, Unsupported

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # CUdevice_attribute
REMEDY = "use engine cpu"


@dataclass(frozen=True)
class Gpu:
    """One of them."""

    name: str
    capability: str  # such as 8.6
    n_bytes: int  # memory
    cuda: str  # the newest CUDA that the driver knows, such as 13.0


def find_gpus() -> list[Gpu]:
    """All of them, at least one; raises Unsupported where there is no driver or no GPU."""
    driver = _load_driver()
    code = driver.cuInit(0)
    if code == NO_DEVICE:
        raise Unsupported(f"no NVIDIA GPU: the driver sees none (CUDA_VISIBLE_DEVICES hides them, too); {REMEDY}")
    _check(code, "cuInit")
    version, count = ctypes.c_int(), ctypes.c_int()
    _check(driver.cuDriverGetVersion(ctypes.byref(version)), "cuDriverGetVersion")
    _check(driver.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    if count.value == 0:
        raise Unsupported(f"no NVIDIA GPU: the driver sees none; {REMEDY}")
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return [_gpu(driver, index, cuda) for index in range(count.value)]


def find_gpu(index: int) -> Gpu:
    """One of them; raises InvalidArgument for a number that no GPU has."""
    gpus = find_gpus()
    if not 0 <= index < len(gpus):
        raise InvalidArgument(f"device is {index}; expected 0 to {len(gpus) - 1}, the GPUs of this machine")
    return gpus[index]


def _load_driver() -> Any:
    try:
        return ctypes.CDLL(DRIVER)
    except OSError:
        raise Unsupported(
            f"no NVIDIA driver: {DRIVER} is not on this machine; install the driver of its GPU, or {REMEDY}"
        ) from None


def _gpu(driver: Any, index: int, cuda: str) -> Gpu:
    device, major, minor, n_bytes = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    _check(driver.cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
    _check(driver.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
    _check(driver.cuDeviceTotalMem_v2(ctypes.byref(n_bytes), device), "cuDeviceTotalMem")
    for value, attribute in ((major, CAPABILITY_MAJOR), (minor, CAPABILITY_MINOR)):
        _check(driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device), "cuDeviceGetAttribute")
    return Gpu(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", n_bytes.value, cuda)


def _check(code: int, call: str) -> None:
    if code != 0:
        raise Unsupported(f"the NVIDIA driver does not work: {call} returned error {code}; reinstall it, or {REMEDY}")
