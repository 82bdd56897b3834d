"""Graph `head`: conditions z and explicit noise -> the turn's motion, every denoising step unrolled.

The modulations of all steps depend on condition and time alone: one product before the first step.  Two rows go through
it together, with the user heard and unheard, for guidance; at guidance 1 both are the same, and profiles without
guidance have the first alone.  State and sampler stay in float32 in every profile, the network is in
the profile's precision.
"""

import math

import numpy as np
import numpy.typing as npt

from visavis.export.onnx.graph import Graph
from visavis.export.onnx.weights import Floats, Weights
from visavis.model.config import EPS
from visavis.model.process import N_TIME_FEATURES, Process, dpm2m_times

NET = "diffloss.net"


def add_head(graph: Graph, weights: Weights) -> None:
    """z, z_unheard (F, D), own (F, C), noise (1 + steps, F, C), temperature, guidance (1,) -> motion, own_next."""
    config = weights.config
    F, C, R = config.turn_frames, config.n_channels, config.row_width
    heard = ("z", "z_unheard") if graph.profile.guidance else ("z",)
    z = [graph.input(name, (F, config.width), graph.profile.dtype) for name in heard]
    own = graph.input("own", (F, C))
    noise = graph.input("noise", (1 + config.steps, F, C))
    temperature = graph.input("temperature", (1,))
    n_rows = F * C // R
    scaled = graph.op(
        "Mul", graph.reshape(noise, 1 + config.steps, n_rows, R), graph.constant(weights.noise_scale(), "float32")
    )
    network = Network(graph, weights, z, own) if graph.profile.guidance else SingleNetwork(graph, weights, z, own)
    if config.sampler == "ancestral":
        rows = _ancestral(graph, network, scaled, temperature, config.steps, (n_rows, R))
    else:
        held = (weights.noise_scale() == 0) & (weights.row_mask() > 0)  # begun without noise: the first x_0
        rows = _dpm2m(graph, network, scaled, temperature, (n_rows, R), held)
    _finish(graph, weights, graph.reshape(rows, F, C), own)


def _finish(graph: Graph, weights: Weights, rows: str, own: str) -> None:
    """Rows (F, C) to normalised motion, and that to raw units."""
    F, C = weights.config.turn_frames, weights.config.n_channels
    motion = rows
    if weights.config.denoise_target == "residual":
        last = graph.op("Mul", graph.slice(own, 0, F - 1, F), graph.constant(weights["residual_gain"], "float32"))
        motion = graph.op("Add", last, graph.op("Mul", rows, graph.constant(weights["residual_scale"], "float32")))
    else:
        motion = graph.op("Add", rows, graph.scalar(0.0, "float32"))  # a node of its own, to carry the name
    graph.output("own_next", motion, (F, C))
    mask = weights.generated()
    raw = graph.op("Mul", "own_next", graph.constant(weights["motion_std"] * mask, "float32"))
    raw = graph.op("Add", raw, graph.constant(weights["motion_mean"] * mask, "float32"))
    graph.output("motion", raw, (F, C))


