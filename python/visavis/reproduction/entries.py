"""What is compared, as recipes and settings of `visavis train`, and what the papers say about it."""

from dataclasses import dataclass

from visavis.errors import InvalidArgument


@dataclass(frozen=True)
class Entry:
    """A model of the comparison."""

    name: str  # of its folders, and of --only
    title: str  # of its rows
    recipe: str
    settings: tuple[str, ...] = ()
    offline: bool = False  # it is not causal: evaluated a second time in windows that see what is to come


ENTRIES = (
    Entry("timar", "TIMAR, the paper's switches", "paper-small"),
    Entry("dualtalk", "DualTalk-style", "dualtalk-small", offline=True),
    Entry("live", "live default, narrower", "live-small", ("motion_space=flame56",)),
    Entry("mlp", "TIMAR, MLP head", "paper-small", ("head=mlp",)),
    Entry("full", "TIMAR, full attention", "paper-small", ("attention=full",), offline=True),
    Entry("encdec", "TIMAR, encoder-decoder", "paper-small", ("decoder_depth=2",)),
)
N_MAIN = 3  # these first, for every seed


@dataclass(frozen=True)
class Claim:
    """One row over another, turn by turn; `ours` and `theirs` are rows of evaluation/paper.py, None: it has none."""

    text: str
    entry: str
    against: str
    ours: str | None = None
    theirs: str | None = None


CLAIMS = (
    Claim("TIMAR against DualTalk", "timar", "dualtalk", "TIMAR", "DualTalk"),
    Claim("MLP head against diffusion", "mlp", "timar", "TIMAR, MLP head", "TIMAR"),
    Claim("full against causal attention", "full", "timar", "TIMAR, full attention", "TIMAR"),
    Claim("encoder-decoder against encoder", "encdec", "timar"),
    Claim("live default against TIMAR", "live", "timar"),
)


def chosen(names: list[str]) -> list[Entry]:
    """The entries of those names, all for none; raises InvalidArgument for an unknown one."""
    known = {entry.name: entry for entry in ENTRIES}
    if wrong := sorted(set(names) - set(known)):
        raise InvalidArgument(f"model {', '.join(wrong)} is unknown; known: {', '.join(known)}")
    return [entry for entry in ENTRIES if not names or entry.name in names]
