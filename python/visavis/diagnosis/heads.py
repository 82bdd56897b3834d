"""Findings about a head of a server: what was measured while we followed it for a while, as a game does."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from visavis.bridge.client import Client
from visavis.bridge.keys import ClientKeys
from visavis.bridge.receiver import Receiver
from visavis.bridge.track import Track
from visavis.bridge.wire import SPEAKING
from visavis.constants import FRAME_RATE
from visavis.diagnosis.check import Check
from visavis.motion_space import ARKIT55

ANSWER_S = 2.0
LEAST_RATE = 0.9  # of 25 frames a second


@dataclass(frozen=True)
class Look:
    """What a server said before and after we listened, and what arrived of one head meanwhile."""

    before: dict[str, Any]  # the head's description
    after: dict[str, Any]
    track: Track
    spoke: bool  # in some frame
    seconds: float

    def grown(self, counter: str) -> int:
        """How much a counter of the head went up."""
        return int(self.after["counters"].get(counter, 0)) - int(self.before["counters"].get(counter, 0))


def listen(
    client: Client, address: str, names: list[str], keys: ClientKeys | None, said: dict[str, Any], seconds: float
) -> dict[str, Look]:
    """Subscribe for a while, as a game does."""
    spoke: set[str] = set()
    with Receiver(address, names[0] if len(names) == 1 else None, keys) as receiver:
        receiver.clock_offset_ns = client.clock_offset_ns(ANSWER_S)
        began = time.monotonic()
        while (left_s := began + seconds - time.monotonic()) > 0:
            for track, message in receiver.receive(max(1, round(left_s * 1000))):
                if message.magic == "VVM1" and message.state & SPEAKING:
                    spoke.add(track.head)
        later = client.request("describe", ANSWER_S)
        tracks = receiver.tracks
    before, after = ({facts["head"]: facts for facts in d["heads"]} for d in (said, later))
    empty = Track("")
    return {
        name: Look(before[name], after.get(name, before[name]), tracks.get(name, empty), name in spoke, seconds)
        for name in names
    }


def check_head(look: Look, said: dict[str, Any], address: str) -> Iterator[Check]:
    """The findings about one head."""
    yield _schema(look.before)
    yield _frames(look)
    yield _voices(look)
    yield _subscribers(look.before["head"], said, address)


def _schema(facts: dict[str, Any]) -> Check:
    space, n_channels = facts["motion_space"], len(facts["channels"])
    found = f"{space}, {n_channels} channels, {facts['schema_hash']}"
    if tuple(facts["channels"]) == ARKIT55.channels:
        return Check("schema", "ok", found)
    if not set(facts["channels"]) & set(ARKIT55.channels):
        return Check(
            "schema",
            "fail",
            f"{found}; none is an ARKit shape, so plugins and rigs show nothing",
            "serve an arkit55 model (`visavis serve --model FILE`; the packaged one is)",
        )
    return Check(
        "schema", "warn", f"{found}; clients take the ARKit shapes among them by name", "serve an arkit55 model"
    )


def _frames(look: Look) -> Check:
    counts, made = look.track.counts, look.grown("frames")
    if not counts["frames"] and not made:
        remedy = "restart the server with `--late fewer_steps`, and look at the processor's load there"
        return Check("frames", "fail", f"the server made none in {look.seconds:g} s", remedy)
    if not counts["frames"]:
        remedy = "try `visavis watch` on the server's own machine: if it moves there, the network is in the way"
        return Check("frames", "fail", f"the server made {made} in {look.seconds:g} s, none arrived here", remedy)
    rate_hz = look.track.rate_hz(look.track.newest_ns)
    late = look.grown("late_frames") + look.grown("dropped_frames")
    found = f"{rate_hz:.1f} a second, {counts['lost']} messages lost, {counts['jumps']} gaps, {late} late"
    if counts["lost"]:
        return Check(
            "frames", "warn", found, "use a wired network, or a less busy machine: messages get lost on the way"
        )
    if late or counts["jumps"] or rate_hz < LEAST_RATE * FRAME_RATE:
        remedy = "the server is too slow: serve with `--late fewer_steps`, or fewer heads"
        return Check("frames", "warn", found, remedy)
    return Check("frames", "ok", found)


def _voices(look: Look) -> Check:
    """Whether anybody speaks: a face without voices only blinks."""
    if partner := look.after.get("partner"):
        return Check("voices", "ok", f"the user is head {partner}")
    if not look.after["counters"].get("turns") and "agent_pushed_ms" not in look.after["counters"]:
        return Check("voices", "ok", "the server does not say")
    total = {who: look.after["counters"].get(f"{who}_pushed_ms", 0) for who in ("agent", "user")}
    found = ", ".join(f"{who} {total[who] / 1e3:.1f} s so far" for who in total)
    if not any(total.values()):
        remedy = "send voices to the input port (docs/examples), or see one that talks: `visavis serve --demo`"
        return Check("voices", "warn", "neither voice was ever sent: the face only blinks", remedy)
    if not total["agent"]:
        remedy = "send the character's voice (`send_agent_audio`, docs/client.md)"
        return Check("voices", "warn", f"{found}: the character has no voice, its lips stay shut", remedy)
    if look.grown("agent_pushed_ms") and not look.spoke:
        remedy = "check that the samples are floats within +-1 and not muted"
        return Check("voices", "warn", f"{found}: the character's voice comes, but stays below -45 dBFS", remedy)
    if not total["user"]:
        remedy = "send the player's microphone (`send_user_audio`, docs/client.md)"
        return Check("voices", "warn", f"{found}: the character does not hear the player", remedy)
    if not (look.spoke or look.grown("agent_pushed_ms") or look.grown("user_pushed_ms")):
        remedy = "speak, or send the next line: both are silent now"
        return Check("voices", "warn", f"{found}, none in the last {look.seconds:g} s", remedy)
    return Check("voices", "ok", f"{found}, {'speaks' if look.spoke else 'listens'}")


def _subscribers(head: str, said: dict[str, Any], address: str) -> Check:
    counts: dict[str, int] | None = said.get("subscribers")
    if counts is None:
        return Check("subscribers", "ok", "the server does not count them")
    n = counts.get("", 0) + counts.get(head, 0)
    opened = {facts["head"] for facts in said["heads"]}
    strays = sorted(name for name in counts if name and name not in opened)
    if n:
        return Check("subscribers", "ok", f"{n} besides us")
    if strays:
        wrong = ", ".join(repr(name) for name in strays)
        return Check(
            "subscribers", "warn", f"none, but somebody follows {wrong}", f"name the head {head!r} in the client"
        )
    remedy = f"set endpoint {address} and head {head} in the game, and start it"
    return Check("subscribers", "warn", "nobody follows this head", remedy)
