"""Graph `backbone`: one turn's tokens against the ring of past keys and values -> conditions z, and the keys to keep.

Three forms of the ring.  `shift` gives the whole ring out again, one turn further: an output is the next turn's input.
`slots` gives the new turn's keys alone, to be written over the oldest turn wherever it lies: less to copy, and the
attention fuses in TensorRT; the graph is told how many turns ago each slot was written (`past_age`).  `layers` does so
with a ring for each layer (layer_rings.py).
"""

import numpy as np

from visavis.export.onnx.graph import Graph
from visavis.export.onnx.layer_rings import UNSEEN, LayerRings
from visavis.export.onnx.weights import Weights
from visavis.model.config import AGENT_MOTION, AGENT_SPEECH, MARKERS, USER_MOTION, USER_SPEECH
from visavis.model.layout import layout_of


def add_backbone(graph: Graph, weights: Weights) -> None:
    """speech (2, F, w), user_motion (F, C), ... -> z (F, D) and the ring."""
    config, dtype = weights.config, graph.profile.dtype
    F, T, D = config.turn_frames, config.tokens_per_turn, config.width
    hidden = _embedded(graph, weights)  # (T, D)
    if config.styles:
        hidden = graph.op("Add", hidden, _style(graph, weights))
    hidden = graph.op("Add", hidden, graph.constant(weights["encoder_pos_embed_learned"][0]))
    hidden = graph.layer_norm(hidden, *weights.layer("z_proj_ln"))
    ring = LayerRings(graph, weights) if graph.profile.ring == "layers" else Ring(graph, weights)
    for layer in range(config.depth):
        hidden = _block(graph, weights, layer, hidden, ring)
    ring.finish()
    hidden = graph.layer_norm(hidden, *weights.layer("encoder_norm"))
    hidden = graph.op("Add", hidden, graph.constant(weights["diffusion_pos_embed_learned"][0]))
    agent = layout_of(config).agent
    assert agent == tuple(range(agent[0], agent[0] + F)) and agent[-1] < T
    graph.output("z", graph.slice(hidden, 0, agent[0], agent[0] + F), (F, D), dtype)


# ---- tokens


def _embedded(graph: Graph, weights: Weights) -> str:
    """(T, D): the turn as the backbone takes it, before positions."""
    config = weights.config
    F, w = config.turn_frames, config.token_width
    speech = graph.input("speech", (2, F, w), graph.profile.dtype)
    both = [graph.reshape(part, F, w) for part in graph.split(speech, 0, 2, 1)]
    user = _user(graph, weights, both[0])
    own, masked = _own(graph, weights)
    if config.layout == "fused":
        together = graph.linear(graph.op("Add", *user), *weights.layer("z_proj_user"))
        agent = graph.op("Add", both[1], graph.op("Mul", own, _rest(graph, masked)) if masked else own)
        agent = graph.linear(agent, *weights.layer("z_proj"))
        if masked:
            token = graph.constant(weights["mask_token"].reshape(1, -1))
            agent = graph.op("Add", agent, graph.op("Mul", masked, token))
        return graph.concat([together, agent], 0)
    x = graph.concat(
        _marked(
            graph, weights, {USER_SPEECH: user[0], USER_MOTION: user[1]} | {AGENT_SPEECH: both[1], AGENT_MOTION: own}
        ),
        0,
    )
    x = graph.linear(x, *weights.layer("z_proj"))
    if masked:
        hidden = np.zeros((config.tokens_per_turn, 1), np.float32)
        hidden[list(layout_of(config).agent)] = 1
        share = graph.op("Mul", masked, graph.constant(hidden))
        token = graph.constant(weights["mask_token"].reshape(1, -1))
        x = graph.op("Add", graph.op("Mul", x, _rest(graph, share)), graph.op("Mul", share, token))
    return x