class Network:
    """x_0 (and v) of noisy rows; `step` counts from the noisiest."""

    def __init__(self, graph: Graph, weights: Weights, z: list[str], own: str) -> None:
        self.graph, self.weights = graph, weights
        self.guidance = graph.input("guidance", (1,)) if len(z) == 2 else ""
        config = weights.config
        self.n_rows = config.turn_frames * config.n_channels // config.row_width
        self.times = step_times(config.sampler, config.steps)
        self.learns_variance = config.sampler == "ancestral"
        condition = graph.linear(self._condition(z, own), *weights.layer(f"{NET}.cond_embed"))  # (2n, W)
        self.modulations = self._modulations(condition)

    def _condition(self, z: list[str], own: str) -> str:
        """(2n, condition_width): heard rows, then unheard ones."""
        graph, config = self.graph, self.weights.config
        F, C, D, frames = config.turn_frames, config.n_channels, config.width, config.head_context_frames
        if config.denoise_unit == "frame":
            return graph.concat(z, 0) if len(z) > 1 else z[0]
        rows = [graph.reshape(part, 1, F * D) for part in z]
        flat = graph.concat(rows, 0) if len(z) > 1 else rows[0]
        if not frames:
            return flat
        before = graph.inner(graph.reshape(graph.slice(own, 0, F - frames, F), 1, frames * C))
        return graph.concat([flat, graph.concat([before] * len(z), 0) if len(z) > 1 else before], 1)

    def _modulations(self, condition: str) -> list[list[str]]:
        """For each step the shifts, scales and gates (2n, W) of all layers, in their order."""
        graph, config = self.graph, self.weights.config
        W, S, n = config.head_width, config.steps, 2 * self.n_rows
        names = [f"{NET}.res_blocks.{i}" for i in range(config.head_depth)] + [f"{NET}.final_layer"]
        layers = [self.weights.layer(f"{name}.adaLN_modulation.1") for name in names]
        weight, bias = (np.concatenate(parts) for parts in zip(*layers, strict=True))
        y = graph.op("Add", graph.reshape(condition, 1, n, W), graph.constant(self._time_embedding()[:, None]))
        product = graph.linear(graph.silu(y), weight, bias)  # (S, 2n, (3 * depth + 2) * W)
        steps = graph.split(product, 0, S, 1) if S > 1 else [product]
        n_parts = 3 * config.head_depth + 2
        return [graph.split(graph.reshape(step, n, n_parts * W), 1, n_parts, W) for step in steps]

    def _time_embedding(self) -> Floats:
        """(S, W), in float32 as the reference computes it."""
        half = N_TIME_FEATURES // 2
        frequency = np.exp(np.float32(-math.log(10000)) * np.arange(half, dtype=np.float32) / np.float32(half))
        angle = np.array(self.times, np.float32)[:, None] * frequency
        x = np.concatenate([np.cos(angle), np.sin(angle)], 1)
        for i in (0, 2):
            weight, bias = self.weights.layer(f"{NET}.time_embed.mlp.{i}")
            x = x @ weight.T + bias
            x = x / (1 + np.exp(-x)) if i == 0 else x
        return x

    def predict(self, step: int, x: str) -> tuple[str, str]:
        """x_0 and v (n, R) float32 of x (n, R) float32; v is "" where the sampler reads none."""
        graph, config = self.graph, self.weights.config
        n, R, W = self.n_rows, config.row_width, config.head_width
        mask = graph.constant(self.weights.row_mask(), "float32")
        parts = self.modulations[step]
        hidden = graph.inner(graph.op("Mul", x, mask))
        hidden = graph.linear(hidden, *self.weights.layer(f"{NET}.input_proj"))
        hidden = graph.concat([hidden, hidden], 0)  # (2n, W)
        for i in range(config.head_depth):
            hidden = self._res_block(f"{NET}.res_blocks.{i}", hidden, *parts[3 * i : 3 * i + 3])
        ones, zeros = np.ones(W, np.float32), np.zeros(W, np.float32)
        hidden = self._modulated(graph.layer_norm(hidden, ones, zeros), *parts[-2:])
        weight, bias = self.weights.layer(f"{NET}.final_layer.linear")  # (2R, W): x_0, then v
        both = graph.outer(graph.linear(hidden, weight[:R], bias[:R]))
        heard, unheard = graph.split(graph.op("Mul", both, mask), 0, 2, n)
        x0 = graph.op("Add", unheard, graph.op("Mul", self.guidance, graph.op("Sub", heard, unheard)))
        if not self.learns_variance:
            return x0, ""
        v = graph.linear(graph.slice(hidden, 0, 0, n), weight[R:], bias[R:])
        return x0, graph.outer(v)

    def _res_block(self, name: str, x: str, shift: str, scale: str, gate: str) -> str:
        graph, weights = self.graph, self.weights
        y = self._modulated(graph.layer_norm(x, *weights.layer(f"{name}.in_ln")), shift, scale)
        y = graph.linear(graph.silu(graph.linear(y, *weights.layer(f"{name}.mlp.0"))), *weights.layer(f"{name}.mlp.2"))
        return graph.op("Add", x, graph.op("Mul", gate, y))

    def _modulated(self, x: str, shift: str, scale: str) -> str:
        one = self.graph.op("Add", scale, self.graph.scalar(1.0))
        return self.graph.op("Add", self.graph.op("Mul", x, one), shift)


