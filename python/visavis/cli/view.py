"""`visavis view`: the live page, in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options

MOST_TAKES = 2
EXAMPLES = (
    "visavis view",
    "visavis view --pair --quality low --web 8080",
    "visavis view --take one.npz --take two.npz --from 10 --to 20",
)


def main(
    take: Annotated[
        list[Path] | None,
        typer.Option(
            help="Browse a take or motion file instead; twice: compare two.", metavar="FILE", show_default="live"
        ),
    ] = None,
    first: Annotated[float, typer.Option("--from", help="With --take: begin at this second.", min=0)] = 0.0,
    last: Annotated[
        float | None, typer.Option("--to", help="With --take: end at this second.", show_default="the end")
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="A silent head of this name to talk to, instead of the demo; may be repeated.", show_default="the demo"
        ),
    ] = None,
    pair: Annotated[bool, typer.Option("--pair", help="Two heads, one for each voice of the demo.")] = False,
    web: Annotated[
        str, typer.Option(help="Address of the page, [ADDRESS:]PORT; port 0: any free one.", metavar="AT")
    ] = "5580",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    quality: Annotated[
        options.Quality | None, typer.Option(help="How the heads are drawn.", show_default="what the machine can do")
    ] = None,
    insecure: options.Insecure = False,
    web_origin: options.WebOrigin = None,
    port: Annotated[
        int, typer.Option(help="Motion port N for other clients; 0: any three free ones.", min=0, max=65533)
    ] = 0,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    steps: options.Steps = None,
    precision: options.Precision = "f32",
    seed: Annotated[int, typer.Option(help="Seed of the heads.", min=0)] = 7,
    dial: options.Dials = None,
    seconds: options.Seconds = None,
) -> None:
    """Show heads live in a browser, speaking and listening, with both voices, dials and your microphone; or takes.

    Runs a server with the shipped conversation and a page for it.  `visavis serve --web 5580` has the same page for the
    heads of a server.  Needs the extra `viewer`: see docs/view.md.
    """
    import visavis
    from visavis.bridge.head import HeadOptions
    from visavis.bridge.outside.address import parse_address
    from visavis.bridge.stopping import Stopping
    from visavis.cli.progress import progress_bar
    from visavis.errors import InvalidArgument
    from visavis.rig import parse_dials
    from visavis.viewer.take_data import read_take_view
    from visavis.viewer.view import Cast, Page, view_live, view_takes

    if take and (head or pair or model or dial):
        raise InvalidArgument("view: --take shows what was recorded; expected no --head, --pair, --model, --dial")
    if take and len(take) > MOST_TAKES:
        raise InvalidArgument(f"view: {len(take)} takes; expected one, or {MOST_TAKES} to compare")
    page = Page(
        parse_address(web, "--web", least_port=0), web_origin or (), insecure, browser, quality and quality.value
    )
    if take:
        with progress_bar("view"):
            takes = [read_take_view(path, first, last) for path in take]
        with Stopping(seconds) as stop:
            for line in view_takes(takes, page, stop):
                print(line, flush=True)
        return
    loaded = visavis.load(model, engine=engine, precision=precision, **({} if steps is None else {"steps": steps}))
    who = Cast(
        demo=not head, pair=pair, heads=head or (), options=HeadOptions(seed=seed, dials=parse_dials(dial or []))
    )
    with Stopping(seconds) as stop:
        for line in view_live(loaded, who, page, port, stop):
            print(line, flush=True)
