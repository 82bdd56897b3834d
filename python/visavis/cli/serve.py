"""`visavis serve`: heads over ZeroMQ until it is stopped."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options

EXAMPLES = (
    "visavis serve --demo",
    "visavis serve --head guard --head smith --record takes",
    "visavis serve --demo --livelink-face 127.0.0.1:11111 --rate 29.97",
    "visavis serve --keys keys --bind 0.0.0.0",
)


def main(
    demo: Annotated[
        bool, typer.Option("--demo", help="Play the shipped conversation in a loop on head `demo`.")
    ] = False,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Open a head of this name (1 to 16 bytes); may be repeated.", show_default="npc"),
    ] = None,
    port: Annotated[
        int,
        typer.Option(help="Motion port N; control is N+1, input N+2.  0: any three free ports.", min=0, max=65533),
    ] = 5570,
    bind: Annotated[str, typer.Option(help="IPv4 or IPv6 address to listen on.")] = "127.0.0.1",
    insecure: options.Insecure = False,
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder of `visavis keys new`: encrypt, and let its clients in alone.", show_default="none"),
    ] = None,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    steps: options.Steps = None,
    precision: options.Precision = "f32",
    threads: Annotated[
        int | None, typer.Option(help="Threads that share the engine's work (engine cpu).", min=1, show_default="1")
    ] = None,
    max_load: Annotated[
        float,
        typer.Option(
            help="Share of a processor core that all heads may need; one too many is refused (docs/engines.md).", min=0
        ),
    ] = 0.8,
    seed: Annotated[int, typer.Option(help="Seed of the heads opened here.", min=0)] = 0,
    livelink_face: Annotated[
        list[str] | None,
        typer.Option(
            help="Send Live Link Face to [HEAD@]HOST:PORT (Unreal: 11111); may be repeated.",
            metavar="TO",
            show_default="no",
        ),
    ] = None,
    vmc: Annotated[
        list[str] | None,
        typer.Option(
            help="Send VMC to [HEAD@]HOST:PORT (usually 39539); may be repeated.", metavar="TO", show_default="no"
        ),
    ] = None,
    ifacialmocap: Annotated[
        list[str] | None,
        typer.Option(
            help="Send iFacialMocap to [HEAD@]HOST:PORT (usually 49983); may be repeated.",
            metavar="TO",
            show_default="no",
        ),
    ] = None,
    rate: Annotated[
        str, typer.Option(help="Frames a second of those: 24 to 60, 23.976, 29.97, 59.94.", metavar="HZ")
    ] = "60",
    vmc_names: Annotated[
        str, typer.Option(help="How VMC weights are called: perfect-sync (JawOpen) or arkit (jawOpen).")
    ] = "perfect-sync",
    user_livelink: Annotated[
        list[str] | None,
        typer.Option(
            help="Take the player's face from a Live Link Face app, [HEAD@][ADDRESS:]PORT.",
            metavar="AT",
            show_default="no",
        ),
    ] = None,
    user_vmc: Annotated[
        list[str] | None,
        typer.Option(
            help="Take the player's face from a VMC sender, [HEAD@][ADDRESS:]PORT.", metavar="AT", show_default="no"
        ),
    ] = None,
    web: Annotated[
        str | None,
        typer.Option(
            help="Serve browsers on [ADDRESS:]PORT: a page, and a WebSocket.", metavar="AT", show_default="no"
        ),
    ] = None,
    web_origin: options.WebOrigin = None,
    pair: Annotated[
        bool, typer.Option("--pair", help="Let the two heads opened here (default: a and b) hear and see each other.")
    ] = False,
    late: Annotated[
        str, typer.Option(help="What heads opened here do about late turns: hold, fewer_steps or idle (docs/clock.md).")
    ] = "hold",
    dial: options.Dials = None,
    style: options.Style = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Record each head into a take in this folder (docs/takes.md).", metavar="DIR", show_default="no"
        ),
    ] = None,
    trace: options.TraceFile = None,
    seconds: options.Seconds = None,
) -> None:
    """Run heads and publish their motion over ZeroMQ (docs/protocol.md), until Ctrl-C or SIGTERM.

    Clients open more heads, send voices and cancel over the control and input ports.  Live Link Face, VMC and
    iFacialMocap (docs/protocols.md) go out beside it, and the player's tracked face comes in.
    """
    import visavis
    from visavis.bridge.demo import DemoVoices
    from visavis.bridge.head import HeadOptions
    from visavis.bridge.keys import ServerKeys
    from visavis.bridge.outside.setup import outside
    from visavis.bridge.server import BridgeServer
    from visavis.bridge.stopping import Stopping
    from visavis.bridge.web import serve_web
    from visavis.errors import InvalidArgument
    from visavis.rig import parse_dials
    from visavis.trace import tracing

    logging.basicConfig(format="visavis: %(message)s", level=logging.WARNING)
    head_options = HeadOptions(seed=seed, late=late, dials=parse_dials(dial or [], style or []))
    chosen: dict[str, Any] = {} if steps is None else {"steps": steps}
    runtime = visavis.Runtime(model, engine, threads=threads, max_load=max_load, precision=precision, **chosen)
    out = {"livelink-face": livelink_face, "vmc": vmc, "ifacialmocap": ifacialmocap}
    faces = {"livelink": user_livelink, "vmc": user_vmc}
    with (
        Stopping(seconds) as stop,
        tracing(trace, model=runtime.model.name, engine=runtime.model.engine_name) as traced,
        BridgeServer(
            runtime, bind, port, insecure=insecure, keys=ServerKeys(keys) if keys else None, record=record, trace=traced
        ) as server,
        outside(server, out, rate, vmc_names, faces, insecure) as addresses,
        serve_web(server, web, web_origin or (), insecure) as pages,
    ):
        for name in head or ([] if demo else ["a", "b"] if pair else ["npc"]):
            server.open_head(name, head_options)
        if pair and len(server.heads) != 2:
            raise InvalidArgument(f"serve --pair: {len(server.heads)} heads (--head); expected two")
        if pair:
            server.pair_heads(*server.heads)
        if demo:
            server.feeders.append(DemoVoices(server.open_head("demo", head_options), loop=True, publish=server.publish))
            server.owned_heads.add("demo")
        ports = server.ports
        print(
            f"motion {ports.endpoint}, control {ports.control}, input {ports.input}; model {runtime.model.name} on "
            f"{engine}; heads: {', '.join(server.heads)}.  Look with `visavis watch"
            f"{'' if ports.motion == 5570 else f' --endpoint {ports.endpoint}'}`, stop with Ctrl-C.",
            flush=True,
        )
        for line in addresses + pages:
            print(line, flush=True)
        server.run(stop)
