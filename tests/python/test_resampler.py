import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis import _core
from visavis.errors import InvalidArgument

RATES = [8000, 11025, 12000, 22050, 24000, 32000, 44100, 47999, 48000, 96000, 176400, 192000]


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    resampler = _core.Resampler(rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])


def sine(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)
    return float(20 * np.log10(np.sqrt(2 * np.mean(middle**2)) + 1e-12))


@pytest.mark.parametrize("rate", RATES)
def test_pass_band_is_flat_and_in_time(rate: int) -> None:
    top = min(7000, rate * 7 / 16)
    for frequency in (50, 440, 0.5 * top, top):
        found = resample(sine(frequency, rate), rate)[:8000]
        expected = sine(frequency, 16000)
        middle = slice(2000, 6000)
        np.testing.assert_allclose(found[middle], expected[middle], atol=1e-4)  # far below 0.1 dB, no delay
        assert abs(level_db(found)) < 0.01


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 16000])
def test_what_would_alias_is_stopped(rate: int) -> None:
    for frequency in np.linspace(8000, rate / 2 - 200, 9):
        assert level_db(resample(sine(frequency, rate), rate)) < -80


@pytest.mark.parametrize("rate", [8000, 11025, 12000])
def test_mirror_images_are_stopped(rate: int) -> None:
    for frequency in (300.0, 0.2 * rate, 0.4375 * rate):
        found = resample(sine(frequency, rate, 1.0), rate).astype(np.float64)[4000:12000]
        window = np.blackman(len(found))
        spectrum = np.abs(np.fft.rfft(found * window)) / (window.sum() / 2)
        images = spectrum[int((rate / 2) / 2) + 8 :]  # bins of 2 Hz
        assert 20 * np.log10(images.max()) < -80


@pytest.mark.parametrize("rate", [*RATES, 16000])
def test_any_chunking_gives_the_same_bytes(rate: int) -> None:
    rng = np.random.default_rng(rate)
    samples = rng.standard_normal(rate // 2).astype(np.float32)
    whole = resample(samples, rate)
    resampler = _core.Resampler(rate)
    parts, at = [], 0
    while at < len(samples):
        n = int(rng.integers(1, 3000))
        parts.append(resampler.push(samples[at : at + n]))
        at += n
    parts.append(resampler.finish())
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert len(whole) == -(-len(samples) * 16000 // rate)


@settings(max_examples=40, deadline=None)
@given(rate=st.integers(8000, 192000), cuts=st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_chunking_at_any_rate(rate: int, cuts: list[int]) -> None:
    samples = np.random.default_rng(0).standard_normal(sum(cuts)).astype(np.float32)
    resampler = _core.Resampler(rate)
    parts = [resampler.push(part) for part in np.split(samples, np.cumsum(cuts)[:-1])]
    assert np.concatenate([*parts, resampler.finish()]).tobytes() == resample(samples, rate).tobytes()


def test_sample_times_do_not_drift() -> None:
    """After 20 minutes of 44.1 kHz a click still stands at its time."""
    resampler = _core.Resampler(44100)
    second = np.zeros(44100, np.float32)
    n_before = sum(len(resampler.push(second)) for _ in range(1200))
    click = second.copy()
    click[22050] = 1
    tail = np.concatenate([resampler.push(click), resampler.finish()])
    assert n_before + int(np.argmax(tail)) == 1200 * 16000 + 8000


def test_16_khz_passes_untouched() -> None:
    samples = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    assert resample(samples, 16000).tobytes() == samples.tobytes()


@pytest.mark.parametrize("rate", [7999, 0, -1, 192001])
def test_rates_out_of_range_are_refused(rate: int) -> None:
    with pytest.raises(InvalidArgument, match=f"{rate} Hz; expected 8000 to 192000"):
        _core.Resampler(rate)
