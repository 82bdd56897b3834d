"""The commands that the documents tell users to run: they parse, and continuous integration follows the quickstarts."""

import re
import shlex
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import cmake
import pytest
import typer

from visavis.cli import build_app

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs" / "quickstart").glob("*.md") if path.name != "README.md")
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "engine_plugins").rglob("README.md")])
FENCED = re.compile(r"```(?:bash|sh)?\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?visavis [^`\n]+)`")


def load_runner() -> Any:
    """`.ci/quickstart` as a module."""
    loader = SourceFileLoader("quickstart", str(ROOT / ".ci" / "quickstart"))
    spec = spec_from_loader("quickstart", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def commands(document: Path) -> list[str]:
    """Every command line of ours in a document."""
    text = document.read_text("utf-8")
    lines = [line for block in FENCED.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    found = [part.strip() for line in lines for part in re.split(r"&&|\||;(?! *\w+\")", line)]
    return [
        line.removeprefix(".venv/bin/") for line in found + INLINE.findall(text) if re.match(r"(\S+/)?visavis ", line)
    ]


def unknown(app: Any, words: list[str]) -> list[str]:
    """The verb or the options of a command line that are not there."""
    command = app
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:  # VERB, one|other
            return [word for word in words[0].split("|") if not word.isupper() and word not in command.commands]
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]
    return [option for option in options if option not in known | {"--help"}]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_documents_is_there(document: Path) -> None:
    app = typer.main.get_command(build_app())
    for line in commands(document):
        assert not unknown(app, shlex.split(line, comments=True)[1:]), line


def test_what_is_not_there_is_noticed() -> None:
    app = typer.main.get_command(build_app())
    assert unknown(app, ["serve", "--demo", "--nope"]) == ["--nope"] and unknown(app, ["sreve"]) == ["sreve"]
    assert unknown(app, ["take", "exprot"]) == ["exprot"] and not unknown(app, ["take", "export", "--to", "wav"])
    assert len([line for document in DOCUMENTS for line in commands(document)]) > 80


def test_the_quickstarts_are_run_and_install_what_the_tests_have() -> None:
    runner, extras = load_runner(), re.search(r'"visavis\[([a-z,]+)\]"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert extras is not None and len(PAGES) >= 4
    followed = re.findall(r"\.ci/quickstart --venv \.venv ([a-z_. ]+md)", (ROOT / ".ci" / "run").read_text("utf-8"))
    assert sorted(" ".join(followed).split()) == [page.name for page in PAGES]
    for page in PAGES:
        blocks = runner.blocks(page)  # raises for a block that nobody runs
        assert [kind for kind, _ in blocks].count("install") == 1 and blocks[0][0] == "install"
        assert len([kind for kind, _ in blocks if kind == "run"]) > 2
        wanted = re.findall(r"'\.\[([a-z,]+)\]'", blocks[0][1])
        assert wanted and set(wanted[0].split(",")) <= {*extras[1].split(","), "test"}
        assert f"({page.name})" in (ROOT / "docs" / "quickstart" / "README.md").read_text("utf-8")


def test_a_build_without_a_compiler_says_so(tmp_path: Path) -> None:
    command = [Path(cmake.CMAKE_BIN_DIR) / "cmake", "-S", ROOT, "-B", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode and "no C++ compiler on the PATH" in done.stderr and "apt install g++" in done.stderr


def test_a_block_without_a_marker_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- run -->\n```bash\ntrue\n```\n\n```bash\nfalse\n```\n")
    with pytest.raises(ValueError, match="without a marker: false"):
        load_runner().blocks(page)
