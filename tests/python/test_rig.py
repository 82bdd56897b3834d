"""The rig: dials, gains, limits, emotions, smoothing.  The eye layer has its own file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55, FLAME56, HEAD_ANGLES
from visavis.rig import Rig, parse_dials

AT = ARKIT55.index
N_SHAPES = 52
HEAD = [AT(name) for name in HEAD_ANGLES]
GENERAL = [dial for dial in Rig().dials() if dial.name.partition(".")[0] not in ARKIT55.channels]
STILL = [f"{when}.{part}" for when in ("speaking", "listening") for part in ("mouth", "face", "head")]


def talking(n_frames: int, seed: int = 0) -> np.ndarray:
    """Smooth motion (n, 55) within the ranges of its channels."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_frames + 8, 55))
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.hanning(11)[1:-1] / 5, "valid"), 0, noise)
    motion = np.clip(0.2 + 0.3 * smooth, 0, 1)
    motion[:, HEAD] = 0.15 * smooth[:, HEAD]
    return motion.astype(np.float32)


def alternating(n_frames: int, every: int = 40) -> np.ndarray:
    return np.arange(n_frames) // every % 2 == 1


def quiet_rig(**dials: float) -> Rig:
    rig = Rig(eyes="model")
    for name, value in dials.items():
        rig.set_dial(name.replace("__", "."), value)
    return rig


@pytest.mark.parametrize("space", [ARKIT55, FLAME56])
def test_without_dials_motion_goes_through_as_it_is(space):
    motion = np.random.default_rng(1).uniform(0, 0.9, (300, len(space.channels))).astype(np.float32)
    out = Rig(space.name, eyes="model").process(motion, alternating(300))
    np.testing.assert_array_equal(out, motion)


def test_channels_stay_in_their_ranges_without_dials():
    out = Rig(eyes="model").process(np.full((2, 55), 7.0), [True, True])
    np.testing.assert_array_equal(out[:, :N_SHAPES], 1)
    np.testing.assert_allclose(out[:, HEAD], np.pi / 2)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_dial_drives_a_channel_out_of_its_range_or_makes_it_jump(data):
    motion = np.repeat(talking(1, data.draw(st.integers(0, 99))), 80, axis=0)
    rig = Rig(seed=3)
    rig.set_dial("eyes.layer", 0)
    names = data.draw(st.lists(st.sampled_from(rig.dials()), max_size=12))
    parts = []
    for start in range(0, 80, 10):
        for dial in names:
            value = data.draw(st.sampled_from([dial.low, dial.high, dial.standard, (dial.low + dial.high) / 2]))
            try:
                rig.set_dial(dial.name, value)
            except InvalidArgument as error:
                assert "set that first" in str(error)  # a min above its max
        parts.append(rig.process(motion[start : start + 10], alternating(80, 20)[start : start + 10]))
    out = np.concatenate(parts)
    assert out[:, :N_SHAPES].min() >= 0 and out[:, :N_SHAPES].max() <= 1
    assert np.abs(out[:, HEAD]).max() <= np.float32(np.pi / 2)
    no_eyes = [c for c in range(55) if c not in ARKIT55.eye_layer]
    steps = np.abs(np.diff(out, axis=0))[10:, no_eyes]  # the motion stands still: all change is the dials'
    assert steps.max() <= 0.26


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**64 - 1), st.data())
def test_everything_stays_in_range_on_wild_motion(seed, data):
    rng = np.random.default_rng(seed % 2**32)
    motion = rng.standard_cauchy((40, 55)).astype(np.float32)
    motion[rng.random(motion.shape) < 0.05] = np.nan
    rig = Rig(seed=seed)
    for dial in data.draw(st.lists(st.sampled_from(GENERAL), max_size=8)):
        rig.set_dial(dial.name, data.draw(st.floats(dial.low, dial.high)))
    out = rig.process(motion, rng.random(40) < 0.5)
    assert np.isfinite(out).all()
    assert out[:, :N_SHAPES].min() >= 0 and out[:, :N_SHAPES].max() <= 1
    assert np.abs(out[:, HEAD]).max() <= np.float32(np.pi / 2)


@pytest.mark.parametrize(("part", "group"), [("mouth", "mouth"), ("face", "upper"), ("head", "head")])
def test_movement_gains_act_on_their_part_and_state(part, group):
    rig = quiet_rig(**{f"speaking__{part}": 0, f"listening__{part}": 0.5})
    motion = np.full((100, 55), 0.4, np.float32)
    speaking = np.arange(100) >= 50
    out = rig.process(motion, speaking)
    inside = [c for c in ARKIT55.groups[group] if c not in ARKIT55.eye_layer]
    outside = [c for c in range(55) if c not in inside]
    np.testing.assert_array_equal(out[:, outside], motion[:, outside])
    np.testing.assert_allclose(out[40:50, inside], 0.2)
    np.testing.assert_array_equal(out[90:, inside], 0)
    assert (np.diff(out[50:90, inside], axis=0) <= 0).all()  # one way, in steps
    assert np.abs(np.diff(out[:, inside], axis=0)).max() <= 0.1 * 0.4 + 1e-6


