"""The two training objectives: what they mask, weigh and leave alone."""

import pytest
import torch
from small_models import random_batch, randomised, small_config

from visavis.errors import InvalidArgument
from visavis.model.normalisation import Normalisation
from visavis.model.objective import draw_mask_rate
from visavis.model.timar import LossTerms, Timar


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("past", ["masked", "fed", "lagged"])
@pytest.mark.parametrize("layout", ["fused", "markers"])
@pytest.mark.parametrize("target", ["frame", "turn", "residual"])
def test_every_switch_trains(past: str, layout: str, target: str) -> None:
    unit = {"denoise_unit": "turn", "denoise_target": "residual"} if target == "residual" else {"denoise_unit": target}
    model = randomised(Timar(small_config(own_past=past, layout=layout, **unit)))
    batch = random_batch(model.config, n_crops=2, n_turns=6)
    batch.user_motion_present[0] = False
    loss = model.training_loss(batch, generator(), own_past_noise=0.1, repeats=2)
    loss.total.backward()
    assert set(loss.mse) == {"mouth", "upper", "head"} and float(loss.vb) > 0
    torch.testing.assert_close(loss.total.detach(), sum(loss.mse.values()) + loss.vb)
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    zero = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.any()]
    assert zero == []


def test_a_seed_fixes_the_loss() -> None:
    model = randomised(Timar(small_config()))
    batch = random_batch(model.config, 2, 5)
    first, again, other = (model.training_loss(batch, generator(s), own_past_noise=0.1).total.item() for s in (1, 1, 2))
    assert first == again != other


def test_channels_of_weight_0_change_nothing() -> None:
    weight = torch.ones(55)
    weight[[0, 7]] = 0
    model = randomised(
        Timar(small_config(), Normalisation(torch.zeros(55).numpy(), torch.ones(55).numpy(), weight.numpy()))
    )
    batch = random_batch(model.config, 2, 5)
    loss = model.training_loss(batch, generator())
    for motion in (batch.agent_motion, batch.user_motion, batch.previous_motion):
        motion[..., [0, 7]] = 1e6
    assert model.training_loss(batch, generator()).total.item() == loss.total.item()


def test_weights_count_inside_their_group() -> None:
    def mse(weight: torch.Tensor) -> dict[str, torch.Tensor]:
        model = randomised(Timar(small_config(), Normalisation(*(v.numpy() for v in (zeros, zeros + 1, weight)))))
        return model.training_loss(random_batch(model.config, 2, 5), generator()).mse

    zeros = torch.zeros(55)
    heavy = torch.ones(55)
    heavy[14] = 5.0  # jawForward, a mouth channel
    plain, changed = mse(zeros + 1), mse(heavy)
    assert plain["head"] == changed["head"] and plain["upper"] == changed["upper"]
    assert plain["mouth"] != changed["mouth"]
    torch.testing.assert_close(mse(zeros + 3)["mouth"], plain["mouth"])


def test_absent_user_motion_is_not_read() -> None:
    model = randomised(Timar(small_config()))
    batch = random_batch(model.config, 2, 5)
    batch.user_motion_present[:, 3:] = False
    z = model.condition(batch)
    batch.user_motion[:, 3:] = float("nan")
    torch.testing.assert_close(model.condition(batch), z, rtol=0, atol=0)


def test_noise_on_the_own_past_leaves_a_session_start_silent() -> None:
    model = Timar(small_config())
    batch = random_batch(model.config, 2, 5)
    batch.previous_present[0] = False
    own = model.own_motion(batch, 0.5, generator())
    F = model.config.turn_frames
    assert not own[0, :F].any() and own[1, :F].all()
    assert 0.3 < float((own[:, F:] - batch.agent_motion).std()) < 0.7


def test_the_paper_loss_masks_and_drops() -> None:
    config = small_config(
        layout="markers", positions="absolute", window="exact", denoise_unit="frame", own_past="masked"
    )
    model = randomised(Timar(config))
    batch = random_batch(config, 2, 4)
    loss: LossTerms = model(batch, recipe="paper", generator=generator())
    loss.total.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    shown = model.paper_loss(batch, generator(), mask_rate=0.7).total
    hidden = model.paper_loss(batch, generator(), mask_rate=1.0).total
    assert shown != hidden
    with pytest.raises(InvalidArgument, match="denoise_unit=turn"):
        randomised(Timar(small_config())).paper_loss(batch)
    with pytest.raises(InvalidArgument, match="crop of 6 turns"):
        model.condition(random_batch(config, 1, 6))


def test_mask_rates_follow_the_truncated_normal() -> None:
    rates = torch.tensor([draw_mask_rate(g) for g in [generator()] for _ in range(2000)])
    assert rates.min() >= 0.7 and rates.max() <= 1
    assert abs(float(rates.mean()) - 0.867) < 0.01  # E of N(1, 0.25) in [0.7, 1]


def test_the_first_loss_is_that_of_predicting_zero() -> None:
    model = Timar(small_config(denoise_target="absolute"))
    batch = random_batch(model.config, 8, 50)
    loss = model.training_loss(batch, generator())
    for value in loss.mse.values():
        assert abs(float(value) - 1) < 0.1


@pytest.mark.parametrize("past", ["masked", "fed", "lagged"])
@pytest.mark.parametrize("layout", ["fused", "markers"])
def test_bf16_autocast_gives_nearly_the_same_loss(past: str, layout: str) -> None:
    model = randomised(Timar(small_config(own_past=past, layout=layout)))
    batch = random_batch(model.config, 2, 8)
    batch.lookahead_present = torch.arange(16).view(2, 8) % 3 != 0
    exact = model.training_loss(batch, generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model.training_loss(batch, generator())
    rounded.total.backward()
    assert rounded.total.dtype == torch.float32
    for name, value in exact.mse.items():
        assert abs(float(rounded.mse[name] / value) - 1) < 0.03
