"""`visavis plugins`: the packages of the engine plugins."""

import sys
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = {
    "list": ("visavis plugins list",),
    "package": ("visavis plugins package --out packages", "visavis plugins package --engine unity --out packages"),
}
app = typer.Typer(help="Packages for Unreal, Unity and Blender (docs/plugins.md).", no_args_is_help=True)
Source = Annotated[
    Path | None,
    typer.Option(help="Source checkout of Visavis.", show_default="this package's, or the present folder"),
]


@app.callback()
def _group() -> None:
    """Packages for Unreal, Unity and Blender (docs/plugins.md)."""


@app.command("list")
def list_packages(source: Source = None) -> None:
    """List what can be packaged from this checkout, for whom, and which natives this computer can build."""
    from visavis.plugins import natives
    from visavis.plugins.description import find_source, project_version, read_plugins

    checkout = find_source(source)
    version = project_version(checkout)
    plugins = read_plugins(checkout)
    for plugin in plugins:
        print(f"{plugin.engine:8} {plugin.archive.format(version=version)}: {plugin.title}; install: {plugin.install}")
    for platform in dict.fromkeys(platform for plugin in plugins for platform in plugin.platforms()):
        print(f"natives for {platform}: {natives.missing(platform) or 'can be built here'}")


@app.command()
def package(
    out: Annotated[Path, typer.Option(help="Folder for the packages and manifest.json; made if there is none.")],
    engine: Annotated[
        list[str] | None,
        typer.Option(help="Only unreal, unity or blender; may be repeated.", show_default="all"),
    ] = None,
    source: Source = None,
    build: Annotated[
        Path | None,
        typer.Option(
            help="Folder to build natives in; kept, so that the next time is quick.", show_default="temporary"
        ),
    ] = None,
    without_natives: Annotated[
        bool, typer.Option("--without-natives", help="Leave all native libraries out: you add your own.")
    ] = False,
) -> None:
    """Make a package for each engine: natives built here, versions checked, the same bytes from the same sources.

    Needs a source checkout, CMake and a C++ compiler; natives for Windows are built where mingw is installed.
    """
    from visavis.plugins.package import make_packages

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    made = make_packages(out, engine, source, build, not without_natives, say)
    for item in made:
        print(f"{item.name:8} {item.version}  {item.size:>10,} bytes  sha256 {item.sha256}  {out / item.file}")
        print(f"{'':8} natives: {', '.join(item.natives) or 'none'}")
