"""`visavis bench`: what a turn takes on each engine, and how late a face is."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options

EXAMPLES = {
    "bench": (
        "visavis bench",
        "visavis bench --engine cpu:bf16 --engine cpu:f32@avx2 --engine onnx --heads 1 --out bench.json",
    ),
    "latency": (
        "visavis bench latency",
        "visavis bench latency --precision bf16 --seconds 120 --out latency.json --plot latency.png",
    ),
}

app = typer.Typer(help="Measure: engines side by side, or how late a face is.")

Out = Annotated[Path | None, typer.Option(help="Write the figures into this file (JSON), too.", show_default="none")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw them into this file: .png, .svg or .pdf (extra plot).", show_default="none")
]


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="Engine: cpu:PRECISION, cpu:PRECISION@ISA, cuda:PRECISION, onnx:PROFILE; or the name alone.",
            show_default="cpu in each precision, onnx",
        ),
    ] = None,
    heads: Annotated[
        list[int] | None,
        typer.Option(help="Heads that are stepped together; may be repeated.", min=1, show_default="1 and 24"),
    ] = None,
    turns: Annotated[int, typer.Option(help="Turns that are measured, after the history is full.", min=1)] = 200,
    threads: Annotated[int, typer.Option(help="Threads of each engine: the most steps at once.", min=1)] = 1,
    cold: Annotated[int, typer.Option(help="Fresh processes that load() to the first frame is timed in.", min=0)] = 5,
    model: options.Model = None,
    steps: options.Steps = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Past of models in the paper's setting, turn by turn: exact or amortised.", show_default="the model's"
        ),
    ] = None,
    out: Out = None,
    plot: Plot = None,
    trace: options.TraceFile = None,
) -> None:
    """Time turns of engines and precisions side by side, interleaved in one run: each in a process of its own.

    Voices and face are noise, so that no stage is skipped.  The machine's load is printed: on a busy one look at the
    best, and at the processor time.  docs/speed.md says what each column means, and what engine onnx runs here.
    """
    if context.invoked_subcommand is not None:
        return
    from visavis.benchmark.engines import bench_engines, table
    from visavis.benchmark.plot import check_plot, plot_engines
    from visavis.benchmark.spec import parse_spec
    from visavis.cli.progress import progress_bar
    from visavis.motion_file import check_output_path
    from visavis.trace import tracing

    if out is not None:
        check_output_path(out, "report")
    check_plot(plot)
    specs = [parse_spec(text) for text in engine] if engine else None
    with tracing(trace) as traced, progress_bar("bench") as progress:
        report = bench_engines(
            model,
            specs,
            heads=heads or (1, 24),
            turns=turns,
            threads=threads,
            steps=steps,
            window=window,
            cold_starts=cold,
            progress=progress,
            trace=traced,
        )
    _show(table(report), report, out)
    if plot is not None:
        plot_engines(report, plot)


@app.command()
def latency(
    seconds: Annotated[float, typer.Option(help="Seconds that are measured, after some that are not.", min=2)] = 60.0,
    heads: Annotated[int, typer.Option(help="Heads on the server, of which one is measured.", min=1, max=16)] = 1,
    model: options.Model = None,
    engine: options.Engine = "cpu",
    precision: options.Precision = "f32",
    steps: options.Steps = None,
    seed: Annotated[int, typer.Option(help="Seed of the moments at which the character speaks.", min=0)] = 0,
    out: Out = None,
    plot: Plot = None,
    trace: options.TraceFile = None,
) -> None:
    """Time the way from a voice to the face: a server, and the native client in another process, by parts.

    From when a voice was to be sent, whatever held it up, to the first look of the client at the frame that shows it.
    docs/latency.md explains the parts.
    """
    from visavis.benchmark.latency import bench_latency, table
    from visavis.benchmark.plot import check_plot, plot_latency
    from visavis.cli.progress import progress_bar
    from visavis.motion_file import check_output_path

    for path, what in ((out, "report"), (trace, "trace")):
        if path is not None:
            check_output_path(path, what)
    check_plot(plot)
    words: list[str] = ["--engine", engine, "--precision", precision]
    words += [] if model is None else ["--model", str(model)]
    words += [] if steps is None else ["--steps", str(steps)]
    with progress_bar("bench latency") as progress:
        report = bench_latency(seconds=seconds, serve=words, heads=heads, seed=seed, trace=trace, progress=progress)
    _show(table(report), report, out)
    if plot is not None:
        plot_latency(report, plot)


def _show(text: str, report: dict[str, Any], out: Path | None) -> None:
    from visavis.motion_file import write_whole

    print(text)
    if out is not None:
        write_whole(out, "report", lambda file: file.write((json.dumps(report, indent=1) + "\n").encode()))
