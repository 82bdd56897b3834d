"""What belongs into the package of each engine: engine_plugins/ENGINE/package.json of a source checkout."""

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from visavis.errors import FileError, InvalidArgument

ENGINES = ("unreal", "unity", "blender")
PLATFORMS = ("linux-x86_64", "windows-x86_64", "macos")  # that natives can be made for
VERSION = re.compile(r'^\s*"?(?:VersionName|version)"?\s*[:=]\s*"([^"]+)"', re.MULTILINE)
REMEDY = "packages are made from a source checkout: run it there, or name the checkout with --source"


@dataclass(frozen=True)
class Copy:
    """Files of the repository that go into the package."""

    source: str  # folder, relative to the repository
    files: str  # pattern
    to: str  # folder, relative to the package's
    name: str = ""  # there, of one file; empty: as it is


@dataclass(frozen=True)
class Plugin:
    """One engine's package."""

    engine: str
    folder: str  # that holds all in the archive; empty: none
    version_in: str  # file that states the version, relative to the folder
    copy: tuple[Copy, ...]
    archive: str = ""  # file name, with {version}; .zip or .tgz
    title: str = ""  # for whom
    install: str = "see its README"  # where in the engine
    client: dict[str, str] = field(default_factory=dict)  # places of libvisavis_client by platform
    runtime: dict[str, str] = field(default_factory=dict)  # of libvisavis
    platforms_in: str = ""  # file with a line `platforms = [...]` of what is inside

    def platforms(self) -> tuple[str, ...]:
        """That its natives are for."""
        return tuple(platform for platform in PLATFORMS if platform in {**self.client, **self.runtime})


def find_source(source: Path | None) -> Path:
    """The source checkout: the one given, or that of this package or the present folder.  Raises FileError."""
    tried = [source] if source else [Path(__file__).parents[3], Path.cwd()]
    for folder in tried:
        if (folder / "engine_plugins").is_dir() and (folder / "csrc" / "CMakeLists.txt").is_file():
            return folder.resolve()
    raise FileError(f"no source checkout of Visavis at {' or '.join(map(str, tried))}; {REMEDY}")


def project_version(source: Path) -> str:
    """The one version that every package has."""
    found = VERSION.search((source / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise FileError(f"{source / 'pyproject.toml'}: no line version = ...")
    return found[1]


def read_plugins(source: Path, engines: list[str] | None = None) -> list[Plugin]:
    """The packages that this checkout describes, or those of some engines.  Raises Error."""
    for engine in engines or []:
        if engine not in ENGINES:
            raise InvalidArgument(f"engine {engine!r} is unknown; expected one of {', '.join(ENGINES)}")
    wanted = engines or [engine for engine in ENGINES if _path(source, engine).is_file()]
    return [_read(_path(source, engine), engine) for engine in wanted]


def _path(source: Path, engine: str) -> Path:
    return source / "engine_plugins" / engine / "package.json"


def _read(path: Path, engine: str) -> Plugin:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found.pop("about", None)
        copies = (Copy(item["from"], item["files"], item["to"], item.get("as", "")) for item in found.pop("copy"))
        defaults = {"archive": f"visavis-{engine}-{{version}}.zip", "title": engine}
        plugin = Plugin(**{**defaults, **found, "engine": engine, "copy": tuple(copies)})
    except OSError as error:
        raise FileError(f"package description {path}: cannot be read ({error.strerror}); {REMEDY}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        names = ", ".join(item.name for item in fields(Plugin))
        raise FileError(f"package description {path}: {error!r}; expected JSON with {names}") from None
    unknown = {*plugin.client, *plugin.runtime} - set(PLATFORMS)
    if unknown:
        raise FileError(f"package description {path}: platform {min(unknown)!r}; expected {', '.join(PLATFORMS)}")
    return plugin
