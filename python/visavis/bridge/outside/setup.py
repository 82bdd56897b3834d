"""From the options of a command to the outside protocols of a server."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from visavis.bridge.outside.address import parse_address
from visavis.bridge.outside.rates import parse_rate
from visavis.bridge.outside.receivers import FaceReceivers
from visavis.bridge.outside.senders import FaceSenders, Target
from visavis.bridge.outside.vmc import NAMES
from visavis.errors import InvalidArgument

if TYPE_CHECKING:
    from visavis.bridge.server import BridgeServer

Addresses = Mapping[str, Sequence[str] | None]  # by protocol


@contextmanager
def outside(
    server: "BridgeServer", out: Addresses, rate: str, vmc_names: str, faces: Addresses, insecure: bool
) -> Iterator[list[str]]:
    """Sends and receives while the block lasts; gives a line on each address.  Raises Error for wrong options."""
    if vmc_names not in NAMES:
        raise InvalidArgument(f"--vmc-names {vmc_names!r}: expected {' or '.join(NAMES)}")
    frame_rate = parse_rate(rate)
    targets = [Target(name, parse_address(text, f"--{name}")) for name, texts in out.items() for text in texts or ()]
    inputs = [(name, parse_address(text, f"--user-{name}")) for name, texts in faces.items() for text in texts or ()]
    with ExitStack() as stack:
        if targets:
            stack.enter_context(FaceSenders(server, targets, frame_rate, vmc_names=vmc_names))
        if inputs:
            stack.enter_context(FaceReceivers(server, inputs, insecure=insecure))
        yield [f"{target.protocol} to {target.address}, {rate} a second" for target in targets] + [
            f"the player's face from {name} at {address}" for name, address in inputs
        ]
