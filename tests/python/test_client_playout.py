"""The native client on virtual time: clocks, delay, jitter, loss, stalls, restarts, cuts; what a mesh would show."""

import ctypes

import numpy as np
import pytest
from client_server import FRAME_NS, FakeHead
from client_simulation import MS, VOICE_RATE, Network, S, Shown, Simulation, jaw_at
from native_client import EASING, HELD, INVALID, LISTENING, MANUAL, NEUTRAL, OK, SPEAKING, NativeClient

from visavis.motion_space import ARKIT55, FLAME56

BOUND_MS = 200  # options.max_delay_ns


def latency_ms(shown: list[Shown]) -> np.ndarray:
    return np.array([(s.true_ns - s.session_ns) / MS for s in shown])


def wrong(shown: list[Shown]) -> np.ndarray:
    """How far each sample is from what the head did at its session time."""
    return np.array([abs(s.jaw - jaw_at(s.session_ns)) for s in shown])


def jumps(shown: list[Shown]) -> float:
    """The largest change of a value from one sample to the next, in parts of its range."""
    return float(np.abs(np.diff([(s.jaw, s.yaw / 4) for s in shown], axis=0)).max())


def test_a_clean_network_is_shown_as_it_is(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client)
        shown = list(simulation.run(30))[60:]
        stats = client.stats(simulation.head)
    assert wrong(shown).max() < 0.001 and jumps(shown) < 0.03
    assert np.percentile(latency_ms(shown), 99) < 40
    assert stats.lost == stats.dropped == 0 and stats.frames >= 740


@pytest.mark.parametrize(("drift_ppm", "seconds"), [(200, 600), (-200, 120)])
def test_ten_bad_minutes(client_library: ctypes.CDLL, drift_ppm: int, seconds: int) -> None:
    """5 % loss, overtaking, a stall of 500 ms every 10 s, both clocks 200 ppm apart, the loudspeaker's as well."""
    stalls = tuple((t * S, t * S + 500 * MS) for t in range(5, seconds, 10))
    network = Network(loss=0.05, swap=0.01, stalls=stalls)
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client, network, drift_ppm, device_ppm=-drift_ppm, audio=True)
        shown = list(simulation.run(seconds))[120:]
        stats = client.stats(simulation.head)
    latency = latency_ms(shown)
    away = np.array([abs(s.session_ns - s.heard_ns) / MS for s in shown if s.heard_ns is not None])
    found = f"latency p50 {np.median(latency):.1f} max {latency.max():.1f} ms, voice to face p99 "
    found += f"{np.percentile(away, 99):.1f} ms, {stats.lost} lost, {stats.late} late, {stats.dropped} dropped"
    print(found)
    assert latency.max() < BOUND_MS and np.percentile(latency, 99) < 50, "it never grows"
    assert np.median(latency[-1800:]) == pytest.approx(np.median(latency[:1800]), abs=8)
    assert len(away) > 50 * seconds and np.percentile(away, 99) <= 20
    assert stats.lost > seconds and stats.late > seconds / 6 and stats.dropped > seconds / 12
    assert np.percentile(wrong(shown), 95) < 0.03 and jumps(shown) < 0.1


def test_a_stall_is_over_within_two_seconds(client_library: ctypes.CDLL) -> None:
    for length_ms in (120, 500, 1500):
        with NativeClient(client_library, flags=MANUAL) as client:
            simulation = Simulation(client, Network(stalls=((10 * S, 10 * S + length_ms * MS),)))
            shown = list(simulation.run(15))
        before, after = latency_ms(shown[300:600]), latency_ms(shown[round(60 * (12 + length_ms / 1000)) :])
        assert after.max() < before.max() + 5 and wrong(shown[-120:]).max() < 0.01
        assert latency_ms(shown).max() < BOUND_MS


def test_the_delay_follows_the_network_up_and_down(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client, Network(jitter_ns=MS))
        quiet = latency_ms(list(simulation.run(10)))[-120:].mean()
        simulation.network = Network(jitter_ns=30 * MS)
        rough = list(simulation.run(20))
        simulation.network = Network(jitter_ns=MS)
        after = latency_ms(list(simulation.run(10)))[-120:].mean()
    assert quiet < 35 and latency_ms(rough)[-300:].mean() > quiet + 20 and after < quiet + 10
    assert latency_ms(rough).max() < BOUND_MS + 40 and jumps(rough) < 0.1
    held = np.mean([bool(s.state & HELD) for s in rough[-600:]])
    assert held < 0.1, "the delay covers the jitter"


