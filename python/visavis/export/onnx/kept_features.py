"""Graph `speech` in the form `kept`: what a layer saw of a voice goes in and comes out, nothing is computed twice.

Rows are moments, the user's before the character's, so that each layer is one product for both voices.  The windows of
a layer are gathered from [kept of the user | kept of the character | new of the user | new of the character].
"""

import numpy as np

from visavis.constants import SAMPLES_PER_FRAME
from visavis.export.onnx.graph import Graph
from visavis.export.onnx.weights import Weights
from visavis.model.config import MEL_FLOOR, MEL_HOP, MEL_SCALE, MEL_SHIFT, MEL_WINDOW

BLOCK = int(np.gcd(MEL_HOP, MEL_WINDOW))  # samples that are moved together
AUDIO_BEFORE = MEL_WINDOW - MEL_HOP  # samples before the turn that its first mel frame sees


def add_kept_speech(graph: Graph, weights: Weights) -> None:
    """audio (n, 80) and kept_i (2*k, w_i) of each layer -> speech (2, F, w), keep_i: kept_i of the next turn.

    `audio`, flat: of the user the AUDIO_BEFORE samples before the turn and the turn, then the character's, with its
    lookahead behind (zeros where it is not known).
    """
    config = weights.config
    frames = config.turn_frames, config.turn_frames + config.agent_lookahead_frames
    x = _log_mel(graph, weights, frames)
    rate, width = SAMPLES_PER_FRAME // MEL_HOP, config.mel_bands
    for i, (kernel, stride) in enumerate(zip(config.conv_kernels, config.conv_strides, strict=True)):
        n_kept, n_turn = max(kernel - stride, 0), config.turn_frames * rate
        if n_kept:
            x = graph.concat([graph.input(f"kept_{i}", (2 * n_kept, width)), x], 0)
        voices = _rows(n_kept, frames[0] * rate, frames[1] * rate)
        if n_kept:
            kept = [row for rows in voices for row in rows[n_turn : n_turn + n_kept]]
            graph.output(f"keep_{i}", _gather(graph, x, kept), (2 * n_kept, width))
        if i + 1 == len(config.conv_kernels):  # tokens of the past are known: of the character only the newest F
            ends = [(len(rows) - n_turn, len(rows)) for rows in voices]
        else:
            ends = [(n_kept, len(rows)) for rows in voices]
        windows = [
            rows[end - kernel : end]
            for rows, (begin, last) in zip(voices, ends, strict=True)
            for end in range(begin + stride, last + 1, stride)
        ]
        x = graph.reshape(_gather(graph, x, windows), len(windows), kernel * width)
        weight = weights[f"speech_encoder.conv.{i}.weight"]  # (out, in, kernel)
        flat = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        x = graph.gelu(graph.linear(x, flat, weights[f"speech_encoder.conv.{i}.bias"]))
        rate, width = rate // stride, len(weight)
    x = graph.linear(x, *weights.layer("speech_projection"))
    shape = (2, config.turn_frames, config.token_width)
    graph.output("speech", graph.reshape(x, *shape), shape)


def _rows(n_kept: int, n_user: int, n_agent: int) -> list[list[int]]:
    """For each voice where its rows lie, oldest first."""
    new = 2 * n_kept
    user = [*range(n_kept), *range(new, new + n_user)]
    agent = [*range(n_kept, new), *range(new + n_user, new + n_user + n_agent)]
    return [user, agent]


def _gather(graph: Graph, x: str, rows: list[int] | list[list[int]]) -> str:
    return graph.op("Gather", x, graph.constant(np.array(rows), "int32"), axis=0)


def _log_mel(graph: Graph, weights: Weights, frames: tuple[int, int]) -> str:
    """(mel frames of both voices, bands), one every 10 ms."""
    hop, window, before = (n // BLOCK for n in (MEL_HOP, MEL_WINDOW, AUDIO_BEFORE))
    windows, first = [], 0
    for n_frames in frames:
        n_mel = n_frames * SAMPLES_PER_FRAME // MEL_HOP
        windows += [[first + m * hop + block for block in range(window)] for m in range(n_mel)]
        first += before + n_mel * hop
    audio = graph.input("audio", (first, BLOCK))
    x = graph.reshape(_gather(graph, audio, windows), len(windows), MEL_WINDOW)
    dft, mel = weights["speech_encoder.dft"], weights["speech_encoder.mel"]  # (402, 400), (bands, 201)
    spectrum = graph.op("MatMul", x, graph.constant(dft.T))
    squares = graph.op("Mul", spectrum, spectrum)
    energy = graph.op("MatMul", squares, graph.constant(np.concatenate([mel, mel], 1).T))
    logs = graph.op("Log", graph.op("Add", energy, graph.scalar(MEL_FLOOR)))
    return graph.op("Mul", graph.op("Add", logs, graph.scalar(MEL_SHIFT)), graph.scalar(1 / MEL_SCALE))
