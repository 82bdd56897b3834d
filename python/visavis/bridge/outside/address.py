"""Where a protocol goes to or comes from: `[HEAD@]HOST:PORT`, `[HEAD@][::1]:PORT`, or a port alone."""

import re
from dataclasses import dataclass

from visavis.bridge.sockets import LOOPBACK
from visavis.errors import InvalidArgument

PATTERN = re.compile(r"(?:(?:\[(?P<v6>[^][]+)\]|(?P<host>[^][:@/]+)):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Address:
    """A UDP or TCP address and the head that it belongs to (None: the protocol's own rule)."""

    host: str
    port: int
    head: str | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str, least_port: int = 1) -> Address:
    """An address as the command line takes it; without a host it is loopback.  Raises InvalidArgument.

    `least_port` 0: any free port may be asked for.
    """
    head, at, place = text.rpartition("@")
    match = PATTERN.fullmatch(place)
    if match is None or (at and not head) or not least_port <= int(match["port"]) <= 65_535:
        raise InvalidArgument(
            f"{option} {text!r}: expected [HEAD@]HOST:PORT such as 127.0.0.1:11111 or npc@[::1]:11111, or a port"
        )
    return Address(match["v6"] or match["host"] or LOOPBACK, int(match["port"]), head or None)
