"""Options that several verbs share."""

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
Model: TypeAlias = Annotated[Path | None, typer.Option(help="Model file (.gguf).", show_default="the packaged one")]
Engine: TypeAlias = Annotated[str, typer.Option(help="What executes the model: cpu or torch.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Same seed and files: same motion.", min=0)]
Steps: TypeAlias = Annotated[
    int | None, typer.Option(help="Denoising steps a turn.", min=1, max=1000, show_default="the model's")
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
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
