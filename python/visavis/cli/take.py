"""`visavis take`: what a take holds, and its way into other tools."""

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from visavis.takes.take import Take

EXAMPLES = {
    "info": ("visavis take info take.npz", "visavis take info take.npz.journal --json"),
    "export": (
        "visavis take export take.npz --to livelink-csv --rate 29.97df --start 10:00:00;00",
        "visavis take export take.npz --to gltf --out take.glb",
    ),
}

app = typer.Typer(help="Takes: what is in one, and exports to other tools.", no_args_is_help=True)
Name = Annotated[Path, typer.Argument(metavar="TAKE", help="A take (.npz), or the .journal of an unfinished one.")]


class Target(str, Enum):
    """Formats of `visavis take export`."""

    livelink_csv = "livelink-csv"
    gltf = "gltf"
    wav = "wav"
    npz = "npz"


@app.callback()
def _group() -> None:
    """Takes: what is in one, and exports to other tools."""


@app.command()
def info(
    take: Name, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for scripts.")] = False
) -> None:
    """Say what a take holds and where it comes from."""
    from visavis.cli.progress import progress_bar
    from visavis.takes.file import load_take

    with progress_bar("take"):
        loaded = load_take(take)
    about = loaded.about
    if as_json:
        counts = {"seconds": loaded.seconds, "frames": len(loaded.frame), "turns": len(loaded.turn)}
        print(json.dumps({**about.as_dict(), **counts, "events": len(loaded.event_kind)}))
        return
    print(f"{take}: {describe(loaded)}")
    isa = f" ({about.isa})" if about.isa else ""
    print(f"recorded {about.recorded} by Visavis {about.version}, engine {about.engine or 'unknown'}{isa}")
    print(f"model {about.model} ({about.model_file or 'no file'}, sha256 {about.model_sha256 or 'unknown'})")
    print(f"seed {about.seed}, agent audio {about.agent_audio}, voices {about.voices}, settings {about.settings}")
    for kind, name, value, time_ns in zip(
        loaded.event_kind, loaded.event_name, loaded.event_value, loaded.event_time_ns, strict=True
    ):
        said = f"of the head's own time {value / 1e9:.3f} s" if kind == "began" else f"{value:g}"
        print(f"  {time_ns / 1e9:9.3f} s  {' '.join(filter(None, (kind, name, said)))}")


def describe(take: "Take") -> str:
    """One line."""
    from visavis.takes.take import ACTIONS, WITHDRAWN

    parts = [f"{take.seconds:.2f} s", f"{len(take.frame)} frames of {len(take.channels)} channels"]
    parts.append(f"{len(take.turn)} turns" if len(take.turn) else "no turns (recorded from the wire)")
    parts += [f"{n} turns {ACTIONS[action]}" for action in (1, 2, 3) if (n := int((take.turn_action == action).sum()))]
    if n_withdrawn := int(((take.state & WITHDRAWN) != 0).sum()):
        parts.append(f"{n_withdrawn} frames withdrawn")
    if not take.about.complete:
        parts.append("UNFINISHED: the recording did not come to its end")
    return ", ".join(parts)


@app.command()
def export(
    take: Name,
    to: Annotated[Target, typer.Option(help="What to write.")],
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default="the take's name")] = None,
    rate: Annotated[
        str, typer.Option(help="Timecode rate: 23.976, 24, 25, 29.97, 29.97df, 30, 50, 59.94, 59.94df or 60.")
    ] = "25",
    start: Annotated[
        str | None, typer.Option(help="Timecode of the take's time 0, HH:MM:SS:FF.", show_default="00:00:00:00")
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="One frame for each of the timecode rate, instead of 25 a second.")
    ] = False,
    split: Annotated[
        bool, typer.Option("--split", help="WAV: NAME.agent.wav and NAME.user.wav, instead of left and right.")
    ] = False,
) -> None:
    """Write a take in another format; all of them are in sync.

    livelink-csv: the CSV of the Live Link Face app, with timecode and sub-frames.  gltf: a .glb with 52 morph targets
    and the head's rotation, animated.  wav: both voices, left the character, with a time reference.  npz: the motion
    alone.
    """
    from visavis.cli.progress import progress_bar
    from visavis.takes.export import SUFFIXES
    from visavis.takes.export import export as write
    from visavis.takes.file import load_take
    from visavis.timecode import Timecode, rate_named

    known = rate_named(rate)
    begin = None if start is None else Timecode.parse(start, known)
    path = out or take.with_name(take.name.split(".")[0] + (".motion.npz" if to.value == "npz" else SUFFIXES[to.value]))
    with progress_bar("export"):
        paths = write(load_take(take), to.value, path, rate=known, start=begin, resample=resample, split=split)
    for written in paths:
        print(written)
