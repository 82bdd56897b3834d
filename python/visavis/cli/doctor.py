"""`visavis doctor`: what is installed and runs here, and why nothing moves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from visavis.diagnosis.check import Check

LOOPBACK = "tcp://127.0.0.1:5570"
MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]--[/]", "fail": "[red]FAIL[/]"}
EXAMPLES = (
    "visavis doctor",
    "visavis doctor --endpoint tcp://192.168.0.5:5570 --head npc",
    "visavis doctor --endpoint :5600 --key alice.key --json",
)


def main(
    endpoint: Annotated[
        str | None,
        typer.Option(help="Motion port of the server to look at, tcp://HOST:PORT.", show_default=LOOPBACK),
    ] = None,
    head: Annotated[str | None, typer.Option(help="The head that should move.", show_default="all")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Key file, where the server asks for one.", show_default="none")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to listen to the server, in seconds.", min=0.5, max=60)] = 3,
    model: Annotated[
        Path | None,
        typer.Option(help="Model file (.gguf) to check, or a packaged model: default, tiny.", show_default="default"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Say what is installed, which engines run, and why nothing moves, each with one next step.

    Looks at this machine, then at the server: its ports, firewalls, keys, version, heads, schema, frames, voices and
    subscribers.  Exit code 1 if something failed: no motion can be made here, or none comes from the endpoint that
    was given.  A missing server on this machine is no failure, unless one was asked for.
    """
    from rich.console import Console
    from rich.markup import escape

    from visavis.diagnosis.check import as_json as summary
    from visavis.diagnosis.check import why
    from visavis.diagnosis.machine import diagnose_machine

    console = Console(highlight=False, soft_wrap=True)

    def show(checks: "Iterator[Check]") -> "list[Check]":
        taken = []
        for check in checks:
            taken.append(check)
            if not as_json:
                remedy = f" -> {check.remedy}" if check.remedy else ""
                console.print(f"{MARKS[check.status]:>4}  {check.name:<16} {escape(check.found + remedy)}")
        return taken

    machine = show(diagnose_machine(model))
    asked = any(option is not None for option in (endpoint, head, key))
    if not as_json:
        console.print(f"\nserver at {escape(endpoint or LOOPBACK)}:")
    server = show(_server(endpoint or LOOPBACK, head, key, seconds, asked))
    result = summary(machine, server)
    if as_json:
        print(json.dumps(result, indent=2))
    elif gravest := why(server):
        console.print(f"\nnext: {escape(gravest.remedy)}  ({escape(gravest.name)})")
    raise typer.Exit(0 if result["ok"] else 1)


def _server(endpoint: str, head: str | None, key: Path | None, seconds: float, asked: bool) -> "Iterator[Check]":
    """The findings about the server; where none was asked for, none of them is a failure."""
    from visavis.diagnosis.check import Check

    try:
        from visavis.bridge.keys import ClientKeys
        from visavis.diagnosis.server import diagnose_server
    except ImportError as error:  # named above
        yield Check("server", "warn", f"cannot be asked: {error}", "mend the installation first")
        return
    for check in diagnose_server(endpoint, head, ClientKeys.load(key) if key else None, seconds):
        yield check if asked or check.status != "fail" else replace(check, status="warn")
