"""`visavis corpus`: build the synthetic two-person corpus."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

app = typer.Typer(help="Build the synthetic two-person corpus.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Build the synthetic two-person corpus."""


@app.command()
def build(
    hours: Annotated[float, typer.Option(help="Length of all dialogues together, in hours.")],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; the same command goes on where it was stopped.")],
    seed: Annotated[int, typer.Option(help="Seed of everything (a number from 0).")] = 0,
    workers: Annotated[int, typer.Option(help="Number of processes; the result does not depend on it.")] = 1,
    engines: Annotated[str, typer.Option(help="Speech engines, comma-separated.")] = "espeak,festival,flite,pico",
) -> None:
    """Build conversations with audio and motion for both persons (see docs/corpus.md)."""
    from visavis.data.corpus.build import build as build_corpus

    columns = (TextColumn("dialogues"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[hours]:.2f} h"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("build", total=None, hours=0.0)

        def show(done: int, total: int, built_hours: float) -> None:
            bar.update(task, completed=done, total=total, hours=built_hours)

        chosen = tuple(name.strip() for name in engines.split(",") if name.strip())
        description = build_corpus(out, hours, seed, chosen, workers, show)
    whole = description["statistics"]["all"]
    typer.echo(f"{out}: {whole['dialogues']} dialogues, {whole['hours']:.2f} h, described in {out / 'corpus.json'}")
