"""`visavis render`: motion on the reference head, as a video or a sheet of pictures."""

import time
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "visavis render take.npz --out take.mp4",
    "visavis render motion.npz --agent npc.wav --sheet sheet.png --times 1.5,4,7.2",
    "visavis render one.npz --beside two.npz --out both.mp4 --from 10 --to 20",
)


def main(
    motion: Annotated[Path, typer.Argument(help="Motion that `visavis animate` wrote (.npz, .csv), or a take (.npz).")],
    out: Annotated[Path | None, typer.Option(help="Video to write (.mp4).", show_default="none")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Contact sheet to write (.png).", show_default="none")] = None,
    agent: Annotated[
        Path | None, typer.Option(help="The character's voice: WAV, FLAC or OGG.", show_default="the take's")
    ] = None,
    user: Annotated[
        Path | None, typer.Option(help="The other party's voice: WAV, FLAC or OGG.", show_default="the take's")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Another motion or take beside it, may be repeated.", show_default="none")
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of each head in pixels, even numbers.")] = "480x480",
    turn: Annotated[float, typer.Option(help="The camera goes round to the person's left, degrees.")] = 0.0,
    first: Annotated[float, typer.Option("--from", help="Begin at this second.", min=0)] = 0.0,
    last: Annotated[float | None, typer.Option("--to", help="End at this second.", show_default="the end")] = None,
    times: Annotated[
        str | None, typer.Option(help="Seconds on the sheet, as 1.5,4,7.2.", show_default="evenly spaced")
    ] = None,
    pictures: Annotated[int, typer.Option(help="Pictures on the sheet, without --times.", min=1, max=200)] = 8,
    columns: Annotated[int, typer.Option(help="Pictures in a row of the sheet.", min=1, max=50)] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors, show no progress.")] = False,
) -> None:
    """Show motion on the reference head: a video with both voices (--out), a sheet of pictures (--sheet), or both.

    Needs `pip install 'visavis[render]'`, and ffmpeg for videos; no graphics card.
    """
    from visavis.cli.progress import progress_bar
    from visavis.errors import InvalidArgument
    from visavis.render.performance import read_performance
    from visavis.render.pictures import render_sheet, render_video

    if out is None and sheet is None:
        raise InvalidArgument("render: nothing to write; give --out VIDEO.mp4, --sheet SHEET.png or both")
    if out is not None and out.suffix.lower() != ".mp4":
        raise InvalidArgument(f"video file {out}: suffix {out.suffix!r}; expected .mp4")
    width, height = _size(size)
    performances = [read_performance(motion, agent, user).part(first, last)]
    performances += [read_performance(other).part(first, last) for other in beside or []]
    if sheet is not None:
        chosen = None if times is None else [time_s - first for time_s in _seconds(times)]
        with progress_bar("sheet", quiet):
            render_sheet(
                sheet,
                performances,
                width,
                height,
                times_s=chosen,
                n_pictures=pictures,
                columns=columns,
                turn_degrees=turn,
            )
        if not quiet:
            print(f"{sheet}: {pictures if chosen is None else len(chosen)} pictures")
    if out is not None:
        start = time.monotonic()
        with progress_bar("render", quiet) as progress:
            render_video(out, performances, width, height, turn_degrees=turn, progress=progress)
        if not quiet:
            n, spent_s = len(performances[0].values), time.monotonic() - start
            print(f"{out}: {n} frames, {performances[0].seconds:.2f} s, drawn in {spent_s:.1f} s")


def _size(text: str) -> tuple[int, int]:
    from visavis.errors import InvalidArgument

    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 16 <= int(width) <= 4096 and 16 <= int(height) <= 4096):
        raise InvalidArgument(f"size {text!r}; expected WIDTHxHEIGHT, 16 to 4096 pixels, such as 480x480")
    return int(width), int(height)


def _seconds(text: str) -> list[float]:
    from visavis.errors import InvalidArgument

    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise InvalidArgument(f"times {text!r}; expected seconds separated by commas, such as 1.5,4,7.2") from None
