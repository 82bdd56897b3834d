"""What is varied, one factor at a time around the live default, as settings of `visavis train` or of a model file."""

from dataclasses import dataclass

from visavis.errors import InvalidArgument


@dataclass(frozen=True)
class Variant:
    """The default with one thing changed.  `settings` of its training; or `changes` of the trained default's file."""

    factor: str  # of --only
    level: str  # behind the factor in its folders' names, and in its row
    settings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its folders, and of --only."""
        return self.factor if self.factor == DEFAULT_NAME else f"{self.factor}-{self.level}"

    @property
    def trained(self) -> bool:
        """Whether it has a training of its own."""
        return not self.changes


DEFAULT_NAME = "default"
DEFAULT = Variant(DEFAULT_NAME, "")
# Factor -> what its rows are called, and the default's own level, as `live_config` has it.
FACTORS = {
    "turn": ("turn F, frames; lag F + 2, history 8 s", "5"),
    "layout": ("layout", "fused"),
    "lag": ("user lag, frames", "7"),
    "lookahead": ("agent lookahead, frames", "2"),
    "past": ("own past", "lagged"),
    "unit": ("denoising unit", "turn"),
    "width": ("width", "224"),
    "depth": ("depth", "4"),
    "head": ("width of the head", "288"),
    "steps": ("denoising steps", "3"),
    "history": ("history, s", "8"),
    "coherence": ("noise coherence", "0"),
}
# Heads stay 32 wide.  A frame alone has no last own frame to go on from.
VARIANTS = (
    DEFAULT,
    Variant("turn", "8", ("turn_frames=8", "user_lag_frames=10", "context_turns=25")),
    Variant("turn", "25", ("turn_frames=25", "user_lag_frames=27", "context_turns=8")),
    Variant("layout", "markers", ("layout=markers",)),
    Variant("lag", "0", ("user_lag_frames=0",)),
    Variant("lookahead", "0", ("agent_lookahead_frames=0",)),
    Variant("lookahead", "4", ("agent_lookahead_frames=4",)),
    Variant("past", "masked", ("own_past=masked",)),
    Variant("past", "fed", ("own_past=fed",)),
    Variant("unit", "frame", ("denoise_unit=frame", "head_context_frames=0", "denoise_target=absolute", "lip_noise=1")),
    Variant("width", "160", ("width=160", "heads=5")),
    Variant("width", "320", ("width=320", "heads=10")),
    Variant("depth", "2", ("depth=2",)),
    Variant("depth", "6", ("depth=6",)),
    Variant("head", "192", ("head_width=192",)),
    Variant("head", "384", ("head_width=384",)),
    Variant("steps", "1", changes=("steps=1",)),
    Variant("steps", "2", changes=("steps=2",)),
    Variant("steps", "5", changes=("steps=5",)),
    Variant("history", "2", changes=("context_turns=10",)),
    Variant("history", "4", changes=("context_turns=20",)),
    Variant("coherence", "0.5", changes=("noise_coherence=0.5",)),
    Variant("coherence", "0.8", changes=("noise_coherence=0.8",)),
)


def chosen(names: list[str]) -> list[Variant]:
    """The default, and the variants of those names or factors, all for none; raises InvalidArgument for an unknown."""
    known = {*FACTORS, *(variant.name for variant in VARIANTS)}
    if wrong := sorted(set(names) - known):
        variants = ", ".join(variant.name for variant in VARIANTS)
        raise InvalidArgument(
            f"{', '.join(wrong)} is neither a factor ({', '.join(FACTORS)}) nor a variant ({variants})"
        )
    return [v for v in VARIANTS if not names or v is DEFAULT or v.name in names or v.factor in names]
