"""The ring of past keys and values in the form `layers`: a ring for each layer, written in place by whoever runs it.

Nothing of the ring is copied: the turn's logits against it and against the turn's own keys are two products, joined for
the softmax alone.  The products are written so that ONNX Runtime packs the small operand: ring times queries, turned
round afterwards, took half the time of queries times ring.
"""

import numpy as np

from visavis.export.onnx.graph import Graph
from visavis.export.onnx.weights import Weights

UNSEEN = 1e4  # subtracted from the logits of turns that were not yet: their weight is exactly 0, in half precision too


class LayerRings:
    """Inputs past_keys_i, past_values_i (H, P*T, d) of each layer i, and `ring_start`; outputs new_keys, new_values.

    Turn t of a session is written into places [s*T, s*T + T) with s = t mod P.  The learned bias of a turn's distance
    is cut out of one row of 3*P turns [P..1 ago | P..1 ago | not yet], at `ring_start`: see `ring_start()`.
    """

    def __init__(self, graph: Graph, weights: Weights) -> None:
        config, dtype = weights.config, graph.profile.dtype
        self.graph, self.bias = graph, weights["turn_bias"]  # (depth, H, 1 + P)
        self.depth, self.heads, n_turns = self.bias.shape
        self.tokens, self.n_past = config.tokens_per_turn, n_turns - 1
        self.shape = (self.heads, self.n_past * self.tokens, config.width // config.heads)
        self.start = graph.input("ring_start", (1,), "int64")
        self.end = graph.op("Add", self.start, graph.integers(self.n_past * self.tokens))
        self.past = [
            [graph.input(f"past_{what}_{layer}", self.shape, dtype) for what in ("keys", "values")]
            for layer in range(self.depth)
        ]
        self.new: list[tuple[str, str]] = []

    def attend(self, layer: int, q: str, k: str, v: str) -> str:
        """(H, T, d): the values, mixed for each query; the turn's own keys and values are given out."""
        graph, (keys, values) = self.graph, self.past[layer]
        self.new.append((k, v))
        queries = graph.transpose(q, 0, 2, 1)  # (H, d, T)
        past = graph.transpose(graph.op("MatMul", keys, queries), 0, 2, 1)  # (H, T, P*T)
        past = graph.op("Add", past, self._distances(layer))
        own = graph.op("MatMul", q, graph.transpose(k, 0, 2, 1))  # (H, T, T)
        own = graph.op("Add", own, graph.constant(self.bias[layer, :, :1, None]))
        mixture = graph.op("Softmax", graph.concat([past, own], 2), axis=-1)
        sizes = graph.integers(self.n_past * self.tokens, self.tokens)
        past, own = graph.split_op("Split", 2, mixture, sizes, axis=2)
        return graph.op("Add", graph.op("MatMul", past, values), graph.op("MatMul", own, v))

    def _distances(self, layer: int) -> str:
        """(H, 1, P*T): the learned bias of each place's turn, far below all where there was no turn yet."""
        ago = np.repeat(self.bias[layer, :, :0:-1], self.tokens, axis=1)  # (H, P*T), P turns ago first
        row = np.concatenate([ago, ago, np.full_like(ago, -UNSEEN)], 1)[:, None]
        return self.graph.op("Slice", self.graph.constant(row), self.start, self.end, self.graph.integers(2))

    def finish(self) -> None:
        """The outputs: the turn's keys and values of all layers, (depth * H, T, d)."""
        shape = (self.depth * self.heads, self.tokens, self.shape[2])
        for name, parts in zip(("new_keys", "new_values"), zip(*self.new, strict=True), strict=True):
            self.graph.output(name, self.graph.concat(parts, 0), shape, self.graph.profile.dtype)
