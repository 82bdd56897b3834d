"""The times of the outside protocols: rates, frames between frames, the time of day, a tracker's frames."""

import time
from fractions import Fraction

import numpy as np
import pytest

from visavis.bridge.client import parse_endpoint
from visavis.bridge.outside import rates
from visavis.bridge.outside.address import Address, parse_address
from visavis.bridge.outside.playout import EASE_NS, HELD_NS, Playout
from visavis.bridge.outside.tracked_face import SenderClock, TrackedFace
from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument

MS, SECOND = 1_000_000, 1_000_000_000


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("60", Fraction(60)),
        ("23.976", Fraction(24_000, 1001)),
        ("29.97", Fraction(30_000, 1001)),
        ("59.94", Fraction(60_000, 1001)),
        ("30000/1001", Fraction(30_000, 1001)),
        ("47.5", Fraction(95, 2)),
    ],
)
def test_rates_are_exact(text: str, rate: Fraction) -> None:
    assert rates.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "23", "61", "1e9", "nan", "inf", "30/0", "-30", "30 fps", "29.9712345"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="expected 24 to 60"):
        rates.parse_rate(text)


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(60), Fraction(24)])
def test_frames_and_times_belong_together(rate: Fraction) -> None:
    rng = np.random.default_rng(1)
    for start in [0, *(int(ns) for ns in rng.integers(0, 86_400 * 10**9, 300))]:
        frame, part = rates.frames_of(start, rate)
        assert frame + part == pytest.approx(float(Fraction(start, 10**9) * rate), abs=1e-6) and 0 <= part < 1
        n = rates.frames_until(start, rate)
        assert rates.frame_ns(n, rate) >= start - 1 > rates.frame_ns(n - 1, rate) - 2
    assert rates.frames_until(3600 * 10**9, Fraction(30_000, 1001)) == 107_893  # 107892.1: an hour of 29.97


def test_the_time_of_day_is_the_local_one() -> None:
    wall_ns = 1_700_000_000_123_456_789
    local = time.localtime(1_700_000_000)
    seconds = local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec
    assert rates.ns_of_day(wall_ns) == seconds * 10**9 + 123_456_789


def frame(value: float) -> np.ndarray:
    return np.full(3, value, np.float32)


def at(playout: Playout, time_ns: int) -> float | None:
    values = playout.at(time_ns)
    return None if values is None else pytest.approx(float(values[0]), abs=1e-6)


def test_between_frames_the_face_goes_straight() -> None:
    playout = Playout()
    assert playout.at(0) is None
    for k, value in enumerate((0.0, 1.0, 0.5)):
        playout.push(k * FRAME_NS, frame(value))
    assert at(playout, -1) is None
    assert [at(playout, t * MS) for t in (0, 10, 20, 40, 60, 80)] == [0, 0.25, 0.5, 1, 0.75, 0.5]


