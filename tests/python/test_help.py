"""`--help` of every command: it stands on its own, with a sentence, units, defaults and examples that parse."""

import inspect
import re
import shlex
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from visavis.cli import PANELS, VERBS, build_app

# A number's help names its unit, or what is counted.
UNITS = re.compile(
    r"\b(seconds?|minutes?|hours|hz|degrees|pixels|frames?|turns?|steps?|crops|pictures|processes|ports?|seed|scale|"
    r"weight|cost|share|amount|heads|0 to 10)\b",
    re.IGNORECASE,
)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be run, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        if not hasattr(command, "commands") or (command.invoke_without_command and command.epilog):
            yield (*path, name), command


APP: Any = typer.main.get_command(build_app())
ALL = dict(commands(APP))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_explains_itself(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert command.help and command.help[0].isupper() and command.help.split("\n\n")[0].endswith("."), "a sentence"
    assert "\n" not in command.help.replace("\n\n", ""), "lines are the terminal's to break"
    hints = get_type_hints(inspect.unwrap(command.callback))
    kinds = {name: {hint, *get_args(hint)} for name, hint in hints.items()}  # int | None: int and None
    for parameter in command.params:
        if parameter.name not in kinds:
            continue  # --help
        text, options = parameter.help or "", (*parameter.opts, *parameter.secondary_opts)
        assert re.fullmatch(r"[.A-Z].{5,}\.", text), f"{options}: {text!r}"
        assert len(text) <= 130, f"{options}: {len(text)} characters"
        if kinds[parameter.name] & {int, float}:
            assert UNITS.search(text), f"{options}: which unit? {text!r}"
        described = parameter.required or parameter.default is not None or isinstance(parameter.show_default, str)
        assert described, f"{options}: what happens without it?"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_commands_examples_are_command_lines_that_parse(path: tuple[str, ...]) -> None:
    title, *examples = ALL[path].epilog.split("\n\n")
    assert title.startswith("Example") and examples
    for example in examples:
        name, *words = shlex.split(example)
        assert name == "visavis" and tuple(words[: len(path)]) == path
        rest = words[len(path) :]
        with ALL[path].make_context(
            " ".join(path), list(rest)
        ):  # raises where an option is not there, or a value is bad
            pass


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_shows_what_to_install(path: tuple[str, ...]) -> None:
    extras = re.findall(r"'visavis\[\w+\]'", inspect.getdoc(inspect.unwrap(ALL[path].callback)) or "")
    if extras:
        shown = CliRunner().invoke(build_app(), [*path, "--help"]).output
        assert all(extra in shown for extra in extras), shown


def test_the_help_groups_the_verbs() -> None:
    assert len(set(VERBS)) == len(VERBS) == len(APP.commands)
    for panel, verbs in PANELS.items():
        for verb in verbs:
            assert APP.commands[verb].rich_help_panel == panel
            assert APP.commands[verb].get_short_help_str()
