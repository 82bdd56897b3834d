"""Models for comparison: the paper's ablations and the DualTalk-style model, in training, on engine torch, on disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conversations import write_data_set
from small_models import random_batch, randomised

import visavis
from visavis.engine import TurnInput
from visavis.engines.sequence import SequenceEngine, load_torch
from visavis.engines.torch import TorchEngine
from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.evaluation.generate import EngineGenerator, Scene
from visavis.evaluation.offline import OfflineGenerator, nearest, windows
from visavis.export.gguf import save_gguf
from visavis.export.research import load_model, load_research, save_research
from visavis.model.batch import TurnBatch
from visavis.model.config import ModelConfig, paper_config
from visavis.model.dualtalk import DualTalkStyle
from visavis.model.make import make_model
from visavis.model.motion_model import MotionModel
from visavis.model.research import ResearchConfig, ResearchTimar, dualtalk_config, with_switches
from visavis.model.timar import Timar
from visavis.training.crops import CropRecipe
from visavis.training.loop import Run, train
from visavis.training.recipes import apply_settings, recipe_and_config, small_recipe

SMALL: dict[str, Any] = dict(
    turn_frames=5,
    context_turns=4,
    speech_encoder="logmel",
    speech_width=12,
    mel_bands=16,
    conv_widths=(8, 12),
    conv_kernels=(3, 3),
    conv_strides=(2, 2),
    token_width=12,
    width=16,
    depth=2,
    heads=2,
    head_width=16,
    head_depth=1,
    steps=3,
)
SWITCHES: dict[str, dict[str, Any]] = {
    "mlp": {"head": "mlp"},
    "full": {"attention": "full"},
    "encdec": {"decoder_depth": 1},
    "all": {"head": "mlp", "attention": "full", "decoder_depth": 1},
    "dualtalk": {"architecture": "dualtalk"},
}
CAUSAL = ("mlp", "encdec")


def small(name: str, **options: Any) -> ModelConfig:
    plain = paper_config(**{**SMALL, **options})
    return with_switches(plain, **SWITCHES[name]) if name in SWITCHES else plain


def lively(name: str, seed: int = 0, **options: Any) -> MotionModel:
    model = make_model(small(name, **options))
    return randomised(model, seed)  # type: ignore[arg-type]


def output(model: MotionModel, batch: TurnBatch) -> torch.Tensor:
    """What the model says of each turn, (n, ...)."""
    with torch.no_grad():
        if isinstance(model, DualTalkStyle):
            return model(batch)[0].reshape(-1, 5, 56)
        assert isinstance(model, Timar)
        return model.condition(batch)[0]


# ---- switches


def test_switches_that_are_timars_leave_a_plain_model() -> None:
    plain = paper_config(**SMALL)
    assert with_switches(plain, head="diffusion", decoder_depth=0) == plain
    assert type(make_model(plain)) is Timar
    mlp = with_switches(plain, head="mlp")
    assert isinstance(mlp, ResearchConfig) and (mlp.sampler, mlp.steps) == ("dpm2m", 1)
    assert mlp.differences == {"head": "mlp"}
    configs = [small(name) for name in SWITCHES]
    assert [isinstance(c, ResearchConfig) and c.causal for c in configs] == [True, False, True, False, False]
    assert ResearchConfig.from_dict(mlp.to_dict()) == mlp


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"head": "big"}, "head is 'big'; expected one of diffusion, mlp"),
        ({"decoder_depth": 2}, "decoder_depth is 2; expected 0 to 1"),
        ({"architecture": "dualtalk", "head": "mlp"}, "none of TIMAR's switches"),
        ({"head": "mlp", "window": "amortised"}, "window exact"),
        ({"head": "mlp", "own_past": "lagged"}, "start from recipe paper"),
    ],
)
def test_switches_that_do_not_go_together_are_refused(switches: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        with_switches(paper_config(**SMALL), **switches)


def test_without_switches_the_code_for_comparison_computes_what_timar_computes() -> None:
    plain = randomised(Timar(paper_config(**SMALL)))
    twin = ResearchTimar(ResearchConfig(**plain.config.to_dict()))
    twin.load_state_dict(plain.state_dict())
    batch = random_batch(plain.config, 2, 4)
    torch.testing.assert_close(twin.eval().condition(batch), plain.condition(batch), rtol=0, atol=1e-5)
    losses = [m.paper_loss(batch, torch.Generator().manual_seed(1), repeats=2).total for m in (plain, twin)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=0)


# ---- what sees what


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("stream", ["user_audio", "agent_audio", "user_motion"])
def test_causal_models_see_no_later_turn_and_the_others_do(name: str, stream: str) -> None:
    model = lively(name)
    batch = random_batch(model.config, 1, 4)
    before = output(model, batch)
    later = getattr(batch, stream).clone()
    later[:, -(later.shape[1] // 8) :] += 1.0  # inside the last turn
    after = output(model, replace(batch, **{stream: later}))
    changed = (before - after).abs().flatten(1).amax(1) > 1e-6
    assert changed.tolist() == ([False] * 3 if name in CAUSAL else [True] * 3) + [True]


@pytest.mark.parametrize("name", SWITCHES)
def test_models_see_what_was_before(name: str) -> None:
    model = lively(name)
    batch = random_batch(model.config, 1, 4)
    earlier = batch.user_motion.clone()
    earlier[:, :3] += 1.0
    changed = (output(model, batch) - output(model, replace(batch, user_motion=earlier))).abs().flatten(1).amax(1)
    assert (changed > 1e-6).all()


def test_mask_tokens_enter_the_decoder_alone() -> None:
    model = lively("encdec")
    assert isinstance(model, ResearchTimar)
    batch = random_batch(model.config, 1, 4)
    middles: list[torch.Tensor] = []
    model.middle_norm.register_forward_hook(lambda module, given, found: middles.append(found))
    first = output(model, batch)
    with torch.no_grad():
        model.mask_token += torch.linspace(-1, 1, model.mask_token.shape[-1])
    second = output(model, batch)
    seen = torch.ones(4 * model.config.tokens_per_turn, dtype=torch.bool)
    seen.view(4, -1)[:, model._agent] = False
    torch.testing.assert_close(middles[0][:, seen], middles[1][:, seen], rtol=0, atol=0)
    assert (first - second).abs().amin() > 0


@pytest.mark.parametrize("name", ["mlp", "full", "encdec", "all"])
def test_hidden_motion_is_not_read_and_shown_motion_is(name: str) -> None:
    model = lively(name)
    assert isinstance(model, ResearchTimar)
    batch = random_batch(model.config, 1, 4)
    user = tuple(
        model.by_turn(t) for t in model.user_tokens(batch.user_audio, batch.user_motion, batch.user_motion_present)
    )
    speech = model.by_turn(model.agent_speech_tokens(batch.agent_audio))
    motions = [model.by_turn(model.motion_encoder(m)) for m in (batch.agent_motion, 1 + batch.agent_motion)]
    for masked in (True, False):
        a, b = (
            model.encode(model.embed((user[0], user[1]), speech, motion, masked), model.band(4)) for motion in motions
        )
        assert torch.equal(a, b) == masked


@pytest.mark.parametrize("name", SWITCHES)
def test_absent_user_motion_is_not_read(name: str) -> None:
    model = lively(name)
    batch = random_batch(model.config, 1, 4)
    batch.user_motion_present[:, 5:] = False
    other = batch.user_motion.clone()
    other[:, 5:] = torch.nan
    assert torch.equal(output(model, batch), output(model, replace(batch, user_motion=other)))


# ---- training


@pytest.mark.parametrize("name", SWITCHES)
def test_every_weight_gets_a_gradient(name: str) -> None:
    model = lively(name).train()
    batch = random_batch(model.config, 2, 4)
    batch.user_motion_present[0, 3:] = False
    loss = model.paper_loss(batch, torch.Generator().manual_seed(0), repeats=2)
    loss.total.backward()
    assert set(loss.mse) == {"exp", "jaw", "neck"}
    assert float(loss.vb) == 0 if name in ("mlp", "all", "dualtalk") else float(loss.vb) > 0
    assert [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())] == []


@pytest.mark.parametrize("name", ["plain", *SWITCHES])
def test_a_batch_is_learnt_by_heart(name: str) -> None:
    """The agent mimics the user, who has 4 degrees of freedom: from the model's own first weights to a quarter."""
    torch.manual_seed(0)
    model = make_model(small(name, width=32, token_width=32, head_width=48)).train()
    batch = random_batch(model.config, 2, 2)
    mimicry = batch.user_motion[..., :4] @ batch.user_motion[0, :4] / 2
    batch = replace(batch, user_motion=mimicry, agent_motion=mimicry)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    errors: list[float] = []
    for step in range(300):
        loss = model.paper_loss(batch, torch.Generator().manual_seed(step), repeats=4)
        optimizer.zero_grad()
        loss.total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        errors.append(float(sum(loss.mse.values())))
        if np.mean(errors[-10:]) < np.mean(errors[:3]) / 4:
            break
    assert len(errors) < 300, errors[-10:]


