"""`visavis import-timar`: a checkpoint of the TIMAR authors and its speech encoder as one model file."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InvalidArgument

EXAMPLES = (
    "visavis import-timar TIMAR.pth --wav2vec2 wav2vec2-large-960h-lv60-self --out timar.gguf",
    "visavis import-timar TIMAR.pth --wav2vec2 wav2vec2-large-960h-lv60-self --out small.gguf --dtype f16",
)


class Weights(str, Enum):
    """Which of the two sets of weights in a checkpoint."""

    ema = "ema"
    raw = "raw"


class Dtype(str, Enum):
    """The type of the matrices in the file."""

    f32 = "f32"
    f16 = "f16"
    bf16 = "bf16"


def main(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the authors (.pth).")],
    wav2vec2: Annotated[Path, typer.Option(help="Folder of its speech encoder, as Hugging Face has it.")],
    out: Annotated[Path, typer.Option(help="Model file to write (.gguf).")],
    weights: Annotated[Weights, typer.Option(help="Averaged weights (ema), as the paper evaluates, or raw.")] = (
        Weights.ema
    ),
    steps: Annotated[int, typer.Option(help="Denoising steps a turn.", min=2, max=1000)] = 5,
    dtype: Annotated[Dtype, typer.Option(help="Numbers of the matrices: f32, or f16 or bf16 in half the space.")] = (
        Dtype.f32
    ),
    heads: Annotated[
        int | None,
        typer.Option(help="Attention heads, a share of the width each.", min=1, show_default="the published size's"),
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence that the model file states.", show_default="none")] = "",
) -> None:
    """Make one model file of a TIMAR checkpoint and its speech encoder.

    Nothing in the checkpoint but tensors and plain values is read, so it cannot execute anything.
    """
    from visavis.cli.progress import progress_bar

    with progress_bar("import"):
        try:
            from visavis.model.checkpoint import import_timar
        except ImportError as error:
            raise InvalidArgument(f"importing needs {error.name}: pip install 'visavis[train]'") from error
        model = import_timar(
            checkpoint,
            wav2vec2,
            out,
            ema=weights is Weights.ema,
            steps=steps,
            heads=heads,
            dtype=dtype.value,
            licence=licence,
        )
    c = model.config
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, {c.width} wide, {c.depth} blocks, {c.heads} heads, "
        f"{c.context_turns} turns of {c.turn_frames} frames, speech {c.speech_width} wide"
    )
