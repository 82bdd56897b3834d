"""The shipped conversation on a server: it yields when it is interrupted, and to whoever speaks to the head."""

import numpy as np
from bench import Bench

from visavis.bridge import wire
from visavis.bridge.demo import DemoVoices
from visavis.bridge.wire import Message

RATE = 16_000
SECOND_NS = 1_000_000_000
LOUD = (0.5 * np.sign(np.sin(np.arange(RATE) * 0.3))).astype(np.float32)


def start(bench: Bench) -> tuple[DemoVoices, list[bytes]]:
    """Head npc speaks and hears the conversation; what the server publishes from now on."""
    published: list[bytes] = []
    bench.open()
    bench.server.taps.append(published.append)
    voices = DemoVoices(bench.server.heads["npc"], loop=True, publish=bench.server.publish)
    bench.server.feeders.append(voices)
    return voices, published


def of(published: list[bytes], magic: str) -> list[Message]:
    return [wire.decode(message) for message in list(published) if message.startswith(magic.encode())]


def loud(messages: list[Message], from_ns: int, to_ns: int) -> bool:
    """Whether a voice is heard between two session times."""
    pieces = [m.values for m in messages if from_ns <= m.presentation_ns < to_ns and m.values]
    return max((abs(value) for piece in pieces for value in piece), default=0.0) > 0.05


def test_the_recorded_user_is_published_in_time(bench: Bench) -> None:
    voices, published = start(bench)
    bench.wait(lambda: voices.now_ns > 12 * SECOND_NS, 30)
    heard = of(published, "VVU1")
    assert len(heard) > 100 and loud(heard, voices.start_ns, voices.start_ns + 12 * SECOND_NS)
    assert [m.sequence for m in heard] == list(range(len(heard)))
    steps = np.diff([m.presentation_ns for m in heard])
    assert (steps == SECOND_NS // 10).all()


def test_an_interrupted_head_is_silent_until_its_next_sentence(bench: Bench) -> None:
    voices, published = start(bench)
    bench.wait(lambda: voices.now_ns > 1.2 * SECOND_NS, 30)  # it speaks from 0.5 to 3.8 s, again from 11 s
    assert bench.client.request("cancel", head="npc")["ok"]
    bench.wait(lambda: voices.now_ns > 14 * SECOND_NS, 30)
    at = next(i for i, message in enumerate(published) if message.startswith(b"VVC1"))
    cut, begin_ns, after = wire.decode(published[at]), voices.start_ns, of(published[at:], "VVA1")
    assert loud(of(published[:at], "VVA1"), begin_ns, cut.presentation_ns)
    assert not loud(after, cut.presentation_ns, begin_ns + 3_800_000_000)
    assert loud(after, begin_ns + 11 * SECOND_NS, begin_ns + 14 * SECOND_NS)


def test_whoever_speaks_to_the_head_takes_the_recorded_users_place(bench: Bench) -> None:
    voices, published = start(bench)
    bench.wait(lambda: voices.now_ns > SECOND_NS, 30)
    for _ in range(40):  # about 4 s
        bench.client.send_user_audio("npc", LOUD[: RATE // 10], RATE)
        until = voices.now_ns + SECOND_NS // 10
        bench.wait(lambda until=until: voices.now_ns >= until)
    gone_ns = bench.server.heads["npc"].session_ns()
    bench.wait(lambda: bench.server.heads["npc"].session_ns() > gone_ns + 4 * SECOND_NS, 30)
    times = np.array([m.presentation_ns for m in of(published, "VVU1")])
    assert ((times > gone_ns - 3 * SECOND_NS) & (times < gone_ns)).sum() == 0
    assert (times > gone_ns + 2 * SECOND_NS).sum() > 10
