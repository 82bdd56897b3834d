"""`visavis distill`: a model that denoises in one step what it denoised in several."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.errors import InvalidArgument

EXAMPLES = (
    "visavis distill model.gguf --data corpus --out runs/one-step --minutes 20",
    "visavis distill model.gguf --data corpus --out runs/two-steps --steps-in 8 --steps-out 2 --steps 3000",
)


def main(
    model: Annotated[Path, typer.Argument(help="Model file (.gguf) to learn from, or default or tiny.")],
    data: Annotated[Path, typer.Option(help="Conversations, as of `visavis train`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoint.pt, model.gguf, training.json.")],
    steps_in: Annotated[int, typer.Option(help="Denoising steps of the teacher (DPM-Solver++).", min=2)] = 12,
    steps_out: Annotated[int, typer.Option(help="Denoising steps of the student, fewer.", min=1)] = 1,
    lips: Annotated[
        Path | None,
        typer.Option(help="Model file whose lips to learn instead: MODEL with another head.", show_default="MODEL's"),
    ] = None,
    minutes: options.RunMinutes = None,
    steps: options.RunSteps = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE of a field of recipe or crops, such as batch=8; may be repeated.",
            show_default="none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of crops and noise.", min=0)] = 1,
    resume: options.Resume = False,
    precision: options.TrainingPrecision = "auto",
    save_minutes: options.SaveMinutes = 5.0,
    name: Annotated[
        str | None, typer.Option(help="Name that the model file bears.", show_default="the teacher's and its steps")
    ] = None,
) -> None:
    """Make a model that needs fewer denoising steps.

    Its head learns to give in one step (--steps-out) what the teacher's head gives in twelve (--steps-in).  The
    backbone stays as it is.  `visavis evaluate` says what it cost (docs/training.md).
    """
    try:
        from visavis.training.loop import distill
    except ImportError as error:
        raise InvalidArgument(f"training needs {error.name}: pip install 'visavis[train]'") from error
    path = distill(
        model,
        data,
        out,
        steps_in=steps_in,
        steps_out=steps_out,
        lips=lips,
        minutes=minutes,
        steps=steps,
        settings=setting or [],
        seed=seed,
        resume=resume,
        precision=precision,
        save_minutes=save_minutes,
        name=name,
        say=lambda text: print(text, flush=True),
    )
    print(f"model: {path}")
