"""`visavis animate`: whole files to motion."""

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options


def main(
    out: Annotated[Path, typer.Option(help="Motion file to write: .npz, or .csv in Live Link Face's columns.")],
    agent: Annotated[
        Path | None, typer.Option(help="The character's voice: WAV, FLAC or OGG, any rate.", show_default="silent")
    ] = None,
    user: Annotated[
        Path | None, typer.Option(help="The other party's voice: WAV, FLAC or OGG, any rate.", show_default="absent")
    ] = None,
    user_motion: Annotated[
        Path | None, typer.Option(help="The other party's tracked face: .npz or .csv.", show_default="absent")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file (.gguf).", show_default="the packaged one")] = None,
    engine: Annotated[str, typer.Option(help="What executes the model: cpu or torch.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Same seed and files: same motion.", min=0)] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps a turn.", min=1, max=1000, show_default="the model's")
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Scale of the noise in the denoising steps, 0 to 10.", min=0, max=10)
    ] = 1.0,
    guidance: Annotated[
        float, typer.Option(help="How strongly the other party is followed, 0 to 10; 1: as trained.", min=0, max=10)
    ] = 1.0,
    dial: options.Dials = None,
    take: Annotated[
        Path | None, typer.Option(help="Record the conversation into this take (.npz), too.", show_default="none")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Turn the voices of a conversation into the motion of the character's face, 25 frames a second.

    The shorter voice is padded with silence.  The file appears whole or not at all.
    """
    import visavis
    from visavis.cli.progress import progress_bar
    from visavis.motion_file import check_motion_path, write_motion
    from visavis.rig import parse_dials
    from visavis.takes.recorder import check_take_path

    check_motion_path(out)
    if take is not None:
        check_take_path(take)
    dials = parse_dials(dial or [])
    start = time.monotonic()
    loaded = visavis.load(model, engine=engine, **({} if steps is None else {"steps": steps}))
    check_motion_path(out, loaded.channels)
    with _warnings_as_lines(quiet), progress_bar("animate", quiet) as progress:
        motion = visavis.animate(
            agent,
            user,
            user_motion,
            loaded,
            seed=seed,
            temperature=temperature,
            guidance=guidance,
            progress=progress,
            dials=dials,
            take=take,
        )
    write_motion(out, motion)
    if not quiet:
        length_s, spent_s = len(motion.values) / motion.fps, time.monotonic() - start
        print(
            f"{out}: {len(motion.values)} frames of {len(motion.channels)} channels, {length_s:.2f} s, "
            f"made in {spent_s:.2f} s"
        )


@contextmanager
def _warnings_as_lines(quiet: bool) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in () if quiet else caught:
        print(f"visavis: {warning.message}", file=sys.stderr)
