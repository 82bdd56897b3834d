"""Options that several verbs share."""

from enum import Enum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Agent: TypeAlias = Annotated[
    Path | None, typer.Option(help="The character's voice: WAV, FLAC or OGG, any rate.", show_default="silent")
]
User: TypeAlias = Annotated[
    Path | None, typer.Option(help="The other party's voice: WAV, FLAC or OGG, any rate.", show_default="absent")
]
UserMotion: TypeAlias = Annotated[
    Path | None, typer.Option(help="The other party's tracked face: .npz or .csv.", show_default="absent")
]
AlsoTake: TypeAlias = Annotated[
    Path | None, typer.Option("--take", help="Record the conversation into this take (.npz), too.", show_default="none")
]
Model: TypeAlias = Annotated[
    Path | None, typer.Option(help="Model file (.gguf), or a packaged model: default, tiny.", show_default="default")
]
Engine: TypeAlias = Annotated[
    str,
    typer.Option(
        help="What executes the model: cpu, cuda, auto (cuda if it works), torch, tensorrt, onnx (--model is a folder)."
    ),
]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of the noise: same seed and files, same motion.", min=0)]
Steps: TypeAlias = Annotated[
    int | None, typer.Option(help="Denoising steps a turn.", min=1, max=1000, show_default="the model's")
]
Precision: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Of the products in engine cpu: f32, bf16 (needs AVX-512-BF16), int8 (AVX-512-VNNI), auto: bf16 if it can."
    ),
]
Temperature: TypeAlias = Annotated[float, typer.Option(help="Scale of the noise, 0 to 10.", min=0, max=10)]
Guidance: TypeAlias = Annotated[
    float, typer.Option(help="How strongly the other party is followed, 0 to 10; 1: as trained.", min=0, max=10)
]
Dials: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--dial", help="NAME=VALUE of a dial that `visavis rig dials` lists, may be repeated.", show_default="none"
    ),
]
Style: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        help="NAME=VALUE of the model's styles, -1 to 1, may be repeated (docs/personas.md).",
        show_default="average",
    ),
]
Insecure: TypeAlias = Annotated[
    bool, typer.Option("--insecure", help="Allow an address that other machines reach, without encryption.")
]
WebOrigin: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Let pages of this origin connect too, such as https://example.org.", metavar="ORIGIN", show_default="none"
    ),
]
Seconds: TypeAlias = Annotated[
    float | None, typer.Option(help="Stop after so many seconds.", min=0.1, show_default="never")
]
TraceFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        help="Write what happened when into this file (.json), for Perfetto (docs/latency.md).",
        show_default="none",
    ),
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors, show no progress.")]


class Quality(str, Enum):
    """How the page draws heads."""

    high = "high"
    medium = "medium"
    low = "low"


# Of the verbs that run many trainings.
CampaignOut: TypeAlias = Annotated[
    Path, typer.Option(help="Folder of the campaign; the same command goes on where it stopped.")
]
ProcessorMinutes: TypeAlias = Annotated[
    float | None,
    typer.Option(
        help="Length of each training in minutes of processor time. Give this or --steps.",
        min=0.01,
        show_default="none",
    ),
]
TrainingSteps: TypeAlias = Annotated[
    int | None, typer.Option(help="Length of each training in steps.", min=1, show_default="none")
]
Jobs: TypeAlias = Annotated[int, typer.Option(help="Runs side by side, in processes of their own.", min=1)]
CampaignSettings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="KEY=VALUE for every training, before what makes its variant, such as width=64; may be repeated.",
        show_default="none",
    ),
]
ResultsPage: TypeAlias = Annotated[
    Path | None,
    typer.Option("--table", help="Page with two marks, such as docs/choice.md, to write into.", show_default="none"),
]
JobThreads: TypeAlias = Annotated[int, typer.Option(help="Processor threads of each of the processes.", min=1)]
# Of the verbs that run one training.
RunMinutes: TypeAlias = Annotated[
    float | None,
    typer.Option(
        help="Length of the run in minutes; the schedule follows the clock. Give this or --steps.",
        min=0.01,
        show_default="none",
    ),
]
RunSteps: TypeAlias = Annotated[
    int | None,
    typer.Option(help="Length of the run in steps; the same seed gives the same weights.", min=1, show_default="none"),
]
Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume", help="Go on from OUT/checkpoint.pt, with the same settings.")
]
TrainingPrecision: TypeAlias = Annotated[
    str, typer.Option(help="Numbers of the forward pass: auto, bf16 (autocast) or f32.")
]
SaveMinutes: TypeAlias = Annotated[float, typer.Option(help="Minutes between checkpoints.", min=0)]
