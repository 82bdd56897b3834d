"""`visavis corpus`: build the synthetic two-person corpus; look into any conversation folder."""

import json
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options

EXAMPLES = {
    "build": (
        "visavis corpus build --hours 3.5 --seed 1 --workers 2 --out corpus",
        "visavis corpus build --hours 20 --seed 1 --version 2 --workers 2 --out corpus2",
        "visavis corpus build --hours 0.1 --engines espeak,pico --out small",
    ),
    "voices": (
        "visavis corpus voices --out voices",
        "visavis corpus voices --sounds unpacked --languages en --no-neural --out english",
    ),
    "statistics": (
        "visavis corpus statistics corpus --split val",
        "visavis corpus statistics DualTalk --split ood --motion-space flame56 --out ood.json",
    ),
}

app = typer.Typer(help="Build the synthetic two-person corpus, look into conversation folders.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Build the synthetic two-person corpus, look into conversation folders."""


@app.command()
def build(
    hours: Annotated[float, typer.Option(help="Length of all dialogues together, in hours.", min=0.01)],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; the same command goes on where it was stopped.")],
    seed: Annotated[int, typer.Option(help="Seed of everything: same seed, same bytes.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Number of processes; the result does not depend on it.", min=1)] = 1,
    engines: Annotated[
        str | None,
        typer.Option(
            help="Speech engines, comma-separated; espeak,pico need no system packages.",
            show_default="all of the version",
        ),
    ] = None,
    version: Annotated[
        int,
        typer.Option(
            help="Recipe: 1 is the first model's; 2 has more voices, performer v2, styles (a seed gives two corpora).",
            min=1,
            max=2,
        ),
    ] = 1,
    quiet: options.Quiet = False,
) -> None:
    """Build conversations with audio and motion for both persons (see docs/corpus.md)."""
    from visavis.cli.progress import progress_bar
    from visavis.data.corpus.build import build as build_corpus

    with progress_bar("corpus", quiet) as progress:

        def show(done: int, total: int, _built_hours: float) -> None:
            if progress is not None:
                progress(done / max(1, total))

        chosen = None if engines is None else tuple(name.strip() for name in engines.split(",") if name.strip())
        description = build_corpus(out, hours, seed, chosen, workers, show, version)
    if quiet:
        return
    whole = description["statistics"]["all"]
    typer.echo(f"{out}: {whole['dialogues']} dialogues, {whole['hours']:.2f} h, described in {out / 'corpus.json'}")


@app.command()
def voices(
    out: Annotated[Path, typer.Option(help="Folder of the clips.")],
    sounds: Annotated[
        Path, typer.Option(help="Root under which the asterisk-core-sounds packages are installed or unpacked.")
    ] = Path("/"),
    languages: Annotated[str, typer.Option(help="Languages, comma-separated.")] = "en,es,fr,it,ru",
    neural: Annotated[bool, typer.Option(help="Also the held-out neural voice.")] = True,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 1,
    quiet: options.Quiet = False,
) -> None:
    """Prepare real and held-out voices to measure models on, never to train on (see docs/suite.md)."""
    from visavis.cli.progress import progress_bar
    from visavis.data.voices.prepare import HALVES, prepare

    with progress_bar("voices", quiet) as progress:

        def show(done: int, total: int) -> None:
            if progress is not None:
                progress(done / max(1, total))

        chosen = [name.strip() for name in languages.split(",") if name.strip()]
        entries = prepare(out, sounds, chosen, neural, workers, show)
    if quiet:
        return
    for voice in dict.fromkeys(e.voice for e in entries):
        for half in HALVES:
            own = [e for e in entries if e.voice == voice and e.half == half]
            minutes, aligned = sum(e.seconds for e in own) / 60, sum(e.n_phones > 0 for e in own)
            typer.echo(f"{half}/{voice}: {len(own)} clips, {minutes:.1f} min, {aligned} with phone times")


@app.command()
def statistics(
    data: Annotated[Path, typer.Argument(help="Conversations: DIR with splits, or one folder of pairs.")],
    split: Annotated[str, typer.Option(help="Which part of the data: train, val, test or ood.")] = "train",
    motion_space: Annotated[str, typer.Option(help="Faces to read: arkit55 or flame56 (DualTalk).")] = "arkit55",
    out: Annotated[Path | None, typer.Option(help="Also write all of it here (.json).", show_default="none")] = None,
    quiet: options.Quiet = False,
) -> None:
    """Say what is in a conversation folder, and what is wrong with it (missing partners, lengths that disagree)."""
    from visavis.cli.progress import progress_bar
    from visavis.data.statistics import describe, folder_statistics
    from visavis.motion_file import check_output_path
    from visavis.motion_space import motion_space as space_of

    if out is not None:
        check_output_path(out, "statistics")
    with progress_bar("statistics", quiet) as progress:
        found = folder_statistics(data, split, space_of(motion_space), progress)
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n")
    if not quiet:
        typer.echo(describe(found))
