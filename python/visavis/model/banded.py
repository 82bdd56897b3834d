"""Attention of turns over a sliding window: who sees whom, and its fast form with a backward pass of its own.

Autograd pays for every chunk of queries with gradients as large as all keys, and for a learned bias with several passes
over all weights.  Written out, what belongs to a chunk stays in the processor's cache.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Chunk: TypeAlias = tuple[int, int, int]  # query turns from, to, and the first turn that they see


@dataclass(frozen=True)
class Band:
    """n_turns turns of `tokens` tokens; each sees itself and the window - 1 turns before it."""

    n_turns: int
    tokens: int
    window: int

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Queries go in chunks of turns against the keys of their windows: 2-3 times faster than one banded matrix at
        120 turns with 40 visible, and the same numbers."""
        starts = [*range(0, self.n_turns, max(1, self.window // 4)), self.n_turns]
        return [(begin, end, max(0, begin - self.window + 1)) for begin, end in pairwise(starts)]

    def distances(self, chunk: Chunk, device: torch.device) -> Tensor:
        """Turns from key to query, (queries, keys); negative before, window and more behind what is seen."""
        begin, end, low = chunk
        turn = torch.arange(low, end, device=device)
        return turn[begin - low :, None] - turn[None]

    def logits(self, chunk: Chunk, bias: Tensor | None, like: Tensor, nearest: int = 0) -> Tensor:
        """What is added for each pair of turns, (H or 1, queries, keys): `bias` (H, window) by distance, -inf where
        not seen.  `nearest`: the least distance that is seen."""
        distance = self.distances(chunk, like.device)
        if bias is None:
            logits = torch.zeros(1, *distance.shape, dtype=like.dtype, device=like.device)
        else:
            logits = bias.to(like.dtype)[:, distance.clamp(0, self.window - 1)]
        return logits.masked_fill((distance < nearest) | (distance >= self.window), float("-inf"))

    def rows(self, begin: int, end: int) -> slice:
        """Tokens of these turns."""
        return slice(begin * self.tokens, end * self.tokens)


def by_token(logits: Tensor, tokens: int) -> Tensor:
    """(H, queries, keys) of turns -> of their tokens."""
    return logits.repeat_interleave(tokens, 1).repeat_interleave(tokens, 2)


def banded_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, band: Band) -> Tensor:
    """Softmax attention, q, k, v (B, H, n*tokens, d) each -> the same shape; `bias` as in `Band.logits`."""
    out: Tensor = _Banded.apply(q, k, v, bias, band)  # type: ignore[no-untyped-call]
    return out


class _Banded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, band: Band) -> Tensor:
        """Keeps the weights of each chunk."""
        B, H, N, d = q.shape
        out = q.new_empty(B, N, H, d).transpose(1, 2)  # as a block reads it
        alike: dict[tuple[int, int], Tensor] = {}  # chunks away from the ends have the same logits
        weights = []
        with torch.autocast(q.device.type, enabled=False):
            for begin, end, low in band.chunks:
                logits = alike.get((end - begin, end - low))
                if logits is None:
                    logits = by_token(band.logits((begin, end, low), bias, q), band.tokens)
                    alike[end - begin, end - low] = logits
                queries, keys = band.rows(begin, end), band.rows(low, end)
                scores = torch.bmm(_flat(q, queries) * d**-0.5, _flat(k, keys).transpose(1, 2))
                weight = scores.view(B, H, *scores.shape[1:]).add_(logits).softmax(-1).view_as(scores)
                out[:, :, queries] = torch.bmm(weight, _flat(v, keys)).view(B, H, -1, d)
                weights.append(weight)
        ctx.save_for_backward(q, k, v, bias, out, *weights)
        ctx.band = band
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """With p = softmax(s), dp = g v^T: ds = p (dp - sum(dp p)), and sum(dp p) = g times the output."""
        q, k, v, bias, out, *weights = ctx.saved_tensors
        band: Band = ctx.band
        B, H, _, d = q.shape
        scale, exact = d**-0.5, torch.promote_types(q.dtype, torch.float32)  # sums over chunks are exact
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k, dtype=exact), torch.zeros_like(v, dtype=exact)
        dbias = None if bias is None else torch.zeros_like(bias)
        along = (gradient * out).sum(-1, keepdim=True)  # (B, H, N, 1)
        for (begin, end, low), weight in zip(band.chunks, weights, strict=True):
            queries, keys = band.rows(begin, end), band.rows(low, end)
            g = _flat(gradient, queries)
            dv[:, :, keys] += torch.bmm(weight.transpose(1, 2), g).view(B, H, -1, d)
            ds = torch.bmm(g, _flat(v, keys).transpose(1, 2)).sub_(_flat(along, queries)).mul_(weight)
            dq[:, :, queries] = torch.bmm(ds, _flat(k, keys)).mul_(scale).view(B, H, -1, d)
            dk[:, :, keys] += torch.bmm(ds.transpose(1, 2), _flat(q, queries) * scale).view(B, H, -1, d)
            if dbias is not None:  # ds is 0 where nothing is seen
                distance = band.distances((begin, end, low), q.device).clamp(0, band.window - 1)
                pairs = ds.view(B, H, *ds.shape[1:]).sum(0).to(dbias.dtype)  # a sum with a dtype copies all of it first
                pairs = pairs.view(H, end - begin, band.tokens, end - low, band.tokens).sum(-1).sum(2)
                dbias.index_add_(1, distance.flatten(), pairs.flatten(1))
        return dq, dk.to(q.dtype), dv.to(q.dtype), dbias, None


def _flat(x: Tensor, part: slice) -> Tensor:
    """(B, H, N, d) -> (B*H, n, d), contiguous: batched products of anything else are several times slower."""
    x = x[:, :, part]
    return x.reshape(-1, *x.shape[2:]).contiguous()
