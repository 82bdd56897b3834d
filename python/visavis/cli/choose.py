"""`visavis choose`: the default model and its variants, one factor at a time, trained, measured, in one table."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options

EXAMPLES = (
    "visavis choose --data corpus --voices voices --out runs/choice --processor-minutes 60 --jobs 2",
    "visavis choose --data corpus --voices voices --out runs/choice --processor-minutes 60 --only turn --only steps",
    "visavis choose --data corpus --voices voices --out runs/choice --steps 1000 --only turn --rows docs/choice.json",
    "visavis choose --data corpus --voices voices --out runs/changes --model default.gguf",
    "visavis choose --data corpus --out runs/quick --steps 20 --minutes 4 --seed 1 --only steps-1",
)


def main(
    data: Annotated[Path, typer.Option(help="Conversations: DIR with train and val (docs/training.md).")],
    out: options.CampaignOut,
    voices: Annotated[
        Path | None,
        typer.Option(help="Folder of `visavis corpus voices`: real voices, their dev half.", show_default="none"),
    ] = None,
    processor_minutes: options.ProcessorMinutes = None,
    steps: options.TrainingSteps = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed of a run of each variant; may be repeated.", show_default="1 and 2")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="A factor (docs/choice.md), such as turn, or a variant, such as turn-8; may be repeated.",
            show_default="all of them",
        ),
    ] = None,
    jobs: options.Jobs = 1,
    threads: options.JobThreads = 1,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Minutes to measure on, of conversations and of each voice.", min=0.1, show_default="all there are"
        ),
    ] = None,
    setting: options.CampaignSettings = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model file, default or tiny: nothing is trained; variants that need no training are changes of it.",
            show_default="none",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Small file of the rows that are done, read before and written after: what it holds is not run again.",
            show_default="none",
        ),
    ] = None,
    table: options.ResultsPage = None,
) -> None:
    """Measure what the default model should be: variants of the live recipe, one factor at a time around it.

    The same data and budget, quality, steadiness, cost, size and reaction time. What needs no training is measured on
    the trained default. Stop it at any time: the same command goes on. The table comes in OUT/results.md.
    """
    from visavis.campaign.page import publish, require_extras

    require_extras("a choice")
    from visavis.choice.campaign import Choice, run_choice
    from visavis.choice.rows import left, merged, read_rows, write_rows
    from visavis.choice.tables import results
    from visavis.engine import model_path

    choice = Choice(
        data=data,
        out=out,
        voices=voices,
        processor_minutes=processor_minutes,
        steps=steps,
        seeds=tuple(sorted(set(seed or (1, 2)))),
        only=tuple(only or ()),
        jobs=jobs,
        threads=threads,
        settings=tuple(setting or ()),
        minutes=minutes,
        model=None if model is None else model_path(model),
    )
    runs = choice.runs()
    known = [] if rows is None else read_rows(rows, choice)
    try:
        run_choice(choice, left(runs, known), say=lambda text: print(text, flush=True))
    finally:
        found = merged(runs, known)
        if rows is not None and found:
            write_rows(rows, choice, found)
    print(publish(results(choice, found), out, "choose" if model is None else "choose --model", table))
