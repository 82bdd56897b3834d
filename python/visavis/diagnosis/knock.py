"""What answers on a TCP port: nobody, a firewall's silence, a ZeroMQ socket (of which kind, with keys or without), or
something else, and which process it is where the system tells."""

import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

CONNECT_S = 2.0  # a machine that is there and lets us in answers much sooner
ANSWER_S = 1.5
GREETING_BYTES = 64
MECHANISM = slice(12, 32)  # of a greeting
SIGNATURE = b"\xff" + b"\0" * 7 + b"\1\x7f"
# Ours: ZMTP 3.0, mechanism NULL, a client (https://rfc.zeromq.org/spec/23).  The rest goes out when we have read all of
# theirs: a server with keys hangs up on it.
FIRST, REST = SIGNATURE + b"\3", b"\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32
READY = re.compile(rb"\x0bSocket-Type(.{4})([A-Z]{3,6})", re.DOTALL)
LISTENING = "0A"  # state of a socket in /proc/net/tcp
MOST_WORDS = 3  # of a command line that are shown


@dataclass(frozen=True)
class Door:
    """`state`: zeromq, foreign (speaks something else), mute, refused, dropped (no answer), unreachable, unknown."""

    state: str
    detail: str = ""  # for people
    mechanism: str = ""  # of zeromq: NULL, CURVE, PLAIN
    socket_type: str = ""  # of zeromq without keys: PUB, XPUB, ROUTER


def knock(host: str, port: int, connect_s: float = CONNECT_S) -> Door:
    """Connect, and see who answers.  Raises nothing."""
    try:
        with socket.create_connection((host, port), connect_s) as link:
            link.settimeout(ANSWER_S)
            link.sendall(FIRST)
            heard = _read(link, GREETING_BYTES)
            if heard[:1] == SIGNATURE[:1] and heard[9:10] == SIGNATURE[9:]:
                return _zeromq(link, heard)
    except socket.gaierror:
        return Door("unknown", f"{host} is no known name")
    except TimeoutError:
        return Door("dropped", f"no answer within {connect_s:g} s")
    except ConnectionRefusedError:
        return Door("refused", "refused")
    except OSError as error:
        return Door("unreachable", (error.strerror or str(error)).lower())
    return _foreign(host, port, heard, connect_s)


def _read(link: socket.socket, n_bytes: int) -> bytes:
    """Up to so many bytes; fewer if the other side closes or keeps silent."""
    heard = b""
    while len(heard) < n_bytes:
        try:
            piece = link.recv(n_bytes - len(heard))
        except OSError:  # silent for too long, or reset
            break
        if not piece:
            break
        heard += piece
    return heard


def _zeromq(link: socket.socket, greeting: bytes) -> Door:
    mechanism = greeting[MECHANISM].rstrip(b"\0").decode("ascii", "replace")
    link.sendall(REST)
    start = _read(link, 2) if mechanism == "NULL" else b""
    ready = _read(link, start[1]) if len(start) == 2 and start[0] == 4 else b""  # a short command
    found = READY.search(ready)
    kind = found[2][: int.from_bytes(found[1], "big")].decode("ascii") if found else ""
    return Door("zeromq", f"a ZeroMQ socket{kind and f' ({kind})'}", mechanism, kind)


def _foreign(host: str, port: int, heard: bytes, connect_s: float) -> Door:
    """What a service is that did not greet us as ZeroMQ does."""
    if not heard:
        try:
            with socket.create_connection((host, port), connect_s) as link:
                link.settimeout(ANSWER_S)
                link.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
                heard = _read(link, 256)
        except OSError:
            pass
    if heard.startswith(b"HTTP/") or b"<!DOCTYPE" in heard[:64]:
        server = re.search(rb"(?im)^server:[ \t]*([\x20-\x7e]+)", heard)
        return Door("foreign", f"a web server{f' ({server[1].decode().strip()})' if server else ''}")
    if heard.startswith(b"SSH-"):
        return Door("foreign", "an SSH server")
    if heard:
        return Door("foreign", f"something that begins with {heard[:12]!r}")
    return Door("mute", "something that takes connections and says nothing")


def owner(port: int) -> str:
    """The process of this machine that listens on the port, as far as the system tells; else ""."""
    if sys.platform != "linux":
        return ""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(Path("/proc/net") / table, port)}
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        if any(_target(link) in wanted for link in _links(process / "fd")):
            return f"process {process.name} ({_command(process)})"
    return ""


def _links(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # of another user, or gone
        return []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _listening(table: Path, port: int) -> list[str]:
    """Inodes of the sockets that listen on the port."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:MOST_WORDS]
    except OSError:
        words = []
    return " ".join([Path(words[0]).name, *words[1:]]).strip() if words else "unknown"
