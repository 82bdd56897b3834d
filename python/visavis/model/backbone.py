"""The backbone: pre-norm transformer blocks whose attention is handed in, and the attention patterns of turns.

A block computes q, k, v and asks an `Attend` for the mixture.  Training uses `TurnBand` (sliding window over a whole
crop), the streaming engine brings its own with cached keys.  Both see the same thing: a turn attends to itself and to
the context_turns - 1 turns before it, in full within a turn.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.model.banded import Band, banded_attention, by_token
from visavis.model.config import EPS

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # q, k, v, each (B, H, N, d) -> (B, H, N, d)


class Attention(nn.Module):
    """Multi-head attention with one qkv matrix (rows q, k, v; head after head in each)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.proj_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        B, N, D = x.shape
        q, k, v = self.qkv(x).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, H, N, d) each
        mixed = attend(q, k, v).transpose(1, 2).reshape(B, N, D)
        out: Tensor = self.proj_dropout(self.proj(mixed))
        return out


class Mlp(nn.Module):
    """Two linears with exact GELU between."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        out: Tensor = self.dropout(self.fc2(functional.gelu(self.fc1(x))))
        return out


class Block(nn.Module):
    """x + Attn(LN(x)), then x + MLP(LN(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width, mlp_ratio * width, dropout)

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.attn(self.norm1(x), attend)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


def mix(q: Tensor, k: Tensor, v: Tensor, logits: Tensor, dropout: float = 0.0) -> Tensor:
    """Softmax attention with `logits` added, (B, H, N, d), in the dtype of q.

    Written out: with a mask that takes a gradient, scaled_dot_product_attention falls back to the same mathematics with
    more passes over memory (2.5 times the time of this under bf16 autocast on a CPU).
    """
    with torch.autocast(q.device.type, enabled=False):
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).add_(logits).softmax(-1)
        return functional.dropout(weights, dropout) @ v


class TurnBand:
    """Sliding-window attention over crops of n turns of T tokens.

    `bias` (H, W) holds the logits of each turn distance, or None.  `two_streams` (own past `fed`): the batch is
    [committed turns; query turns]; a query turn sees the committed turns before it and itself, a committed turn the
    committed turns up to itself.
    """

    def __init__(
        self,
        n_turns: int,
        tokens: int,
        window: int,
        bias: Tensor | None,
        two_streams: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.band, self.bias = Band(n_turns, tokens, window), bias
        self.two_streams, self.dropout = two_streams, dropout

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, H, n*T, d) each; with two streams the batch is 2B."""
        if not self.two_streams:
            return self.one_stream(q, k, v) if self.dropout else banded_attention(q, k, v, self.bias, self.band)
        B = q.shape[0] // 2
        committed = self.one_stream(q[:B], k[:B], v[:B])
        query = self.one_stream(q[B:], k[:B], v[:B], own=(k[B:], v[B:]))
        return torch.cat([committed, query])

    def one_stream(self, q: Tensor, k: Tensor, v: Tensor, own: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Each query turn over the window of k, v; its own turn's keys come from `own` where that is given.

        What `banded_attention` computes, by autograd.
        """
        out = []
        for chunk in self.band.chunks:
            begin, end, low = chunk
            queries, seen = self.band.rows(begin, end), self.band.rows(low, end)
            keys, values = k[:, :, seen], v[:, :, seen]
            logits = self.band.logits(chunk, self.bias, q, nearest=int(own is not None))
            if own is not None:
                keys = torch.cat([keys, own[0][:, :, queries]], 2)
                values = torch.cat([values, own[1][:, :, queries]], 2)
                logits = torch.cat([logits, self._own_logits(end - begin, q)], 2)
            out.append(mix(q[:, :, queries], keys, values, by_token(logits, self.band.tokens)[None], self.dropout))
        return torch.cat(out, 2)

    def _own_logits(self, n: int, like: Tensor) -> Tensor:
        """The query stream's own turns: each sees itself alone, at distance 0, (H or 1, n, n)."""
        eye = torch.eye(n, dtype=torch.bool, device=like.device)
        own = torch.zeros(1, 1, 1, device=like.device) if self.bias is None else self.bias[:, :1, None]
        return own.to(like.dtype).expand(-1, n, n).masked_fill(~eye, float("-inf"))
