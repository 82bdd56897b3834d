"""The three ports of a server: who is behind them, whether a firewall is in the way, and whether the keys fit."""

import ipaddress
from collections.abc import Generator

import zmq
from zmq.utils.monitor import recv_monitor_message

from visavis.bridge.keys import ClientKeys
from visavis.bridge.sockets import endpoint
from visavis.diagnosis.check import Check
from visavis.diagnosis.knock import Door, knock, owner

USES = ("motion", "control", "input")
PUBLISHERS = ("PUB", "XPUB")
HANDSHAKE_MS = 2_000
OTHER_PORT = 5600  # that we propose where the usual one is taken


def check_doors(host: str, port: int, keys: ClientKeys | None) -> Generator[Check, None, bool]:
    """Findings about the ports and keys; returns whether a server may be spoken to."""
    motion = knock(host, port)
    if motion.state != "zeromq":
        yield Check(f"port {port}", "fail", f"motion: {_met(motion, host, port)}", _remedy(motion, host, port))
        if motion.state == "refused" and is_here(host):
            yield from (_free(host, port + i) for i in (1, 2))
        return False
    if motion.socket_type and motion.socket_type not in PUBLISHERS:
        yield _other_socket(motion, host, port)
        return False
    yield Check(f"port {port}", "ok", f"motion: {motion.detail}{_by(host, port)}")
    fits = check_keys(motion, host, port, keys)
    yield fits
    reached = fits.status == "ok"
    for offset in (1, 2):
        door = knock(host, port + offset)
        reached &= door.state == "zeromq"
        yield _second_door(door, host, port + offset, USES[offset])
    return reached


def is_here(host: str) -> bool:
    """Whether the address is this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _met(door: Door, host: str, port: int) -> str:
    """Who is behind the motion port, in words."""
    where = f"{host}:{port}"
    return {
        "refused": f"free: nothing listens on {where}" if is_here(host) else f"nothing listens on {where} (refused)",
        "dropped": f"{where} gives {door.detail}: a firewall drops what comes, or no machine has that address",
        "unreachable": f"{where} cannot be reached ({door.detail})",
        "unknown": door.detail,
    }.get(door.state, f"taken by {door.detail}, not by a Visavis server{_by(host, port)}")


def _remedy(door: Door, host: str, port: int) -> str:
    start = f"start a server: `visavis serve{'' if port == 5570 else f' --port {port}'}`"
    if door.state == "refused":
        return (
            start
            if is_here(host)
            else f"on {host} let others in: `visavis serve --bind {host} --keys DIR` (docs/security.md)"
        )
    return {
        "dropped": f"on {host} let TCP ports {port} to {port + 2} through the firewall",
        "unreachable": f"check that {host} is the server's address, and that both machines are in one network",
        "unknown": "give the server's address in numbers, such as tcp://192.168.0.5:5570",
    }.get(
        door.state,
        f"serve elsewhere: `visavis serve --port {OTHER_PORT}`, and give every client tcp://{host}:{OTHER_PORT}",
    )


def _by(host: str, port: int) -> str:
    """Whose port it is, where that can be told."""
    who = owner(port) if is_here(host) else ""
    return f", {who}" if who else ""


def _free(host: str, port: int) -> Check:
    door = knock(host, port)
    if door.state == "refused":
        return Check(f"port {port}", "ok", "free")
    remedy = f"choose three free ports: `visavis serve --port {OTHER_PORT}`"
    return Check(f"port {port}", "warn", f"taken by {door.detail}{_by(host, port)}; a server needs it, too", remedy)


def _other_socket(door: Door, host: str, port: int) -> Check:
    """A ZeroMQ socket that publishes nothing: most likely one of the server's other two ports."""
    found = f"a ZeroMQ {door.socket_type}, which publishes no motion{_by(host, port)}"
    for first in (port - 1, port - 2):
        if knock(host, first).socket_type in PUBLISHERS:
            use = USES[port - first]
            return Check(f"port {port}", "fail", f"the {use} port of a server", f"--endpoint tcp://{host}:{first}")
    return Check(f"port {port}", "fail", found, "give the motion port of a server, which `visavis serve` prints")


def _second_door(door: Door, host: str, port: int, use: str) -> Check:
    name = f"port {port}"
    if door.state == "zeromq":
        return Check(name, "ok", f"{use}: {door.detail}")
    if door.state == "dropped":
        remedy = f"on {host} let TCP port {port} through the firewall, too"
        return Check(name, "fail", f"{use}: {door.detail}, though motion gets through: a firewall", remedy)
    remedy = "give the motion port, the first of the three that `visavis serve` prints"
    return Check(name, "fail", f"{use}: {door.detail}; expected a ZeroMQ socket", remedy)


def check_keys(door: Door, host: str, port: int, keys: ClientKeys | None) -> Check:
    """Whether server and client agree about keys."""
    if keys is None and door.mechanism == "NULL":
        return Check("keys", "ok", "none are needed")
    if keys is None:
        remedy = (
            "get NAME.key from the server (`visavis keys new DIR --client NAME` makes it), and give it: --key NAME.key"
        )
        return Check("keys", "fail", f"the server wants a key ({door.mechanism})", remedy)
    if door.mechanism != "CURVE":
        return Check(
            "keys", "fail", "a key was given, but the server has none and lets everybody in", "leave out --key"
        )
    event = _shake_hands(host, port, keys)
    if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
        return Check("keys", "ok", "the server lets this key in, and the connection is encrypted")
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        remedy = "put the client's NAME.pub into DIR/clients on the server (`visavis serve --keys DIR`)"
        return Check("keys", "fail", "the server does not know this client's key", remedy)
    remedy = "get a new key file from this server's operator: `visavis keys new DIR --client NAME`"
    return Check("keys", "fail", "the key file is of another server, or of this one before it got new keys", remedy)


def _shake_hands(host: str, port: int, keys: ClientKeys) -> int:
    """How the encrypted greeting ends: an event of ZeroMQ's monitor, or 0 if it does not."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        client = context.socket(zmq.SUB)
        client.ipv6 = ":" in host
        keys.apply(client)
        ends = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        monitor = client.get_monitor_socket(ends | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        client.connect(endpoint(host, port))
        event = recv_monitor_message(monitor)["event"] if monitor.poll(HANDSHAKE_MS) else 0
        client.disable_monitor()
        return int(event)
    finally:
        context.destroy(linger=0)
