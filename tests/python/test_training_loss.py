"""The two training objectives: what they mask, weigh and leave alone."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_models import random_batch, randomised, small_config

from visavis.errors import InvalidArgument
from visavis.model.normalisation import Normalisation
from visavis.model.objective import draw_mask_rate
from visavis.model.timar import Timar, TurnBatch
from visavis.training.objective import Objective, Probes, user_loudness
from visavis.training.recipes import Recipe, recipe_and_config


def live_terms(model: Timar, batch: TurnBatch, seed: int = 0, **recipe: Any) -> dict[str, torch.Tensor]:
    """The live objective's named losses, its probes a function of nothing."""
    torch.manual_seed(0)
    objective = Objective(Recipe(**recipe), torch.ones(2, 55), Probes(model.config))
    terms = objective(model, batch, generator(seed))
    return {name: value if name == "total" else value.detach() for name, value in terms.items()}


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
    terms = live_terms(model, batch, repeats=2)
    terms["total"].backward()
    groups = {"mouth", "upper", "head"}
    assert set(terms) == {"total", "probe", "variance"} | groups | {f"{name}_moves" for name in groups}
    assert all(float(value.detach()) > 0 for value in terms.values())
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    zero = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.any()]
    assert zero == []


def test_a_seed_fixes_the_loss() -> None:
    model = randomised(Timar(small_config()))
    batch = random_batch(model.config, 2, 5)
    first, again, other = (float(live_terms(model, batch, s)["total"].detach()) for s in (1, 1, 2))
    assert first == again != other


def test_channels_of_weight_0_change_nothing() -> None:
    weight = torch.ones(55)
    weight[[0, 7]] = 0
    model = randomised(
        Timar(small_config(), Normalisation(torch.zeros(55).numpy(), torch.ones(55).numpy(), weight.numpy()))
    )
    batch = random_batch(model.config, 2, 5)
    loss = live_terms(model, batch)["total"].item()
    for motion in (batch.agent_motion, batch.user_motion, batch.previous_motion):
        motion[..., [0, 7]] = 1e6
    assert live_terms(model, batch)["total"].item() == loss


def test_weights_count_inside_their_group() -> None:
    def mse(weight: torch.Tensor) -> dict[str, torch.Tensor]:
        model = randomised(Timar(small_config(), Normalisation(*(v.numpy() for v in (zeros, zeros + 1, weight)))))
        return live_terms(model, random_batch(model.config, 2, 5))

    zeros = torch.zeros(55)
    heavy = torch.ones(55)
    heavy[14] = 5.0  # jawForward, a mouth channel
    plain, changed = mse(zeros + 1), mse(heavy)
    assert plain["head"] == changed["head"] and plain["upper"] == changed["upper"]
    assert plain["mouth"] != changed["mouth"]
    torch.testing.assert_close(mse(zeros + 3)["mouth"], plain["mouth"])


def test_events_weigh_in_their_group_alone() -> None:
    model = randomised(Timar(small_config()))
    batch = random_batch(model.config, 2, 5)
    plain, nods = live_terms(model, batch), live_terms(model, batch, events=(1.0, 1.0, 9.0))
    assert plain["mouth"] == nods["mouth"] and plain["upper"] == nods["upper"]
    assert plain["head"] != nods["head"] and plain["head_moves"] != nods["head_moves"]


def test_absent_user_motion_is_not_read() -> None:
    model = randomised(Timar(small_config()))
    batch = random_batch(model.config, 2, 5)
    batch.user_motion_present[:, 3:] = False
    z = model.condition(batch)
    batch.user_motion[:, 3:] = float("nan")
    torch.testing.assert_close(model.condition(batch), z, rtol=0, atol=0)


def test_a_session_start_has_no_own_past() -> None:
    model = Timar(small_config())
    batch = random_batch(model.config, 2, 5)
    batch.previous_present[0] = False
    own = model.own_motion(batch)
    F = model.config.turn_frames
    assert not own[0, :F].any() and own[1, :F].all()
    torch.testing.assert_close(own[:, F:], model.normalise(batch.agent_motion))