def test_all_gains_at_zero_are_true_stillness_but_for_blinks():
    blinking, still = Rig(seed=5), Rig(seed=5)
    for rig in (blinking, still):
        for name in [*STILL, "eyes.gaze"]:
            rig.set_dial(name, 0)
        rig.set_dial("emotion.sadness", 0.6)
    still.set_dial("eyes.blinks", 0)
    motion, speaking = talking(1000), alternating(1000)
    out = still.process(motion, speaking)[50:]
    np.testing.assert_array_equal(out, np.repeat(out[:1], len(out), axis=0))
    out = blinking.process(motion, speaking)[50:]
    lids = [AT("eyeBlinkLeft"), AT("eyeBlinkRight")]
    np.testing.assert_array_equal(np.delete(out, lids, axis=1), np.delete(out, lids, axis=1)[:1].repeat(950, axis=0))
    assert out[:, lids].max() == 1


def test_a_dial_acts_on_the_next_frame_and_arrives_within_a_second():
    rig = quiet_rig()
    motion = np.full((10, 55), 0.3, np.float32)
    before = rig.process(motion, np.zeros(10, bool))[-1]
    rig.set_dial("browInnerUp.offset", 0.5)
    after = rig.process(np.repeat(motion, 3, axis=0), np.zeros(30, bool))[:, AT("browInnerUp")]
    assert before[AT("browInnerUp")] < after[0] <= before[AT("browInnerUp")] + 0.1 + 1e-6
    assert after[24] == np.float32(0.8)
    assert (np.diff(after) >= 0).all()


def test_limits_cut_at_once_where_the_motion_is_inside_and_glide_where_it_is_not():
    rig = quiet_rig()
    motion = np.zeros((60, 55), np.float32)
    motion[:, AT("jawOpen")] = 0.9
    rig.process(motion[:5], np.zeros(5, bool))
    rig.set_dial("jawOpen.max", 0.3)
    rig.set_dial("mouthPucker.max", 0.3)
    motion[:, AT("mouthPucker")] = 0.9
    out = rig.process(motion, np.zeros(60, bool))
    assert out[0, AT("jawOpen")] == pytest.approx(0.8)
    assert out[-1, AT("jawOpen")] == pytest.approx(0.3)
    assert (out[:, AT("mouthPucker")] <= np.float32(0.3)).all()


def test_a_mirrored_head_and_a_channel_gain():
    rig = quiet_rig(headYaw__gain=-1, jawOpen__gain=0.5)
    motion = talking(50)
    out = rig.process(motion, np.zeros(50, bool))
    np.testing.assert_allclose(out[:, AT("headYaw")], -motion[:, AT("headYaw")])
    np.testing.assert_allclose(out[:, AT("jawOpen")], 0.5 * motion[:, AT("jawOpen")])


def test_large_gains_bend_before_the_end_of_a_range():
    rig = quiet_rig(jawOpen__gain=2)
    motion = np.zeros((101, 55), np.float32)
    motion[:, AT("jawOpen")] = np.linspace(0, 1, 101)
    out = rig.process(motion, np.zeros(101, bool))[:, AT("jawOpen")]
    assert (np.diff(out[:70]) > 0).all() and out.max() <= 1  # not flat from 0.5 on
    assert out[25] == pytest.approx(0.5)


def test_emotions_are_offsets_that_leave_the_mouth_room_to_speak():
    rig = quiet_rig(emotion__surprise=1)
    out = rig.process(np.zeros((100, 55)), np.arange(100) >= 50)
    assert out[49, AT("browInnerUp")] == pytest.approx(0.55)
    assert out[49, AT("jawOpen")] == pytest.approx(0.14)
    assert out[99, AT("jawOpen")] == 0
    for name in ("joy", "sadness", "anger", "fear", "disgust"):
        face = quiet_rig(**{f"emotion__{name}": 1.0}).process(np.zeros((1, 55)), [False])[0]
        assert 0.1 < np.abs(face).max() <= 0.6
        assert not face[list(ARKIT55.eye_layer)].any()


