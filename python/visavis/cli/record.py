"""`visavis record`: a conversation into a take."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.take import describe

if TYPE_CHECKING:
    from visavis.session import Model

EXAMPLES = (
    "visavis record --agent npc.wav --user player.wav --out take.npz",
    "visavis record --from tcp://127.0.0.1:5570 --head npc --seconds 60 --out take.npz",
)


def main(
    out: Annotated[Path, typer.Option(help="Take to write (.npz).")],
    agent: options.Agent = None,
    user: options.User = None,
    user_motion: options.UserMotion = None,
    real_time: Annotated[
        bool,
        typer.Option("--real-time", help="Speak the voices in real time, as a game would: a turn may come late."),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            "--from", help="Record what a running server publishes, tcp://HOST:PORT.", show_default="no server"
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="With --from: the head to record.", show_default="the only one")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="With --from: key file, where the server asks for one.", show_default="none")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="With --from or --real-time: stop after so many seconds.",
            min=0.1,
            show_default="at the end, or Ctrl-C",
        ),
    ] = None,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    seed: options.Seed = 0,
    steps: options.Steps = None,
    temperature: options.Temperature = 1.0,
    guidance: options.Guidance = 1.0,
    dial: options.Dials = None,
    style: options.Style = None,
    quiet: options.Quiet = False,
) -> None:
    """Record a take: a file that holds a conversation and replays it (`visavis replay`, `visavis take export`).

    From voice files: both voices, the motion before and after the rig, every turn and dial; the model can be run on
    it again.

    From a running server (--from): the frames and the agent's voice as they arrive here, until Ctrl-C.  For takes of
    a server on which the model can be run again, start it with `visavis serve --record DIR`.
    """
    from visavis.bridge.stopping import Stopping
    from visavis.cli.progress import progress_bar
    from visavis.errors import InvalidArgument
    from visavis.rig import parse_dials
    from visavis.takes.recorder import check_take_path

    check_take_path(out)
    if server is not None and (agent or user or user_motion or real_time):
        raise InvalidArgument(
            "record: --from records a server; expected no --agent, --user, --user-motion, --real-time"
        )
    if seconds is not None and server is None and not real_time:
        raise InvalidArgument("record: --seconds goes with --from or --real-time; whole files are recorded otherwise")
    if server is None:
        settings: dict[str, Any] = {"seed": seed, "temperature": temperature, "guidance": guidance}
        loaded = _load(model, engine, steps)
        with Stopping(seconds) as stop, progress_bar("record", quiet) as progress:
            settings["progress"] = progress
            dials = parse_dials(dial or [], style or [])
            _record_files(loaded, out, agent, user, user_motion, real_time, dials, settings, stop)
    else:
        from visavis.bridge.keys import ClientKeys
        from visavis.takes.wire import record_from_server

        keys, say = ClientKeys.load(key) if key else None, None if quiet else lambda text: print(text, flush=True)
        with Stopping(seconds) as stop:
            record_from_server(server, head, out, stop, say, keys)
    if not quiet:
        from visavis.takes.file import load_take

        print(f"{out}: {describe(load_take(out))}")


def _load(model: Path | None, engine: str, steps: int | None) -> "Model":
    import visavis

    return visavis.load(model, engine=engine, **({} if steps is None else {"steps": steps}))


def _record_files(
    model: "Model",
    out: Path,
    agent: Path | None,
    user: Path | None,
    face: Path | None,
    real_time: bool,
    dials: dict[str, float],
    settings: dict[str, Any],
    stop: Callable[[], bool],
) -> None:
    import visavis
    from visavis.takes.live import record_in_real_time

    if real_time:
        record_in_real_time(model, out, agent, user, face, dials=dials, stop=stop, **settings)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        visavis.animate(agent, user, face, model, dials=dials, take=out, **settings)
    for warning in caught:
        print(f"visavis: {warning.message}", file=sys.stderr)
