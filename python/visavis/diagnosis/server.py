"""Why nothing moves: findings about a server, its heads, and what comes from them, each with one next step."""

import time
from collections.abc import Iterator

from visavis import __version__
from visavis.bridge.client import Client, parse_endpoint
from visavis.bridge.keys import ClientKeys
from visavis.diagnosis.check import Check
from visavis.diagnosis.doors import check_doors
from visavis.diagnosis.heads import ANSWER_S, check_head, listen
from visavis.diagnosis.outside import check_outside
from visavis.errors import Error

SLOW_TRIP_MS = 100.0
DROPPED = {  # why inputs were dropped -> what to do
    "no_head": "name an open head in the client",
    "epoch": "let the client follow the head anew: it was opened again since",
    "malformed": "check the client's messages against docs/protocol.md",
    "oversized": "send pieces of at most 64 KiB",
    "too_many": "send 10 to 100 ms of voice a message",
    "replayed": "count the messages of a connection up from 0",
    "refused": "look at the server's log: it says what the session refused",
}


def diagnose_server(
    address: str, head: str | None = None, keys: ClientKeys | None = None, seconds: float = 3.0
) -> Iterator[Check]:
    """Every finding, in order.  `head`: the one that should move, else all.  Raises InvalidArgument for an address."""
    host, port = parse_endpoint(address)
    if (yield from check_doors(host, port, keys)):
        with Client(address, keys) as client:
            yield from _visit(client, address, head, keys, seconds)


def _visit(client: Client, address: str, head: str | None, keys: ClientKeys | None, seconds: float) -> Iterator[Check]:
    try:
        started = time.monotonic()
        said = client.request("describe", ANSWER_S)
        trip_ms = (time.monotonic() - started) * 1e3
        offset_ms = client.clock_offset_ns(ANSWER_S) / 1e6
        version, names = said["server"]["version"], [facts["head"] for facts in said["heads"]]
    except (Error, ValueError, KeyError, TypeError):  # not JSON, or not ours
        remedy = "give the motion port of a Visavis server, which `visavis serve` prints"
        yield Check("server", "fail", "ZeroMQ sockets, but no Visavis server answers on the control port", remedy)
        return
    yield _server(version, said["protocol"])
    yield _clock(trip_ms, offset_ms)
    if (missing := _heads(head, names)) is not None:
        yield missing
        return
    yield Check("heads", "ok", f"open: {', '.join(names)}")
    chosen = [name for name in names if head in (None, name)]
    for name, look in listen(client, address, chosen, keys, said, seconds).items():
        prefix = "" if len(chosen) == 1 else f"{name}: "
        yield from (Check(prefix + c.name, c.status, c.found, c.remedy) for c in check_head(look, said, address))
    yield _inputs(said["counters"])
    yield from check_outside(said)


def _server(version: str, protocol: int) -> Check:
    if protocol != 1:
        return Check("server", "fail", f"wire protocol {protocol}; expected 1", "run the same version on both sides")
    if version != __version__:
        remedy = f"install the same version on both sides (here: {__version__})"
        return Check("server", "warn", f"Visavis {version}, here {__version__}; the protocol is the same", remedy)
    return Check("server", "ok", f"Visavis {version}, wire protocol 1")


def _clock(trip_ms: float, offset_ms: float) -> Check:
    found = (
        f"an answer takes {trip_ms:.1f} ms; the server's clock is {offset_ms:+.1f} ms from ours (clients allow for it)"
    )
    if trip_ms > SLOW_TRIP_MS:
        return Check("clock", "warn", found, "use a wired network between the two machines")
    return Check("clock", "ok", found)


def _heads(head: str | None, names: list[str]) -> Check | None:
    """What is wrong with the open heads, or None."""
    if not names:
        return Check("heads", "fail", "no head is open", f"open one: `visavis serve --head {head or 'npc'}`")
    if head is None or head in names:
        return None
    like = next((name for name in names if name.lower() == head.lower()), None)
    remedy = (
        f"use its name as it is written: {like}"
        if like
        else f"use {names[0]}, or open it: `visavis serve --head {head}`"
    )
    return Check("heads", "fail", f"no head {head!r}; open: {', '.join(names)}", remedy)


def _inputs(counters: dict[str, int]) -> Check:
    reasons = {name: counters[f"dropped_{name}"] for name in DROPPED if counters.get(f"dropped_{name}")}
    if not reasons:
        return Check("inputs", "ok", "none was dropped")
    most = max(reasons, key=lambda name: reasons[name])
    found = ", ".join(f"{n} {name}" for name, n in reasons.items())
    return Check("inputs", "warn", f"dropped since the server began: {found}", DROPPED[most])
