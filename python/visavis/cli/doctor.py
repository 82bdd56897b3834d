"""`visavis doctor`: what is installed, which engines run, and why the others do not."""

import json
from pathlib import Path
from typing import Annotated

import typer

MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]--[/]", "fail": "[red]FAIL[/]"}


def main(
    model: Annotated[
        Path | None, typer.Option(help="Model file (.gguf) to check.", show_default="the packaged one")
    ] = None,
    port: Annotated[int, typer.Option(help="First of the three ports to check.", min=1, max=65533)] = 5570,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Say what is installed, which engines run, and why the others do not.

    Exit code 0 if speech can be turned into motion on this machine, else 1.
    """
    from rich.console import Console
    from rich.markup import escape

    from visavis import diagnosis

    checks = []
    console = Console(highlight=False, soft_wrap=True)
    for check in diagnosis.diagnose(model, port):
        checks.append(check)
        if not as_json:
            remedy = f" -> {check.remedy}" if check.remedy else ""
            console.print(f"{MARKS[check.status]:>4}  {check.name:<16} {escape(check.found + remedy)}")
    result = diagnosis.as_json(checks)
    if as_json:
        print(json.dumps(result, indent=2))
    raise typer.Exit(0 if result["ok"] else 1)
