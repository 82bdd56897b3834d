"""The profiles of the export: precision, opset, and the operators that a graph may use.

`portable` is for engines inside games.  Its operators are those that Unity's Inference Engine lists for floats on CPU,
GPUCompute and GPUPixel (docs.unity3d.com, com.unity.ai.inference, "Supported ONNX operators"; Constant inputs and
shapes are tensors of the file) and that ONNX Runtime has since opset 15 or before, which is what Unreal's NNERuntimeORT
runs (dev.epicgames.com, "Neural Network Engine overview"; github.com/microsoft/onnxruntime, docs/OperatorKernels.md).

`ort` is for ONNX Runtime on a processor alone, and as fast there as we could make it (docs/engines.md says what was
tried): the peer that `visavis bench` compares with.
"""

from dataclasses import dataclass

from visavis.errors import InternalError

PORTABLE_OPERATORS = frozenset(
    "Add Concat Conv Div Erf Exp Log MatMul Mul ReduceMean Relu Reshape Sigmoid Slice Softmax Split Sqrt Sub"
    " Transpose".split()
)
TRT_OPERATORS = (PORTABLE_OPERATORS - {"Div", "Erf", "ReduceMean", "Sqrt"}) | {
    "Cast",
    "Gather",
    "Gelu",
    "LayerNormalization",
}
ORT_OPERATORS = TRT_OPERATORS - {"Cast", "Conv"}


@dataclass(frozen=True)
class Profile:
    """How graphs are written."""

    name: str
    opset: int
    ir_version: int
    dtype: str  # of weights and activations; voices, motion, noise and sampler are float32 in every profile
    ring: str  # "shift" or "slots", see backbone.py; "layers", see layer_rings.py
    operators: frozenset[str]
    fused: bool  # LayerNormalization and Gelu as one operator each
    guidance: bool = True  # a second row without the user goes through the head; False: guidance is 1
    features: str = "window"  # of the voices: of the whole "window" each turn, see speech.py; "kept", kept_features.py
    single: bool = False  # one graph `turn` in place of speech, backbone and head
    planar: bool = False  # the spectrum by two-dimensional convolutions alone, see speech.py

    def check_operators(self, graph: str, used: set[str]) -> None:
        """Raises InternalError where a graph uses an operator that the profile does not promise."""
        if foreign := sorted(used - self.operators):
            raise InternalError(
                f"ONNX export: graph {graph} uses {', '.join(foreign)}, which profile {self.name} does not have"
            )


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("portable", 15, 8, "float32", "shift", PORTABLE_OPERATORS, fused=False),
        Profile("trt", 20, 9, "float16", "slots", TRT_OPERATORS, fused=True, planar=True),
        Profile(
            "ort", 20, 9, "float32", "layers", ORT_OPERATORS, fused=True, guidance=False, features="kept", single=True
        ),
    )
}
