"""`visavis evaluate`: metrics, controls and checks of a model on a split, as JSON, Markdown and plots."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InvalidArgument


def main(
    data: Annotated[Path, typer.Option(help="data set: DIR/{train,val,test} or one folder of pairs")],
    out: Annotated[Path, typer.Option(help="folder of the report: report.md, report.json, PNG plots")],
    model: Annotated[Path | None, typer.Option(help="model file (default: the packaged model)")] = None,
    split: Annotated[str, typer.Option(help="train, val or test")] = "test",
    minutes: Annotated[float | None, typer.Option(help="minutes of motion (default: the whole split)")] = None,
    engine: Annotated[str, typer.Option(help="cpu (native session, as shipped) or torch (one batch)")] = "cpu",
    sampler: Annotated[str | None, typer.Option(help="ancestral or dpm2m (default: the model file's)")] = None,
    steps: Annotated[int | None, typer.Option(help="diffusion steps (default: the model file's)")] = None,
    temperature: Annotated[float, typer.Option(help="scale of the noise")] = 1.0,
    seed: Annotated[int, typer.Option(help="seed of the first clip; the others count up")] = 1,
    controls: Annotated[bool, typer.Option(help="also generate with other clips' voices, and run the checks")] = True,
) -> None:
    """Measure a model on held-out conversations, the user's tracked face absent."""
    try:
        from visavis.evaluation.batched import BatchGenerator
        from visavis.evaluation.generate import Generate, SessionGenerator, model_facts
        from visavis.evaluation.report import write_report
        from visavis.evaluation.run import evaluate
    except ImportError as error:
        raise InvalidArgument(f"evaluation needs {error.name}: pip install 'visavis[train,plot]'") from error
    config, mean_face = model_facts(model)
    options = {"sampler": sampler, "steps": steps}
    generate: Generate
    if engine == "cpu":
        generate = SessionGenerator(model, seed, temperature, **options)
    else:
        generate = BatchGenerator(model, seed, temperature, **options)
    result = evaluate(
        generate, data, split, config.space, mean_face, minutes, controls, say=lambda text: print(text, flush=True)
    )
    about = {
        "model": model or "packaged",
        "engine": engine,
        "sampler": sampler or config.sampler,
        "steps": steps or config.steps,
        "temperature": temperature,
        "split": f"{data.name}/{split}",
        "seed": seed,
    }
    print(write_report(result, out, about))
