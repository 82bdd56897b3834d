"""Training recipes: every number of a run that is not part of the model.

`live_recipe` trains the default model in minutes to hours; `paper_recipe` is TIMAR's (reference: arXiv 2512.15340), and
serves the DualTalk-style model, too.  The small forms of all three have the same narrow widths, hear through the
log-mel encoder and learn with the live optimiser: they train in minutes, without wav2vec2.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig, live_config, paper_config
from visavis.model.research import SWITCHES, ResearchConfig, dualtalk_config, with_switches
from visavis.training.augment import Augmentation
from visavis.training.bands import BandRecipe
from visavis.training.crops import CropRecipe
from visavis.training.sounds import SoundRecipe

RECIPES = ("live", "paper", "dualtalk", "live-small", "paper-small", "dualtalk-small")
SOUND_FIELDS = tuple(f.name for f in fields(SoundRecipe))
# Of the small recipes: the live speech encoder and backbone, a little over half as wide.
SMALL: dict[str, Any] = dict(
    speech_encoder="logmel",
    speech_width=128,
    conv_widths=(64, 96, 128, 128),
    conv_kernels=(5, 5, 5, 3),
    conv_strides=(1, 2, 2, 1),
    token_width=128,
    width=128,
    depth=4,
    heads=4,
    head_width=192,
    head_depth=3,
)


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and loss of a run."""

    name: str = "live"
    objective: str = "live"  # or "paper": training/objective.py; "distill": training/distillation.py
    normalise: bool = True  # motion by its channels' mean and deviation; else raw units
    dropout: float = 0.0  # in attention and projections
    crops: CropRecipe = field(default_factory=CropRecipe)
    batch: int = 4  # crops a step and process
    peak_rate: float = 1e-3
    warmup: float = 0.02  # share of the run
    schedule: str = "cosine"  # or "constant" after the warm-up
    final_rate: float = 0.01  # of the peak, at the end of the cosine
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.02
    ema: float = 0.999
    clip: float = 1.0  # gradient norm
    repeats: int = 4  # diffusion times drawn for each turn
    own_past_noise: float = 0.1  # largest std of the noise on the agent's own past, drawn for each crop
    head_past_noise: float = 0.3  # the same for the last own frames that the head sees, in rms steps of a frame
    strangers: float = 0.0  # share of a batch's crops with another's past: there lips are learnt, the rest elsewhere
    probe: float = 0.5  # weight of the linear readings of z at the start; it falls to 0 over the run
    forecast: float = 0.3  # of the activity to come, among them
    hearing: float = 2.0  # of the user's loudness in the last second, among them
    mouth: float = 1.2  # weight of the mouth group's errors; the other groups have 1
    closure: float = 3.0  # weight of the lips' errors in frames whose lips are shut, others having 1
    # Weights of slow channels' errors in turns in which they move far, by group: smiles (mouth), brows (upper), nods.
    events: tuple[float, float, float] = (1.0, 1.0, 1.0)
    smoothness: float = 0.25  # weight of the error of first and second differences, turn borders included
    variance_weight: float = 0.2  # of the variational term
    variance_range: float = 0.2  # weight of what keeps the learned variance between its bounds
    teacher_steps: int = 0  # denoising steps of the model that is distilled
    head_alone: bool = False  # the backbone and all before it stay as they are

    def rate(self, progress: float) -> float:
        """Learning rate at a progress in [0, 1]."""
        import math

        if progress < self.warmup:
            return self.peak_rate * progress / self.warmup
        if self.schedule == "constant":
            return self.peak_rate
        x = (progress - self.warmup) / max(1e-9, 1.0 - self.warmup)
        share = self.final_rate + (1.0 - self.final_rate) * 0.5 * (1.0 + math.cos(math.pi * min(x, 1.0)))
        return self.peak_rate * share


def live_recipe() -> Recipe:
    """24 s crops, cosine, EMA: the default model's."""
    return Recipe()


def paper_recipe() -> Recipe:
    """8 s windows, random masks and user drop-out per token, constant rate; the rate goes with the batch."""
    crops = CropRecipe(
        seconds=8.0,
        session_start=1.0,
        user_motion_absent=0.0,
        user_audio_absent=0.0,
        both_absent=0.0,
        switch=0.0,
        lookahead_absent=0.0,
        normalise_audio=True,
        augmentation=None,
        sounds=None,
        bands=None,
    )
    return Recipe(
        name="paper",
        objective="paper",
        normalise=False,
        dropout=0.1,
        crops=crops,
        batch=32,
        peak_rate=1e-4 * 32 / 256,
        warmup=0.25,
        schedule="constant",
        ema=0.9999,
        clip=3.0,
        own_past_noise=0.0,
        closure=1.0,
        smoothness=0.0,
        variance_range=0.0,
    )