def test_a_longer_way_is_taken_within_three_seconds(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client, Network(delay_ns=5 * MS))
        list(simulation.run(6))
        simulation.network = Network(delay_ns=400 * MS)
        shown = list(simulation.run(6))
    assert not any(s.state & (HELD | EASING | NEUTRAL) for s in shown[180:])
    assert latency_ms(shown)[-1] == pytest.approx(430, abs=30)


def test_frames_that_stay_away_are_held_then_eased_out_and_in(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client)
        before = list(simulation.run(5.5))
        gone = list(simulation.run(3, silent=True))
        back = list(simulation.run(3))
    assert gone[5].state & HELD and gone[5].jaw == pytest.approx(before[-1].jaw, abs=0.1)
    assert any(s.state & EASING for s in gone) and gone[-1].state == NEUTRAL | LISTENING
    assert gone[-1].jaw == gone[-1].yaw == 0
    neutral_after = next(i for i, s in enumerate(gone) if s.state & NEUTRAL) / 60
    assert 0.6 < neutral_after < 1.1
    assert jumps(before[60:] + gone + back) < 0.12
    assert wrong(back[60:]).max() < 0.01


def test_a_restarted_server_is_taken_over_smoothly(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client, audio=True)
        before = list(simulation.run(21.3))
        after = list(simulation.run(4, epoch=8))
        stats = client.stats(simulation.head)
    assert stats.restarts == 1 and stats.epoch == 8
    assert jumps(before[60:] + after) < 0.1
    assert wrong(after[60:]).max() < 0.01 and latency_ms(after[60:]).max() < 50
    assert max(abs(s.session_ns - (s.heard_ns or 0)) for s in after[60:]) < 20 * MS


def feed_frames(client: NativeClient, head: FakeHead, frames: range, value: float, now_ns: int, **fields: int) -> None:
    for frame in frames:
        assert client.feed(head.motion(frame, value, now_ns, **fields), now_ns) == OK


def play(client: NativeClient, handle: int, start_ns: int, n: int, step_ns: int = 16 * MS) -> list[float]:
    """Jaw of n samples; the clock goes on."""
    values = []
    for i in range(n):
        client.drain(start_ns + i * step_ns)
        values.append(client.sample(handle, start_ns + i * step_ns).shapes[17])
    return values


