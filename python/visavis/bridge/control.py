"""The control socket's requests: JSON in, JSON out, by section 6 of the protocol.  Nothing here raises."""

import json
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from visavis import __version__
from visavis.bridge.head import HeadOptions
from visavis.errors import Error, FullError, InvalidArgument, Unsupported

if TYPE_CHECKING:
    from visavis.bridge.server import BridgeServer

LARGEST_REQUEST = 65_536  # bytes
KINDS: dict[type, str] = {int: "an integer", str: "a string", dict: "an object"}


class Refused(Exception):
    """A request that cannot be met: a code of the protocol and a text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def _refusal(id_: Any, code: str, text: str) -> dict[str, Any]:
    return {"ok": False, "id": id_, "error": {"code": code, "message": text}}


BUSY = json.dumps(_refusal(None, "busy", "too many requests from this connection; expected 200 a second")).encode()


def answer(server: "BridgeServer", payload: bytes, allowed: Collection[str] | None = None) -> bytes:
    """The one reply to one request; `allowed` limits what may be asked for."""
    received_ns = server.clock()
    id_: Any = None
    try:
        request = _parse(payload)
        id_ = request.get("id")
        if not (id_ is None or isinstance(id_, (str, int))):
            id_ = None
            raise Refused("bad_value", "id: expected a string, an integer or null")
        name = request.get("request")
        if not isinstance(name, str) or name not in HANDLERS:
            raise Refused("unknown_request", f"request is {name!r}; expected one of {', '.join(HANDLERS)}")
        if allowed is not None and name not in allowed:
            raise Refused("unsupported", f"{name} is not for this connection; expected one of {', '.join(allowed)}")
        reply = {"ok": True, "id": id_, "reply": name, **HANDLERS[name](server, request, received_ns)}
    except Refused as refused:
        reply = _refusal(id_, refused.code, str(refused))
    except InvalidArgument as error:
        reply = _refusal(id_, "bad_value", str(error))
    except FullError as error:
        reply = _refusal(id_, "full", str(error))
    except Unsupported as error:
        reply = _refusal(id_, "unsupported", str(error))
    except Error as error:
        reply = _refusal(id_, "internal", str(error))
    return json.dumps(reply).encode()


def _parse(payload: bytes) -> dict[str, Any]:
    if len(payload) > LARGEST_REQUEST:
        raise Refused("bad_json", f"request of {len(payload)} bytes; expected at most {LARGEST_REQUEST}")
    try:
        request = json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise Refused("bad_json", "request is not JSON in UTF-8") from None
    if not isinstance(request, dict):
        raise Refused("bad_json", f"request is {type(request).__name__}; expected a JSON object")
    return request


def _member(request: dict[str, Any], name: str, kind: type, default: Any = ...) -> Any:
    """A member of that type; without a default it must be there."""
    value = request.get(name, default)
    if value is ...:
        raise Refused("bad_value", f"{name} is missing; expected {KINDS[kind]}")
    if value is default:
        return value
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refused("bad_value", f"{name} is {value!r}; expected {KINDS[kind]}")
    return value


def _time(request: dict[str, Any], name: str, default: Any = ...) -> Any:
    value = _member(request, name, int, default)
    if value is not None and abs(value) >= 1 << 63:
        raise Refused("bad_value", f"{name} is {value}; expected a 64-bit integer")
    return value


def _head_name(server: "BridgeServer", request: dict[str, Any]) -> str:
    name: str = _member(request, "head", str)
    if name not in server.heads:
        raise Refused("unknown_head", f"head {name!r} is not open; open: {', '.join(server.heads) or 'none'}")
    return name


def _describe(server: "BridgeServer", request: dict[str, Any], received_ns: int) -> dict[str, Any]:
    heads = [server.heads[_head_name(server, request)]] if "head" in request else list(server.heads.values())
    ports = server.ports
    return {
        "protocol": 1,
        "server": {"name": "visavis", "version": __version__},
        "ports": {"motion": ports.motion, "control": ports.control, "input": ports.input},
        "server_ns": received_ns,
        "counters": dict(server.counters),
        "heads": [head.describe() for head in heads],
        **{name: report() for name, report in server.reports.items()},
    }


def _clock(server: "BridgeServer", request: dict[str, Any], received_ns: int) -> dict[str, Any]:
    reply = {"client_ns": _time(request, "client_ns"), "server_receive_ns": received_ns}
    head = server.heads[_head_name(server, request)] if "head" in request else None
    sent_ns = server.clock()
    reply["server_send_ns"] = sent_ns
    if head is not None:
        reply |= {
            "head": head.name,
            "epoch": head.epoch,
            "running": True,
            "session_ns": head.session_ns(sent_ns),
        }
    return reply


def _open(server: "BridgeServer", request: dict[str, Any], _received_ns: int) -> dict[str, Any]:
    name = _member(request, "head", str)
    if name in server.heads:
        raise Refused("head_exists", f"head {name!r} is open already")
    if len(server.heads) >= server.max_heads:
        raise Refused("full", f"{len(server.heads)} heads are open; expected at most {server.max_heads}")
    options = HeadOptions(
        seed=_member(request, "seed", int, 0),
        agent_audio=_member(request, "agent_audio", str, "ahead"),
        dtype=_member(request, "dtype", str, "f32"),
        late=_member(request, "late", str, "hold"),
        dials=_member(request, "dials", dict, {}),
    )
    return {"head": server.open_head(name, options).describe()}


def _close(server: "BridgeServer", request: dict[str, Any], _received_ns: int) -> dict[str, Any]:
    name = _head_name(server, request)
    if name in server.owned_heads:
        raise Refused("unsupported", f"head {name!r} belongs to the demo; it closes with the server")
    server.close_head(name)
    return {"head": name}


def _pair(server: "BridgeServer", request: dict[str, Any], _received_ns: int) -> dict[str, Any]:
    names = request.get("heads")
    if not isinstance(names, list) or len(names) != 2:
        raise Refused("bad_value", f"heads is {names!r}; expected an array of two names")
    one, other = (_head_name(server, {"head": name}) for name in names)
    motion = request.get("motion", True)
    if not isinstance(motion, bool):
        raise Refused("bad_value", f"motion is {motion!r}; expected true or false")
    server.pair_heads(one, other, motion=motion)
    return {"heads": [one, other], "motion": motion}


def _cancel(server: "BridgeServer", request: dict[str, Any], _received_ns: int) -> dict[str, Any]:
    name = _head_name(server, request)
    return {"head": name, "from_ns": server.cancel(name, _time(request, "from_ns", None))}


def _dials(server: "BridgeServer", request: dict[str, Any], _received_ns: int) -> dict[str, Any]:
    head = server.heads[_head_name(server, request)]
    changes = _member(request, "set", dict, {})
    try:
        head.dials.check_names(changes)
    except InvalidArgument as error:
        raise Refused("unknown_dial", str(error)) from None
    if changes:
        server.set_dials(head.name, changes)
    return {"head": head.name, "dials": head.dials.describe()}


Handler = Callable[["BridgeServer", dict[str, Any], int], dict[str, Any]]
HANDLERS: dict[str, Handler] = {
    "describe": _describe,
    "clock": _clock,
    "open": _open,
    "close": _close,
    "pair": _pair,
    "cancel": _cancel,
    "dials": _dials,
}