def test_a_late_frame_is_waited_for_then_the_face_eases_to_neutral() -> None:
    playout = Playout()
    playout.push(0, frame(1.0))
    assert at(playout, HELD_NS) == 1 and at(playout, HELD_NS + EASE_NS // 4) == 0.75
    assert at(playout, HELD_NS + EASE_NS) == 0 and at(playout, 10**12) == 0
    playout.push(10**12 + 3 * FRAME_NS, frame(1.0))
    steps = [at(playout, 10**12 + t * MS) for t in (40, 80, 90, 100, 120)]
    assert steps == [0, 0, 0.25, 0.5, 1], "no jump behind a gap"


def test_a_cut_forgets_the_future_and_new_frames_replace_old_ones() -> None:
    playout = Playout()
    for k in range(5):
        playout.push(k * FRAME_NS, frame(k))
    assert at(playout, FRAME_NS) == 1
    playout.cut(2 * FRAME_NS)
    assert at(playout, 3 * FRAME_NS) == 1
    playout.push(4 * FRAME_NS, frame(9.0))
    playout.push(4 * FRAME_NS, frame(5.0))
    assert at(playout, 4 * FRAME_NS) == 5
    for k in range(2000):
        playout.push((5 + k) * FRAME_NS, frame(0.0))
    assert len(playout._frames) <= 256


# -------------------------------------------------------------------------------------------------------- trackers


@pytest.mark.parametrize("rate", [24, 29.97, 30, 60, 100])
def test_a_tracker_of_any_rate_gives_every_frame_of_the_session_once(rate: float) -> None:
    track, frames = TrackedFace(), list[tuple[int, np.ndarray]]()
    for i in range(round(4 * rate)):
        time_ns = 7 * MS + round(i / rate * 1e9)
        frames += track.take(time_ns, frame(time_ns / 1e9))
    numbers = [time_ns // FRAME_NS for time_ns, _ in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= 97
    for time_ns, values in frames:
        assert time_ns % FRAME_NS == 0 and values[0] == pytest.approx(time_ns / 1e9, abs=1e-6)


def test_a_lost_face_is_absent_meanwhile_and_time_never_goes_back() -> None:
    track = TrackedFace()
    assert [t for k in (0, 40, 80) for t, _ in track.take(k * MS, frame(1.0))] == [40 * MS, 80 * MS]
    assert track.take(80 * MS, frame(1.0)) == [] and track.take(70 * MS, frame(1.0)) == []
    assert track.take(500 * MS, frame(1.0)) == [], "nothing is made up over 420 ms"
    assert [t for t, _ in track.take(530 * MS, frame(1.0))] == [520 * MS]
    assert track.take(-2000 * MS, frame(1.0)) == [], "a clock that began anew"


def test_a_senders_own_spacing_survives_jitter_and_a_restart() -> None:
    rng, clock = np.random.default_rng(3), SenderClock()
    errors_ms = list[float]()
    for i in range(1200):
        sent_ns = i * 16_666_667
        delay_ns = 5 * MS + int(rng.exponential(8 * MS))
        arrived_ns = 10**12 + sent_ns + delay_ns
        seen_ns = clock.at(sent_ns, arrived_ns)
        assert seen_ns is not None and seen_ns <= arrived_ns
        errors_ms.append((seen_ns - 10**12 - sent_ns) / MS)
    assert max(errors_ms[100:]) < 6 and np.ptp(errors_ms[100:]) < 1
    assert clock.at(sent_ns, arrived_ns) is None and clock.at(sent_ns - MS, arrived_ns) is None, "replayed, overtaken"
    assert clock.at(77, 2 * 10**12) == 2 * 10**12, "a sender that began anew is believed at once"


@pytest.mark.parametrize("stamp", ["stands still", "runs too fast", "saws"])
def test_a_clock_of_nonsense_is_replaced_by_arrival_within_a_second(stamp: str) -> None:
    clock, late = SenderClock(), 0
    for i in range(600):
        now_ns = i * 16_666_667
        sent_ns = {"stands still": 77, "runs too fast": 16 * now_ns, "saws": now_ns // SECOND * SECOND}[stamp]
        if now_ns > 1.1 * SECOND:
            assert clock.at(sent_ns, now_ns) == now_ns
        else:
            late += clock.at(sent_ns, now_ns) != now_ns
    assert late <= 67 and not clock.trusted
    for i in range(600, 800):
        clock.at(i * 16_666_667, i * 16_666_667)
    assert clock.trusted and clock.at(800, 0) is not None


def test_a_few_replayed_frames_do_not_shake_the_trust() -> None:
    clock, dropped = SenderClock(), 0
    for i in range(1200):
        now_ns = i * 16_666_667
        assert clock.at(now_ns, now_ns) is not None
        if i % 3 == 0:
            dropped += clock.at(now_ns - 20 * MS, now_ns) is None
    assert clock.trusted and dropped >= 399


def test_a_clock_that_runs_fast_is_followed() -> None:
    clock = SenderClock()
    for i in range(60 * 60):
        sent_ns = round(i * 16_666_667 * 1.0002)
        arrived_ns = i * 16_666_667 + 5 * MS
        seen_ns = clock.at(sent_ns, arrived_ns)
        assert seen_ns is not None and abs(seen_ns - arrived_ns) < 5 * MS


# ------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("11111", Address("127.0.0.1", 11111)),
        ("host:1", Address("host", 1)),
        ("[::1]:39539", Address("::1", 39539)),
        ("npc@10.0.0.2:49983", Address("10.0.0.2", 49983, "npc")),
        ("a@b@9000", Address("127.0.0.1", 9000, "a@b")),
    ],
)
def test_addresses_name_head_host_and_port(text: str, address: Address) -> None:
    assert parse_address(text, "--vmc") == address


@pytest.mark.parametrize("text", ["", "host", "host:0", "host:65536", "::1:80", "@host:80", "[::1]", "a:b:80", "h:8 0"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"--vmc .*expected \[HEAD@\]HOST:PORT"):
        parse_address(text, "--vmc")


def test_endpoints_of_servers_may_be_ipv6() -> None:
    assert parse_endpoint("tcp://[::1]:6000") == ("::1", 6000) and parse_endpoint("[::1]") == ("::1", 5570)
    assert parse_endpoint("host") == ("host", 5570) and parse_endpoint(":80") == ("127.0.0.1", 80)
    for text in ("[::1]:x", "host:", "tcp://h:0", "a/b:80"):
        with pytest.raises(InvalidArgument, match="expected tcp://HOST:PORT"):
            parse_endpoint(text)