def _style(graph: Graph, weights: Weights) -> str:
    """(T, D): what the agent's style (1, S) adds to the tokens where z is read."""
    config = weights.config
    where = np.zeros((config.tokens_per_turn, 1), np.float32)
    where[list(layout_of(config).agent)] = 1
    style = graph.inner(graph.input("style", (1, len(config.styles))))
    person = graph.op("MatMul", style, graph.constant(weights["style_proj.weight"].T))  # (1, D)
    return graph.op("Mul", graph.constant(where), person)


def _marked(graph: Graph, weights: Weights, streams: dict[int, str]) -> list[str]:
    """Markers and streams in the layout's order."""
    layout, markers = layout_of(weights.config), weights["sep_tok_emb.weight"]  # (10, w)
    parts = []
    for kind, frame in zip(layout.kind, layout.frame, strict=True):
        if kind < len(MARKERS):
            parts.append(graph.constant(markers[kind : kind + 1]))
        elif frame == 0:
            parts.append(streams[kind])
    return parts


def _user(graph: Graph, weights: Weights, speech: str) -> tuple[str, str]:
    """The user's speech and motion tokens (F, w) each; fake_latent where the user is not heard, or a face absent."""
    F, C = weights.config.turn_frames, weights.config.n_channels
    present = graph.inner(graph.input("user_present", (F, 1)))
    heard = graph.inner(graph.input("user_heard", (1, 1))) if graph.profile.guidance else None
    fake = graph.constant(weights["fake_latent"])  # (1, w)
    motion = graph.op("Sub", graph.input("user_motion", (F, C)), graph.constant(weights["motion_mean"], "float32"))
    motion = graph.op("Mul", motion, graph.constant(weights.generated() / weights["motion_std"], "float32"))
    encoded = _motion_tokens(graph, weights, graph.op("Mul", graph.inner(motion), present))
    if heard is None:
        return speech, _either(graph, present, encoded, fake)
    return _either(graph, heard, speech, fake), _either(graph, graph.op("Mul", heard, present), encoded, fake)


def _own(graph: Graph, weights: Weights) -> tuple[str, str | None]:
    """The agent's motion tokens (F, w), and how much they give way to the mask token (None: a lagged past, never)."""
    F, C = weights.config.turn_frames, weights.config.n_channels
    tokens = _motion_tokens(graph, weights, graph.inner(graph.input("own", (F, C))))
    if weights.config.own_past == "lagged":
        return tokens, None
    return tokens, graph.inner(graph.input("own_masked", (1, 1)))


def _motion_tokens(graph: Graph, weights: Weights, motion: str) -> str:
    """(F, w) of normalised motion (F, C)."""
    inner = graph.op("Relu", graph.linear(motion, *weights.layer("motion_encoder.0")))
    return graph.op("Relu", graph.linear(inner, *weights.layer("motion_encoder.2")))


def _either(graph: Graph, share: str, one: str, other: str) -> str:
    """`one` where share is 1, `other` where it is 0."""
    return graph.op("Add", graph.op("Mul", share, one), graph.op("Mul", _rest(graph, share), other))


def _rest(graph: Graph, share: str) -> str:
    return graph.op("Sub", graph.scalar(1.0), share)


# ---- blocks


