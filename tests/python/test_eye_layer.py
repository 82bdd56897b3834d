"""The eye layer: its statistics over 30 minutes against published ranges (docs/rig.md has the sources)."""

import numpy as np
import pytest

from visavis.motion_space import ARKIT55
from visavis.rig import Rig

AT = ARKIT55.index
HALF_HOUR = 30 * 60 * 25  # frames
SIDE, UP, DOWN, LID_FOLLOW = 40.0, 30.0, 35.0, 0.35


class Eyes:
    """What the channels say: degrees in the head (yaw to the left, pitch down), lid closure by blinks, gaze averted."""

    def __init__(self, values: np.ndarray) -> None:
        def look(name: str) -> np.ndarray:
            return values[:, AT(f"eyeLook{name}")].astype(float)

        self.left_yaw = (look("OutLeft") - look("InLeft")) * SIDE
        self.right_yaw = (look("InRight") - look("OutRight")) * SIDE
        self.yaw = (self.left_yaw + self.right_yaw) / 2
        self.pitch = look("DownLeft") * DOWN - look("UpLeft") * UP
        self.lid = values[:, AT("eyeBlinkLeft")].astype(float)
        self.closure = 1 - (1 - self.lid) / (1 - LID_FOLLOW * look("DownLeft"))
        inner = self.closure[1:-1]
        peaks = (inner > 0.5) & (inner > self.closure[:-2]) & (inner >= self.closure[2:])
        self.blinks = np.flatnonzero(peaks) + 1
        self.away = np.abs(self.yaw) > 4.2


def talks(n_frames: int, seed: int) -> np.ndarray:
    """Turns of speaking and listening, five seconds each on average."""
    rng, state = np.random.default_rng(seed), np.zeros(n_frames, bool)
    start, speaking = 0, False
    while start < n_frames:
        length = int(25 * rng.gamma(3, 5 / 3)) + 8
        state[start : start + length] = speaking
        start, speaking = start + length, not speaking
    return state


def run(speaking: np.ndarray, seed: int = 0, head: np.ndarray | None = None, **dials: float) -> Eyes:
    rig = Rig(seed=seed)
    for name, value in dials.items():
        rig.set_dial(f"eyes.{name}", value)
    motion = np.zeros((len(speaking), 55), np.float32)
    if head is not None:
        motion[:, AT("headYaw")] = head
    return Eyes(rig.process(motion, speaking))


def runs(flags: np.ndarray, value: bool) -> np.ndarray:
    """Lengths (s) of the runs of a value, the first and last left out."""
    edges = np.flatnonzero(np.diff(flags.astype(int))) + 1
    lengths = np.diff(edges) / 25
    return lengths[flags[edges[:-1]] == value]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("speaking", "rate", "at_partner", "spell_at"), [(True, 26, 0.41, 1.6), (False, 18, 0.75, 3.3)]
)
def test_half_an_hour_keeps_to_the_published_numbers(speaking, rate, at_partner, spell_at, seed):
    eyes = run(np.full(HALF_HOUR, speaking), seed)
    assert len(eyes.blinks) / 30 == pytest.approx(rate, abs=2)  # inside 10.5 to 32.5 (Doughty 2001)
    assert 1 - eyes.away.mean() == pytest.approx(at_partner, abs=0.03)  # Argyle & Cook
    assert runs(eyes.away, False).mean() == pytest.approx(spell_at, rel=0.12)  # Binetti 2016: 3.3 +- 0.7 s
    intervals = np.log(np.diff(eyes.blinks) / 25)
    assert abs(np.mean(((intervals - intervals.mean()) / intervals.std()) ** 3)) < 0.9  # about log-normal
    assert 0.4 < intervals.std() < 1.0


def test_blinks_are_short_some_long_some_double_and_shut_on_a_frame():
    eyes = run(np.ones(HALF_HOUR, bool), 3)
    depth = eyes.closure[eyes.blinks]
    assert np.mean(depth > 0.999) > 0.85 and depth.min() > 0.6
    lengths = runs(eyes.closure > 0.01, True)
    assert 0.14 <= np.median(lengths) <= 0.25  # short: 208 ms (Homke 2018), tails under 1 % closure left out
    assert 0.03 < np.mean(lengths > 0.4) < 0.10
    gaps = np.diff(eyes.blinks) / 25
    assert 0.04 < np.mean(gaps < 0.55) < 0.14
    closing = np.diff(eyes.closure)[eyes.blinks - 1]
    opening = -np.diff(eyes.closure)[eyes.blinks]
    assert closing.mean() > 0.9 * opening.mean()  # lids close no slower than they open


