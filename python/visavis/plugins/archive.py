"""Archives whose bytes depend on names and contents alone: no times, no owners, no order of a folder."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import write_whole

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first that zip knows


def write_archive(path: Path, contents: dict[str, bytes]) -> None:
    """Write `.zip` or `.tgz` by the suffix; the file appears whole or not at all.  Raises FileError."""
    makers = {".zip": _zip, ".tgz": _tgz}
    if path.suffix not in makers:
        raise InvalidArgument(f"package {path}: suffix {path.suffix!r}; expected .zip or .tgz")
    for name in contents:
        parts = name.split("/")
        if not name or name.startswith("/") or ".." in parts or "\\" in name or "" in parts:
            raise FileError(f"package {path}: {name!r} is no path inside it")
    data = makers[path.suffix](dict(sorted(contents.items())))
    write_whole(path, "package", lambda file: file.write(data))


def read_archive(path: Path) -> dict[str, bytes]:
    """All files of an archive."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                found[member.name] = file.read()
    return found


def _zip(contents: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _tgz(contents: dict[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as packed:
        packed.write(plain.getvalue())
    return out.getvalue()
