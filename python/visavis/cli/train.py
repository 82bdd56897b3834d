"""`visavis train`: train a model on a conversation folder; the run resumes, writes checkpoints and a model file."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.errors import InvalidArgument

EXAMPLES = (
    "visavis train --data corpus --out runs/first --minutes 55",
    "visavis train --data corpus --out runs/first --minutes 55 --resume",
    "visavis train --data corpus --out runs/small --steps 200 --set width=64 --set depth=2 --batch 4",
)


def main(
    data: Annotated[
        Path,
        typer.Option(help="Conversations: DIR with train, val and test, or one folder of pairs (docs/training.md)."),
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder of the run: checkpoint.pt, model.gguf (or model.pt), training.json, tensorboard/."),
    ],
    recipe: Annotated[
        str,
        typer.Option(
            help="How: live (the default model), paper (TIMAR), dualtalk; paper-small, dualtalk-small: in minutes."
        ),
    ] = "live",
    minutes: options.RunMinutes = None,
    processor_minutes: Annotated[
        float | None,
        typer.Option(
            help="Length of the run in minutes of processor time: a busy machine hardly changes it.",
            min=0.01,
            show_default="none",
        ),
    ] = None,
    steps: options.RunSteps = None,
    batch: Annotated[
        int | None, typer.Option(help="Crops a step, in each process.", min=1, show_default="the recipe's")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE of a field of model, recipe or crops, such as width=64; may be repeated.",
            show_default="none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, crops and noise.", min=0)] = 1,
    resume: options.Resume = False,
    begin_with: Annotated[
        Path | None,
        typer.Option(
            help="Model file (.gguf), or default or tiny, whose weights the run starts from.", show_default="none"
        ),
    ] = None,
    precision: options.TrainingPrecision = "auto",
    save_minutes: options.SaveMinutes = 5.0,
    speech_folder: Annotated[
        Path | None, typer.Option(help="Folder of wav2vec2, for the paper's recipe.", show_default="none")
    ] = None,
    name: Annotated[str, typer.Option(help="Name that the model file bears.")] = "visavis",
    licence: Annotated[str, typer.Option(help="Licence that the model file states.")] = "Apache-2.0",
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
        processor_minutes=processor_minutes,
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
