"""Model configuration: one dataclass with every switch of the model family, saved in every artefact.

Numpy-free and torch-free, so that everything that reads a model may import it.  `paper_config` is TIMAR as published
(arXiv 2512.15340), `live_config` is the default of this project; see docs/decisions.md for the reasons.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from visavis.constants import SAMPLES_PER_FRAME
from visavis.errors import InvalidArgument
from visavis.motion_space import MotionSpace, motion_space

CHOICES: dict[str, tuple[str, ...]] = {
    "speech_encoder": ("logmel", "wav2vec2"),
    "layout": ("markers", "fused"),
    "positions": ("absolute", "relative"),
    "window": ("exact", "amortised", "ring"),
    "own_past": ("masked", "fed", "lagged"),
    "denoise_unit": ("frame", "turn"),
    "denoise_target": ("absolute", "residual"),
    "sampler": ("ancestral", "dpm2m"),
    "eyes": ("layer", "model"),
}
MEL_WINDOW = 400  # samples, 25 ms
MEL_HOP = 160  # samples, 10 ms
MEL_FLOOR = 1e-7
MEL_SHIFT, MEL_SCALE = 10.0, 4.0  # brings log energies to about -1.5..3
EPS = 1e-6  # of every LayerNorm
MOST_STYLES = 64
STYLE_NAME = re.compile("[a-z0-9_]{1,32}")  # of an axis; dials are called style.NAME
OPTIONAL = ("styles", "noise_scale", "turn_join")  # fields that are left out of files where they are as here
Config = TypeVar("Config", bound="ModelConfig")


@dataclass(frozen=True)
class ModelConfig:
    """Every switch of the model family.  Raises InvalidArgument for values that do not go together."""

    motion_space: str = "arkit55"
    turn_frames: int = 5  # F, frames that fuse bidirectionally
    context_turns: int = 40  # visible turns, the current one included
    user_lag_frames: int = 7  # the user is seen this many frames late
    agent_lookahead_frames: int = 2  # agent speech seen past the turn
    speech_encoder: str = "logmel"
    speech_width: int = 192  # width of the encoder's output
    mel_bands: int = 48
    conv_widths: tuple[int, ...] = (96, 160, 192, 192)
    conv_kernels: tuple[int, ...] = (5, 5, 5, 3)
    conv_strides: tuple[int, ...] = (1, 2, 2, 1)
    layout: str = "fused"
    positions: str = "relative"
    window: str = "ring"
    own_past: str = "lagged"
    token_width: int = 192
    width: int = 224
    depth: int = 4
    heads: int = 7
    mlp_ratio: int = 4
    denoise_unit: str = "turn"
    head_context_frames: int = 2  # own frames of the previous turn that the head sees (turn unit)
    denoise_target: str = "absolute"  # what a row holds: motion, or its scaled distance from the last own frame
    head_width: int = 288
    head_depth: int = 3
    sampler: str = "ancestral"
    steps: int = 5
    noise_coherence: float = 0.0  # r in [0, 1)
    lip_noise: float = (
        1.0  # in [0, 1], scale of the noise on channels of residual gain 0; 0 with dpm2m: the first step decides
    )
    noise_scale: float = 1.0  # in [0, 4], of all noise in sessions, on top of their temperature
    turn_join: float = 0.0  # in [0, 1], share of the mean of its neighbours in a turn's first frame (mouth; sessions)
    eyes: str = "layer"
    styles: tuple[str, ...] = ()  # names of the axes of a person's style, each in [-1, 1], 0 the average person

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidArgument(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}")
        motion_space(self.motion_space)
        if self.width % self.heads:
            raise InvalidArgument(f"width {self.width} does not divide by heads {self.heads}")
        if (self.positions == "relative") != (self.window == "ring"):
            raise InvalidArgument(
                f"positions={self.positions} with window={self.window}: relative positions go with the ring, "
                "absolute ones with exact or amortised"
            )
        if self.denoise_target == "residual" and (self.denoise_unit != "turn" or self.head_context_frames < 1):
            raise InvalidArgument(
                f"denoise_target=residual with denoise_unit={self.denoise_unit} and head_context_frames="
                f"{self.head_context_frames}: it needs the turn unit and at least 1 frame of head context"
            )
        if not 0 <= self.lip_noise <= 1 or (self.lip_noise != 1 and self.denoise_target != "residual"):
            raise InvalidArgument(
                f"lip_noise is {self.lip_noise} with denoise_target={self.denoise_target}; expected 0 to 1, "
                "and 1 without residual rows"
            )
        if not 0 <= self.noise_scale <= 4:
            raise InvalidArgument(f"noise_scale is {self.noise_scale}; expected 0 to 4")
        if not 0 <= self.turn_join <= 1:
            raise InvalidArgument(f"turn_join is {self.turn_join}; expected 0 to 1")
        if len({len(self.conv_widths), len(self.conv_kernels), len(self.conv_strides)}) != 1:
            raise InvalidArgument("conv_widths, conv_kernels and conv_strides differ in length")
        if self.speech_encoder == "logmel" and self.conv_widths[-1] != self.speech_width:
            raise InvalidArgument(f"last conv width {self.conv_widths[-1]} is not speech_width {self.speech_width}")
        wrong = [name for name in self.styles if not STYLE_NAME.fullmatch(name) or self.styles.count(name) > 1]
        if wrong or len(self.styles) > MOST_STYLES:
            raise InvalidArgument(
                f"styles are {', '.join(self.styles)}; expected at most {MOST_STYLES} different names of 1 to 32 "
                "letters a to z, digits and _"
            )

    @property
    def space(self) -> MotionSpace:
        """The motion space with its channel names."""
        return motion_space(self.motion_space)

    @property
    def n_channels(self) -> int:
        """C, the width of a motion vector."""
        return len(self.space.channels)

    @property
    def tokens_per_turn(self) -> int:
        """T: 2F fused, 4F + 10 with markers."""
        return len(turn_layout(self.layout, self.turn_frames))

    @property
    def turn_samples(self) -> int:
        """Audio samples of a turn at 16 kHz."""
        return self.turn_frames * SAMPLES_PER_FRAME

    @property
    def context_samples(self) -> int:
        """Samples before a frame that its log-mel token still sees (the frame's own not counted)."""
        if self.speech_encoder != "logmel":
            return 0
        mels = 1
        for kernel, stride in zip(reversed(self.conv_kernels), reversed(self.conv_strides), strict=True):
            mels = (mels - 1) * stride + kernel
        return (mels - 1) * MEL_HOP + MEL_WINDOW - SAMPLES_PER_FRAME

    @property
    def row_width(self) -> int:
        """Values that the head denoises together: C, or F*C with the turn unit."""
        return self.n_channels * (self.turn_frames if self.denoise_unit == "turn" else 1)

    @property
    def condition_width(self) -> int:
        """Width of the head's condition: D, or F*D and the last own frames with the turn unit."""
        if self.denoise_unit == "frame":
            return self.width
        return self.turn_frames * self.width + self.head_context_frames * self.n_channels

    def with_options(self: Config, **options: Any) -> Config:
        """A copy with some fields changed (None leaves a field alone)."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name, as the model file stores them."""
        usual = {field.name: field.default for field in fields(self) if field.name in OPTIONAL}
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if name not in usual or value != usual[name]}

    @classmethod
    def from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
        """The inverse of `to_dict`; lists become tuples, an unknown or missing field is an InvalidArgument."""
        known = {field.name for field in fields(cls)}
        if wrong := sorted(known.symmetric_difference(values) - {name for name in OPTIONAL if name not in values}):
            raise InvalidArgument(f"model configuration: fields missing or unknown: {', '.join(wrong)}")
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**plain)