def test_emotions_share_one_budget_and_neutral_takes_its_part():
    both = quiet_rig(emotion__joy=1, emotion__sadness=1).process(np.zeros((1, 55)), [False])[0]
    muted = quiet_rig(emotion__joy=1, emotion__neutral=1).process(np.zeros((1, 55)), [False])[0]
    assert both[AT("mouthSmileLeft")] == pytest.approx(0.25)
    assert both[AT("mouthFrownLeft")] == pytest.approx(0.175)
    assert muted[AT("mouthSmileLeft")] == pytest.approx(0.25)


def test_smoothing_removes_jitter_and_follows_fast_moves():
    rng = np.random.default_rng(2)
    motion = np.full((400, 55), 0.5, np.float32)
    motion[:, HEAD] = rng.normal(0.1, 0.01, (400, 3))
    motion[200:, HEAD] += 0.8
    out = quiet_rig(smoothing__head=1).process(motion, np.zeros(400, bool))
    np.testing.assert_array_equal(out[:, :N_SHAPES], motion[:, :N_SHAPES])
    assert out[50:200, HEAD].std() < 0.5 * motion[50:200, HEAD].std()
    assert (out[204, HEAD] > 0.7).all()  # 160 ms after the jump


def test_values_that_are_not_finite_hold_the_last_finite_one():
    motion = np.full((4, 55), 0.25, np.float32)
    motion[2, 40] = np.nan
    motion[3, 41] = np.inf
    out = quiet_rig().process(motion, np.zeros(4, bool))
    np.testing.assert_array_equal(out, 0.25)


def test_chunks_do_not_matter_and_seeds_do():
    motion, speaking = talking(300), alternating(300)
    whole = Rig(seed=9).process(motion, speaking)
    rig = Rig(seed=9)
    parts = [rig.process(motion[k : k + 7], speaking[k : k + 7]) for k in range(0, 300, 7)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert Rig(seed=10).process(motion, speaking).tobytes() != whole.tobytes()


def test_unknown_dials_name_the_valid_ones():
    with pytest.raises(
        InvalidArgument, match=r'dial "joy" is unknown; known: speaking.mouth, .*emotion.joy.*CHANNEL.gain'
    ):
        Rig().set_dial("joy", 1)
    with pytest.raises(InvalidArgument, match=r'no channel "jawopen"; it has eyeBlinkLeft, .*jawOpen'):
        Rig().set_dial("jawopen.gain", 1)
    with pytest.raises(InvalidArgument, match=r'"emotion.joy" is unknown; known: speaking.mouth'):
        Rig("flame56").set_dial("emotion.joy", 1)
    with pytest.raises(InvalidArgument, match="dial name is 3"):
        Rig().set_dial(3, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_values_out_of_range_are_refused_and_change_nothing(value):
    rig = Rig()
    rig.set_dial("emotion.joy", 0.4)
    with pytest.raises(InvalidArgument, match=r"dial emotion.joy is .*; expected 0 to 1"):
        rig.set_dial("emotion.joy", value)
    assert rig.dial("emotion.joy") == 0.4


@pytest.mark.parametrize("value", ["1", None, True])
def test_values_of_another_kind_are_refused(value):
    with pytest.raises(InvalidArgument, match=r"dial emotion.joy is .*; expected a number"):
        Rig().set_dial("emotion.joy", value)


def test_a_min_above_its_max_is_refused():
    rig = Rig()
    rig.set_dial("jawOpen.max", 0.5)
    with pytest.raises(InvalidArgument, match=r"jawOpen.min is 0.6, above jawOpen.max, which is 0.5; set that first"):
        rig.set_dial("jawOpen.min", 0.6)


def test_shapes_are_checked():
    with pytest.raises(InvalidArgument, match=r"shape \(3, 54\).*expected \(n, 55\) and \(n,\)"):
        Rig().process(np.zeros((3, 54)), np.zeros(3, bool))
    with pytest.raises(InvalidArgument, match=r"expected \(n, 55\) and \(n,\)"):
        Rig().process(np.zeros((3, 55)), np.zeros(4, bool))
    with pytest.raises(InvalidArgument, match="eyes is 'both'; expected layer or model"):
        Rig(eyes="both")
    with pytest.raises(InvalidArgument, match="seed is -1"):
        Rig(seed=-1)


def test_dial_settings_of_the_command_line():
    assert parse_dials(["emotion.joy=0.4", " jawOpen.max = 1"]) == {"emotion.joy": 0.4, "jawOpen.max": 1.0}
    for text in ("emotion.joy", "emotion.joy=", "emotion.joy=high", ""):
        with pytest.raises(InvalidArgument, match="expected NAME=VALUE such as emotion.joy=0.4"):
            parse_dials([text])
