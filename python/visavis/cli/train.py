"""`visavis train`: train a model on a conversation folder; the run resumes, writes checkpoints and a model file."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InvalidArgument


def main(
    data: Annotated[Path, typer.Option(help="data set: DIR/{train,val,test} or one folder of pairs")],
    out: Annotated[Path, typer.Option(help="folder of the run: checkpoint.pt, model.gguf, tensorboard/")],
    recipe: Annotated[str, typer.Option(help="live (default model) or paper (TIMAR)")] = "live",
    minutes: Annotated[float | None, typer.Option(help="training time; the schedule follows the clock")] = None,
    steps: Annotated[int | None, typer.Option(help="number of steps; the same seed gives the same run")] = None,
    batch: Annotated[int | None, typer.Option(help="crops a step and process (default: the recipe's)")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of a model, recipe or crop field; may be repeated")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of weights, crops and noise")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="go on from OUT/checkpoint.pt")] = False,
    begin_with: Annotated[Path | None, typer.Option(help="model file whose weights the run starts from")] = None,
    precision: Annotated[str, typer.Option(help="auto, bf16 (autocast) or f32")] = "auto",
    save_minutes: Annotated[float, typer.Option(help="minutes between checkpoints")] = 5.0,
    speech_folder: Annotated[Path | None, typer.Option(help="wav2vec2 folder, for the paper's recipe")] = None,
    name: Annotated[str, typer.Option(help="name stored in the model file")] = "visavis",
    licence: Annotated[str, typer.Option(help="licence stored in the model file")] = "Apache-2.0",
) -> None:
    """Train a model, on CPU or GPU, in one process or under torchrun."""
    try:
        from visavis.training.loop import Run, train
        from visavis.training.recipes import apply_settings, recipe_and_config
    except ImportError as error:
        raise InvalidArgument(f"training needs {error.name}: pip install 'visavis[train]'") from error
    chosen, config = recipe_and_config(recipe)
    settings = [*(setting or []), *([f"batch={batch}"] if batch is not None else [])]
    chosen, config = apply_settings(chosen, config, settings)
    run = Run(
        data=data,
        out=out,
        recipe=chosen,
        config=config,
        minutes=minutes,
        steps=steps,
        seed=seed,
        resume=resume,
        begin_with=begin_with,
        precision=precision,
        save_minutes=save_minutes,
        name=name,
        licence=licence,
        speech_folder=speech_folder,
    )
    path = train(run, say=lambda text: print(text, flush=True))
    print(f"model: {path}")