class SingleNetwork(Network):
    """The same at guidance 1: one row, masks and the affine parts of all norms folded into the products around them.

    Norm and modulation are then one operator: LayerNormalization with the modulation as its scale and bias.
    """

    def _modulations(self, condition: str) -> list[list[str]]:
        """For each step the shifts, scales and gates of all layers, in their order: (W,); (n, W) for several rows."""
        graph, config = self.graph, self.weights.config
        W, S, n, depth = config.head_width, config.steps, self.n_rows, config.head_depth
        norms = [self.weights.layer(f"{NET}.res_blocks.{i}.in_ln") for i in range(depth)]
        norms.append((np.ones(W, np.float32), np.zeros(W, np.float32)))
        names = [f"{NET}.res_blocks.{i}" for i in range(depth)] + [f"{NET}.final_layer"]
        layers = []
        for name, norm in zip(names, norms, strict=True):
            layers.append(_with_norm(*self.weights.layer(f"{name}.adaLN_modulation.1"), *norm))
        weight, bias = (np.concatenate(parts) for parts in zip(*layers, strict=True))
        y = graph.op("Add", graph.reshape(condition, 1, n, W), graph.constant(self._time_embedding()[:, None]))
        product = graph.linear(graph.silu(graph.reshape(y, S * n, W)), weight, bias)  # (S * n, (3 * depth + 2) * W)
        n_parts = 3 * depth + 2
        if n == 1:
            parts = graph.split(graph.reshape(product, S * n_parts * W), 0, S * n_parts, W)
            return [parts[step * n_parts : (step + 1) * n_parts] for step in range(S)]
        steps = graph.split(product, 0, S, n) if S > 1 else [product]
        return [graph.split(step, 1, n_parts, W) for step in steps]

    def predict(self, step: int, x: str) -> tuple[str, str]:
        """x_0 and v (n, R) of x (n, R); v is "" where the sampler reads none."""
        graph, R, mask = self.graph, self.weights.config.row_width, self.weights.row_mask()
        parts = self.modulations[step]
        weight, bias = self.weights.layer(f"{NET}.input_proj")
        hidden = graph.linear(x, weight * mask, bias)
        for i in range(self.weights.config.head_depth):
            hidden = self._res_block(f"{NET}.res_blocks.{i}", hidden, *parts[3 * i : 3 * i + 3])
        hidden = self._normed(hidden, *parts[-2:])
        weight, bias = self.weights.layer(f"{NET}.final_layer.linear")
        x0 = graph.linear(hidden, weight[:R] * mask[:, None], bias[:R] * mask)
        if not self.learns_variance or step + 1 == self.weights.config.steps:
            return x0, ""
        return x0, graph.linear(hidden, weight[R:], bias[R:])

    def _res_block(self, name: str, x: str, shift: str, scale: str, gate: str) -> str:
        graph, weights = self.graph, self.weights
        y = self._normed(x, shift, scale)
        y = graph.linear(graph.silu(graph.linear(y, *weights.layer(f"{name}.mlp.0"))), *weights.layer(f"{name}.mlp.2"))
        return graph.op("Add", x, graph.op("Mul", gate, y))

    def _normed(self, x: str, shift: str, scale: str) -> str:
        graph, W = self.graph, self.weights.config.head_width
        if self.n_rows == 1:
            return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPS)
        normed = graph.layer_norm(x, np.ones(W, np.float32), np.zeros(W, np.float32))
        return graph.op("Add", graph.op("Mul", normed, scale), shift)


