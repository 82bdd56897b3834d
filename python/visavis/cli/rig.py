"""`visavis rig`: what can be set on a character's face."""

from typing import Annotated

import typer

EXAMPLES = {"dials": ("visavis rig dials", "visavis rig dials --channels")}

app = typer.Typer(help="The dials of a character's face.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The dials of a character's face."""


@app.command()
def dials(
    space: Annotated[str, typer.Option(help="Motion space of the model: arkit55 or flame56.")] = "arkit55",
    channels: Annotated[bool, typer.Option("--channels", help="The dials of every channel, too.")] = False,
) -> None:
    """List the dials: name, range, value at the start, meaning."""
    from visavis.motion_space import motion_space
    from visavis.rig import Rig

    names = motion_space(space).channels
    rows = Rig(space).dials()
    general = len(rows) - 4 * len(names)
    for dial in rows if channels else rows[:general]:
        print(f"{dial.name:<22} {dial.low:>8g} to {dial.high:<8g} {dial.standard:>8g}   {dial.meaning}")
    if not channels:
        print(f"CHANNEL.gain, CHANNEL.offset, CHANNEL.min, CHANNEL.max of {len(names)} channels: --channels lists them")
