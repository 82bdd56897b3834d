"""How the torch engine keeps a session's history: three windows over past turns.

`ring`: keys and values of the last turns, kept for ever (relative positions).  `exact`: the whole window computed anew
each turn, positions from 0, as the authors do.  `amortised`: cached keys until the window is full, then its newer half
is encoded again at positions 0.. .  A window is immutable: `commit` returns the next one, so that a failed turn leaves
no trace.  Letters as in model/timar.py.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from visavis.model.backbone import Attend
from visavis.model.timar import Timar


class Window(Protocol):
    """The visible past of one session."""

    def condition(self, turn: Tensor) -> Tensor:
        """z (F, D) of the current turn, its tokens (T, D) embedded, in sight of the past."""

    def commit(self, turn: Tensor) -> "Window":
        """The window in which that turn belongs to the past."""


class ExactWindow:
    """The embedded past turns themselves."""

    def __init__(self, model: Timar, turns: Sequence[Tensor] = (), context_turns: int | None = None) -> None:
        """`context_turns`: visible turns, the current one included; None: the model's."""
        self.model, self.turns = model, tuple(turns)  # (T, D) each, oldest first
        self.context_turns = context_turns or model.config.context_turns

    def condition(self, turn: Tensor) -> Tensor:
        """All visible turns in one pass."""
        window = torch.stack([*self.turns, turn])[None]  # (1, n, T, D)
        return self.model.encode(window, self.model.band(window.shape[1]))[0, -1]

    def commit(self, turn: Tensor) -> "ExactWindow":
        """The oldest turn leaves when the window is full."""
        n_past = self.context_turns - 1
        return ExactWindow(self.model, (*self.turns, turn)[-n_past:] if n_past else (), self.context_turns)


class Cache:
    """Keys and values (H, T, d) of past turns by layer, oldest turn first."""

    def __init__(self, model: Timar, layers: Sequence[Sequence[tuple[Tensor, Tensor]]] | None = None) -> None:
        self.model = model
        self.layers = [list(turns) for turns in layers] if layers else [[] for _ in range(model.config.depth)]

    @property
    def n_turns(self) -> int:
        """Turns held."""
        return len(self.layers[0])

    def encode(self, turn: Tensor) -> tuple[Tensor, "Cache"]:
        """z (F, D) of the turn after those held, and the cache that holds it too."""
        grown = Cache(self.model, self.layers)
        attend = [self._attend(layer, grown) for layer in range(self.model.config.depth)]
        return self.model.encode(turn[None, None], attend, first_turn=self.n_turns)[0, 0], grown

    def newest(self, n_turns: int) -> "Cache":
        """The last turns alone."""
        return Cache(self.model, [turns[-n_turns:] if n_turns else [] for turns in self.layers])

    def _attend(self, layer: int, grown: "Cache") -> Attend:
        bias = self.model.layer_bias(layer)  # (H, W) or None

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # (1, H, T, d) each
            turns = grown.layers[layer]
            turns.append((k[0], v[0]))
            keys, values = (torch.cat(part, 1)[None] for part in zip(*turns, strict=True))  # (1, H, n*T, d)
            logits = None
            if bias is not None:
                by_turn = bias[:, : len(turns)].flip(1)  # (H, n): the oldest turn is the farthest
                logits = by_turn.repeat_interleave(k.shape[2], 1)[None, :, None].to(q.dtype)
            return functional.scaled_dot_product_attention(q, keys, values, attn_mask=logits)

        return attend


class RingWindow:
    """The cache of the last turns; with relative positions no key goes stale."""

    def __init__(self, model: Timar, cache: Cache | None = None) -> None:
        self.model, self.cache = model, cache or Cache(model)

    def condition(self, turn: Tensor) -> Tensor:
        """One turn's tokens against the cached keys."""
        return self.cache.encode(turn)[0]

    def commit(self, turn: Tensor) -> "RingWindow":
        """The oldest turn leaves when the ring is full."""
        _, grown = self.cache.encode(turn)
        return RingWindow(self.model, grown.newest(self.model.config.context_turns - 1))


class AmortisedWindow:
    """Cached keys at absolute positions, and the embedded turns to begin again from."""

    def __init__(self, model: Timar, turns: Sequence[Tensor] = (), cache: Cache | None = None) -> None:
        self.model, self.turns, self.cache = model, tuple(turns), cache or Cache(model)

    def condition(self, turn: Tensor) -> Tensor:
        """One turn's tokens against the cached keys."""
        return self.cache.encode(turn)[0]

    def commit(self, turn: Tensor) -> "AmortisedWindow":
        """When the window is full, its newest half is encoded again at positions 0.. ."""
        turns = (*self.turns, turn)
        full = self.model.config.context_turns
        if len(turns) < full:
            return AmortisedWindow(self.model, turns, self.cache.encode(turn)[1])
        kept = turns[full - full // 2 :]
        cache = Cache(self.model)
        for old in kept:
            _, cache = cache.encode(old)
        return AmortisedWindow(self.model, kept, cache)


WINDOWS = {"ring": RingWindow, "exact": ExactWindow, "amortised": AmortisedWindow}
