"""`visavis demo`: a shipped conversation through everything, to see that it works."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options

EXAMPLES = ("visavis demo --view", "visavis demo --fast --out demo --take demo.npz", "visavis demo --pair")


def main(
    out: Annotated[Path, typer.Option(help="Folder for motion.npz and plot.png; made if missing.")] = Path("demo"),
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as the machine can, instead of in real time (39 s).")
    ] = False,
    pair: Annotated[
        bool, typer.Option("--pair", help="Two heads, one for each voice, that hear and see each other.")
    ] = False,
    view: Annotated[
        bool, typer.Option("--view", help="Open the live page, too (docs/view.md): the face in your browser.")
    ] = False,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of the motion.", min=0)] = 7,
    steps: options.Steps = None,
    precision: options.Precision = "f32",
    dial: options.Dials = None,
    style: options.Style = None,
    take: options.AlsoTake = None,
    trace: options.TraceFile = None,
    port: Annotated[int, typer.Option(help="First of three ports; 0: any free ones.", min=0, max=65533)] = 0,
) -> None:
    """Play a conversation of two voices: session, engine, bridge, and a subscriber in another process.

    Shows the face live in a terminal.  Writes the motion that arrived in the other process, and a plot of it.  With
    --pair each voice gets a face of its own, and files of its own: motion-agent.npz, motion-user.npz and the plots.
    """
    import visavis
    from visavis.bridge.demo_run import run_demo
    from visavis.bridge.outside.address import parse_address
    from visavis.bridge.stopping import Stopping
    from visavis.errors import InvalidArgument
    from visavis.rig import parse_dials
    from visavis.takes.recorder import check_take_path
    from visavis.trace import tracing
    from visavis.viewer.view import Page

    if view and fast:
        raise InvalidArgument("demo: --fast is over before a page could show it; expected --view or --fast alone")
    if trace and fast:
        raise InvalidArgument("demo: the clock of --fast stands while the engine works; expected --trace without it")
    if take is not None:
        check_take_path(take)
    loaded = visavis.load(model, engine=engine, precision=precision, **({} if steps is None else {"steps": steps}))
    dials = parse_dials(dial or [], style or [])
    page = Page(parse_address("0", "--view", least_port=0)) if view else None
    with Stopping() as stop, tracing(trace, model=loaded.name, engine=loaded.engine_name) as traced:
        lines = run_demo(
            loaded,
            out,
            fast=fast,
            seed=seed,
            port=port,
            stop=stop,
            pair=pair,
            take=take,
            dials=dials,
            page=page,
            trace=traced,
        )
        for line in lines:
            print(line, flush=True)
    if stop.requested:
        raise typer.Exit(130)
