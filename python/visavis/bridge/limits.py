"""Bounds on what one peer may ask of a server."""

from collections import OrderedDict
from dataclasses import dataclass

MOST_PEERS = 1024  # that are remembered; the one that was silent longest is forgotten first


@dataclass(frozen=True)
class Allowance:
    """So much a second on average, and so much at once."""

    a_second: float
    at_once: float


class RateLimit:
    """A bucket a peer: what it takes is there again after a while."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._left: OrderedDict[object, tuple[float, int]] = OrderedDict()  # peer -> (what is left, when)

    def take(self, peer: object, amount: float, now_ns: int) -> bool:
        """Whether the peer may have that now; if not, nothing is taken."""
        most, a_second = self._allowance.at_once, self._allowance.a_second
        left, then_ns = self._left.pop(peer, (most, now_ns))
        left = min(most, left + max(0, now_ns - then_ns) * 1e-9 * a_second)
        allowed = amount <= left
        self._left[peer] = (left - amount if allowed else left, now_ns)
        if len(self._left) > MOST_PEERS:
            self._left.popitem(last=False)
        return allowed