def test_a_cut_withdraws_what_was_to_come(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        client.feed(head.describe(1, 1), 1)
        feed_frames(client, head, range(50), 0.8, 0, state=1)
        spoken = play(client, npc, 0, 10)
        assert client.sample(npc, 170 * MS).state & SPEAKING
        client.feed(head.cut(200 * MS, 180 * MS), 180 * MS)
        for frame in range(5, 50):  # the server eases to listening
            feed_frames(client, head, range(frame, frame + 1), max(0.1, 0.8 - 0.1 * (frame - 4)), 180 * MS)
        after = play(client, npc, 180 * MS, 60)
        sample = client.sample(npc, 1200 * MS)
        assert sample.state == LISTENING and sample.shapes[17] == pytest.approx(0.1)
        assert client.stats(npc).cuts == 1
    assert spoken[-1] == pytest.approx(0.8) and np.abs(np.diff(spoken[5:] + after)).max() < 0.06
    assert min(after) == pytest.approx(0.1)


def test_withdrawn_doubled_and_closing_frames(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        feed_frames(client, head, range(10), 0.5, 0)
        client.feed(head.motion(9, 0.9, 0, state=8), 0)
        client.feed(head.motion(10, 0.9, 0, sequence=3), 0)
        assert client.stats(npc).dropped == 2 and client.stats(npc).frames == 10
        assert client.sample_at(npc, 380 * MS).state & HELD
        client.feed(head.motion(11, 0.5, 0, sequence=20, flags=3), 0)
        assert client.stats(npc).lost == 9
        assert "closed on the server" in client.status(npc)
        assert client.sample_at(npc, 11 * FRAME_NS + 20 * MS).state & HELD
        assert client.sample_at(npc, 11 * FRAME_NS + 640 * MS).state & NEUTRAL


def test_sampling_at_a_session_time_seeks(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        for frame in range(40):
            client.feed(head.motion(frame, frame / 100, 0), 0)
        for session_ns in (1000 * MS, 130 * MS, 1510 * MS, 140 * MS, 150 * MS):
            sample = client.sample_at(npc, session_ns)
            assert sample.shapes[17] == pytest.approx(session_ns / FRAME_NS / 100, abs=1e-5)
            assert sample.session_ns == session_ns and sample.frame == session_ns // FRAME_NS
            assert sample.phase == pytest.approx(session_ns / FRAME_NS % 1, abs=1e-5)


@pytest.mark.parametrize("dtype", ["f32", "norm16"])
def test_channels_in_another_order_are_mapped_by_name(client_library: ctypes.CDLL, dtype: str) -> None:
    names, units = ("extra", *reversed(ARKIT55.channels)), ("1", *reversed(ARKIT55.units))
    values = [0.9, *(1.0 - i / 55 for i in range(55))]
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead(dtype=dtype)
        text = head.describe(1, 1, channels=names, units=units)
        schema = int.from_bytes(text[24:32], "little")
        fields = {"schema_hash": schema, "units": units if dtype == "norm16" else ()}
        client.feed(head.motion(0, values, 0, **fields), 0)
        assert client.stats(npc).dropped == 1, "not before its channels are known"
        assert "56 channels of schema" in client.status(npc)
        client.feed(text, 0)
        for frame in (1, 2):
            client.feed(head.motion(frame, values, 0, **fields), 0)
        sample = client.sample_at(npc, FRAME_NS)
        expected = dict(zip(names, values, strict=True))
        shapes = [expected[name] for name in ARKIT55.channels]
        assert list(sample.shapes) == pytest.approx(shapes[:52], abs=1e-4)
        assert [sample.yaw, sample.pitch, sample.roll] == pytest.approx(shapes[52:], abs=1e-4)


def test_a_foreign_schema_shows_nothing_and_says_why(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        client.feed(head.describe(1, 1, channels=FLAME56.channels, units=FLAME56.units), 0)
        client.feed(head.motion(0, [1.0] * 56, 0, schema_hash=0x2061B684555A4689), 0)
        assert client.sample(npc, 0).state & NEUTRAL
        status = client.status(npc)
        assert "0x2061b684555a4689" in status and "arkit55" in status


def test_the_voice_is_read_without_a_seam(client_library: ctypes.CDLL) -> None:
    """What comes out is the sine that went in, at the session times that it is said to have."""
    with NativeClient(client_library, flags=MANUAL) as client:
        simulation = Simulation(client, audio=True)
        list(simulation.run(2))
        blocks = []
        for _ in simulation.run(3):
            begin_ns, session_ns = simulation._blocks[-1]
            if not blocks or blocks[-1][0] != session_ns:
                blocks.append((session_ns, begin_ns))
        npc, rate = simulation.head, 48_000
        at_ns = round(simulation._blocks[-1][0]) + 20 * MS
        samples, audio = client.read_audio(npc, 480, rate, at_ns)
        after = client.read_audio(npc, 480, rate, at_ns + 10 * MS)[1]
    assert audio.source_rate == VOICE_RATE and audio.n_voiced == 480
    times = np.linspace(audio.session_ns / S, after.session_ns / S, 480, endpoint=False)
    np.testing.assert_allclose(samples, 0.5 * np.sin(2 * np.pi * 220 * times), atol=0.002)
    steps = np.diff([session_ns for session_ns, _ in blocks])
    assert np.abs(steps - 20 * MS).max() < 0.15 * MS, "blocks follow each other, bent by less than 0.5 %"


def test_a_cut_voice_is_silent_and_nothing_sounds_like_nothing(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        samples, audio = client.read_audio(npc, 100, 48_000, 0)
        assert not samples.any() and audio.source_rate == audio.n_voiced == 0
        feed_frames(client, head, range(40), 0.1, 0)
        client.feed(head.voice(0, np.full(16_000, 0.5), VOICE_RATE, 0, 0, "s16"), 0)
        loud = client.read_audio(npc, 480, 48_000, 100 * MS)[0]
        np.testing.assert_allclose(loud[50:], 0.5, atol=0.001)
        session_ns = client.sample(npc, 110 * MS).session_ns
        client.feed(head.cut(session_ns + 5 * MS, 0), 0)
        after = client.read_audio(npc, 960, 48_000, 110 * MS)[0]
        assert not after[600:].any() and np.abs(np.diff(after)).max() < 0.01


def test_messages_that_are_none_are_counted(client_library: ctypes.CDLL) -> None:
    with NativeClient(client_library, flags=MANUAL) as client:
        npc, head = client.follow("npc"), FakeHead()
        for message in (b"", b"x" * 100, head.motion(0, 0.5, 0)[:-1], b"y" * 70_000):
            assert client.feed(message, 0) == OK
        assert client.stats().malformed == 4 and client.stats(npc).frames == 0
        far = head.motion(1 << 60, 0.5, -(1 << 62), presentation_ns=(1 << 62))
        client.feed(far, 0)
        assert client.stats(npc).dropped == 1
        assert client.feed(b"", 1 << 60) == INVALID and client.feed(b"", 0, link=4) == INVALID
