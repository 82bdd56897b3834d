"""Models for comparison alone: the ablations of the TIMAR paper as switches, and which other architecture there is.

They train, evaluate and run on engine torch.  No native engine and no model file (GGUF) knows them: `ModelConfig` has
no field for them, so that nothing of what ships grows for them; export/research.py keeps them as checkpoints.
"""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from visavis.errors import InvalidArgument, Unsupported
from visavis.model.backbone import Attend, mix
from visavis.model.batch import LossTerms, TurnBatch
from visavis.model.config import EPS, ModelConfig, paper_config
from visavis.model.diffusion import DiffusionHead, sample
from visavis.model.motion_model import PAPER_REPEATS
from visavis.model.normalisation import Normalisation
from visavis.model.speech import Source
from visavis.model.timar import Timar

CHOICES = {
    "architecture": ("timar", "dualtalk"),
    "attention": ("causal", "full"),
    "head": ("diffusion", "mlp"),
}


@dataclass(frozen=True)
class ResearchConfig(ModelConfig):
    """A `ModelConfig` and what the models for comparison differ in.

    | switch        | TIMAR      | else |
    | architecture  | timar      | dualtalk: model/dualtalk.py |
    | attention     | causal     | full: every turn of the window sees every other one |
    | head          | diffusion  | mlp: the head's network reads the motion from z at once, no noise, no steps |
    | decoder_depth | 0          | n: the last n of the `depth` blocks are a decoder; mask tokens enter there alone |
    """

    architecture: str = "timar"
    attention: str = "causal"
    head: str = "diffusion"
    decoder_depth: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidArgument(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}")
        if self.window != "exact" or self.own_past == "lagged" or self.denoise_unit != "frame":
            raise InvalidArgument(
                f"research models take window exact, own past masked or fed and the frame unit, not {self.window}, "
                f"{self.own_past} and {self.denoise_unit}: start from recipe paper"
            )
        if self.styles:
            raise InvalidArgument(f"styles are {', '.join(self.styles)}; research models have none")
        if not 0 <= self.decoder_depth < self.depth:
            raise InvalidArgument(f"decoder_depth is {self.decoder_depth}; expected 0 to {self.depth - 1} of the depth")
        if self.architecture == "dualtalk" and SWITCHES - {"architecture"} & set(self.differences):
            raise InvalidArgument("architecture=dualtalk has none of TIMAR's switches: leave attention, head, decoder")

    @property
    def differences(self) -> dict[str, Any]:
        """The switches that are not TIMAR's, by name."""
        defaults = {field.name: field.default for field in fields(self) if field.name in SWITCHES}
        return {name: getattr(self, name) for name, value in defaults.items() if getattr(self, name) != value}

    @property
    def causal(self) -> bool:
        """No frame depends on what comes after its turn."""
        return self.architecture == "timar" and self.attention == "causal"


SWITCHES = {field.name for field in fields(ResearchConfig)} - {field.name for field in fields(ModelConfig)}


def with_switches(config: ModelConfig, **switches: Any) -> ModelConfig:
    """The configuration with research switches set; a plain `ModelConfig` where none of them differs from TIMAR's."""
    known = {field.name for field in fields(ModelConfig)}
    found = ResearchConfig(**{**config.to_dict(), **switches})
    if not found.differences:
        return ModelConfig(**{name: value for name, value in found.to_dict().items() if name in known})
    return found.with_options(sampler="dpm2m", steps=1) if found.head == "mlp" else found


def dualtalk_config(**options: Any) -> ModelConfig:
    """The DualTalk-style model on wav2vec2 features and flame56; its paper gives no widths, these are ours."""
    size: dict[str, Any] = dict(width=512, depth=6, heads=8)
    return with_switches(paper_config(**{**size, **options}), architecture="dualtalk")


