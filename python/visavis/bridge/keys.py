"""CURVE keys of servers and clients: pairs in files, and who may come in.

    keys/server.key            public and secret key of the server: readable by its owner alone
    keys/server.pub            its public key, for clients
    keys/clients/NAME.pub      public keys of the clients that may come in; a file that goes shuts its client out
    keys/NAME.key              what `visavis keys new keys --client NAME` made for a client: its pair, the server's key

The files are ZeroMQ certificates (ZPL): other tools read them, and theirs are read.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from visavis.errors import FileError, InvalidArgument

LARGEST_FILE = 4096  # bytes
MOST_CLIENTS = 1000
KEY = re.compile(r'^\s*(public|secret|server)-key\s*=\s*"([^"\n]{40})"\s*$', re.MULTILINE)
CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True, repr=False)
class ClientKeys:
    """What a client needs: its own pair and the server's public key (40 characters of Z85 each)."""

    public: str
    secret: str
    server: str

    @classmethod
    def load(cls, path: str | Path) -> "ClientKeys":
        """Read a client's file.  Raises FileError or InvalidArgument."""
        found = _read(Path(path), secret=True)
        _need(Path(path), found, "public", "secret", "server")
        return cls(found["public"], found["secret"], found["server"])

    def apply(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket speak CURVE to the server; before it connects."""
        socket.curve_publickey, socket.curve_secretkey = self.public.encode(), self.secret.encode()
        socket.curve_serverkey = self.server.encode()


class ServerKeys:
    """A server's pair, and the clients of its folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "server.key"
        found = _read(path, secret=True)
        _need(path, found, "public", "secret")
        self.public, self._secret = found["public"], found["secret"]
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._clients: dict[str, str] = {}  # names by public key

    def apply(self, socket: "zmq.Socket[bytes]", domain: bytes) -> None:
        """Make a socket a CURVE server that asks for its clients; before it binds."""
        socket.curve_secretkey, socket.curve_publickey = self._secret.encode(), self.public.encode()
        socket.curve_server = True
        socket.setsockopt(zmq.ZAP_DOMAIN, domain)

    def client_of(self, key: bytes) -> str | None:
        """The name of the client with that public key (32 bytes), as the folder stands now; None: nobody."""
        paths = sorted((self.folder / "clients").glob("*.pub"))[:MOST_CLIENTS]
        seen = tuple((path.name, *_stamp(path)) for path in paths)
        if seen != self._seen:
            self._seen, self._clients = seen, {}
            for path in paths:
                try:
                    self._clients.setdefault(_read(path, secret=False).get("public", ""), path.stem)
                except FileError:  # it went meanwhile, or is no key: nobody comes in with it
                    continue
        return self._clients.get(z85.encode(key).decode())


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def new_keys(folder: str | Path, clients: list[str]) -> list[Path]:
    """Make the server's pair if there is none, and a pair for each client; the files made.  Raises Error."""
    folder, made = Path(folder), list[Path]()
    for name in clients:
        if not CLIENT_NAME.fullmatch(name) or name == "server":
            raise InvalidArgument(f"client {name!r}: expected 1 to 63 letters, digits, dots, dashes or underlines")
        for path in (folder / f"{name}.key", folder / "clients" / f"{name}.pub"):
            if path.exists():
                raise FileError(f"client {name!r}: {path} exists; remove it first, or choose another name")
    try:
        (folder / "clients").mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"key folder {folder}: cannot be made ({error.strerror})") from None
    if not (folder / "server.key").exists():
        public, secret = _pair()
        made += [
            _write(folder / "server.key", public=public, secret=secret),
            _write(folder / "server.pub", public=public),
        ]
    server = ServerKeys(folder).public
    for name in clients:
        public, secret = _pair()
        made.append(_write(folder / f"{name}.key", public=public, secret=secret, server=server))
        made.append(_write(folder / "clients" / f"{name}.pub", public=public))
    return made


def _pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def _write(path: Path, **keys: str) -> Path:
    """A new file of mode 0600; never over another one."""
    lines = ["# Visavis CURVE key" + ("; keep it secret" if "secret" in keys else ""), "curve"]
    lines += [f'    {kind}-key = "{key}"' for kind, key in keys.items()]
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise FileError(f"key file {path}: cannot be written ({error.strerror})") from None
    return path


def _read(path: Path, secret: bool) -> dict[str, str]:
    """The keys of a file by kind."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise FileError(
            f"key file {path}: cannot be read ({error.strerror}); expected one of `visavis keys new`"
        ) from None
    if secret and os.name == "posix" and mode & 0o077:
        raise FileError(
            f"key file {path}: mode {mode & 0o777:04o} lets others read it; expected 0600: chmod 600 {path}"
        )
    if len(raw) > LARGEST_FILE:
        raise FileError(f"key file {path}: more than {LARGEST_FILE} bytes; expected a key")
    return {kind: key for kind, key in KEY.findall(raw.decode("utf-8", "replace")) if _is_key(key)}


def _is_key(text: str) -> bool:
    try:
        return len(z85.decode(text.encode("ascii"))) == 32
    except (ValueError, KeyError, UnicodeEncodeError, ArithmeticError):
        return False


def _need(path: Path, found: dict[str, str], *kinds: str) -> None:
    for kind in kinds:
        if kind not in found:
            raise InvalidArgument(
                f'key file {path}: no {kind}-key; expected a line {kind}-key = "40 characters of Z85"'
            )