def test_the_user_is_heard_a_second_back() -> None:
    model = Timar(small_config())
    batch = random_batch(model.config, 1, 10)
    batch.user_audio[:] = 0
    begin = model.config.context_samples + 22 * 640  # frame 22 lies in turn 4
    batch.user_audio[:, begin : begin + 640] = 0.5
    loud = user_loudness(batch.user_audio, model.config) > 0  # (1, 10 turns, 25 frames back, newest last)
    assert [(turn, frame) for _, turn, frame in loud.nonzero().tolist()] == [
        (4, 22), (5, 17), (6, 12), (7, 7), (8, 2)
    ]  # fmt: skip


def test_the_paper_loss_masks_and_drops() -> None:
    config = small_config(
        layout="markers", positions="absolute", window="exact", denoise_unit="frame", own_past="masked"
    )
    model = randomised(Timar(config))
    batch = random_batch(config, 2, 4)
    loss = model.paper_loss(batch, generator())
    loss.total.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    shown = model.paper_loss(batch, generator(), mask_rate=0.7).total
    hidden = model.paper_loss(batch, generator(), mask_rate=1.0).total
    assert shown != hidden
    with pytest.raises(InvalidArgument, match="denoise_unit=turn"):
        randomised(Timar(small_config())).paper_loss(batch)
    with pytest.raises(InvalidArgument, match="crop of 6 turns"):
        model.condition(random_batch(config, 1, 6))


@pytest.mark.parametrize(("name", "costs"), [("paper", 0.0), ("paper-small", 9.0), ("live", 1.8)])
def test_a_learned_variance_out_of_its_range_costs(name: str, costs: float) -> None:
    """v = 4 everywhere, against v = 1: the paper's own recipe lets it be."""
    recipe, _ = recipe_and_config(name)
    model, totals = randomised(Timar(small_config(own_past="masked", denoise_unit="frame"))), []
    last = model.diffloss.net.final_layer.linear
    for v in (1.0, 4.0):
        with torch.no_grad():
            last.weight[55:], last.bias[55:] = 0.0, v
        objective = Objective(replace(recipe, variance_weight=0.0, probe=0.0), torch.ones(2, 55), Probes(model.config))
        terms = objective(model, random_batch(model.config, 2, 5), generator())
        totals.append(float((terms["total"] - terms["variance"] * (recipe.objective == "paper")).detach()))
    assert totals[1] - totals[0] == pytest.approx(costs, abs=1e-4)


def test_mask_rates_follow_the_truncated_normal() -> None:
    rates = torch.tensor([draw_mask_rate(g) for g in [generator()] for _ in range(2000)])
    assert rates.min() >= 0.7 and rates.max() <= 1
    assert abs(float(rates.mean()) - 0.867) < 0.01  # E of N(1, 0.25) in [0.7, 1]


def test_the_first_loss_is_that_of_predicting_zero() -> None:
    model = Timar(small_config(denoise_target="absolute"))
    batch = random_batch(model.config, 8, 50)
    terms = live_terms(model, batch, mouth=1.0)
    for name in ("mouth", "upper", "head"):
        assert abs(float(terms[name]) - 1) < 0.1


@pytest.mark.parametrize("past", ["masked", "fed", "lagged"])
@pytest.mark.parametrize("layout", ["fused", "markers"])
def test_bf16_autocast_gives_nearly_the_same_loss(past: str, layout: str) -> None:
    model = randomised(Timar(small_config(own_past=past, layout=layout)))
    batch = random_batch(model.config, 2, 8)
    batch.lookahead_present = torch.arange(16).view(2, 8) % 3 != 0
    exact = live_terms(model, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = live_terms(model, batch)
    rounded["total"].backward()
    assert rounded["total"].dtype == torch.float32
    for name in ("mouth", "upper", "head"):
        assert abs(float(rounded[name] / exact[name]) - 1) < 0.03
