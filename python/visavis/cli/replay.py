"""`visavis replay`: a take's conversation once more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli import options

if TYPE_CHECKING:
    from visavis.takes.take import Take

EXAMPLES = (
    "visavis replay take.npz",
    "visavis replay take.npz --dial emotion.joy=0.5 --out happier.npz",
    "visavis replay take.npz --to-wire --loop",
)


def main(
    take: Annotated[Path, typer.Argument(metavar="TAKE", help="A take (.npz), or the .journal of an unfinished one.")],
    to_wire: Annotated[
        bool, typer.Option("--to-wire", help="Publish the recorded frames and voices in real time; run no model.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Motion file of the run: .npz, or .csv of Live Link Face.", show_default="none")
    ] = None,
    model: options.Model = None,
    engine: Annotated[
        str | None, typer.Option(help="What executes the model: cpu or torch.", show_default="the take's")
    ] = None,
    dial: options.Dials = None,
    head: Annotated[
        str | None, typer.Option(help="With --to-wire: name of the head.", show_default="the take's, or npc")
    ] = None,
    port: Annotated[
        int, typer.Option(help="With --to-wire: first of three ports; 0: any free ones.", min=0, max=65533)
    ] = 5570,
    loop: Annotated[bool, typer.Option("--loop", help="With --to-wire: again and again, until Ctrl-C.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Run the model again on a take, or play the take on the wire (--to-wire).

    Running it again gives the recorded bytes where engine cpu, version, instruction set and model file are the same;
    with another engine or instruction set nearly the same.  It says what has changed.  Exit code 1 if the motion is
    not as near as promised.  With another model, or with --dial, it is another performance of the same conversation.
    """
    from visavis.errors import InvalidArgument
    from visavis.takes.file import load_take

    if to_wire and (out or model or engine or dial):
        raise InvalidArgument("replay: --to-wire plays what was recorded; expected no --out, --model, --engine, --dial")
    loaded = load_take(take)
    if not loaded.about.complete and not quiet:
        print(f"{take}: the recording did not come to its end; what there is of it: {loaded.seconds:.2f} s")
    if to_wire:
        _play(loaded, head, port, loop, quiet)
    elif not _run_again(loaded, out, model, engine, dial or [], quiet):
        raise typer.Exit(1)


def _run_again(
    take: "Take", out: Path | None, model: Path | None, engine: str | None, dials: list[str], quiet: bool
) -> bool:
    from visavis.cli.progress import progress_bar
    from visavis.motion_file import check_motion_path, write_motion
    from visavis.rig import parse_dials
    from visavis.takes.replay import TOLERANCE, replay

    if out is not None:
        check_motion_path(out, take.channels)
    with progress_bar("replay", quiet) as progress:
        again = replay(take, model, engine, parse_dials(dials), progress)
    if out is not None:
        write_motion(out, again.motion)
    if quiet:
        return again.kept_promise
    for change in again.changes:
        print(change)
    print(f"{again.n_turns} turns, {again.n_frames} frames compared, {again.n_kept} as recorded")
    if again.same_bytes:
        print("the motion is the recorded one, byte for byte, before and after the rig")
    else:
        differences = f"{again.largest_before_rig:.2g} before the rig, {again.largest_after_rig:.2g} after it"
        print(f"largest difference: {differences}")
    promise = {"bytes": "the recorded bytes", "tolerance": f"within {TOLERANCE:g}", "none": "nothing"}[again.promise]
    print(f"promised: {promise}; {'kept' if again.kept_promise else 'NOT KEPT'}")
    if out is not None:
        print(f"{out}: {len(again.motion.values)} frames")
    return again.kept_promise


def _play(take: "Take", head: str | None, port: int, loop: bool, quiet: bool) -> None:
    from visavis.bridge.played import play
    from visavis.bridge.stopping import Stopping

    with Stopping() as stop:
        for line in play(take, head or take.about.head or "npc", port, loop=loop, stop=stop):
            if not quiet:
                print(line, flush=True)
    if stop.requested and not loop:
        raise typer.Exit(130)