def small_recipe(name: str) -> Recipe:
    """The paper's crops and loss with the optimiser, augmentation and normalisation of the live recipe: for minutes.

    The learned variance is held between its bounds, which it leaves at this rate (docs/decisions.md 52).
    """
    crops = replace(paper_recipe().crops, augmentation=Augmentation(), bands=BandRecipe())
    return Recipe(name=name, objective="paper", crops=crops, variance_range=1.0)


def recipe_and_config(name: str) -> tuple[Recipe, ModelConfig]:
    """The recipe of that name with the model that it trains."""
    if name not in RECIPES:
        raise InvalidArgument(f"recipe {name!r} is unknown; known: {', '.join(RECIPES)}")
    sizes = SMALL if name.endswith("-small") else {}
    if name.startswith("live"):
        return replace(live_recipe(), name=name), live_config(**sizes)
    recipe = small_recipe(name) if sizes else replace(paper_recipe(), name=name)
    if name.startswith("dualtalk"):
        return recipe, dualtalk_config(**{**sizes, **({"depth": 5} if sizes else {})})  # as many weights as the others
    return recipe, paper_config(**sizes)


def apply_settings(recipe: Recipe, config: ModelConfig, settings: list[str]) -> tuple[Recipe, ModelConfig]:
    """`key=value` settings on the fields of the model, the recipe, its crops or their sounds, typed as the field is.

    The fields of the sounds are called `sounds.probability` and so on.

    The switches of a `ResearchConfig` make a model for comparison of the paper's.
    """
    changes: dict[str, dict[str, Any]] = {"model": {}, "recipe": {}, "crops": {}, "sounds": {}}
    if any(setting.partition("=")[0] in SWITCHES for setting in settings) and not isinstance(config, ResearchConfig):
        config = ResearchConfig(**config.to_dict())
    targets: dict[str, ModelConfig | Recipe | CropRecipe] = {"model": config, "recipe": recipe, "crops": recipe.crops}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise InvalidArgument(f"setting {setting!r}; expected key=value")
        name = key.removeprefix("sounds.")
        if name != key and name in SOUND_FIELDS and recipe.crops.sounds is not None:
            changes["sounds"][name] = _typed(key, text, getattr(recipe.crops.sounds, name))
            continue
        for place, target in targets.items():
            if key in {f.name for f in fields(target)}:
                changes[place][key] = _typed(key, text, getattr(target, key))
                break
        else:
            known = sorted(f.name for target in targets.values() for f in fields(target))
            known += [f"sounds.{name}" for name in SOUND_FIELDS if recipe.crops.sounds is not None]
            raise InvalidArgument(f"setting {key!r} is unknown; known: {', '.join(known)}")
    if recipe.crops.sounds is not None:
        changes["crops"]["sounds"] = replace(recipe.crops.sounds, **changes["sounds"])
    crops = replace(recipe.crops, **changes["crops"])
    recipe, config = replace(recipe, crops=crops, **changes["recipe"]), replace(config, **changes["model"])
    _check_shares(recipe)
    if len(recipe.events) != 3:
        raise InvalidArgument(f"setting events={recipe.events}: expected three weights: of mouth, upper face, head")
    if isinstance(config, ResearchConfig):
        config = with_switches(config)
        if recipe.objective != "paper":
            raise InvalidArgument(f"recipe {recipe.name}: models for comparison train with the paper's recipes")
    return recipe, config


def _check_shares(recipe: Recipe) -> None:
    shares = {name: value for name, value in vars(recipe.crops).items() if type(value) is float and name != "seconds"}
    for name, value in vars(recipe.crops.sounds).items() if recipe.crops.sounds is not None else ():
        if type(value) is float:
            shares[f"sounds.{name}"] = value
    for name, value in {**shares, "strangers": recipe.strangers, "warmup": recipe.warmup}.items():
        if not 0 <= value <= 1:
            raise InvalidArgument(f"setting {name}={value:g}: expected a share, 0 to 1")


def _typed(key: str, text: str, old: Any) -> Any:
    """`text` as a value of the same type as `old`."""
    try:
        if isinstance(old, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(old, tuple):
            kind = str if key == "styles" else type(old[0]) if old else int
            return tuple(kind(part) for part in text.split(",") if part)
        if isinstance(old, int | float | str):
            return type(old)(text)
    except (KeyError, ValueError):
        raise InvalidArgument(f"setting {key}={text}: expected a {type(old).__name__} such as {old}") from None
    raise InvalidArgument(f"setting {key} cannot be set from text")
