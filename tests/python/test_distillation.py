"""Distillation: a student of few denoising steps gives what its teacher gives in more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conversations import write_data_set
from small_models import random_batch, randomised, small_config
from test_training import small_run, tiny_config
from typer.testing import CliRunner

import visavis
from visavis import _core, cli
from visavis.data.dualtalk import read_split
from visavis.engine import TurnInput, load_engine, model_path
from visavis.errors import InvalidArgument
from visavis.export.gguf import load_gguf
from visavis.model.config import live_config, paper_config
from visavis.model.timar import Timar
from visavis.motion_space import ARKIT55
from visavis.training.crops import CropRecipe, CropSampler
from visavis.training.distillation import Distillation, denoised, distillation, teacher_of_lips
from visavis.training.loop import distill, train
from visavis.training.objective import Objective, Probes, blind_to_lips, fast_values, train_head_alone
from visavis.training.recipes import Recipe

STEPS = ["seconds=2", "batch=2", "peak_rate=3e-3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=2, seconds=6)


@pytest.fixture(scope="module")
def teacher(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that was trained a little, so that its head has something to say."""
    run = small_run(data, tmp_path_factory.mktemp("teacher"), 150, name="teacher", licence="CC0-1.0")
    return train(replace(run, recipe=replace(run.recipe, peak_rate=3e-3)), lambda text: None)


@pytest.fixture(scope="module")
def student(data: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    said: list[str] = []
    out = tmp_path_factory.mktemp("student")
    return distill(teacher, data, out, 5, 1, steps=250, settings=STEPS, precision="f32", say=said.append), said


def rows(models: list[tuple[Timar, int]], data: Path) -> list[torch.Tensor]:
    """What models make in so many steps of the same conditions and the same noise: validation crops."""
    first = models[0][0]
    recipe, folder = Recipe(), read_split(data, "val", first.config.space)
    motions = [agent.motion for d in folder.dialogues for agent, _ in d.roles()]
    objective = Objective.measure(recipe, first.config, motions, _normalisation(first))
    crops = CropRecipe(seconds=2.0, augmentation=None, sounds=None, bands=None)
    batch = CropSampler(folder.dialogues, first.config, crops, seed=9).batch(0, 8)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        condition = Distillation(objective, first, 5).conditions(batch, generator)
        noise = torch.randn(len(condition), first.config.row_width, generator=generator)
        return [denoised(model, condition, noise, steps) for model, steps in models]


def _normalisation(model: Timar):  # type: ignore[no-untyped-def]
    from visavis.training.state import normalisation_of

    return normalisation_of(model.state_dict())


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean().sqrt())


def test_one_step_comes_near_to_five(data: Path, teacher: Path, student: tuple[Path, list[str]]) -> None:
    before, after = load_gguf(teacher), load_gguf(student[0])
    target, one, distilled = rows([(before, 5), (before, 1), (after, 1)], data)
    print(f"spread {float(target.std()):.3f}, one step {distance(one, target):.3f}, "
          f"distilled {distance(distilled, target):.3f}")  # fmt: skip
    assert distance(distilled, target) < 0.6 * distance(one, target)


def test_a_condition_takes_several_noises(teacher: Path) -> None:
    model = load_gguf(teacher)
    condition = torch.randn(3, model.config.condition_width)
    noise = torch.randn(6, model.config.row_width)
    with torch.no_grad():
        apart = [denoised(model, condition, part, 2) for part in noise.split(3)]
        torch.testing.assert_close(denoised(model, condition, noise, 2), torch.cat(apart), rtol=1e-5, atol=1e-5)


def test_the_loss_falls(student: tuple[Path, list[str]]) -> None:
    lines = [line for line in student[1] if " total " in line and "validation" not in line]
    totals = [float(line.split("total")[1].split()[0]) for line in lines]
    print(totals)
    assert len(totals) == 5 and totals[-1] < 0.7 * totals[0]


def test_the_students_file_says_what_it_is(teacher: Path, student: tuple[Path, list[str]]) -> None:
    before, after = load_gguf(teacher), load_gguf(student[0])
    assert after.config == before.config.with_options(sampler="dpm2m", steps=1)
    file = _core.ModelFile(student[0])
    assert (file.name, file.license) == ("teacher, 5 steps in 1", "CC0-1.0")
    assert file.data_note.endswith("; 5 denoising steps distilled to 1")
    changed = {name for name, a in before.state_dict().items() if not torch.equal(a, after.state_dict()[name])}
    assert changed and all(name.startswith("diffloss.") for name in changed)
    engine = load_engine(student[0])
    assert engine.step([TurnInput(engine.open())])[0].steps == 1
    voice = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)
    assert np.isfinite(visavis.animate(agent=(voice, 16_000), model=student[0]).values).all()


