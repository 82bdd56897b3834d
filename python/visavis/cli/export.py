"""`visavis export`: a model in the form of another runtime."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli.options import Model, Steps
from visavis.errors import InvalidArgument

EXAMPLES = (
    "visavis export --to onnx --out graphs",
    "visavis export --to onnx --profile trt --model runs/first/model.gguf --steps 2 --out graphs",
    "visavis export --to tensorrt-rtx --target 8.6 --target 8.9 --target 12.0 --out engines",
    "visavis export --to gguf --model runs/first/model.gguf --set steps=2 --set context_turns=20 --out short.gguf",
)


class Form(str, Enum):
    """What can be written: graphs, engines built of them, or the model file with other defaults."""

    onnx = "onnx"
    tensorrt_rtx = "tensorrt-rtx"
    tensorrt = "tensorrt"
    gguf = "gguf"


class ProfileName(str, Enum):
    """Who shall run it."""

    portable = "portable"
    trt = "trt"
    ort = "ort"


def main(
    to: Annotated[
        Form,
        typer.Option(
            help="Form: onnx (graphs), tensorrt-rtx (engines, without a GPU), tensorrt (on one), gguf (file)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for graphs, engines and what describes them; gguf: the file.")],
    profile: Annotated[
        ProfileName | None,
        typer.Option(
            help="Who runs graphs: portable (Unity, Unreal, any), trt (TensorRT), ort (ONNX Runtime).",
            show_default="portable",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Compute capability for tensorrt-rtx to build for, such as 8.6; may be repeated.",
            show_default="8.0 and later",
        ),
    ] = None,
    model: Model = None,
    steps: Steps = None,
    sampler: Annotated[
        str | None, typer.Option(help="Sampler: ancestral or dpm2m.", show_default="the model's")
    ] = None,
    average: Annotated[
        list[Path] | None,
        typer.Option(
            help="Model file of the same lineage, gguf: the weights become the mean; may be repeated.",
            show_default="none",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE, gguf: steps, sampler, noise_coherence, lip_noise, noise_scale, turn_join, context_turns "
            "(fewer); may be repeated.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Write a model as ONNX graphs, as engines of TensorRT, or as a model file with other defaults.

    Graphs and engines are three: speech encoder, backbone step, head.  Engine onnx runs the graphs, engine tensorrt the
    engines; docs/engines.md tells how to run graphs in Unity and Unreal.  A model file keeps its weights: what is
    changed there needs no training.
    """
    if to is not Form.onnx and profile not in (None, ProfileName.trt):
        raise InvalidArgument(f"--profile {profile.value} is for --to onnx; engines are built of profile trt")
    if target and to not in (Form.tensorrt_rtx, Form.tensorrt):
        raise InvalidArgument("--target is for engines; expected --to tensorrt-rtx")
    if (setting or average) and to is not Form.gguf:
        raise InvalidArgument("--set and --average go with --to gguf; of graphs give --steps and --sampler")
    if to is Form.gguf:
        _write_gguf(model, out, steps, sampler, setting or [], average or [])
    elif to is Form.onnx:
        _write_graphs(model, out, profile or ProfileName.portable, steps, sampler)
    else:
        _write_engines(model, out, to, target or [], steps, sampler)


def _write_graphs(model: Path | None, out: Path, profile: ProfileName, steps: int | None, sampler: str | None) -> None:
    from visavis.cli.progress import progress_bar

    with progress_bar("export"):
        from visavis.export.onnx import export_onnx

        manifest = export_onnx(model, out, profile.value, steps, sampler)
    graphs = manifest["graphs"]
    print(f"{out}: {', '.join(graphs)}; opset {manifest['opset']}, {manifest['dtype']}, {_size(out, graphs)}")


def _write_engines(
    model: Path | None, out: Path, to: Form, targets: list[str], steps: int | None, sampler: str | None
) -> None:
    from visavis.cli.progress import progress_bar

    with progress_bar("export"):
        from visavis.export.tensorrt import export_tensorrt

        written = export_tensorrt(model, out, to.value, tuple(targets), steps, sampler)
    engines = written["engines"]
    built_for = ", ".join(written["targets"]) or "8.0 and later"
    about = f"{', '.join(engines)}; {to.value} {written['library_version']} for compute capability {built_for}"
    kernels = sum(sum(engine["kernels"].values()) for engine in engines.values())
    if kernels:
        whole = sum(engine["attentions"] for engine in engines.values())
        about += f"; {kernels} kernels, {whole} of them whole attentions"
    print(f"{out}: {about}; {_size(out, engines)}")


def _write_gguf(
    model: Path | None, out: Path, steps: int | None, sampler: str | None, settings: list[str], others: list[Path]
) -> None:
    """The model file, changed."""
    from visavis.cli.progress import progress_bar

    given = {"steps": steps, "sampler": sampler}
    settings = [*settings, *(f"{key}={value}" for key, value in given.items() if value is not None)]
    try:
        from visavis.export.defaults import change_defaults
    except ImportError as error:
        raise InvalidArgument(f"a model file needs {error.name}: pip install 'visavis[train]'") from error
    with progress_bar("export"):
        change_defaults(model, out, settings, others)
    done = [*settings, *([f"the mean of {1 + len(others)} models"] if others else [])]
    print(f"{out}: {', '.join(done) or 'unchanged'}; {out.stat().st_size / 1e6:.1f} MB")


def _size(out: Path, files: dict[str, Any]) -> str:
    return f"{sum((out / str(about['file'])).stat().st_size for about in files.values()) / 1e6:.1f} MB"
