"""A DualTalk-style model: what the TIMAR paper is compared with, written from the papers' descriptions.

DualTalk (arXiv 2505.18096) describes four parts: encoders of both speakers into one feature space; a temporal enhancer
of cross-modal attention and recurrent layers; an interaction module of transformers between the two; a synthesis
module that modulates the expression.  Widths, depths and losses are ours, so it stands for the family, not for their
numbers: it regresses whole sequences with nothing causal in it, and has no sampling.
"""

import math

import torch
from torch import Tensor, nn

from visavis.model.backbone import Mlp, mix
from visavis.model.batch import LossTerms, TurnBatch
from visavis.model.config import EPS
from visavis.model.motion_model import PAPER_REPEATS, MotionModel, channel_errors
from visavis.model.normalisation import Normalisation
from visavis.model.research import ResearchConfig
from visavis.model.speech import Source, make_speech_encoder


class DualTalkStyle(MotionModel):
    """Letters of the shapes: B sequences, L frames, C channels, S speech width, D model width."""

    config: ResearchConfig

    def __init__(
        self,
        config: ResearchConfig,
        normalisation: Normalisation | None = None,
        speech_encoder: Source = None,
        dropout: float = 0.0,
    ) -> None:
        """`speech_encoder` as of `Timar`."""
        super().__init__(config, normalisation)
        C, D = config.n_channels, config.width
        self.speech_encoder = make_speech_encoder(config, speech_encoder)
        self.agent_speech = nn.Linear(config.speech_width, D)
        self.user_speech = nn.Linear(config.speech_width, D)
        self.motion_encoder = nn.Sequential(nn.Linear(C, D // 2), nn.ReLU(), nn.Linear(D // 2, D))
        self.absent_motion = nn.Parameter(torch.empty(D).normal_(std=0.02))
        self.user_enhancer = TemporalEnhancer(D, config.heads, dropout)
        self.agent_enhancer = TemporalEnhancer(D, config.heads, dropout)
        self.interaction = nn.ModuleList(
            InteractionBlock(D, config.heads, config.mlp_ratio, dropout) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(D, eps=EPS)
        self.modulation = nn.Linear(D, 2 * D)
        self.to_motion = nn.Linear(D, C)
        for out in (self.modulation, self.to_motion):  # starts as the mean face, unmodulated
            nn.init.zeros_(out.weight)
            nn.init.zeros_(out.bias)

    def forward(self, batch: TurnBatch) -> Tensor:
        """The agent's normalised motion (B, L, C), from both voices and the user's motion; its own is not read."""
        known = batch.user_motion_present[..., None]
        encoded = self.motion_encoder(torch.where(known, self.normalise(batch.user_motion), 0.0))
        user_motion = torch.where(known, encoded, self.absent_motion.to(encoded.dtype))
        user_speech = self.user_speech(self.speech_encoder(batch.user_audio, batch.user_bands))
        agent_speech = self.agent_speech(self.speech_encoder(batch.agent_audio, batch.agent_bands))
        user = self.user_enhancer(user_speech, user_motion)
        agent = self.agent_enhancer(agent_speech, user_motion)
        x = agent + positions(agent.shape[1], agent.shape[2], agent.device)
        memory = user + positions(user.shape[1], user.shape[2], user.device)
        for block in self.interaction:
            x = block(x, memory)
        shift, scale = self.modulation(user).chunk(2, -1)
        motion: Tensor = self.to_motion(self.norm(x) * (1 + scale) + shift).float()
        return motion

    def paper_loss(
        self, batch: TurnBatch, generator: torch.Generator | None = None, *, repeats: int = PAPER_REPEATS
    ) -> LossTerms:
        """Squared errors by channel group, summed; nothing is drawn, so that `generator` and `repeats` are not used."""
        error = (self(batch) - self.normalise(batch.agent_motion)).square()
        means = {name: value.mean() for name, value in channel_errors(self, error.flatten(0, 1)).items()}
        total = torch.stack([*means.values()]).sum()
        return LossTerms(total, {name: value.detach() for name, value in means.items()}, total.new_zeros(()))

    @torch.no_grad()
    def window_motion(self, batch: TurnBatch) -> Tensor:
        """Motion of a whole window, (B, L, C) raw units."""
        return self.denormalise(self(batch))


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence over another, in full."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(B, L, D), (B, M, D) -> (B, L, D)."""
        B, L, D = x.shape
        q = self.query(x).view(B, L, self.heads, -1).transpose(1, 2)
        k, v = self.key_value(memory).view(B, memory.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = mix(q, k, v, q.new_zeros(()), self.dropout if self.training else 0.0)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(B, L, D))
        return out


class TemporalEnhancer(nn.Module):
    """A voice looks at the visible face (cross-modal attention); then a bidirectional LSTM runs over time."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.attention = CrossAttention(width, heads, dropout)
        self.lstm = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.out_norm = nn.LayerNorm(width, eps=EPS)

    def forward(self, speech: Tensor, motion: Tensor) -> Tensor:
        """(B, L, D) each -> (B, L, D)."""
        at = positions(speech.shape[1], speech.shape[2], speech.device)
        x = speech + self.attention(self.norm(speech) + at, motion + at)
        with torch.autocast(x.device.type, enabled=False):  # a recurrence adds its roundings up
            out: Tensor = self.out_norm(x + self.lstm(x.float())[0])
        return out


class InteractionBlock(nn.Module):
    """The agent's frames among themselves, then over the user's, then an MLP; pre-norm, nothing masked."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=EPS) for _ in range(3))
        self.own = CrossAttention(width, heads, dropout)
        self.other = CrossAttention(width, heads, dropout)
        self.mlp = Mlp(width, mlp_ratio * width, dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(B, L, D), (B, M, D) -> (B, L, D)."""
        normed = self.norm1(x)
        x = x + self.own(normed, normed)
        x = x + self.other(self.norm2(x), memory)
        out: Tensor = x + self.mlp(self.norm3(x))
        return out


def positions(n_frames: int, width: int, device: torch.device) -> Tensor:
    """Sinusoids of the frame's number, (n_frames, width)."""
    half = width // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, device=device) / half)
    angle = torch.arange(n_frames, device=device)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)
