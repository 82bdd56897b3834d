"""The peer: TIMAR turn by turn in PyTorch, eager, as a CUDA graph, or compiled and as a CUDA graph.

It computes what engine cuda does with `own_past=masked`: wav2vec2 on both voices of the turn, the backbone over the
window (`exact`: all of it; `amortised`: the turn's tokens over cached keys), the ancestral steps.  It is given what
helps it: scaled_dot_product_attention with masks that are there before, embeddings of the times computed once, pinned
memory at both ends.  What is compiled is functions of tensors, so that all blocks of a kind share one compilation.
Letters of the shapes as in visavis/model/timar.py.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.model.config import EPS
from visavis.model.diffusion import log_variance_of
from visavis.model.process import Process
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Encoder

Work = Callable[[], None]


def queries_keys_values(x: Tensor, eps: float, norm: list[Tensor], qkv: list[Tensor]) -> Tensor:
    """What a block does before its attention, (N, D) -> (N, 3D)."""
    return functional.linear(functional.layer_norm(x, x.shape[-1:], *norm, eps=eps), *qkv)


def after_attention(
    x: Tensor,
    mixed: Tensor,
    eps: float,
    projection: list[Tensor],
    norm: list[Tensor],
    fc1: list[Tensor],
    fc2: list[Tensor],
) -> Tensor:
    """What it does after it, (N, D) -> (N, D)."""
    x = x + functional.linear(mixed, *projection)
    normed = functional.layer_norm(x, x.shape[-1:], *norm, eps=eps)
    return x + functional.linear(functional.gelu(functional.linear(normed, *fc1)), *fc2)


def head_block(
    x: Tensor, y: Tensor, norm: list[Tensor], modulation: list[Tensor], a: list[Tensor], b: list[Tensor]
) -> Tensor:
    """A block of the head, (F, W) -> (F, W)."""
    shift, scale, gate = functional.linear(functional.silu(y), *modulation).chunk(3, -1)
    normed = functional.layer_norm(x, x.shape[-1:], *norm, eps=EPS) * (1 + scale) + shift
    return x + gate * functional.linear(functional.silu(functional.linear(normed, *a)), *b)


class Peer:
    """One session of a model on a device, in one type."""

    def __init__(
        self, model: Timar, device: str, dtype: torch.dtype, compiled: bool = False, backend: str = "inductor"
    ) -> None:
        """`model` is changed: hand in a copy.  `backend` is torch.compile's."""
        config, self.device, self.dtype = model.config, device, dtype
        F, C, T, D, W = (
            config.turn_frames,
            config.n_channels,
            config.tokens_per_turn,
            config.width,
            config.context_turns,
        )
        self.model, self.config = model.to(device).eval(), config
        self.process = Process.spaced(config.steps)
        with torch.no_grad():
            times = torch.tensor(self.process.times.copy(), device=device)
            self.times = model.diffloss.net.time_embed(times).to(dtype)  # (steps, head width)
        model.to(dtype)
        assert isinstance(model.speech_encoder, Wav2Vec2Encoder) and model.speech_encoder.config.pre_norm
        self.encoder = model.speech_encoder
        parts: list[Any] = [queries_keys_values, after_attention, head_block]
        if compiled:
            parts = [torch.compile(part, backend=backend, dynamic=False) for part in parts]
        self.before, self.after, self.head_block = parts
        pinned = device != "cpu"
        self.audio_in = torch.zeros(2, config.turn_samples, pin_memory=pinned)  # user, agent
        self.motion_in = torch.zeros(F, C, pin_memory=pinned)
        self.noise_in = torch.zeros(1 + config.steps, F, C, pin_memory=pinned)
        self.motion_out = torch.zeros(F, C, pin_memory=pinned)
        self.audio, self.user_motion, self.noise = (
            torch.zeros(source.shape, device=device) for source in (self.audio_in, self.motion_in, self.noise_in)
        )
        self.masked = torch.ones(1, 1, 1, dtype=torch.bool, device=device)
        self.past = torch.zeros(W - 1, T, D, device=device, dtype=dtype)  # embedded turns, oldest first
        self.keys, self.values = (
            torch.zeros(config.depth, 1, config.heads, W * T, D // config.heads, device=device, dtype=dtype)
            for _ in range(2)
        )
        turn = torch.arange(W * T, device=device) // T
        self.causal = turn[:, None] >= turn[None]  # a turn sees itself and those before

    # ---- parts

    def hear(self) -> Tensor:
        """(2, F, S) of both voices."""
        encoder = self.encoder
        x = encoder.convolve(self.audio.to(self.dtype)[:, None])
        x = functional.interpolate(x, size=self.config.turn_frames, mode="linear", align_corners=True)
        x = encoder.feature_projection(encoder.feature_norm(x.transpose(1, 2)))
        places = encoder.positions(x.transpose(1, 2))[..., : self.config.turn_frames]
        x = x + functional.gelu(places).transpose(1, 2)
        for block in encoder.blocks:
            x = self._block(block, x, encoder.config.heads, encoder.config.eps, functional.scaled_dot_product_attention)
        out: Tensor = encoder.norm(x)
        return out

    def embed(self) -> Tensor:
        """The turn's tokens, the agent's motion masked, (1, 1, T, D)."""
        model = self.model
        speech = model.speech_projection(self.hear())[:, None, None]  # (2, 1, 1, F, w)
        motion = model.motion_encoder(model.normalise(self.user_motion).to(self.dtype))[None, None]
        return model.embed((speech[0], motion), speech[1], torch.zeros_like(motion), self.masked)

    def encode(self, x: Tensor, first_turn: int, attends: list[Any]) -> Tensor:
        """z (F, D) of the last of embedded turns (1, n, T, D), the first at that place of the window."""
        model, n = self.model, x.shape[1]
        places = slice(first_turn, first_turn + n)
        positions = model.encoder_pos_embed_learned.view(-1, *x.shape[2:])[places]
        hidden = model.z_proj_ln(x + positions).flatten(1, 2)
        for block, attend in zip(model.encoder_blocks, attends, strict=True):
            hidden = self._block(block, hidden, self.config.heads, EPS, attend)
        hidden = model.encoder_norm(hidden).view(x.shape)
        hidden = hidden + model.diffusion_pos_embed_learned.view(-1, *x.shape[2:])[places]
        z: Tensor = hidden[0, -1, model._agent]
        return z

    def denoise(self, z: Tensor) -> Tensor:
        """Normalised motion (F, C) of z (F, D)."""
        net, process = self.model.diffloss.net, self.process
        condition = net.cond_embed(z)
        x = self.noise[0]
        for i in reversed(range(self.config.steps)):
            y = self.times[i] + condition
            hidden = net.input_proj(x.to(self.dtype))
            for block in net.res_blocks:
                modulation, inner, outer = block.adaLN_modulation[1], block.mlp[0], block.mlp[2]
                hidden = self.head_block(hidden, y, *map(pair, (block.in_ln, modulation, inner, outer)))
            x0, v = net.final_layer(hidden, y).float().chunk(2, -1)
            x = float(process.x0_weight[i]) * x0 + float(process.xt_weight[i]) * x
            if i > 0:
                variance = log_variance_of(v, float(process.log_beta[i]), float(process.posterior_log_variance[i]))
                x = x + torch.exp(0.5 * variance) * self.noise[self.config.steps - i]
        return x

    def _block(self, block: Any, x: Tensor, heads: int, eps: float, attend: Any) -> Tensor:
        qkv = self.before(x, eps, pair(block.norm1), pair(block.attn.qkv))
        q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v).transpose(1, 2).flatten(2)
        rest = map(pair, (block.attn.proj, block.norm2, block.mlp.fc1, block.mlp.fc2))
        out: Tensor = self.after(x, mixed, eps, *rest)
        return out

    # ---- turns: from pinned memory to pinned memory

    @torch.no_grad()
    def exact(self) -> None:
        """A turn of the full window; then it is past."""
        self._bring()
        window = torch.cat([self.past[None], self.embed()], 1)  # (1, W, T, D)
        self._give(self.encode(window, 0, [self._over_window] * self.config.depth))
        self.past.copy_(window[0, 1:])

    def cached(self, place: int) -> Work:
        """A turn at that place of the window, keys and values of those before it cached."""

        @torch.no_grad()
        def turn() -> None:
            self._bring()
            attends = [self._over_cache(layer, place) for layer in range(self.config.depth)]
            self._give(self.encode(self.embed(), place, attends))

        return turn

    @torch.no_grad()
    def denoise_alone(self) -> None:
        """The head on a condition that lies there."""
        self._give(self.past[0, : self.config.turn_frames])

    def _over_window(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=self.causal)

    def _over_cache(self, layer: int, place: int) -> Any:
        T = self.config.tokens_per_turn
        keys, values = self.keys[layer, :, :, : (place + 1) * T], self.values[layer, :, :, : (place + 1) * T]

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys[:, :, place * T :] = k
            values[:, :, place * T :] = v
            return functional.scaled_dot_product_attention(q, keys, values)

        return attend

    def _bring(self) -> None:
        self.audio.copy_(self.audio_in, non_blocking=True)
        self.user_motion.copy_(self.motion_in, non_blocking=True)
        self.noise.copy_(self.noise_in, non_blocking=True)

    def _give(self, z: Tensor) -> None:
        self.motion_out.copy_(self.model.denormalise(self.denoise(z)), non_blocking=True)


def pair(layer: nn.Module) -> list[Tensor]:
    """Its weight and bias."""
    return [layer.weight, layer.bias]  # type: ignore[list-item]


def synchronise(device: str) -> None:
    """Waits for the GPU; nothing to wait for without one."""
    if device != "cpu":
        torch.cuda.synchronize()


def as_graph(work: Work, device: str) -> Work:
    """The work as one CUDA graph; without a GPU the work itself, warmed up."""
    if device == "cpu":
        work()
        return work
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # compiles, chooses algorithms, allocates
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