@pytest.mark.parametrize("name", SWITCHES)
def test_bf16_autocast_gives_nearly_the_same_loss(name: str) -> None:
    model = lively(name)
    batch = random_batch(model.config, 2, 4)
    full = model.paper_loss(batch, torch.Generator().manual_seed(0)).total.detach()
    with torch.autocast("cpu", torch.bfloat16):
        half = model.paper_loss(batch, torch.Generator().manual_seed(0)).total
    half.backward()
    assert half.dtype == torch.float32
    assert float(half.detach()) == pytest.approx(float(full), rel=0.05)


# ---- engine torch


def scene(seconds: float, seed: int = 0) -> Scene:
    rng = np.random.default_rng(seed)
    n = round(seconds * 25)
    agent, user = (0.1 * rng.standard_normal((2, n * 640))).astype(np.float32)
    return Scene(agent, user, rng.standard_normal((n, 56)).astype(np.float32))


def saved(model: MotionModel, folder: Path) -> Path:
    save_research(folder / "model.pt", model, name="tested")
    return folder / "model.pt"


@pytest.mark.parametrize("name", SWITCHES)
def test_a_checkpoint_gives_the_model_back(name: str, tmp_path: Path) -> None:
    model = lively(name)
    path = saved(model, tmp_path)
    back = load_model(path)
    assert type(back) is type(model) and back.config == model.config
    for (key, a), (other, b) in zip(model.saved_tensors().items(), back.saved_tensors().items(), strict=True):
        assert key == other and torch.equal(a, b)
    engine = visavis.load_engine(path, engine="torch")
    assert engine.info.name == "tested" and engine.info.turn_frames == 5
    found = EngineGenerator(engine, seed=3)([scene(1.48)])[0]
    assert found.shape == (37, 56) and np.isfinite(found).all() and found.std() > 0
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize("name", ["mlp", "encdec"])
def test_causal_ablations_stream_as_they_train(name: str, tmp_path: Path) -> None:
    """Until the window slides, a turn sees what it sees in one pass over the crop."""
    model = lively(name)
    assert isinstance(model, ResearchTimar)
    batch = random_batch(model.config, 1, 4)
    noise = np.random.default_rng(0).standard_normal((1 + model.config.steps, 20, 56), np.float32)
    whole = model.window_motion(batch, torch.from_numpy(noise)[:, None])[0]
    engine = TorchEngine(model)
    slot, parts = engine.open(), []
    c = model.config.context_samples
    engine._slots[slot] = replace(
        engine._slots[slot], user_tail=batch.user_audio[0, :c], agent_tail=batch.agent_audio[0, :c]
    )
    for t in range(4):
        samples, frames = slice(c + t * 3200, c + t * 3200 + 3200), slice(5 * t, 5 * t + 5)
        turn = TurnInput(
            slot,
            user_audio=batch.user_audio[0, samples].numpy(),
            agent_audio=batch.agent_audio[0, samples].numpy(),
            user_motion=batch.user_motion[0, frames].numpy(),
            noise=noise[:, frames],
        )
        parts.append(engine.step([turn])[0].motion)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-4)


