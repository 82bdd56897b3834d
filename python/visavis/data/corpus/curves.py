"""Smooth curves at 25 fps from which all motion but the lips is made: pulses, nods, episodes, steps, drift."""

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE

Array = npt.NDArray[np.float64]


def smoothstep(x: Array) -> Array:
    """0 to 1 with zero velocity and acceleration at both ends (minimum jerk)."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x**3 * (10.0 - 15.0 * x + 6.0 * x**2))


def frame_times(n_frames: int) -> Array:
    """Times of the frames in seconds: frame k stands at k / 25 s."""
    return np.arange(n_frames) / FRAME_RATE


def _span(n_frames: int, start: float, end: float) -> slice:
    return slice(max(0, int(start * FRAME_RATE)), max(0, min(n_frames, int(np.ceil(end * FRAME_RATE)) + 1)))


def add_pulse(track: Array, start: float, length: float, height: float) -> None:
    """Add one raised-cosine bump."""
    near = _span(len(track), start, start + length)
    phase = np.clip((np.arange(near.start, near.stop) / FRAME_RATE - start) / length, 0.0, 1.0)
    track[near] += height * 0.5 * (1.0 - np.cos(2.0 * np.pi * phase))


def add_episode(track: Array, start: float, length: float, height: float, attack: float, release: float) -> None:
    """Add a plateau with a smooth rise and fall; `length` runs from the first to the last moment of motion."""
    near = _span(len(track), start, start + length)
    t = np.arange(near.start, near.stop) / FRAME_RATE - start
    track[near] += height * smoothstep(t / attack) * (1.0 - smoothstep((t - (length - release)) / release))


def add_nod(track: Array, start: float, n_cycles: int, rate_hz: float, amplitude: float, decay: float) -> float:
    """Add downward strokes (positive pitch), each `decay` times the one before; returns the nod's end in seconds.

    `amplitude` is half of the first stroke's peak-to-peak excursion.
    """
    for cycle in range(n_cycles):
        add_pulse(track, start + cycle / rate_hz, 1.0 / rate_hz, 2.0 * amplitude * decay**cycle)
    return start + n_cycles / rate_hz


def steps(n_frames: int, targets: list[tuple[float, float, float]]) -> Array:
    """A track that moves to each (time, value, duration) target in turn, starting from 0, in minimum-jerk moves."""
    track, value, t = np.zeros(n_frames), 0.0, frame_times(n_frames)
    for time, target, duration in sorted(targets):
        track += (target - value) * smoothstep((t - time) / duration)
        value = target
    return track


def drift(
    n_frames: int, rng: np.random.Generator, time_constants: tuple[float, ...], weights: tuple[float, ...]
) -> Array:
    """Unit-variance slow drift: a sum of noises, each smoothed twice with its time constant (s), weights = std."""
    total = np.zeros(n_frames)
    for tau, weight in zip(time_constants, weights, strict=True):
        warm = int(8 * tau * FRAME_RATE)
        x = rng.standard_normal(n_frames + warm)
        keep = np.exp(-1.0 / (tau * FRAME_RATE))
        for _ in range(2):
            x = _leaky(x, keep)
        gain = np.sqrt((1.0 - keep**2) ** 3 / (1.0 + keep**2)) / (1.0 - keep) ** 2  # exact std of the cascade
        total += weight * gain * x[warm:]
    return total / float(np.sqrt(np.sum(np.square(weights))))


def _leaky(x: Array, keep: float) -> Array:
    """First-order low pass y_k = keep y_{k-1} + (1 - keep) x_k."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], x))
