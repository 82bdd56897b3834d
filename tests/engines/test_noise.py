import numpy as np
import pytest

from visavis import _core
from visavis.errors import InvalidArgument

# Known answers published with the Random123 library (kat_vectors, philox4x32, 10 rounds).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> list[int]:
    """Philox 4x32-10 in plain integers, written from the paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def white(seed: int, frame: int, step: int, n_channels: int) -> np.ndarray:
    """Incoherent noise of one frame and step, from the specification."""
    out: list[float] = []
    for block in range(-(-n_channels // 4)):
        counter = (frame & 0xFFFFFFFF, (frame >> 32) & 0xFFFFFFFF, step, block)
        u = (np.array(philox(counter, (seed & 0xFFFFFFFF, seed >> 32))) + 0.5) / 2**32
        for i in (0, 2):
            radius = np.sqrt(-2 * np.log(u[i]))
            out += [radius * np.cos(2 * np.pi * u[i + 1]), radius * np.sin(2 * np.pi * u[i + 1])]
    return np.array(out[:n_channels])


def taps(coherence: float) -> np.ndarray:
    weights = coherence ** np.arange(8)
    return weights / np.sqrt(np.sum(weights**2))


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert tuple(_core.philox4x32(counter, key)) == expected
    assert tuple(philox(counter, key)) == expected


def test_philox_agrees_with_a_plain_implementation_on_random_counters() -> None:
    rng = np.random.default_rng(0)
    for words in rng.integers(0, 2**32, (200, 6)).tolist():
        assert _core.philox4x32(words[:4], words[4:]) == philox(words[:4], words[4:])


@pytest.mark.parametrize("first_frame", [0, 123, -40, 2**31 - 2, 2**40])
@pytest.mark.parametrize("coherence", [0.0, 0.7])
def test_noise_follows_its_specification(first_frame: int, coherence: float) -> None:
    seed, frames, channels, steps = 2**63 + 99, 3, 7, 2
    found = _core.noise(seed, first_frame, frames, channels, steps, coherence)
    assert found.shape == (1 + steps, frames, channels) and found.dtype == np.float32
    for step in range(1 + steps):
        for k in range(frames):
            sources = [white(seed, first_frame + k - j, step, channels) for j in range(8)]
            np.testing.assert_allclose(found[step, k], taps(coherence) @ np.array(sources), atol=2e-6)


@pytest.mark.parametrize("coherence", [0.0, 0.5, 0.95])
def test_noise_of_a_frame_does_not_depend_on_the_range_it_is_asked_in(coherence: float) -> None:
    whole = _core.noise(7, -20, 60, 55, 5, coherence)
    for start, length in ((0, 5), (5, 5), (3, 1), (37, 23)):
        part = _core.noise(7, -20 + start, length, 55, 5, coherence)
        assert part.tobytes() == whole[:, start : start + length].tobytes()
    narrow = _core.noise(7, -20, 60, 10, 2, coherence)  # nor on the number of channels and steps
    assert narrow.tobytes() == whole[:3, :, :10].tobytes()


def test_seeds_steps_and_channels_are_independent() -> None:
    a, b = _core.noise(1, 0, 4000, 8, 1, 0.0), _core.noise(2**32 + 1, 0, 4000, 8, 1, 0.0)
    columns = np.concatenate([*a, *b], axis=1)  # (frames, 32)
    correlation = np.corrcoef(columns.T) - np.eye(32)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("coherence", [0.0, 0.4, 0.8])
def test_marginals_are_standard_normal(coherence: float) -> None:
    values = _core.noise(3, -50_000, 100_000, 8, 0, coherence).astype(np.float64)
    # Coherent frames are alike: count only as many values as are independent.
    effective = values.size * (1 - coherence) / (1 + coherence)
    assert abs(values.mean()) < 5 / np.sqrt(effective)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / effective)
    for limit, share in ((1.0, 0.682689), (2.0, 0.954500), (3.0, 0.997300)):
        tolerance = 5 * np.sqrt(share * (1 - share) / effective)
        assert abs(np.mean(np.abs(values) < limit) - share) < tolerance
    assert np.abs(values).max() > 4


@pytest.mark.parametrize("coherence", [0.0, 0.4, 0.8, 0.95])
def test_lag_correlation_is_that_of_the_taps_inside_turns_and_across_their_borders(coherence: float) -> None:
    turn_frames, n_turns = 5, 8000
    turns = [_core.noise(11, t * turn_frames, turn_frames, 8, 0, coherence)[0] for t in range(n_turns)]
    values = np.concatenate(turns).astype(np.float64)  # (frames, 8), drawn a turn at a time as an engine does
    weights = taps(coherence)
    for lag in (1, 2, 5, 7, 8, 12):
        expected = float(np.sum(weights[:-lag] * weights[lag:])) if lag < 8 else 0.0
        products = values[:-lag] * values[lag:]
        first = np.arange(len(products)) % turn_frames
        across = first + lag >= turn_frames
        for pairs in (products[across], products[~across]):
            if len(pairs):  # a lag of a turn or more always crosses a border
                tolerance = 6 * np.sqrt((1 + coherence) / (1 - coherence) / pairs.size)
                assert abs(pairs.mean() - expected) < tolerance


def test_lag_one_correlation_is_the_coherence_up_to_the_cut_taps() -> None:
    for coherence, shortfall in ((0.4, 1e-5), (0.8, 0.02)):
        weights = taps(coherence)
        assert 0 <= coherence - np.sum(weights[:-1] * weights[1:]) < shortfall


def test_bad_requests_name_what_is_wrong() -> None:
    with pytest.raises(InvalidArgument, match=r"coherence is 1\.0.*0 <= coherence < 1"):
        _core.noise(0, 0, 1, 1, 1, 1.0)
    with pytest.raises(InvalidArgument, match="coherence is nan"):
        _core.noise(0, 0, 1, 1, 1, float("nan"))
    with pytest.raises(InvalidArgument, match="-1, 4 and 5; expected none below 0"):
        _core.noise(0, 0, -1, 4, 5, 0.0)
    assert _core.noise(0, 0, 0, 4, 5, 0.0).shape == (6, 0, 4)