def test_a_sequence_model_runs_over_its_window(tmp_path: Path) -> None:
    model = lively("dualtalk")
    assert isinstance(model, DualTalkStyle)
    one = scene(1.4)
    found = EngineGenerator(SequenceEngine(model), seed=0)([one])[0].reshape(7, 5, 56)
    padded = np.pad(np.stack([one.user, one.agent]), ((0, 0), (model.config.context_samples, 0)))
    for turn in (0, 2, 6):
        first = max(0, turn - 3)
        end = model.config.context_samples + (turn + 1) * 3200
        user, agent = (torch.from_numpy(v[first * 3200 : end])[None] for v in padded)
        assert one.face is not None
        face = torch.from_numpy(one.face[first * 5 : turn * 5 + 5])[None]
        there = torch.ones(face.shape[:2], dtype=torch.bool)
        batch = TurnBatch(user, agent, face, there, face, face[:, :5], there[:, 0])
        np.testing.assert_allclose(found[turn], model.window_motion(batch)[0, -5:], rtol=0, atol=1e-5)
    two = EngineGenerator(SequenceEngine(model, context_turns=2), seed=0)([one])[0].reshape(7, 5, 56)
    assert np.abs(two[:2] - found[:2]).max() < 1e-5 < np.abs(two[2:] - found[2:]).max((1, 2)).min()


