"""`visavis keys`: keys for servers that other machines reach."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = {"new": ("visavis keys new keys --client alice --client bob",)}

app = typer.Typer(help="Keys for servers that other machines reach (docs/security.md).", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys for servers that other machines reach (docs/security.md)."""


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder of the server's keys; made if there is none.")],
    client: Annotated[
        list[str] | None,
        typer.Option(help="Make a key for a client of this name; may be repeated.", show_default="none"),
    ] = None,
) -> None:
    """Make the server's keys, if the folder has none, and keys for clients; each file of mode 0600.

    Serve with `visavis serve --keys FOLDER --bind ADDRESS`; hand NAME.key to the client, over a safe way, for
    `visavis watch --key NAME.key`.  To shut a client out remove FOLDER/clients/NAME.pub.
    """
    from visavis.bridge.keys import ServerKeys, new_keys

    for path in new_keys(folder, client or []):
        print(path)
    print(f"the server's public key: {ServerKeys(folder).public}")