def _with_norm(weight: Floats, bias: Floats, norm_weight: Floats, norm_bias: Floats) -> tuple[Floats, Floats]:
    """The layer that gives [shift, scale, ...] of a norm without weights: x * scale + shift, with no 1 + scale."""
    W = len(norm_weight)
    weight, bias = weight.copy(), bias.copy()
    shift, scale = slice(0, W), slice(W, 2 * W)
    bias[scale] += 1
    weight[shift] += norm_bias[:, None] * weight[scale]
    bias[shift] += norm_bias * bias[scale]
    weight[scale] *= norm_weight[:, None]
    bias[scale] *= norm_weight
    return weight, bias


def step_times(sampler: str, steps: int) -> list[int]:
    """The times that a sampler evaluates, noisiest first."""
    return dpm2m_times(steps) if sampler == "dpm2m" else [int(t) for t in Process.spaced(steps).times[::-1]]


def _part(graph: Graph, noise: str, index: int, rows: tuple[int, int]) -> str:
    """Entry `index` of the noise, (n, R)."""
    return graph.reshape(graph.slice(noise, 0, index, index + 1), *rows)


def _weighted(graph: Graph, *terms: tuple[float, str]) -> str:
    """The sum of values, each times a number."""
    parts = [graph.op("Mul", value, graph.scalar(weight, "float32")) for weight, value in terms]
    total = parts[0]
    for part in parts[1:]:
        total = graph.op("Add", total, part)
    return total


def _ancestral(graph: Graph, network: Network, noise: str, temperature: str, steps: int, rows: tuple[int, int]) -> str:
    """Posterior mean plus temperature * learned deviation * noise."""
    process = Process.spaced(steps)
    x = _part(graph, noise, 0, rows)
    for i in reversed(range(steps)):
        x0, v = network.predict(steps - 1 - i, x)
        x = _weighted(graph, (float(process.x0_weight[i]), x0), (float(process.xt_weight[i]), x))
        if i > 0:  # log variance: v in about [-1, 1] moves between the posterior's and beta
            low, high = float(process.posterior_log_variance[i]), float(process.log_beta[i])
            half_log = graph.op(
                "Add", _weighted(graph, ((high - low) / 4, v)), graph.scalar((high + low) / 4, "float32")
            )
            deviation = graph.op("Mul", temperature, graph.op("Exp", half_log))
            x = graph.op("Add", x, graph.op("Mul", deviation, _part(graph, noise, steps - i, rows)))
    return x


def _dpm2m(
    graph: Graph, network: Network, noise: str, temperature: str, rows: tuple[int, int], held: npt.NDArray[np.bool_]
) -> str:
    """DPM-Solver++(2M) on x_0; the last step lands on its x_0, that of `held` values (R,) on the first one's.

    Temperature scales x_T.
    """
    steps = len(network.times)
    alpha_bar = Process.full().alpha_bar[network.times]
    signal, sigma = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    log_snr = np.log(signal / sigma)
    x, before = graph.op("Mul", temperature, _part(graph, noise, 0, rows)), ""
    for i in range(steps):
        x0, _ = network.predict(i, x)
        if before and held.any():
            free = graph.op("Mul", x0, graph.constant((~held).astype(np.float32), "float32"))
            x0 = graph.op("Add", free, graph.op("Mul", before, graph.constant(held.astype(np.float32), "float32")))
        if i + 1 == steps:
            return x0
        step = log_snr[i + 1] - log_snr[i]
        estimate = x0
        if before:
            ratio = float((log_snr[i] - log_snr[i - 1]) / step)
            estimate = _weighted(graph, (1 + 0.5 / ratio, x0), (-0.5 / ratio, before))
        x = _weighted(graph, (float(sigma[i + 1] / sigma[i]), x), (-float(signal[i + 1] * math.expm1(-step)), estimate))
        before = x0
    raise AssertionError("at least one step")
