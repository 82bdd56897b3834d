"""Packages of the engine plugins: what is inside, the same bytes each time, and what is said when something lacks.

Natives are left out here, or stand-ins; their build is in tests/end_to_end/test_plugins.py.
"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from native_client import run

from visavis import __version__
from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.plugins import natives
from visavis.plugins.archive import read_archive, write_archive
from visavis.plugins.description import ENGINES, find_source, project_version, read_plugins
from visavis.plugins.package import Package, copied, make_packages

ROOT = Path(__file__).parents[2]
BLENDER_FILES = {
    "LICENSE", "README.md", "__init__.py", "axes.py", "blender_manifest.toml", "client.py", "face.py", "keys.py",
    "live.py", "names.py", "native.py", "operators.py", "panel.py", "recording.py", "settings.py", "sound.py",
    "take.py",
}  # fmt: skip
NATIVES = {"native/linux-x64/libvisavis_client.so": b"ELF", "native/windows-x64/visavis_client.dll": b"MZ"}


def make(out: Path, engine: str | None, root: Path) -> Package:
    """A package without natives."""
    engines = None if engine is None else [engine]
    return make_packages(out, engines, root, with_natives=False, say=lambda _: None)[0]


@pytest.fixture
def made_up(tmp_path: Path) -> Callable[..., Path]:
    """A checkout with one small package, with whatever else its description says."""

    def write(version: str = "1.2.3", said: str = "1.2.3", engine: str = "unity", **changes: object) -> Path:
        root = tmp_path / "checkout"
        folder = root / "engine_plugins" / engine / "thing"
        (folder / "Plugins" / "Windows").mkdir(parents=True)
        (root / "csrc").mkdir()
        (root / "csrc" / "CMakeLists.txt").write_text("")
        (root / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
        (folder / "package.json").write_text(f'{{\n  "version": "{said}"\n}}\n')
        for name in ("Code.cs", "Code.cs.meta", "Plugins.meta", "Plugins/Windows.meta", "Plugins/Windows/x.dll.meta"):
            (folder / name).write_text(name)
        (folder / ".hidden").write_text("no")
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "x.pyc").write_text("no")
        about = {
            "about": "x", "title": "x", "install": "x", "archive": "thing-{version}.tgz", "folder": "package",
            "version_in": "package.json", "runtime": {"windows-x86_64": "Plugins/Windows/x.dll"},
            "copy": [{"from": f"engine_plugins/{engine}/thing", "files": "**/*", "to": "."}], **changes,
        }  # fmt: skip
        (folder.parent / "package.json").write_text(json.dumps(about))
        return root

    return write


def test_every_package_has_the_version_of_the_project() -> None:
    assert project_version(ROOT) == __version__
    plugins = read_plugins(ROOT)
    assert [plugin.engine for plugin in plugins] == list(ENGINES)
    for plugin in plugins:
        contents = copied(plugin, ROOT)
        assert __version__ in contents[plugin.version_in].decode(), plugin.engine
        assert {"LICENSE", "LICENSE.md"} & set(contents) and "{version}" in plugin.archive


def test_the_blender_package_without_natives(tmp_path: Path) -> None:
    package = make(tmp_path, "blender", ROOT)
    contents = read_archive(tmp_path / package.file)
    assert set(contents) == BLENDER_FILES and package.natives == ()
    assert b"platforms" not in contents["blender_manifest.toml"]
    data = (tmp_path / package.file).read_bytes()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == [
        {"name": "blender", "version": __version__, "file": f"visavis_heads-{__version__}.zip", "size": len(data),
         "sha256": hashlib.sha256(data).hexdigest(), "natives": []}
    ]  # fmt: skip


def test_the_unreal_package_carries_a_client_that_compiles(tmp_path: Path) -> None:
    """From the unzipped folder alone, into a program."""
    package = make(tmp_path, "unreal", ROOT)
    with zipfile.ZipFile(tmp_path / package.file) as archive:
        archive.extractall(tmp_path / "Plugins")
    plugin = tmp_path / "Plugins" / "Visavis"
    csrc = plugin / "Source" / "Visavis" / "csrc"
    assert {path.name for path in plugin.iterdir()} >= {
        "Visavis.uplugin",
        "LICENSE",
        "README.md",
        "Source",
        "Resources",
    }
    sources = sorted((csrc / "client").glob("*.c"))
    assert {path.name for path in sources} == {path.name for path in (ROOT / "csrc" / "client").glob("*.c")}
    program = tmp_path / "follow_head"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-DVVC_STATIC", f"-I{csrc}", f"-I{csrc / 'include'}"]
    run("cc", *flags, ROOT / "csrc" / "examples" / "follow_head.c", *sources, "-lm", "-lpthread", "-o", program)
    assert "nothing listens there" in run(program, "tcp://127.0.0.1:1", "npc", "2")
    for path in plugin.rglob("*"):
        assert path.name not in ("__pycache__", ".DS_Store") and path.suffix not in (".o", ".so", ".dll", ".pyc"), path


def test_natives_go_where_they_belong_and_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"

    def build(source: Path, platform: str, targets: list[str], folder: Path) -> dict[str, Path]:
        assert source == ROOT and targets == ["visavis_client"]
        library.with_suffix(f".{platform}").write_bytes(
            NATIVES[f"native/{platform.replace('86_64', '64')}/{names[platform]}"]
        )
        return {"visavis_client": library.with_suffix(f".{platform}")}

    names = {"linux-x86_64": "libvisavis_client.so", "windows-x86_64": "visavis_client.dll"}
    monkeypatch.setattr(natives, "missing", lambda platform: "")
    monkeypatch.setattr(natives, "build", build)
    package = make_packages(tmp_path / "a", ["blender"], ROOT, say=lambda _: None)[0]
    contents = read_archive(tmp_path / "a" / package.file)
    assert {name: contents[name] for name in NATIVES} == NATIVES and set(contents) == BLENDER_FILES | set(NATIVES)
    assert b'\nplatforms = ["linux-x64", "windows-x64"]\n' in contents["blender_manifest.toml"]
    monkeypatch.setattr(natives, "host", lambda: "linux-x86_64")
    monkeypatch.setattr(natives, "missing", lambda platform: "" if platform == "linux-x86_64" else "no mingw")
    said: list[str] = []
    package = make_packages(tmp_path / "b", ["blender"], ROOT, say=said.append)[0]
    assert said[-1] == "natives for windows-x86_64 are left out: no mingw"
    contents = read_archive(tmp_path / "b" / package.file)
    assert (
        package.natives == ("linux-x86_64",) and b'\nplatforms = ["linux-x64"]\n' in contents["blender_manifest.toml"]
    )

    monkeypatch.setattr(natives, "missing", lambda platform: "no compiler")
    with pytest.raises(Unsupported, match="natives for linux-x86_64: no compiler; or make packages --without-natives"):
        make_packages(tmp_path / "c", ["blender"], ROOT, say=lambda _: None)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, made_up: Callable[..., Path]) -> None:
    root = made_up()
    first = make(tmp_path / "a", None, root)
    for path in root.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o755)
    second = make(tmp_path / "b", None, root)
    assert first == second and first.file == "thing-1.2.3.tgz"
    assert (tmp_path / "a" / first.file).read_bytes() == (tmp_path / "b" / second.file).read_bytes()
    for suffix in (".zip", ".tgz"):
        forth, back = tmp_path / f"forth{suffix}", tmp_path / f"back{suffix}"
        files = {"b/c": b"1" * 5000, "a": b"", "b/d": b"2"}
        write_archive(forth, files)
        write_archive(back, dict(reversed(files.items())))
        assert forth.read_bytes() == back.read_bytes() and read_archive(forth) == files
    with zipfile.ZipFile(tmp_path / "forth.zip") as archive:
        assert {(entry.date_time[0], entry.external_attr >> 16) for entry in archive.infolist()} == {(1980, 0o100644)}


def test_files_are_renamed(tmp_path: Path, made_up: Callable[..., Path]) -> None:
    copy = [{"from": "engine_plugins/unity/thing", "files": "package.json", "to": "."}]
    copy.append({"from": "engine_plugins/unity/thing", "files": "Code.cs", "to": "a/b", "as": "c.bytes"})
    package = make(tmp_path, "unity", made_up(copy=copy, archive="t.zip"))
    assert set(read_archive(tmp_path / package.file)) == {"package/package.json", "package/a/b/c.bytes"}


def test_metas_of_what_is_left_out_are_left_out(tmp_path: Path, made_up: Callable[..., Path]) -> None:
    package = make(tmp_path, "unity", made_up())
    assert set(read_archive(tmp_path / package.file)) == {
        "package/Code.cs", "package/Code.cs.meta", "package/package.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"said": "1.2.2"}, "says version 1.2.2; expected the project's, 1.2.3"),
        ({"version_in": "none"}, "says version nothing"),
        ({"copy": [{"from": "none", "files": "*", "to": "."}]}, "no file \\* in .*none"),
        ({"copy": [{"from": "none"}]}, "KeyError"),
        ({"copy": [{"from": ".", "files": "engine_plugins/unity/thing/*", "to": ".", "as": "x"}]}, "files .* as x"),
        ({"more": 1}, "more"),
        ({"runtime": {"amiga": "x"}}, "platform 'amiga'"),
        ({"folder": "../out"}, "is no path inside"),
        ({"archive": "x.rar"}, "expected .zip or .tgz"),
        ({"platforms_in": "package.json"}, "0 lines"),
    ],
)
def test_bad_descriptions_are_named(
    tmp_path: Path, made_up: Callable[..., Path], changes: dict[str, object], message: str
) -> None:
    root = made_up(**changes)  # type: ignore[arg-type]
    with pytest.raises((FileError, InvalidArgument), match=message):
        make(tmp_path / "out", None, root)
    assert not list((tmp_path / "out").glob("*.*")) if (tmp_path / "out").exists() else True


def test_no_checkout_and_unknown_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Callable[..., Path]
) -> None:
    with pytest.raises(FileError, match=r"no source checkout .*--source"):
        find_source(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("visavis.plugins.description.__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))
    with pytest.raises(FileError, match="no source checkout"):
        make_packages(tmp_path / "out")
    with pytest.raises(InvalidArgument, match="'godot' is unknown; expected one of unreal, unity, blender"):
        read_plugins(ROOT, ["godot"])
    with pytest.raises(FileError, match="cannot be read"):
        read_plugins(made_up(), [next(engine for engine in ENGINES if engine != "unity")])
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgument, match="is a file; expected a folder"):
        make_packages(tmp_path / "file", ["blender"], ROOT)


def test_what_lacks_for_natives_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"cmake"}
    monkeypatch.setattr(natives, "_tool", lambda name: name if name in there else None)
    monkeypatch.setattr(natives, "host", lambda: "linux-x86_64")
    assert "no C++ compiler" in natives.missing("linux-x86_64")
    assert "gcc-mingw-w64" in natives.missing("windows-x86_64")
    assert "make the package on a macos computer" in natives.missing("macos")
    there |= {"g++", "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-g++"}
    assert natives.missing("linux-x86_64") == natives.missing("windows-x86_64") == ""
    there.remove("cmake")
    assert "cmake is not installed" in natives.missing("linux-x86_64")


def test_the_command_lists(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "visavis", "plugins", "list", "--source", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and f"visavis_heads-{__version__}.zip: Blender" in done.stdout
    assert "natives for linux-x86_64: " in done.stdout