def test_a_sequence_model_refuses_what_it_has_not(tmp_path: Path) -> None:
    path = saved(lively("dualtalk"), tmp_path)
    for options, word in (({"history": "fed"}, "history"), ({"steps": 3}, "steps"), ({"passes": 2}, "passes")):
        with pytest.raises(Unsupported, match=f"{word}: a sequence model"):
            load_torch(path, **options)
    with pytest.raises(InvalidArgument, match="expected 1 to 4"):
        load_torch(path, context_turns=5)
    engine = load_torch(path)
    slot = engine.open()
    with pytest.raises(Unsupported, match="guidance"):
        engine.step([TurnInput(slot, guidance=2.0)])
    with pytest.raises(InvalidArgument, match="slot 9 is not open"):
        engine.step([TurnInput(9)])
    quiet = engine.step([TurnInput(slot)])[0].motion  # every stream absent
    engine.reset(slot)
    np.testing.assert_array_equal(engine.step([TurnInput(slot)])[0].motion, quiet)
    engine.close(slot)
    with pytest.raises(InvalidArgument, match="is not open"):
        engine.reset(slot)


def test_native_engines_refuse_models_for_comparison_by_name(tmp_path: Path) -> None:
    for name in ("dualtalk", "mlp"):
        path = saved(lively(name), tmp_path)
        with pytest.raises(Unsupported, match="engine cpu does not run .*model.pt, a model for comparison"):
            visavis.load_engine(path, engine="cpu")
        with pytest.raises(Unsupported, match="engine cpu does not run"):
            visavis.load(path)
        with pytest.raises(Unsupported, match="cannot hold a ResearchConfig"):
            save_gguf(tmp_path / "m.gguf", lively(name))  # type: ignore[arg-type]
        assert not (tmp_path / "m.gguf").exists()
        with pytest.raises(ModelFileError, match='begins with "PK'):
            from visavis import _core

            _core.ModelFile(path)


# ---- offline


def test_windows_overlap_by_half_and_turns_lie_in_their_middle() -> None:
    assert windows(3, 4) == (3, [0])
    assert windows(4, 4) == (4, [0])
    size, starts = windows(9, 4)
    assert (size, starts) == (4, [0, 2, 4, 5])
    assert nearest(9, starts, size) == [0, 0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("name", ["full", "dualtalk"])
def test_offline_a_model_hears_what_is_to_come(name: str, tmp_path: Path) -> None:
    path = saved(lively(name), tmp_path)
    one = scene(1.8)
    later = one._replace(agent=np.concatenate([one.agent[: 7 * 3200], one.agent[7 * 3200 :] + 0.5]))
    changes = []
    for generate in (OfflineGenerator(path, seed=5), EngineGenerator(load_torch(path), seed=5)):
        a, b = (generate([s])[0].reshape(9, 5, 56) for s in (one, later))
        changes.append((np.abs(a - b).max((1, 2)) > 1e-6).tolist())
    assert changes[1] == [False] * 7 + [True] * 2
    assert changes[0] == [False] * 5 + [True] * 4  # from the window of turns 4 to 7 on


def test_offline_needs_a_model_that_is_not_causal(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="sees nothing of what is to come"):
        OfflineGenerator(saved(lively("mlp"), tmp_path), seed=1)


# ---- files


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document["tensors"].pop(name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.update(format="else"), "format 'else'; expected 'visavis research model 1'"),
        (lambda d: d.pop("format"), "for `visavis import-timar`"),
        (lambda d: d.pop("tensors"), "tensors is a NoneType"),
        (lambda d: d["config"].pop("head"), "fields missing or unknown: head"),
        (lambda d: d["config"].update(width=15), "width 15 does not divide"),
        (lambda d: d["config"].update(width=32), "tensor .* is .*; expected"),
        (lambda d: d["config"].update(width="wide"), "model.pt: "),
        (without("norm.weight"), "tensors missing: norm.weight"),
        (lambda d: d["tensors"].update(stranger=torch.zeros(1)), "tensors unknown: stranger"),
        (lambda d: d["tensors"].update({"norm.weight": 3}), "tensor norm.weight is int"),
        (lambda d: d["tensors"]["norm.weight"].fill_(torch.nan), "norm.weight holds values that are not finite"),
        (lambda d: d["tensors"]["motion_std"].fill_(-1), "std must be over 0"),
    ],
)
def test_a_spoilt_checkpoint_is_named(spoil: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path) -> None:
    path = saved(lively("dualtalk"), tmp_path)
    document = torch.load(path, weights_only=True)
    spoil(document)
    torch.save(document, path)
    with pytest.raises(ModelFileError, match=message):
        load_research(path)


