import sys
from pathlib import Path

import numpy as np
import pytest

from visavis.bridge.plot import Voice, curve_values, curves_of, plot_conversation, speaking_spans
from visavis.errors import Unsupported
from visavis.motion_file import MotionData
from visavis.motion_space import ARKIT55, FLAME56, MotionSpace

RATE = 16_000


def motion(space: MotionSpace, n_frames: int = 50) -> MotionData:
    values = np.random.default_rng(0).random((n_frames, len(space.channels)), np.float32)
    return MotionData(values, space.channels, 25.0, np.arange(n_frames, dtype=np.int64) * 40_000_000)


def test_speech_is_what_is_loud_and_short_pauses_belong_to_it() -> None:
    samples = np.zeros(3 * RATE, np.float32)
    for start_s, end_s in ((0.5, 1.0), (1.1, 1.4), (2.0, 2.5)):
        samples[round(start_s * RATE) : round(end_s * RATE)] = 0.1
    spans = speaking_spans(Voice(samples, RATE))
    assert spans == [pytest.approx((0.5, 1.4)), pytest.approx((2.0, 2.5))]
    assert speaking_spans(Voice(samples * 0.01, RATE)) == []


@pytest.mark.parametrize("space", [ARKIT55, FLAME56])
def test_a_picture_of_every_motion_space(tmp_path: Path, space: MotionSpace) -> None:
    path = tmp_path / "plot.png"
    voice = Voice(np.sin(np.arange(2 * RATE, dtype=np.float32)), RATE)
    plot_conversation(path, voice, voice, motion(space), "two seconds")
    assert path.read_bytes().startswith(b"\x89PNG") and len(list(tmp_path.iterdir())) == 1
    assert len(curves_of(space.channels)) == 3


def test_angles_are_in_degrees_and_a_smile_has_two_sides() -> None:
    moved = motion(ARKIT55)
    _, smile, nod = curves_of(moved.channels)
    left, right = (moved.values[:, ARKIT55.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    np.testing.assert_allclose(curve_values(moved, smile), (left + right) / 2, rtol=1e-6)
    pitch = moved.values[:, ARKIT55.index("headPitch")]
    np.testing.assert_allclose(curve_values(moved, nod), np.degrees(pitch), rtol=1e-6)


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    voice = Voice(np.zeros(RATE, np.float32), RATE)
    with pytest.raises(Unsupported, match=r"visavis\[plot\]"):
        plot_conversation(tmp_path / "plot.png", voice, voice, motion(ARKIT55), "none")
