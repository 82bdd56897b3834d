"""The input socket's messages on their way into heads: voices and tracked faces.  Nothing here raises: what cannot be
used is refused with a reason and counted, by kind: `too_many`, `oversized`, `malformed`, `no_head`, `epoch`,
`replayed`, `refused`.
"""

import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from visavis import _core
from visavis.bridge.limits import Allowance, RateLimit
from visavis.bridge.sockets import LARGEST_MESSAGE
from visavis.bridge.wire import TIMED
from visavis.errors import Error, InvalidArgument

if TYPE_CHECKING:
    from visavis.bridge.head import Head

MAX_SENDERS = 256  # whose sequence numbers are remembered
MESSAGES = Allowance(a_second=1_000, at_once=5_000)  # of one connection
BYTES = Allowance(a_second=8_000_000, at_once=64_000_000)  # synthetic speech comes in bursts


class _OutOfOrder(Error):
    """A message of another life of the head, or one that came before."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class InputGate:
    """Takes messages apart, checks them and pushes them into the heads of a server."""

    def __init__(self, heads: "dict[str, Head]", counters: Counter[str]) -> None:
        self._heads, self._counters = heads, counters
        self._limits = RateLimit(MESSAGES), RateLimit(BYTES)
        self._expected: OrderedDict[tuple[bytes, str, int, str], int] = OrderedDict()

    def take(self, envelope: list[bytes], payload: bytes) -> str | None:
        """Push one message; the reason if it was dropped."""
        now_ns, n_bytes = time.monotonic_ns(), len(payload)
        if not (self._limits[0].take(envelope[0], 1, now_ns) and self._limits[1].take(envelope[0], n_bytes, now_ns)):
            return self._drop("too_many", f"more than {MESSAGES.a_second} messages or {BYTES.a_second} bytes a second")
        if n_bytes > LARGEST_MESSAGE:
            return self._drop("oversized", f"{n_bytes} bytes; expected at most {LARGEST_MESSAGE}")
        try:
            if len(envelope) != 1:
                raise InvalidArgument(f"{len(envelope)} parts before the message; expected one frame a message")
            message = _core.wire.decode(payload)
        except InvalidArgument as error:
            return self._drop("malformed", str(error))
        head = self._heads.get(message["head"])
        if head is None:
            return self._drop("no_head", f"head {message['head']!r} is not open")
        try:
            self._check_order(head, envelope[0], message)
            self._push(head, message, payload)
        except Error as error:
            head.counters["dropped_inputs"] += 1
            return self._drop(error.kind if isinstance(error, _OutOfOrder) else "refused", str(error))
        return None

    def _drop(self, kind: str, reason: str) -> str:
        self._counters["dropped_inputs"] += 1
        self._counters[f"dropped_{kind}"] += 1
        return reason

    def _check_order(self, head: "Head", sender: bytes, message: dict[str, Any]) -> None:
        if message["epoch"] not in (0, head.epoch):
            raise _OutOfOrder("epoch", f"epoch {message['epoch']}; expected 0 or {head.epoch}, the head's")
        key, sequence = (sender, head.name, head.epoch, message["magic"]), message["sequence"]
        expected = self._expected.pop(key, sequence)
        self._expected[key] = sequence + 1
        if len(self._expected) > MAX_SENDERS:
            self._expected.popitem(last=False)
        if 0 < sequence < expected:  # 0: the sender began anew
            self._expected[key] = expected
            raise _OutOfOrder("replayed", f"sequence {sequence}; expected {expected} or later")
        head.counters["lost_inputs"] += max(0, sequence - expected)

    def _push(self, head: "Head", message: dict[str, Any], payload: bytes) -> None:
        time_ns = message["presentation_ns"] if message["flags"] & TIMED else None
        if message["magic"] == "VVT1":
            _check_schema(head, message)
            values = _core.wire.decode(payload, head.model.units)["values"]
            head.push_user_motion(values.reshape(1, -1), time_ns)
        elif message["magic"] not in ("VVU1", "VVG1"):
            raise InvalidArgument(f"{message['magic']} is no input; expected VVU1, VVG1 or VVT1")
        elif message["dtype"] != "none":  # none: the END of a voice, without samples
            push = head.push_user_audio if message["magic"] == "VVU1" else head.push_agent_audio
            push(message["values"], message["rate"], time_ns)
            if message["magic"] == "VVU1":
                head.spoken_to_ns = head.session_ns()


def _check_schema(head: "Head", message: dict[str, Any]) -> None:
    if message["schema_hash"] != head.schema_hash:
        raise InvalidArgument(
            f"face of {message['channels']} channels with schema {message['schema_hash']:#018x}; expected the head's "
            f"{len(head.model.channels)} with {head.schema_hash:#018x}"
        )
