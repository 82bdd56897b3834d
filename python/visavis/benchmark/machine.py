"""What machine it was, what ran on it, and how busy it was: without these a figure says nothing."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import visavis

FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
PACKAGES = ("numpy", "onnxruntime", "torch", "pyzmq")


def machine() -> dict[str, Any]:
    """Processor, system and versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in (_cpuinfo("flags") or _cpuinfo("Features")).split()],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "visavis": visavis.__version__,
        "commit": commit(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def processor() -> str:
    """Its name, or at least its kind."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def load() -> float | None:
    """Processes that run or wait for a core, in the mean of the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit() -> str | None:
    """The commit of the checkout that this package lies in, with "+" where files were changed; None without one."""
    root = Path(visavis.__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "--short", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def one_line(about: dict[str, Any], loads: tuple[float | None, float | None]) -> str:
    """For the head of a table."""
    busy = "load not known" if None in loads else f"load {loads[0]:.1f} to {loads[1]:.1f}"
    version = f"visavis {about['visavis']}" + (f" ({about['commit']})" if about["commit"] else "")
    return f"{about['processor']}, {about['cores']} cores, {busy}; {about['system']}; {version}"


def _cpuinfo(name: str) -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text("utf-8", "replace").splitlines():
            if line.partition(":")[0].strip() == name:
                return line.partition(":")[2].strip()
    return ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
