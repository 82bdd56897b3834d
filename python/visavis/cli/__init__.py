"""The command line: one verb a file, each a thin caller of a documented function.

Every error of the house ends in one line on stderr and exit code 2, never in a traceback.
"""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from visavis import __version__
from visavis.errors import Error

# What the argument parser raises for a wrong command line, wherever this release of typer keeps it.
USAGE_ERROR: Any = typer.BadParameter.__mro__[2]

# verb (or group) -> module of this folder; the module has `app` (a typer.Typer) for a group or `main` for a verb.
VERBS: tuple[str, ...] = (
    "demo",
    "animate",
    "render",
    "serve",
    "watch",
    "record",
    "replay",
    "take",
    "keys",
    "doctor",
    "rig",
    "retarget",
    "head",
    "corpus",
    "train",
    "evaluate",
)


def build_app() -> typer.Typer:
    """The whole command line as a typer application."""
    app = typer.Typer(
        name="visavis",
        help="A face for game characters that talks and listens.",
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    app.callback(invoke_without_command=True)(_options)
    for verb in VERBS:
        module = import_module(f"visavis.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(name=verb)(module.main)
    return app


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """A face for game characters that talks and listens."""
    if version:
        print(f"visavis {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the `visavis` command."""
    try:
        code = build_app()(sys.argv[1:] or ["--help"], prog_name="visavis", standalone_mode=False)
    except Error as error:
        code = _complain(str(error))
    except USAGE_ERROR as error:
        code = _complain(f"{error.format_message()} (see `visavis --help` and `visavis VERB --help`)")
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _complain(message: str) -> int:
    print(f"visavis: {' '.join(message.split())}", file=sys.stderr)
    return 2