def test_the_head_alone_learns() -> None:
    model = Timar(tiny_config())
    train_head_alone(model)
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {"diffloss"}
    with pytest.raises(InvalidArgument, match="no denoising network"):
        train_head_alone(torch.nn.Linear(2, 2))  # type: ignore[arg-type]


def test_a_broken_off_run_goes_on(data: Path, teacher: Path, tmp_path: Path) -> None:
    options = {"steps": 6, "settings": STEPS, "precision": "f32", "save_minutes": 0.0}
    whole = load_gguf(distill(teacher, data, tmp_path / "whole", say=lambda text: None, **options))

    def say(text: str) -> None:
        if "checkpoint at step 3" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(teacher, data, tmp_path / "parts", say=say, **options)
    resumed = load_gguf(distill(teacher, data, tmp_path / "parts", say=lambda text: None, resume=True, **options))
    for (name, a), (_, b) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    with pytest.raises(InvalidArgument, match="learnt from other model files; give the same teacher and lips"):
        distill(teacher, data, tmp_path / "parts", say=lambda text: None, resume=True, lips=teacher, **options)


def test_what_cannot_be_distilled_is_refused(data: Path, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="steps-out is 5; expected 1 to 4, fewer than steps-in 5"):
        distillation(live_config(), 5, 5)
    with pytest.raises(InvalidArgument, match="settings width=64: the student has the teacher's model"):
        distill(teacher, data, tmp_path / "run", settings=["width=64"], steps=1)
    recipe, config = distillation(paper_config(), 5, 1)
    assert recipe.crops.seconds == 8.0 and (config.sampler, config.steps) == ("dpm2m", 1)


def test_a_packaged_model_goes_by_its_name(data: Path, tmp_path: Path) -> None:
    made = distill(Path("tiny"), data, tmp_path / "run", 2, 1, steps=1, settings=STEPS, say=lambda text: None)
    assert load_gguf(made).config == load_gguf(model_path("tiny")).config.with_options(steps=1)


def test_the_verb(data: Path, teacher: Path, tmp_path: Path) -> None:
    words = ["distill", teacher, "--data", data, "--out", tmp_path / "run", "--steps", "2", "--steps-in", "4"]
    words += ["--steps-out", "2", "--set", "seconds=2", "--set", "batch=1", "--name", "quick"]
    done = CliRunner().invoke(cli.build_app(), [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert f"model: {tmp_path / 'run' / 'model.gguf'}" in done.output
    assert _core.ModelFile(tmp_path / "run" / "model.gguf").metadata()["visavis.steps"] == 2


def test_the_verb_refuses_lips_of_another_backbone(data: Path, teacher: Path, tmp_path: Path) -> None:
    other = train(small_run(data, tmp_path / "other", 1), lambda text: None)
    with pytest.raises(InvalidArgument, match="another head"):
        words = ["distill", teacher, "--lips", other, "--data", data, "--out", tmp_path / "run", "--steps", "1"]
        CliRunner().invoke(cli.build_app(), [str(word) for word in words], catch_exceptions=False)


def test_lips_of_another_teacher() -> None:
    config = small_config(denoise_target="residual", lip_noise=0.0, sampler="dpm2m", steps=5)
    teacher, lips = randomised(Timar(config)), randomised(Timar(config))
    for model, seed in ((teacher, 1), (lips, 2)):
        model.residual_gain[:] = 0.9
        model.residual_gain[:, list(ARKIT55.groups["mouth"])] = 0.0  # fast
        model.diffloss.load_state_dict(randomised(Timar(config), seed).diffloss.state_dict())
        blind_to_lips(model)
    objective = Objective(Recipe(repeats=2), torch.ones(2, 55), Probes(teacher.config))
    batch = random_batch(teacher.config, 2, 6, seed=3)

    def losses(student: Timar) -> dict[str, float]:
        distilled = Distillation(objective, teacher, 5, teacher_of_lips(lips, teacher))
        terms = distilled(student, batch, torch.Generator().manual_seed(1))
        return {name: float(value.detach()) for name, value in terms.items()}

    generator = torch.Generator().manual_seed(2)
    condition = Distillation(objective, teacher, 5).conditions(batch, generator)
    noise = torch.randn(len(condition), teacher.config.row_width, generator=generator)
    fast = fast_values(teacher)
    torch.testing.assert_close(
        denoised(lips, condition, noise, 5)[:, fast], denoised(lips, condition, noise, 1)[:, fast]
    )
    ours, theirs = losses(teacher), losses(lips)
    assert theirs["mouth"] < 1e-8 < ours["mouth"]  # fast channels only there
    assert ours["head"] < 1e-8 < theirs["head"]

    with pytest.raises(InvalidArgument, match="another head"):
        teacher_of_lips(randomised(Timar(config), 3), teacher)
    teacher.config = teacher.config.with_options(lip_noise=1.0)
    with pytest.raises(InvalidArgument, match="lip_noise is 1; expected 0"):
        teacher_of_lips(lips, teacher)
