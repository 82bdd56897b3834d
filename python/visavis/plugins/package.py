"""Engine plugins as archives that their engines install."""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from visavis.errors import FileError, InvalidArgument, Unsupported
from visavis.motion_file import write_whole
from visavis.plugins import natives
from visavis.plugins.archive import write_archive
from visavis.plugins.description import VERSION, Plugin, find_source, project_version, read_plugins

MANIFEST = "manifest.json"
LEFT_OUT = re.compile(r"(^|/)(\.|__pycache__(/|$))|\.pyc$")
# What a native is called in a `platforms` line (Blender's names).
PLATFORM_NAMES = {"linux-x86_64": "linux-x64", "windows-x86_64": "windows-x64", "macos": "macos-arm64"}


@dataclass(frozen=True)
class Package:
    """A line of the manifest."""

    name: str  # engine
    version: str
    file: str
    size: int  # bytes
    sha256: str
    natives: tuple[str, ...]  # platforms that are inside


def make_packages(
    out: Path,
    engines: list[str] | None = None,
    source: Path | None = None,
    build_folder: Path | None = None,
    with_natives: bool = True,
    say: Callable[[str], None] = print,
) -> list[Package]:
    """Build natives and write a package for each engine and manifest.json into `out`.  Raises Error.

    Natives for other systems that this computer cannot build are left out, and `say` tells which and why; those for its
    own must be built, unless none are wanted.  A `build_folder` that is kept makes the next call quick.
    """
    source = find_source(source)
    plugins = read_plugins(source, engines)
    if not plugins:
        raise FileError(f"{source / 'engine_plugins'} describes no packages (ENGINE/package.json)")
    version = project_version(source)
    if out.exists() and not out.is_dir():
        raise InvalidArgument(f"--out {out}: is a file; expected a folder")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        built = _build_natives(plugins, source, build_folder or Path(temporary), say) if with_natives else {}
        made = [_make(plugin, version, source, built, out) for plugin in plugins]
    lines = json.dumps([asdict(package) for package in made], indent=2) + "\n"
    write_whole(out / MANIFEST, "manifest", lambda file: file.write(lines.encode()))
    return made


def _build_natives(
    plugins: list[Plugin], source: Path, folder: Path, say: Callable[[str], None]
) -> dict[tuple[str, str], Path]:
    """Libraries by (target, platform)."""
    built: dict[tuple[str, str], Path] = {}
    for platform in dict.fromkeys(platform for plugin in plugins for platform in plugin.platforms()):
        targets = [natives.CLIENT] if any(platform in plugin.client for plugin in plugins) else []
        targets += [natives.RUNTIME] if any(platform in plugin.runtime for plugin in plugins) else []
        reason = natives.missing(platform)
        if reason and platform == natives.host():
            raise Unsupported(f"natives for {platform}: {reason}; or make packages --without-natives")
        if reason:
            say(f"natives for {platform} are left out: {reason}")
            continue
        say(f"natives for {platform}: building {', '.join(targets)}")
        for target, path in natives.build(source, platform, targets, folder / platform).items():
            built[target, platform] = path
    return built


def _make(plugin: Plugin, version: str, source: Path, built: dict[tuple[str, str], Path], out: Path) -> Package:
    contents = copied(plugin, source)
    _check_version(plugin, contents, version)
    inside = []
    for target, places in ((natives.CLIENT, plugin.client), (natives.RUNTIME, plugin.runtime)):
        for platform, place in places.items():
            if (target, platform) in built:
                contents[place] = built[target, platform].read_bytes()
                inside.append(platform)
    _name_platforms(plugin, contents, inside)
    _drop_lonely_metas(contents)
    prefix = f"{plugin.folder}/" if plugin.folder else ""
    path = out / plugin.archive.format(version=version)
    write_archive(path, {prefix + name: content for name, content in contents.items()})
    data = path.read_bytes()
    return Package(
        plugin.engine, version, path.name, len(data), hashlib.sha256(data).hexdigest(), tuple(sorted(set(inside)))
    )


def copied(plugin: Plugin, source: Path) -> dict[str, bytes]:
    """The files of the repository that go into a package, by their path in its folder.  Raises FileError."""
    contents: dict[str, bytes] = {}
    for copy in plugin.copy:
        base = source / copy.source
        found = sorted(path for path in base.glob(copy.files) if path.is_file())
        names = {path.relative_to(base).as_posix(): path for path in found}
        names = {name: path for name, path in names.items() if not LEFT_OUT.search(name)}
        if not names:
            raise FileError(f"package for {plugin.engine}: no file {copy.files} in {base}; the checkout is not whole")
        if copy.name and len(names) != 1:
            raise FileError(
                f"package for {plugin.engine}: {len(names)} files {copy.files} as {copy.name}; expected one"
            )
        for name, path in names.items():
            contents[(Path(copy.to) / (copy.name or name)).as_posix()] = path.read_bytes()
    return contents


def _check_version(plugin: Plugin, contents: dict[str, bytes], version: str) -> None:
    text = contents.get(plugin.version_in, b"").decode("utf-8")
    found = VERSION.search(text)
    if found is None or found[1] != version:
        raise FileError(
            f"package for {plugin.engine}: {plugin.version_in} says version {found[1] if found else 'nothing'}; "
            f"expected the project's, {version} (pyproject.toml)"
        )


def _name_platforms(plugin: Plugin, contents: dict[str, bytes], inside: list[str]) -> None:
    if not plugin.platforms_in:
        return
    names = ", ".join(f'"{PLATFORM_NAMES[platform]}"' for platform in sorted(set(inside)))
    text = contents[plugin.platforms_in].decode("utf-8")
    line = f"platforms = [{names}]" if names else ""
    text, n_lines = re.subn(r"^platforms = .*$", line, text, flags=re.MULTILINE)
    if n_lines != 1:
        raise FileError(f"package for {plugin.engine}: {plugin.platforms_in} has {n_lines} lines `platforms = `, not 1")
    contents[plugin.platforms_in] = text.encode()


def _drop_lonely_metas(contents: dict[str, bytes]) -> None:
    """Unity's .meta files of natives, and of their folders, that are not inside."""
    for name in [name for name in contents if name.endswith(".meta")]:
        owner = name.removesuffix(".meta")
        if owner not in contents and not any(other.startswith(f"{owner}/") for other in contents if other != name):
            del contents[name]