# Kinds 0..9 are the ten learned markers (ids of TIMAR's embedding table, in this order).
MARKERS = (
    "turn user_speech user_speech_end user_motion user_motion_end"
    " agent_speech agent_speech_end agent_motion agent_motion_end turn_end"
).split()
USER_SPEECH, USER_MOTION, AGENT_SPEECH, AGENT_MOTION, USER_FRAME, AGENT_FRAME = range(10, 16)


def turn_layout(layout: str, turn_frames: int) -> list[tuple[int, int]]:
    """The tokens of a turn in order, each a (kind, frame); kinds 0..9 are markers with frame -1."""
    frames = range(turn_frames)
    if layout == "fused":
        return [(kind, f) for kind in (USER_FRAME, AGENT_FRAME) for f in frames]
    tokens: list[tuple[int, int]] = [(0, -1)]
    for position, kind in enumerate((USER_SPEECH, USER_MOTION, AGENT_SPEECH, AGENT_MOTION)):
        tokens += [(1 + 2 * position, -1), *((kind, f) for f in frames), (2 + 2 * position, -1)]
    return [*tokens, (9, -1)]


def changes(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    """Where two configurations differ, in words, "width 64 (now 128), ..."; empty where they do not."""
    names = [name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name)]
    return ", ".join(f"{name} {theirs.get(name)} (now {ours.get(name)})" for name in names)


def live_config(**options: Any) -> ModelConfig:
    """The live default: 200 ms turns, log-mel encoder, lagged own past, arkit55, residual rows (with the turn unit)."""
    turn_unit = options.get("denoise_unit") in (None, "turn") and options.get("head_context_frames") != 0
    options.setdefault("denoise_target", "residual" if turn_unit else "absolute")
    options.setdefault("sampler", "dpm2m")
    options.setdefault("turn_join", 0.5)
    options.setdefault("steps", 3)
    options.setdefault("lip_noise", 0.0 if options["denoise_target"] == "residual" else 1.0)
    return ModelConfig().with_options(**options)


def paper_config(**options: Any) -> ModelConfig:
    """TIMAR base as published, on wav2vec2 features and flame56; options change single fields."""
    paper = ModelConfig(
        motion_space="flame56",
        turn_frames=25,
        context_turns=8,
        user_lag_frames=0,
        agent_lookahead_frames=0,
        speech_encoder="wav2vec2",
        speech_width=1024,
        conv_widths=(),
        conv_kernels=(),
        conv_strides=(),
        layout="markers",
        positions="absolute",
        window="exact",
        own_past="masked",
        token_width=768,
        width=768,
        depth=24,
        heads=12,
        denoise_unit="frame",
        head_context_frames=0,
        denoise_target="absolute",
        head_width=1024,
        head_depth=3,
        eyes="model",
    )
    return paper.with_options(**options)
