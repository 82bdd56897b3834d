import numpy as np
import pytest

from visavis.bridge.audio_queue import LARGEST_CHUNK, LONGEST_WAIT_S, AudioQueue
from visavis.constants import FRAME_NS


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 192_000])
def test_audio_is_cut_at_frame_borders_and_nothing_is_lost(rate: int) -> None:
    queue, start_ns = AudioQueue(), 123_456_789
    samples = np.arange(rate, dtype=np.float32)
    queue.push(samples, rate, start_ns)
    chunks = list(queue.take(1 << 60))
    np.testing.assert_array_equal(np.concatenate([c.samples for c in chunks]), samples)
    assert all(len(c.samples) <= min(LARGEST_CHUNK, rate // 25 + 1) for c in chunks)
    first = 0
    for chunk in chunks:
        assert chunk.time_ns == round(start_ns + first * 1e9 / rate)
        first += len(chunk.samples)
    assert queue.waiting_s == pytest.approx(0, abs=1e-9)


def test_audio_waits_for_its_frame_and_a_cut_forgets_the_rest() -> None:
    queue = AudioQueue()
    queue.push(np.zeros(16_000, np.float32), 16_000, 0)
    assert sum(len(c.samples) for c in queue.take(5 * FRAME_NS)) == 5 * 640
    queue.cut(10 * FRAME_NS)
    assert queue.waiting_s == pytest.approx(0.2)
    assert sum(len(c.samples) for c in queue.take(1 << 60)) == 5 * 640


def test_a_later_push_replaces_what_it_overlaps() -> None:
    queue = AudioQueue()
    queue.push(np.zeros(16_000, np.float32), 16_000, 0)
    queue.push(np.ones(8_000, np.float32), 16_000, 500_000_000 // FRAME_NS * FRAME_NS)
    chunks = list(queue.take(1 << 60))
    times = [c.time_ns for c in chunks]
    assert times == sorted(times) and sum(c.samples.sum() for c in chunks) == 8_000


def test_what_waits_is_bounded() -> None:
    queue = AudioQueue()
    second = np.zeros(8_000, np.float32)
    for i in range(round(LONGEST_WAIT_S) + 5):
        queue.push(second, 8_000, i * 1_000_000_000)
    assert queue.waiting_s == pytest.approx(LONGEST_WAIT_S) and queue.dropped_s == 5