def test_long_utterances_begin_looking_away_and_end_looking_back():
    speaking = talks(HALF_HOUR, 4)
    eyes = run(speaking, 4)
    onsets = np.flatnonzero(~speaking[:-1] & speaking[1:]) + 1
    offsets = np.flatnonzero(speaking[:-1] & ~speaking[1:]) + 1
    long = [k for k in onsets if k + 50 < HALF_HOUR and speaking[k : k + 50].all()]
    assert len(long) > 100
    assert np.mean([eyes.away[k + 8 : k + 25].any() for k in long]) > 0.7  # Kendon 1967
    back = [not eyes.away[k + 8] for k in offsets if k + 8 < HALF_HOUR]
    assert np.mean(back) > 0.7


def test_gaze_moves_in_saccades_and_fixations():
    eyes = run(np.zeros(HALF_HOUR, bool), 5)
    step = np.abs(np.diff(eyes.yaw))
    assert np.median(step) < 1e-6  # fixations
    far = runs(step > 2, True)
    assert far.max() <= 0.12 and (far >= 0.04 - 1e-9).all()  # 18 degrees in at most three frames
    micro = (step > 1e-3) & (step < 1)
    assert 0.5 < micro.sum() / (HALF_HOUR / 25) < 4  # a second


def test_eyes_undo_part_of_the_heads_turn_and_converge_a_little():
    head = np.linspace(-0.3, 0.3, 500)
    eyes = run(np.zeros(500, bool), 6, head, gaze=0)
    np.testing.assert_allclose(eyes.yaw, -0.85 * np.degrees(head), atol=0.01)
    np.testing.assert_allclose(eyes.right_yaw - eyes.left_yaw, 1.5, atol=0.01)
    assert np.abs(run(np.zeros(500, bool), 6, np.full(500, 1.5), gaze=0).yaw).max() < 30  # the eye's own limit


def test_a_turned_head_looks_away_to_its_own_side():
    frames = HALF_HOUR // 3
    for turn, share_left in ((0.0, 0.5), (0.2, 0.95), (-0.2, 0.05)):
        eyes = run(np.zeros(frames, bool), 9, np.full(frames, turn), blinks=0)
        world = eyes.yaw + 0.85 * np.degrees(turn)
        assert np.mean(world[np.abs(world) > 5] > 0) == pytest.approx(share_left, abs=0.1)


def test_lids_follow_the_gaze_down():
    rig = Rig(seed=1)
    for name, value in (("eyes.gaze", 0), ("eyes.blinks", 0), ("headPitch.offset", -0.4)):
        rig.set_dial(name, value)
    down = rig.process(np.zeros((1, 55)), [False])[0]
    assert down[AT("eyeLookDownLeft")] == pytest.approx(0.85 * np.degrees(0.4) / DOWN, abs=0.01)
    assert down[AT("eyeBlinkLeft")] == pytest.approx(LID_FOLLOW * down[AT("eyeLookDownLeft")], abs=1e-5)


def test_far_gaze_shifts_bring_blinks_along():
    eyes = run(np.zeros(HALF_HOUR, bool), 7)
    shifts = np.flatnonzero(np.abs(np.diff(eyes.yaw)) > 3)
    near = [np.abs(shifts - k).min() <= 4 for k in eyes.blinks]
    chance = np.mean([np.abs(shifts - k).min() <= 4 for k in range(0, HALF_HOUR, 50)])
    assert np.mean(near) > chance + 0.1


def test_dials_of_the_eyes():
    listening = np.zeros(HALF_HOUR // 3, bool)
    assert len(run(listening, 8, blinks=0).blinks) == 0
    assert len(run(listening, 8, blinks=2).blinks) / 10 == pytest.approx(36, abs=5)
    assert not run(listening, 8, gaze=0).away.any()
    wide, narrow = run(listening, 8, gaze=1.5), run(listening, 8, gaze=0.5)
    assert np.abs(wide.yaw).max() > 2 * np.abs(narrow.yaw).max()


def test_only_blinks_and_looks_are_written_and_the_models_own_eyes_can_be_kept():
    motion = np.full((200, 55), 0.3, np.float32)
    speaking = np.zeros(200, bool)
    layer = Rig(seed=2).process(motion, speaking)
    others = [c for c in range(55) if c not in ARKIT55.eye_layer]
    np.testing.assert_array_equal(layer[:, others], motion[:, others])
    rig = Rig(seed=2, eyes="model")
    kept = rig.process(motion, speaking)
    np.testing.assert_array_equal(kept, motion)
    assert rig.dial("eyes.layer") == 0
    rig.set_dial("eyes.layer", 1)
    np.testing.assert_array_equal(
        rig.process(motion, speaking)[50:], Rig(seed=2).process(np.tile(motion, (2, 1)), np.zeros(400, bool))[250:]
    )
