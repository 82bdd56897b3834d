"""TIMAR and its live descendants as one module: every switch of `ModelConfig`, official parameter names.

What is unusual: tokens of a turn fuse in full and turns are causal; the agent's own past comes in as `masked`, `fed`
(two streams in training) or `lagged` by a turn; positions are absolute in the window or relative with a learned bias
per head and turn distance; the output is a condition z per frame from which a small diffusion head draws the motion.
The sliding-window pass over a crop (`condition`) computes what the streaming engine computes turn by turn.
"""

import torch
from torch import Tensor, nn

from visavis.constants import SAMPLES_PER_FRAME
from visavis.errors import InvalidArgument
from visavis.model import objective
from visavis.model.backbone import Attend, Block, TurnBand
from visavis.model.batch import LossTerms, TurnBatch
from visavis.model.config import EPS, MARKERS, ModelConfig
from visavis.model.diffusion import DiffusionHead
from visavis.model.layout import layout_of
from visavis.model.motion_model import PAPER_REPEATS, MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.speech import Source, make_speech_encoder

__all__ = ["LossTerms", "Normalisation", "Timar", "TurnBatch"]


class Timar(MotionModel):
    """The model.  Letters of the shapes: B crops or sessions, n turns, F frames, T tokens of a turn, C channels,
    w token width, D model width, W visible turns."""

    _gather: Tensor
    _agent: Tensor

    def __init__(
        self,
        config: ModelConfig,
        normalisation: Normalisation | None = None,
        speech_encoder: Source = None,
        dropout: float = 0.0,
    ) -> None:
        """`speech_encoder` is the wav2vec2 folder, or the encoder itself, of a model that hears through one."""
        super().__init__(config, normalisation)
        _check(config)
        self.dropout = dropout
        C, w, D = config.n_channels, config.token_width, config.width
        layout = layout_of(config)
        self.register_buffer("_gather", torch.tensor(layout.gather), persistent=False)
        self.register_buffer("_agent", torch.tensor(layout.agent), persistent=False)

        self.speech_encoder = make_speech_encoder(config, speech_encoder)
        self.speech_projection = nn.Linear(config.speech_width, w)
        self.motion_encoder = nn.Sequential(nn.Linear(C, w // 2), nn.ReLU(), nn.Linear(w // 2, w), nn.ReLU())
        self.fake_latent = nn.Parameter(torch.empty(1, w))
        self.mask_token = nn.Parameter(torch.empty(1, 1, D), requires_grad=config.own_past != "lagged")
        self.z_proj = nn.Linear(w, D)
        if config.layout == "markers":
            self.sep_tok_emb = nn.Embedding(len(MARKERS), w)
        else:
            self.z_proj_user = nn.Linear(w, D)
        if config.styles:
            self.style_proj = nn.Linear(len(config.styles), D, bias=False)
        turns = config.context_turns if config.positions == "absolute" else 1
        self.encoder_pos_embed_learned = nn.Parameter(torch.empty(1, turns * config.tokens_per_turn, D))
        self.diffusion_pos_embed_learned = nn.Parameter(torch.empty(1, turns * config.tokens_per_turn, D))
        if config.positions == "relative":
            self.turn_bias = nn.Parameter(torch.empty(config.depth, config.heads, config.context_turns))
        self.z_proj_ln = nn.LayerNorm(D, eps=EPS)
        self.encoder_blocks = nn.ModuleList(
            Block(D, config.heads, config.mlp_ratio, dropout) for _ in range(config.depth)
        )
        self.encoder_norm = nn.LayerNorm(D, eps=EPS)
        self.diffloss = DiffusionHead(config.row_width, config.condition_width, config.head_width, config.head_depth)
        self.diffloss.set_mask(self.motion_weight)
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Every initial value.

        | parameters                                      | values                  |
        | linears                                         | Xavier uniform, bias 0  |
        | markers, fake_latent, mask_token, positions     | normal, std 0.02        |
        | LayerNorms                                      | 1 and 0                 |
        | turn_bias, style_proj                           | 0                       |
        | convolutions of the log-mel encoder             | Kaiming normal, bias 0  |
        | head: time embedding                            | normal, std 0.02        |
        | head: modulations and the output linear         | 0: it starts as x_0 = 0 |
        """
        for module in self.children():
            if module is self.speech_encoder and self.config.speech_encoder == "wav2vec2":
                continue
            for part in module.modules():
                if isinstance(part, nn.Linear):
                    nn.init.xavier_uniform_(part.weight)
                elif isinstance(part, nn.Conv1d):
                    nn.init.kaiming_normal_(part.weight)
                elif isinstance(part, nn.Embedding):
                    nn.init.normal_(part.weight, std=0.02)
                if isinstance(part, nn.Linear | nn.Conv1d) and part.bias is not None:
                    nn.init.zeros_(part.bias)
        positions = self.encoder_pos_embed_learned, self.diffusion_pos_embed_learned
        for bare in (self.fake_latent, self.mask_token, *positions):
            nn.init.normal_(bare, std=0.02)
        if self.config.positions == "relative":
            nn.init.zeros_(self.turn_bias)
        if self.config.styles:
            nn.init.zeros_(self.style_proj.weight)
        for name, parameter in self.diffloss.net.named_parameters():
            if name.startswith("time_embed") and name.endswith("weight"):
                nn.init.normal_(parameter, std=0.02)
            elif "adaLN_modulation" in name or name.startswith("final_layer.linear"):
                nn.init.zeros_(parameter)

    # ---- signals to tokens

    def user_tokens(
        self, audio: Tensor, motion: Tensor, present: Tensor, bands: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Speech and motion tokens (B, L, w) of audio (B, context + L*640) and raw motion (B, L, C), present (B, L)."""
        known = present[..., None]
        encoded = self.motion_encoder(torch.where(known, self.normalise(motion), 0.0))
        speech: Tensor = self.speech_projection(self.speech_encoder(audio, bands))
        return speech, torch.where(known, encoded, self.fake_latent.to(encoded.dtype))

    def agent_speech_tokens(
        self, audio: Tensor, lookahead_present: Tensor | None = None, bands: Tensor | None = None
    ) -> Tensor:
        """(B, L, w) of audio (B, context + (L + lookahead)*640); lookahead_present (B, n), None: all."""
        ahead = self.config.agent_lookahead_frames
        features: Tensor = self.speech_encoder(audio, bands)[:, ahead:]  # (B, L, S)
        if ahead and lookahead_present is not None and not bool(lookahead_present.all()):
            features = self._without_lookahead(audio, features, ~lookahead_present, bands)
        tokens: Tensor = self.speech_projection(features)
        return tokens

    def _without_lookahead(self, audio: Tensor, features: Tensor, absent: Tensor, bands: Tensor | None) -> Tensor:
        """Recomputes the last frames of the turns in `absent` (B, n) with silence after the turn."""
        F, ahead = self.config.turn_frames, self.config.agent_lookahead_frames
        length = self.config.context_samples + ahead * SAMPLES_PER_FRAME
        silence = audio.new_zeros(int(absent.sum()), ahead * SAMPLES_PER_FRAME)
        windows = audio[:, F * SAMPLES_PER_FRAME :].unfold(1, length, F * SAMPLES_PER_FRAME)  # (B, n, length)
        heard = torch.cat([windows[absent][:, : self.config.context_samples], silence], 1)  # (m, length)
        turns = features.reshape(features.shape[0], -1, F, features.shape[-1]).clone()  # (B, n, F, S)
        crop, turn = absent.nonzero(as_tuple=True)
        bands = None if bands is None else bands[crop]
        turns[crop, turn, F - ahead :] = self.speech_encoder(heard, bands).to(turns.dtype)
        return turns.flatten(1, 2)

    def turn_tokens(self, user: tuple[Tensor, Tensor], speech: Tensor, motion: Tensor) -> Tensor:
        """Markers layout before the projection to model width: (B, n, T, w) of tokens (B, n, F, w) each."""
        B, n = speech.shape[:2]
        markers = self.sep_tok_emb.weight.to(speech.dtype).expand(B, n, -1, -1)
        return torch.cat([markers, *user, speech, motion], 2)[:, :, self._gather]

    def embed(
        self,
        user: tuple[Tensor, Tensor],
        speech: Tensor,
        motion: Tensor,
        masked: Tensor | bool,
        style: Tensor | None = None,
    ) -> Tensor:
        """The turns as the backbone takes them, before positions: (B, n, T, D).

        `user` = speech and motion tokens, all (B, n, F, w); where `masked` (broadcast to (B, n, F)) is True the
        agent's motion gives way to the mask token.  `style` (B, S) of the agent goes to the tokens where z is read;
        None is the average person.
        """
        x = self._embed(user, speech, motion, masked)
        if style is None or not self.config.styles:
            return x
        person = self.style_proj(style)[:, None, None].to(x.dtype)  # (B, 1, 1, D)
        where = torch.zeros(x.shape[2], 1, dtype=torch.bool, device=x.device)
        where[self._agent] = True
        styled: Tensor = x + where * person
        return styled

    def _embed(self, user: tuple[Tensor, Tensor], speech: Tensor, motion: Tensor, masked: Tensor | bool) -> Tensor:
        """`embed` without a style."""
        B, n, F = speech.shape[:3]
        masked = torch.as_tensor(masked, device=speech.device).expand(B, n, F)[..., None]
        if self.config.layout == "markers":
            x = self.z_proj(self.turn_tokens(user, speech, motion))
            hidden = torch.zeros(B, n, x.shape[2], 1, dtype=torch.bool, device=x.device)
            hidden[:, :, self._agent] = masked
            return torch.where(hidden, self.mask_token.to(x.dtype), x)
        agent = self.z_proj(speech + motion.masked_fill(masked, 0.0))
        agent = agent + masked * self.mask_token.to(agent.dtype)
        return torch.cat([self.z_proj_user(user[0] + user[1]), agent], 2)[:, :, self._gather]

    # ---- backbone

    def encode(self, x: Tensor, attend: list[Attend], first_turn: int = 0) -> Tensor:
        """Embedded turns (B, n, T, D), the first at `first_turn` of the window -> z (B, n, F, D).

        `attend` holds one attention pattern a block.
        """
        hidden = x + self._positions(self.encoder_pos_embed_learned, first_turn, x.shape[1])
        hidden = self.z_proj_ln(hidden).flatten(1, 2)  # (B, n*T, D)
        for block, pattern in zip(self.encoder_blocks, attend, strict=True):
            hidden = block(hidden, pattern)
        hidden = self.encoder_norm(hidden).view(x.shape)
        hidden = hidden + self._positions(self.diffusion_pos_embed_learned, first_turn, x.shape[1])
        z: Tensor = hidden[:, :, self._agent]
        return z

    def _positions(self, embedding: Tensor, first_turn: int, n_turns: int) -> Tensor:
        """(n or 1, T, D)."""
        turns = embedding.view(-1, self.config.tokens_per_turn, self.config.width)
        return turns if self.config.positions == "relative" else turns[first_turn : first_turn + n_turns]

    def layer_bias(self, layer: int) -> Tensor | None:
        """Attention logits by head and turn distance, (H, W); None with absolute positions."""
        return self.turn_bias[layer] if self.config.positions == "relative" else None

    def band(self, n_turns: int, two_streams: bool = False) -> list[Attend]:
        """Sliding-window attention over n turns, one pattern a block."""
        W, T = self.config.context_turns, self.config.tokens_per_turn
        if self.config.positions == "absolute" and n_turns > W:
            raise InvalidArgument(f"crop of {n_turns} turns; absolute positions take at most the {W} visible turns")
        dropout = self.dropout if self.training else 0.0
        return [
            TurnBand(n_turns, T, W, self.layer_bias(layer), two_streams, dropout) for layer in range(self.config.depth)
        ]

    # ---- training passes

    def condition(self, batch: TurnBatch) -> Tensor:
        """The sliding-window pass with the configured own past: z (B, n, F, D)."""
        return self.condition_on(batch, self.own_motion(batch))

    def own_motion(self, batch: TurnBatch) -> Tensor:
        """The agent's normalised motion from one turn before the crop, (B, F + L, C); zeros before a session."""
        known = batch.previous_present[:, None, None].expand_as(batch.previous_motion)  # (B, F, C)
        previous, own = self.normalise(batch.previous_motion), self.normalise(batch.agent_motion)
        return torch.cat([torch.where(known, previous, 0.0), own], 1)

    def condition_on(self, batch: TurnBatch, own: Tensor) -> Tensor:
        """`condition` with the own motion (B, F + L, C) given."""
        F, past = self.config.turn_frames, self.config.own_past
        user_speech, user_motion = self.user_tokens(
            batch.user_audio, batch.user_motion, batch.user_motion_present, batch.user_bands
        )
        user = self.by_turn(user_speech), self.by_turn(user_motion)
        speech = self.by_turn(self.agent_speech_tokens(batch.agent_audio, batch.lookahead_present, batch.agent_bands))
        n = speech.shape[1]
        if past == "lagged":
            motion = self.by_turn(self.motion_encoder(own[:, : n * F]))
            return self.encode(self.embed(user, speech, motion, False, batch.agent_style), self.band(n))
        query = self.embed(user, speech, torch.zeros_like(speech), True, batch.agent_style)
        if past == "masked":
            return self.encode(query, self.band(n))
        known = self.by_turn(self.motion_encoder(own[:, F:]))
        committed = self.embed(user, speech, known, False, batch.agent_style)
        z = self.encode(torch.cat([committed, query]), self.band(n, two_streams=True))
        return z[len(query) :]

    def by_turn(self, x: Tensor) -> Tensor:
        """(B, n*F, ...) -> (B, n, F, ...)."""
        return x.reshape(x.shape[0], -1, self.config.turn_frames, *x.shape[2:])

    def head_condition(self, z: Tensor, own: Tensor) -> Tensor:
        """The head's condition, one row each: (B, n, F, D) with the frame unit, (B, n, F*D + own frames) with the turn
        unit; own (B, F + L, C) begins one turn before the crop."""
        if self.config.denoise_unit == "frame":
            return z
        F, frames = self.config.turn_frames, self.config.head_context_frames
        before = self.by_turn(own[:, : z.shape[1] * F])[:, :, F - frames :]  # (B, n, frames, C)
        return torch.cat([z.flatten(2), before.flatten(2).to(z.dtype)], -1)

    def rows(self, motion: Tensor, before: Tensor) -> Tensor:
        """What the head denoises, (B, n*F, C) or (B, n, F*C): normalised motion (B, n, F, C) or, with the residual
        target, its scaled distance from the last own frame before each turn, `before` (B, n, C)."""
        if self.config.denoise_target == "residual":
            motion = (motion - self.residual_gain * before[:, :, None]) / self.residual_scale
        return motion.flatten(1, 2) if self.config.denoise_unit == "frame" else motion.flatten(2)

    def motion_of(self, rows: Tensor, before: Tensor) -> Tensor:
        """The inverse of `rows`: normalised motion (B, n, F, C)."""
        motion = rows.reshape(*before.shape[:2], self.config.turn_frames, self.config.n_channels)
        if self.config.denoise_target == "residual":
            motion = self.residual_gain * before[:, :, None] + self.residual_scale * motion
        return motion

    def noise_scale(self) -> Tensor:
        """What multiplies the noise of a row, (R,): 0 where nothing is generated, `lip_noise` where no gain is.

        Those channels, the lips, start every turn from nothing: the voice decides them, noise there is mostly jitter.
        """
        scale = (self.motion_weight > 0).float()
        if self.config.denoise_unit == "turn":
            scale = scale.expand(self.config.turn_frames, -1)
        if self.config.denoise_target == "residual":
            scale = scale * torch.where(self.residual_gain == 0, self.config.lip_noise, 1.0)
        return scale.flatten()

    def paper_loss(
        self,
        batch: TurnBatch,
        generator: torch.Generator | None = None,
        *,
        repeats: int = PAPER_REPEATS,
        mask_rate: float | None = None,
        user_dropout: float = 0.1,
    ) -> LossTerms:
        """The paper's recipe: random agent-motion tokens are masked (rate drawn when None) and are the targets."""
        return objective.paper_loss(self, batch, generator, mask_rate, user_dropout, repeats)


def _check(config: ModelConfig) -> None:
    """Combinations that the arithmetic of turns does not allow."""
    for name in ("head_context_frames", "agent_lookahead_frames"):
        frames = getattr(config, name)
        if frames > config.turn_frames:
            raise InvalidArgument(f"{name} is {frames}; at most the {config.turn_frames} frames of a turn")