class WindowAttention:
    """Attention among the n turns of T tokens of a window, dense; `hidden` (B, n*T) tokens are nobody's keys."""

    def __init__(self, n_turns: int, tokens: int, full: bool, dropout: float, hidden: Tensor | None = None) -> None:
        self.n_turns, self.tokens, self.full, self.dropout, self.hidden = n_turns, tokens, full, dropout, hidden

    def without(self, hidden: Tensor) -> "WindowAttention":
        """The same pattern with those tokens hidden."""
        return WindowAttention(self.n_turns, self.tokens, self.full, self.dropout, hidden)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, H, n*T, d) each."""
        turn = torch.arange(self.n_turns, device=q.device).repeat_interleave(self.tokens)
        unseen = torch.zeros(1, 1, 1, len(turn), dtype=torch.bool, device=q.device)
        if not self.full:
            unseen = (turn[:, None] < turn[None])[None, None]  # (1, 1, queries, keys)
        if self.hidden is not None:
            unseen = unseen | self.hidden[:, None, None]
        logits = torch.zeros(unseen.shape, dtype=q.dtype, device=q.device).masked_fill(unseen, float("-inf"))
        return mix(q, k, v, logits, self.dropout)


class RegressionHead(DiffusionHead):
    """The head's own network without the noisy row, the time and the variance: it starts from z and ends on the row."""

    def __init__(self, row_width: int, condition_width: int, width: int, depth: int) -> None:
        super().__init__(row_width, condition_width, width, depth)
        del self.net.input_proj, self.net.time_embed
        self.net.final_layer.linear = nn.Linear(width, row_width)

    def predict(self, x: Tensor, t: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """The row itself for every x and t, so that any sampler ends on it, and a variance that nothing uses."""
        hidden = condition
        for block in self.net.res_blocks:
            hidden = block(hidden, condition)
        x0 = self.net.final_layer(hidden, condition).float() * self.mask
        return x0, torch.zeros_like(x0)

    def loss_terms(self, x0: Tensor, t: Tensor, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Squared error, (n, R), and no variance."""
        x0_hat, v = self.predict(noise, t, condition)
        return (x0_hat - x0 * self.mask).square(), v, v


class ResearchTimar(Timar):
    """`Timar` with the switches of a `ResearchConfig`."""

    config: ResearchConfig

    def __init__(
        self,
        config: ResearchConfig,
        normalisation: Normalisation | None = None,
        speech_encoder: Source = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(config, normalisation, speech_encoder, dropout)
        D = config.width
        if config.head == "mlp":
            sizes = config.row_width, config.condition_width, config.head_width, config.head_depth
            self.diffloss = RegressionHead(*sizes)
            self.diffloss.set_mask(self.motion_weight)
        if config.decoder_depth:
            self.middle_norm = nn.LayerNorm(D, eps=EPS)
            self.decoder_embed = nn.Linear(D, D)
            self.decoder_pos_embed_learned = nn.Parameter(torch.empty_like(self.encoder_pos_embed_learned))
            nn.init.normal_(self.decoder_pos_embed_learned, std=0.02)
        self.init_weights()

    def band(self, n_turns: int, two_streams: bool = False) -> list[Attend]:
        """Dense attention over n turns, one pattern a block."""
        if two_streams or n_turns > self.config.context_turns:
            raise Unsupported(
                f"research models see windows of at most {self.config.context_turns} turns in one stream, "
                f"not {n_turns}{' in two' if two_streams else ''}"
            )
        dropout = self.dropout if self.training else 0.0
        full = self.config.attention == "full"
        return [WindowAttention(n_turns, self.config.tokens_per_turn, full, dropout)] * self.config.depth

    def _embed(self, user: tuple[Tensor, Tensor], speech: Tensor, motion: Tensor, masked: Tensor | bool) -> Tensor:
        """As of `Timar`; with a decoder the last column says which tokens are hidden, (B, n, T, D + 1)."""
        x = super()._embed(user, speech, motion, masked)
        if not self.config.decoder_depth:
            return x
        hidden = x.new_zeros(*x.shape[:3])
        hidden[:, :, self._agent] = torch.as_tensor(masked, device=x.device).to(x.dtype).expand(*speech.shape[:3])
        return torch.cat([x, hidden[..., None]], -1)

    def encode(self, x: Tensor, attend: list[Attend], first_turn: int = 0) -> Tensor:
        """As of `Timar`; with a decoder the first blocks do not see hidden tokens, the last ones see mask tokens."""
        if not self.config.decoder_depth:
            return super().encode(x, attend, first_turn)
        D, n = self.config.width, x.shape[1]
        hidden = x[..., D].flatten(1) > 0  # (B, n*T)
        n_encoder = self.config.depth - self.config.decoder_depth
        seen = self.z_proj_ln(x[..., :D] + self._positions(self.encoder_pos_embed_learned, first_turn, n)).flatten(1, 2)
        for block, pattern in zip(self.encoder_blocks[:n_encoder], attend[:n_encoder], strict=True):
            assert isinstance(pattern, WindowAttention)
            seen = block(seen, pattern.without(hidden))
        seen = self.decoder_embed(self.middle_norm(seen))
        tokens = torch.where(hidden[..., None], self.mask_token.to(seen.dtype), seen)
        tokens = tokens.view(*x.shape[:3], D) + self._positions(self.decoder_pos_embed_learned, first_turn, n)
        tokens = tokens.flatten(1, 2)
        for block, pattern in zip(self.encoder_blocks[n_encoder:], attend[n_encoder:], strict=True):
            tokens = block(tokens, pattern)
        tokens = self.encoder_norm(tokens).view(*x.shape[:3], D)
        tokens = tokens + self._positions(self.diffusion_pos_embed_learned, first_turn, n)
        z: Tensor = tokens[:, :, self._agent]
        return z

    def paper_loss(
        self,
        batch: TurnBatch,
        generator: torch.Generator | None = None,
        *,
        repeats: int = PAPER_REPEATS,
        mask_rate: float | None = None,
        user_dropout: float = 0.1,
    ) -> LossTerms:
        """As of `Timar`; without a diffusion there is nothing to repeat."""
        repeats = 1 if self.config.head == "mlp" else repeats
        return super().paper_loss(batch, generator, repeats=repeats, mask_rate=mask_rate, user_dropout=user_dropout)

    @torch.no_grad()
    def window_motion(self, batch: TurnBatch, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Motion of every turn of a window at once, (B, L, C) raw units; noise (1 + steps, B, L, C).

        No agent motion is seen.  With full attention each turn sees those after it, which no engine can.
        """
        z = self.condition(batch).flatten(0, 2)  # (B*L, D)
        head = self.diffloss
        condition = head.net.cond_embed(z)
        rows = sample(
            lambda x, t: head.predict(x, t, condition),
            noise.flatten(1, 2),
            self.config.sampler,
            self.config.steps,
            temperature,
            self.noise_scale(),
        )
        return self.denormalise(rows.view_as(batch.agent_motion))