def _block(graph: Graph, weights: Weights, layer: int, x: str, ring: "Ring | LayerRings") -> str:
    """x + attention, then x + MLP, (T, D)."""
    name = f"encoder_blocks.{layer}"
    config = weights.config
    T, D, H = config.tokens_per_turn, config.width, config.heads
    normed = graph.layer_norm(x, *weights.layer(f"{name}.norm1"))
    qkv_weight, qkv_bias = (part.copy() for part in weights.layer(f"{name}.attn.qkv"))
    for part in (qkv_weight, qkv_bias):
        part[:D] *= np.float32((D // H) ** -0.5)  # the scale of the logits goes into the queries
    parts = graph.split(graph.linear(normed, qkv_weight, qkv_bias), 1, 3, D)
    q, k, v = (graph.transpose(graph.reshape(part, T, H, D // H), 1, 0, 2) for part in parts)  # (H, T, d)
    mixed = graph.reshape(graph.transpose(ring.attend(layer, q, k, v), 1, 0, 2), T, D)
    x = graph.op("Add", x, graph.linear(mixed, *weights.layer(f"{name}.attn.proj")))
    inner = graph.gelu(
        graph.linear(graph.layer_norm(x, *weights.layer(f"{name}.norm2")), *weights.layer(f"{name}.mlp.fc1"))
    )
    return graph.op("Add", x, graph.linear(inner, *weights.layer(f"{name}.mlp.fc2")))


class Ring:
    """Past keys and values as inputs, their logits, and what is kept of them."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        config, dtype = weights.config, graph.profile.dtype
        self.graph, self.bias = graph, weights["turn_bias"]  # (depth, H, W)
        self.depth, self.heads, self.turns = self.bias.shape
        self.tokens, self.n_past = config.tokens_per_turn, self.turns - 1
        self.shape = (self.depth, self.heads, self.n_past * self.tokens, config.width // config.heads)
        seen = graph.inner(graph.input("past_seen", (self.n_past,)))
        self.age = graph.input("past_age", (self.n_past,), "int32") if graph.profile.ring == "slots" else None
        self.past = [graph.input(name, self.shape, dtype) for name in ("past_keys", "past_values")]
        unseen = graph.op("Mul", graph.op("Sub", seen, graph.scalar(1.0)), graph.scalar(UNSEEN))
        self.mask = graph.concat([unseen, graph.scalar(0.0)], 0)  # (W,), the turn itself last
        self.kept: list[tuple[str, str]] = []

    def attend(self, layer: int, q: str, k: str, v: str) -> str:
        """(H, T, d): the values, mixed for each query; the turn's own keys and values are kept."""
        graph = self.graph
        keys, values = self.extended(layer, k, v)
        logits = graph.op("MatMul", q, graph.transpose(keys, 0, 2, 1))
        mixture = graph.op("Softmax", graph.op("Add", logits, self.logits(layer)), axis=-1)
        return graph.op("MatMul", mixture, values)

    def extended(self, layer: int, k: str, v: str) -> tuple[str, str]:
        """Keys and values (H, W*T, d), the turn's own last."""
        graph, (_, H, n, d) = self.graph, self.shape
        whole = []
        for past, new in zip(self.past, (k, v), strict=True):
            old = graph.reshape(graph.slice(past, 0, layer, layer + 1), H, n, d)
            whole.append(graph.concat([old, new], 1))
        self.kept.append((whole[0], whole[1]) if self.age is None else (k, v))
        return whole[0], whole[1]

    def logits(self, layer: int) -> str:
        """(H, 1, W*T): the learned bias of each turn's distance, and the mask."""
        graph, bias = self.graph, self.bias[layer]
        if self.age is None:
            by_turn = graph.constant(bias[:, ::-1])  # (H, W), the oldest turn is the farthest
        else:
            age = graph.concat([self.age, graph.constant(np.zeros(1), "int32")], 0)
            by_turn = graph.op("Gather", graph.constant(bias), age, axis=1)
        masked = graph.reshape(graph.op("Add", by_turn, self.mask), self.heads, self.turns, 1)
        spread = graph.op("Add", masked, graph.constant(np.zeros((1, 1, self.tokens))))  # (H, W, T)
        return graph.reshape(spread, self.heads, 1, self.turns * self.tokens)

    def finish(self) -> None:
        """The outputs: with `shift` the rings without their oldest turn, with `slots` the turn's keys and values."""
        graph, (_, H, n, d) = self.graph, self.shape
        names = ("keys", "values") if self.age is None else ("new_keys", "new_values")
        for name, parts in zip(names, zip(*self.kept, strict=True), strict=True):
            size = n if self.age is None else self.tokens
            if self.age is None:
                parts = tuple(graph.slice(part, 1, self.tokens, self.tokens + n) for part in parts)
            stacked = graph.concat([graph.reshape(part, 1, H, size, d) for part in parts], 0)
            graph.output(name, stacked, (self.depth, H, size, d), graph.profile.dtype)
