"""Graph `speech`: both voices of a turn -> their speech tokens.

The spectrum is in float32 in every profile: energies reach down to 1e-7, below what half precision knows.  TensorRT for
RTX has no float32 product of matrices on Turing and fails with one-dimensional convolutions of one sample, but takes
convolutions in the plane: `planar` profiles have these.
"""

import numpy as np

from visavis.export.onnx.graph import Graph
from visavis.export.onnx.kept_features import add_kept_speech
from visavis.export.onnx.weights import Weights
from visavis.model.config import MEL_FLOOR, MEL_HOP, MEL_SCALE, MEL_SHIFT


def add_speech(graph: Graph, weights: Weights) -> None:
    """audio (2, context + F*640), user first -> speech (2, F, w)."""
    if graph.profile.features == "kept":
        add_kept_speech(graph, weights)
        return
    config = weights.config
    n_samples = config.context_samples + config.turn_samples
    audio = graph.input("audio", (2, n_samples))
    x = graph.inner(_log_mel(graph, weights, audio, n_samples))
    for i, stride in enumerate(config.conv_strides):
        layer = f"speech_encoder.conv.{i}"
        x = graph.gelu(graph.convolution(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], stride))
    x = graph.transpose(x, 0, 2, 1)  # (2, F, S)
    x = graph.linear(x, *weights.layer("speech_projection"))
    graph.output("speech", x, (2, config.turn_frames, config.token_width), graph.profile.dtype)


def _log_mel(graph: Graph, weights: Weights, audio: str, n_samples: int) -> str:
    """(2, mel_bands, M), one every 10 ms: the DFT is a convolution, its squares are summed into bands."""
    dft, mel = weights["speech_encoder.dft"], weights["speech_encoder.mel"]  # (402, 400), (bands, 201)
    both = np.concatenate([mel, mel], 1)  # (bands, 402): of real and imaginary parts
    if graph.profile.planar:
        samples = graph.reshape(audio, 2, 1, 1, n_samples)
        kernel = graph.constant(dft[:, None, None], "float32")
        spectrum = graph.op("Conv", samples, kernel, strides=[1, MEL_HOP])  # (2, 402, 1, M)
        energy = graph.op(
            "Conv", graph.op("Mul", spectrum, spectrum), graph.constant(both[:, :, None, None], "float32")
        )
        energy = graph.reshape(energy, 2, len(mel), -1)
    else:
        samples = graph.reshape(audio, 2, 1, n_samples)
        spectrum = graph.op("Conv", samples, graph.constant(dft[:, None], "float32"), strides=[MEL_HOP])  # (2, 402, M)
        energy = graph.op("MatMul", graph.constant(both, "float32"), graph.op("Mul", spectrum, spectrum))
    logs = graph.op("Log", graph.op("Add", energy, graph.scalar(MEL_FLOOR, "float32")))
    shifted = graph.op("Add", logs, graph.scalar(MEL_SHIFT, "float32"))
    return graph.op("Mul", shifted, graph.scalar(1 / MEL_SCALE, "float32"))