def test_a_damaged_or_absent_checkpoint_is_named(tmp_path: Path) -> None:
    path = saved(lively("mlp"), tmp_path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ModelFileError, match="cannot be read safely"):
        load_model(path)
    with pytest.raises(FileError, match="does not exist"):
        load_research(tmp_path / "none.pt")
    with pytest.raises(FileError, match="create it first"):
        save_research(tmp_path / "none" / "model.pt", lively("mlp"))


class Payload:
    """What must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('it ran')",))


def test_nothing_in_a_checkpoint_can_execute(tmp_path: Path) -> None:
    torch.save({"format": "visavis research model 1", "tensors": Payload()}, tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match="cannot be read safely"):
        load_research(tmp_path / "model.pt")


# ---- recipes and runs


def test_recipes_and_their_settings() -> None:
    recipe, config = recipe_and_config("paper-small")
    assert type(config) is ModelConfig and (config.turn_frames, config.own_past, config.layout) == (
        25,
        "masked",
        "markers",
    )
    widths = [recipe_and_config(f"{kind}-small")[1].width for kind in ("live", "paper", "dualtalk")]
    assert widths == [128] * 3 and config.speech_encoder == "logmel"
    assert recipe.objective == "paper" and recipe.normalise and recipe.crops.seconds == 8.0
    assert recipe.crops.bands is not None and recipe.crops.user_motion_absent == 0.0
    assert recipe_and_config("dualtalk")[1] == dualtalk_config()
    assert recipe_and_config("dualtalk")[0].dropout == recipe_and_config("paper")[0].dropout == 0.1
    assert not recipe_and_config("paper")[0].normalise
    _, config = apply_settings(recipe, config, ["attention=full", "decoder_depth=2", "width=56"])
    assert isinstance(config, ResearchConfig) and (config.attention, config.decoder_depth) == ("full", 2)
    assert type(apply_settings(recipe, recipe_and_config("paper-small")[1], ["head=diffusion"])[1]) is ModelConfig
    with pytest.raises(InvalidArgument, match="start from recipe paper"):
        apply_settings(*recipe_and_config("live"), ["head=mlp"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=2, seconds=6)


def small_run(name: str, data: Path, out: Path, **changes: Any) -> Run:
    recipe = replace(small_recipe(name), batch=2, repeats=2, crops=replace(CropRecipe(), seconds=0.8))
    run = Run(data=data, out=out, recipe=recipe, config=small(name), steps=6, seed=5, precision="f32")
    return replace(run, **changes)


@pytest.mark.parametrize("name", ["dualtalk", "encdec"])
def test_a_resumed_run_equals_an_unbroken_one(name: str, data: Path, tmp_path: Path) -> None:
    path = train(small_run(name, data, tmp_path / "whole"), lambda text: None)
    assert path == tmp_path / "whole" / "model.pt"
    whole, stopped = load_model(path), small_run(name, data, tmp_path / "parts")

    def stop(text: str) -> None:
        if "checkpoint at step 3" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(replace(stopped, save_minutes=0.0), stop)
    resumed = load_model(train(replace(stopped, resume=True), lambda text: None))
    for (key, a), (_, b) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), key
    with pytest.raises(InvalidArgument, match="decoder_depth|architecture"):
        train(replace(stopped, resume=True, config=paper_config(**SMALL)), lambda text: None)
    begun = replace(stopped, out=tmp_path / "begun", begin_with=path, steps=1)
    same = load_model(train(replace(begun, recipe=replace(begun.recipe, peak_rate=0.0)), lambda text: None))
    for (key, a), (_, b) in zip(whole.named_parameters(), same.named_parameters(), strict=True):
        assert torch.equal(a, b), key


def test_a_run_by_processor_time_ends_and_says_what_it_took(data: Path, tmp_path: Path) -> None:
    import json

    limited = small_run("mlp", data, tmp_path / "run", steps=None, processor_minutes=0.02)
    train(limited, lambda text: None)
    found = json.loads((tmp_path / "run" / "training.json").read_text())
    assert found["progress"] == 1.0 and 1.2 <= found["processor_s"] < 10
    assert found["steps"] > 0 and found["hours_heard"] == pytest.approx(found["steps"] * 2 * 0.8 / 3600)
    with pytest.raises(InvalidArgument, match="give one of minutes, steps and processor_minutes"):
        train(replace(limited, steps=3), lambda text: None)
