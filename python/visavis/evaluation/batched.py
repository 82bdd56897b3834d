"""Free-running motion of many clips at once in torch: what an engine does turn by turn, batched over clips.

For live models (relative positions, own past masked or lagged).  Speech tokens of whole clips come first, then the
turns run in step with cached keys; noise is the engines', so a clip equals what any engine gives to float tolerance
(tested).
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import model_path
from visavis.errors import Unsupported
from visavis.evaluation.generate import Scene, face_rows
from visavis.export.gguf import load_gguf
from visavis.model.backbone import Attend
from visavis.model.diffusion import sample
from visavis.model.timar import Timar

Floats = npt.NDArray[np.float32]
BATCH = 32  # clips


class BatchGenerator:
    """Motion (T, C) for scenes; options as of `load_engine`: sampler, steps."""

    def __init__(self, model: Path | Timar | None, seed: int, temperature: float = 1.0, **options: Any) -> None:
        self.model = model.eval() if isinstance(model, Timar) else load_gguf(model_path(model)).eval()
        self.config = self.model.config.with_options(**options)
        if self.config.window != "ring" or self.config.own_past == "fed":
            raise Unsupported("the batched generator runs live models (ring window, own past not fed); use engine=cpu")
        self.seed, self.temperature = seed, temperature

    def __call__(self, clips: list[Scene]) -> list[Floats]:
        """Every clip from a session's start; clips of a batch run to the longest of them."""
        motions: list[Floats] = []
        for begin in range(0, len(clips), BATCH):
            motions += self._batch(clips[begin : begin + BATCH], self.seed + begin)
        return motions

    @torch.no_grad()
    def _batch(self, clips: list[Scene], seed: int) -> list[Floats]:
        config, model = self.config, self.model
        F, C = config.turn_frames, config.n_channels
        lengths = [len(clip.agent) // SAMPLES_PER_FRAME for clip in clips]
        n_turns = -(-max(lengths) // F)
        user, speech = self._tokens(clips, n_turns * F)
        noise = self._noise(len(clips), n_turns * F, seed)  # (1 + steps, B, n*F, C)
        caches = [RingCache(model, layer) for layer in range(config.depth)]
        attend: list[Attend] = list(caches)
        own = torch.zeros(len(clips), F, C)
        motion = []
        for turn in range(n_turns):
            now = slice(turn * F, turn * F + F)
            tokens = (user[0][:, None, now], user[1][:, None, now]), speech[:, None, now]
            x = model.embed(*tokens, model.motion_encoder(own)[:, None], masked=config.own_past == "masked")
            own = self._denoise(model.encode(x, attend), own, noise[:, :, now])
            motion.append(own)
        values = model.denormalise(torch.cat(motion, 1)).numpy()
        return [values[i, :n] for i, n in enumerate(lengths)]

    def _tokens(self, clips: list[Scene], n_frames: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """User tokens (speech, motion) and agent speech tokens, (B, n_frames, w) each."""
        config, model = self.config, self.model
        size, context = n_frames * SAMPLES_PER_FRAME, config.context_samples
        ahead, lag = (n * SAMPLES_PER_FRAME for n in (config.agent_lookahead_frames, config.user_lag_frames))
        users, agents = [], []
        for clip in clips:
            agents.append(_placed(clip.agent, context, context + size + ahead))
            users.append(_placed(clip.user, context + lag, context + size))
        faces = [face_rows(clip.face, -config.user_lag_frames, n_frames, config.n_channels) for clip in clips]
        motion, there = (torch.from_numpy(np.stack(part)) for part in zip(*faces, strict=True))
        return model.user_tokens(torch.stack(users), motion, there), model.agent_speech_tokens(torch.stack(agents))

    def _noise(self, n_clips: int, n_frames: int, seed: int) -> Tensor:
        from visavis import _core

        c = self.config
        draws = [_core.noise(seed + i, 0, n_frames, c.n_channels, c.steps, c.noise_coherence) for i in range(n_clips)]
        return torch.from_numpy(np.stack(draws, axis=1))

    def _denoise(self, z: Tensor, own: Tensor, noise: Tensor) -> Tensor:
        """Normalised motion (B, F, C) of conditions z (B, 1, F, D), noise (1 + steps, B, F, C)."""
        model, head = self.model, self.model.diffloss
        condition = head.net.cond_embed(model.head_condition(z, own).reshape(-1, self.config.condition_width))
        rows = sample(
            lambda x, t: head.predict(x, t, condition),
            noise.reshape(len(noise), -1, self.config.row_width),
            self.config.sampler,
            self.config.steps,
            self.temperature,
            model.noise_scale(),
        )
        return model.motion_of(rows, own[:, None, -1])[:, 0]


class RingCache:
    """Attention of one layer over the turns kept so far, the newest `context_turns` of them."""

    def __init__(self, model: Timar, layer: int) -> None:
        self.bias = model.layer_bias(layer)  # (H, W)
        self.n_turns = model.config.context_turns
        self.turns: list[tuple[Tensor, Tensor]] = []

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """One turn, (B, H, T, d) each."""
        self.turns = [*self.turns, (k, v)][-self.n_turns :]
        keys, values = (torch.cat(part, 2) for part in zip(*self.turns, strict=True))
        logits = None
        if self.bias is not None:
            by_turn = self.bias[:, : len(self.turns)].flip(1)  # the oldest turn is the farthest
            logits = by_turn.repeat_interleave(k.shape[2], 1)[None, :, None]
        return functional.scaled_dot_product_attention(q, keys, values, attn_mask=logits)


def _placed(audio: Floats, begin: int, size: int) -> Tensor:
    """Silence of `size` samples with the voice laid in from `begin` on."""
    out = torch.zeros(size)
    n = min(len(audio), size - begin)
    out[begin : begin + n] = torch.from_numpy(audio[:n])
    return out
