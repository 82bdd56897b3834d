"""The command line: one verb a file, each a thin caller of a documented function.

Every error of the house ends in one line on stderr and exit code 2, never in a traceback.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.markup import escape

from visavis import __version__
from visavis.errors import Error

# What the argument parser raises for a wrong command line, wherever this release of typer keeps it.
USAGE_ERROR: Any = typer.BadParameter.__mro__[2]

# Part of the help -> its verbs, each a module of this folder with `main` and EXAMPLES (command lines), or, for a group,
# with `app` (a typer.Typer) and EXAMPLES by command; under its own name those of a group that works without a command.
PANELS: dict[str, tuple[str, ...]] = {
    "Begin here": ("demo", "view", "doctor"),
    "Files": ("animate", "render"),
    "Live heads": ("serve", "watch", "keys"),
    "Measuring": ("bench",),
    "Takes": ("record", "replay", "take"),
    "Faces and engines": ("rig", "retarget", "head", "plugins"),
    "Models": ("corpus", "train", "distill", "evaluate", "choose", "reproduce", "import-timar", "export"),
}
VERBS = tuple(verb for verbs in PANELS.values() for verb in verbs)


def build_app() -> typer.Typer:
    """The whole command line as a typer application."""
    app = typer.Typer(
        name="visavis",
        help="A face for game characters that talks and listens.",
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    app.callback(invoke_without_command=True)(_options)
    for panel, verbs in PANELS.items():
        for verb in verbs:
            _add(app, verb, panel)
    return app


def _add(app: typer.Typer, verb: str, panel: str) -> None:
    module = import_module(f"visavis.cli.{verb.replace('-', '_')}")
    if not hasattr(module, "app"):
        text, examples = _paragraphs(module.main), _epilog(module.EXAMPLES)
        app.command(name=verb, help=text, epilog=examples, rich_help_panel=panel)(module.main)
        return
    for command in module.app.registered_commands:
        command.help = _paragraphs(command.callback)
        command.epilog = _epilog(module.EXAMPLES[command.name or command.callback.__name__])
    if verb in module.EXAMPLES:  # a group that does something without a command, too
        callback = module.app.registered_callback
        callback.help, callback.epilog = _paragraphs(callback.callback), _epilog(module.EXAMPLES[verb])
    app.add_typer(module.app, name=verb, rich_help_panel=panel)


def _paragraphs(function: Callable[..., Any]) -> str:
    """The docstring, a line each paragraph: its line breaks are for the source.  [extra] is no markup."""
    return escape("\n\n".join(" ".join(part.split()) for part in (function.__doc__ or "").split("\n\n")))


def _epilog(examples: Sequence[str]) -> str:
    """Below the options; a paragraph each, as lines of one are joined."""
    return "\n\n".join(("Example:" if len(examples) == 1 else "Examples:", *examples))


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
        text = error.format_message()  # empty where the help was printed: a group without a command
        where = error.ctx.command_path if error.ctx else "visavis"
        code = _complain(f"{text} (see `{where} --help`)") if text else 0
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _complain(message: str) -> int:
    print(f"visavis: {' '.join(message.split())}", file=sys.stderr)
    return 2
