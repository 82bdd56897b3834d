"""Packages of the engine plugins with natives built for real: their bytes, their exports, what they need."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from native_client import load, run

from visavis import __version__
from visavis.plugins.archive import read_archive
from visavis.plugins.description import read_plugins
from visavis.plugins.package import Package, make_packages

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
LINUX, WINDOWS = "linux-x86_64", "windows-x86_64"
LINUX_MAY_NEED = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}
WINDOWS_MAY_NEED = {"KERNEL32.dll", "msvcrt.dll", "WS2_32.dll"}
PREFIX = {"client": "vvc_", "runtime": "vv_"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, natives_folder: Path) -> tuple[Path, dict[str, Package]]:
    """All packages, and where they are."""
    folder = tmp_path_factory.mktemp("packages")
    made = make_packages(folder, None, ROOT, natives_folder, say=lambda _: None)
    return folder, {package.name: package for package in made}


def test_the_manifest_lists_every_package(packages: tuple[Path, dict[str, Package]]) -> None:
    folder, made = packages
    assert set(made) == {plugin.engine for plugin in read_plugins(ROOT)}
    for package in made.values():
        data = (folder / package.file).read_bytes()
        assert (package.size, package.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert package.version == __version__ in package.file and package.natives == (LINUX, WINDOWS)


def test_natives_need_the_system_alone_and_export_the_abi(
    packages: tuple[Path, dict[str, Package]], tmp_path: Path
) -> None:
    folder, made = packages
    for plugin in read_plugins(ROOT):
        contents = read_archive(folder / made[plugin.engine].file)
        for kind, places in (("client", plugin.client), ("runtime", plugin.runtime)):
            for platform, place in places.items():
                if platform not in (LINUX, WINDOWS):
                    continue
                path = tmp_path / f"{plugin.engine}-{Path(place).name}"
                path.write_bytes(contents[f"{plugin.folder}/{place}".lstrip("/")])
                needed, exported = (of_elf if platform == LINUX else of_dll)(path)
                assert needed <= (LINUX_MAY_NEED if platform == LINUX else WINDOWS_MAY_NEED), (path.name, needed)
                assert len(exported) > 10 and all(name.startswith(PREFIX[kind]) for name in exported), path.name
                if kind == "client" and platform == LINUX:
                    assert load(path).vvc_version().decode() == __version__


def of_elf(path: Path) -> tuple[set[str], set[str]]:
    """Libraries needed and symbols exported."""
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", path)))
    return needed, {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", path).splitlines()}


def of_dll(path: Path) -> tuple[set[str], set[str]]:
    text = run("x86_64-w64-mingw32-objdump", "-p", path)
    table = text.split("[Ordinal/Name Pointer] Table")[1]
    names = re.findall(r"^\s*\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?([A-Za-z_]\w+)$", table, re.MULTILINE)
    return {line.split()[-1] for line in text.splitlines() if "DLL Name" in line}, set(names)


def test_natives_are_the_same_from_another_copy_elsewhere(
    packages: tuple[Path, dict[str, Package]], tmp_path: Path
) -> None:
    """Paths of the computer, times and the order of files leave no trace: the client alone, to save time."""
    folder, made = packages
    copy = tmp_path / "another" / "place"
    for name in ("csrc", "engine_plugins/blender", "CMakeLists.txt", "pyproject.toml", "LICENSE"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, _made(copy / name))
    again = make_packages(tmp_path / "out", ["blender"], copy, say=lambda _: None)[0]
    assert again == made["blender"]
    assert (tmp_path / "out" / again.file).read_bytes() == (folder / again.file).read_bytes()


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
