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

EXAMPLES = (
    "visavis animate --agent npc.wav --user player.wav --out motion.npz",
    "visavis animate --agent npc.wav --out motion.csv --seed 3 --dial emotion.joy=0.4",
)


def main(
    out: Annotated[Path, typer.Option(help="Motion file to write: .npz, or .csv in Live Link Face's columns.")],
    agent: options.Agent = None,
    user: options.User = None,
    user_motion: options.UserMotion = None,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    seed: options.Seed = 0,
    steps: options.Steps = None,
    precision: options.Precision = "f32",
    temperature: options.Temperature = 1.0,
    guidance: options.Guidance = 1.0,
    dial: options.Dials = None,
    style: options.Style = None,
    take: options.AlsoTake = None,
    trace: options.TraceFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Turn the voices of a conversation into the motion of the character's face, 25 frames a second.

    The shorter voice is padded with silence.  The file appears whole or not at all.
    """
    import visavis
    from visavis.cli.progress import progress_bar
    from visavis.motion_file import check_motion_path, write_motion
    from visavis.rig import parse_dials
    from visavis.takes.recorder import check_take_path
    from visavis.trace import tracing

    check_motion_path(out)
    if take is not None:
        check_take_path(take)
    dials = parse_dials(dial or [], style or [])
    start = time.monotonic()
    loaded = visavis.load(model, engine=engine, precision=precision, **({} if steps is None else {"steps": steps}))
    check_motion_path(out, loaded.channels)
    about = {"model": loaded.name, "engine": loaded.engine_name}
    with (
        _warnings_as_lines(quiet),
        tracing(trace, **about) as traced,
        progress_bar("animate", quiet) as progress,
    ):
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
            trace=traced,
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
