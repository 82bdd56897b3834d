"""The command line: one verb a file, each a thin caller of a documented function.

Every error of the house ends in one line on stderr and exit code 2, never in a traceback.
"""

import sys
from importlib import import_module

import typer

from visavis.errors import Error

# verb (or group) -> module of this folder; the module has `app` (a typer.Typer) for a group or `main` for a verb.
VERBS: tuple[str, ...] = ()


def build_app() -> typer.Typer:
    """The whole command line as a typer application."""
    app = typer.Typer(
        name="visavis",
        help="A face for game characters that talks and listens.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    for verb in VERBS:
        module = import_module(f"visavis.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(name=verb)(module.main)
    return app


def main() -> None:
    """Entry point of the `visavis` command."""
    try:
        build_app()()
    except Error as error:
        print(f"visavis: {error}", file=sys.stderr)
        sys.exit(2)
