import pytest

from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig, live_config, paper_config
from visavis.motion_space import ARKIT55, FLAME56, motion_space


def test_motion_spaces_have_their_widths_and_groups_cover_every_channel_once() -> None:
    for space, width in ((ARKIT55, 55), (FLAME56, 56)):
        assert len(set(space.channels)) == len(space.units) == width
        assert sorted(i for group in space.groups.values() for i in group) == list(range(width))
    assert len(ARKIT55.eye_layer) == 10
    assert ARKIT55.channels[17] == "jawOpen" and ARKIT55.channels[51:53] == ("tongueOut", "headYaw")


def test_unknown_names_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(InvalidArgument, match="arkit55"):
        motion_space("arkit52")
    with pytest.raises(InvalidArgument, match="jawOpen"):
        ARKIT55.index("JawOpen")
    with pytest.raises(InvalidArgument, match="masked, fed, lagged"):
        live_config(own_past="none")


def test_layouts_have_the_tokens_of_the_paper_and_of_the_live_default() -> None:
    assert paper_config().tokens_per_turn == 110
    assert live_config().tokens_per_turn == 10
    assert live_config(layout="markers").tokens_per_turn == 30


def test_context_samples_follow_from_the_convolutions() -> None:
    # One output needs 3, then 9, then 21, then 25 inputs of the layers below: 25 mel frames, counted by hand.
    config = live_config(conv_widths=(8, 8, 8, 192), conv_kernels=(5, 5, 5, 3), conv_strides=(1, 2, 2, 1))
    assert config.context_samples == (25 - 1) * 160 + 400 - 640


def test_configuration_survives_a_round_trip_and_refuses_foreign_fields() -> None:
    config = live_config(steps=3)
    as_read = {k: list(v) if isinstance(v, tuple) else v for k, v in config.to_dict().items()}
    assert ModelConfig.from_dict(as_read) == config
    with pytest.raises(InvalidArgument, match="depth"):
        ModelConfig.from_dict({k: v for k, v in config.to_dict().items() if k != "depth"})
