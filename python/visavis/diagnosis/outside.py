"""Findings about what else a server speaks: Live Link Face, VMC and iFacialMocap out, trackers in; keys refused."""

from collections.abc import Iterator
from typing import Any

from visavis.diagnosis.check import Check


def check_outside(said: dict[str, Any]) -> Iterator[Check]:
    """One finding for each sender and receiver that the server's description names."""
    for sender in said.get("senders", []):
        yield _sender(sender["protocol"], sender["to"], sender["counters"])
    for receiver in said.get("receivers", []):
        yield _receiver(receiver["protocol"], receiver["at"], receiver["counters"])
    if refused := said.get("clients", {}).get("refused", 0):
        remedy = "put the public keys of those who may come in into DIR/clients (`visavis serve --keys DIR`)"
        yield Check("clients", "warn", f"{refused} were refused: their keys are not known", remedy)


def _sender(protocol: str, to: str, counters: dict[str, int]) -> Check:
    found = f"{counters.get('datagrams', 0)} datagrams to {to}, {counters.get('failed', 0)} failed"
    if counters.get("failed"):
        return Check(
            protocol, "warn", found, "mend the address that `visavis serve` was given: this machine cannot send there"
        )
    if not counters.get("datagrams"):
        return Check(protocol, "warn", found, "open the head that this address names (HEAD@HOST:PORT)")
    return Check(protocol, "ok", f"{found} (UDP: whether they arrive only the receiving program can tell)")


def _receiver(protocol: str, at: str, counters: dict[str, int]) -> Check:
    frames, dropped = counters.get("frames", 0), counters.get("dropped", 0)
    found = f"{counters.get('datagrams', 0)} datagrams on {at}, {frames} frames used, {dropped} dropped"
    name = f"user {protocol}"
    if not counters.get("datagrams"):
        remedy = f"enter this machine's address and port {at.rpartition(':')[2]} in the app, and let UDP through"
        return Check(name, "warn", found, remedy)
    if not frames:
        return Check(name, "warn", found, "see docs/protocols.md for what is dropped; `describe` counts it by reason")
    return Check(name, "ok", found)
