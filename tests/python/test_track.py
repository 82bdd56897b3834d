import io
import json

import pytest
from rich.console import Console

from visavis.bridge.receiver import Receiver
from visavis.bridge.track import Track
from visavis.bridge.wire import END, TIMED, Message
from visavis.cli.watch import LOG_WIDTH, table
from visavis.errors import InvalidArgument

MS = 1_000_000


def motion(
    sequence: int, frame: int | None = None, epoch: int = 1, publish_ms: float = 0, flags: int = TIMED
) -> Message:
    frame = sequence if frame is None else frame
    return Message(
        "VVM1", "npc", flags=flags, sequence=sequence, frame=frame, presentation_ns=frame * 40 * MS,
        publish_ns=round(publish_ms * MS), epoch=epoch, state=2,
    )  # fmt: skip


def test_lost_repeated_and_jumped_messages_are_counted() -> None:
    track = Track("npc")
    taken = [track.take(motion(s, f), 0) for s, f in ((5, 5), (6, 6), (9, 9), (7, 7), (9, 9), (10, 30))]
    assert taken == [True, True, True, False, False, True]
    report = track.report(0)
    assert (report["frames"], report["lost"], report["repeated"], report["jumps"]) == (4, 2, 2, 2)


def test_a_new_epoch_begins_anew() -> None:
    track = Track("npc")
    track.take(motion(50), 0)
    assert track.take(motion(0, epoch=2), 0) and track.counts["restarts"] == 1 and track.counts["lost"] == 0
    track.take(motion(1, epoch=2, flags=TIMED | END), 0)
    assert track.closed and track.counts["frames"] == 2
    track.take(motion(0, epoch=3), 0)
    assert not track.closed


def test_lag_spare_time_and_jitter() -> None:
    track = Track("npc")
    description = Message("VVD1", "npc", presentation_ns=10 * MS, publish_ns=1010 * MS, epoch=1,
                          json=json.dumps({"turn_frames": 1}))  # fmt: skip
    track.take(description, 1010 * MS)
    for k in range(100):
        sent_ms = 1000 + 40 * k - 60
        track.take(motion(k, publish_ms=sent_ms), round((sent_ms + (1 if k % 2 else 3)) * MS))
    report = track.report(round(4900 * MS))
    assert report["lag_ms_p50"] == 2 and report["lag_ms_p99"] == 3
    assert 57 <= report["spare_ms_p1"] < report["spare_ms_p50"] <= 59
    assert report["jitter_ms"] == pytest.approx(2, abs=0.01)
    assert report["rate_hz"] == pytest.approx(25, abs=0.3)


def test_the_rate_falls_to_nothing_when_frames_stop() -> None:
    track = Track("npc")
    for k in range(50):
        track.take(motion(k), 40 * k * MS)
    assert track.rate_hz(2000 * MS) == pytest.approx(25)
    assert track.rate_hz(20_000 * MS) == 0


def test_a_description_that_is_none_is_malformed() -> None:
    with pytest.raises(InvalidArgument, match="expected an object"):
        Track("npc").take(Message("VVD1", "npc", json="[]"), 0)


def test_the_live_table_takes_names_for_names() -> None:
    """rich would read them as markup."""
    with Receiver("tcp://[abcd::1]:5570") as receiver:
        receiver.tracks = {name: Track(name) for name in ("npc", "[/b]", "[red]npc")}
        shown = io.StringIO()
        Console(width=LOG_WIDTH, file=shown).print(table(receiver))
    assert all(text in shown.getvalue() for text in ("tcp://[abcd::1]:5570", "[/b]", "[red]npc"))
