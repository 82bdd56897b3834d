"""A graph under construction: named tensors, and the few layers of which the model is made, in a profile's operators.

Written node by node, not traced: the bytes depend on the model and this code alone.  Every method returns the name of
its result.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from visavis.export.onnx.profiles import Profile
from visavis.model.config import EPS

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}


class Graph:
    """Collects nodes and constants; `build` gives the file."""

    def __init__(self, name: str, profile: Profile, inner: Sequence[str] = ()) -> None:
        """`inner`: outputs that stay in the graph, for inputs of the same name."""
        self.name, self.profile, self._inner = name, profile, inner
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, Shape, bytes], str] = {}
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[tuple[str, str, Shape]] = []
        self._outputs: list[tuple[str, str, Shape]] = []

    # ---- what goes in and out

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> str:
        """An input of the graph; a value of that name, where there is one already."""
        if name not in self._inner and (name, dtype, shape) not in self._inputs:
            self._inputs.append((name, dtype, shape))
        return name

    def output(self, name: str, value: str, shape: Shape, dtype: str = "float32") -> None:
        """Gives a value out under a name."""
        last = self._nodes[-1]
        assert list(last.output) == [value], "an output is named right after it was made"
        last.output[0] = name
        if name not in self._inner:
            self._outputs.append((name, dtype, shape))

    def interface(self) -> dict[str, list[dict[str, Any]]]:
        """Names, dtypes and shapes, as the manifest lists them."""
        return {
            side: [{"name": name, "dtype": dtype, "shape": list(shape)} for name, dtype, shape in values]
            for side, values in (("inputs", self._inputs), ("outputs", self._outputs))
        }

    # ---- nodes

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node with one output."""
        return self.split_op(kind, 1, *inputs, **attributes)[0]

    def split_op(self, kind: str, n_outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """One node with several outputs."""
        names = [f"{kind.lower()}_{len(self._nodes)}" + (f"_{i}" if n_outputs > 1 else "") for i in range(n_outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, values: npt.ArrayLike, dtype: str | None = None) -> str:
        """A tensor of the file, stored once; floats in the profile's precision unless a dtype is given."""
        array = np.ascontiguousarray(values).astype(dtype or self.profile.dtype)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """A shape, or bounds: int64."""
        return self.constant(np.array(values), "int64")

    def scalar(self, value: float, dtype: str | None = None) -> str:
        """One number, shape (1,)."""
        return self.constant(np.array([value]), dtype)

    # ---- shapes

    def reshape(self, x: str, *shape: int) -> str:
        """The same values in another shape."""
        return self.op("Reshape", x, self.integers(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """Axes in another order."""
        return self.op("Transpose", x, perm=list(order))

    def concat(self, parts: Sequence[str], axis: int) -> str:
        """Side by side along an axis."""
        return self.op("Concat", *parts, axis=axis)

    def slice(self, x: str, axis: int, begin: int, end: int) -> str:
        """[begin, end) of an axis."""
        return self.op("Slice", x, self.integers(begin), self.integers(end), self.integers(axis))

    def split(self, x: str, axis: int, n_parts: int, size: int) -> list[str]:
        """Equal parts of an axis, `size` long each."""
        return self.split_op("Split", n_parts, x, self.integers(*[size] * n_parts), axis=axis)

    # ---- precision

    def inner(self, x: str) -> str:
        """A float32 value in the profile's precision."""
        return self.op("Cast", x, to=TYPES[self.profile.dtype]) if self.profile.dtype != "float32" else x

    def outer(self, x: str) -> str:
        """A value of the profile's precision in float32."""
        return self.op("Cast", x, to=TensorProto.FLOAT) if self.profile.dtype != "float32" else x

    # ---- layers

    def linear(self, x: str, weight: Array, bias: Array) -> str:
        """x (..., in), weight (out, in) -> (..., out)."""
        return self.op("Add", self.op("MatMul", x, self.constant(weight.T)), self.constant(bias))

    def convolution(self, x: str, weight: Array, bias: Array, stride: int) -> str:
        """x (B, in, L), weight (out, in, k), valid."""
        return self.op("Conv", x, self.constant(weight), self.constant(bias), strides=[stride])

    def layer_norm(self, x: str, weight: Array, bias: Array) -> str:
        """Over the last axis."""
        if self.profile.fused:
            return self.op("LayerNormalization", x, self.constant(weight), self.constant(bias), axis=-1, epsilon=EPS)
        centred = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1], keepdims=1))
        variance = self.op("ReduceMean", self.op("Mul", centred, centred), axes=[-1], keepdims=1)
        deviation = self.op("Sqrt", self.op("Add", variance, self.scalar(EPS)))
        scaled = self.op("Mul", self.op("Div", centred, deviation), self.constant(weight))
        return self.op("Add", scaled, self.constant(bias))

    def gelu(self, x: str) -> str:
        """The exact one."""
        if self.profile.fused:
            return self.op("Gelu", x)
        error = self.op("Erf", self.op("Mul", x, self.scalar(0.5**0.5)))
        half = self.op("Mul", x, self.scalar(0.5))
        return self.op("Mul", half, self.op("Add", error, self.scalar(1.0)))

    def silu(self, x: str) -> str:
        """x * sigmoid(x)."""
        return self.op("Mul", x, self.op("Sigmoid", x))

    # ---- the file

    def build(self) -> bytes:
        """The checked graph as bytes, the same ones each time."""
        graph = helper.make_graph(
            self._nodes,
            f"visavis_{self.name}",
            [helper.make_tensor_value_info(name, TYPES[dtype], shape) for name, dtype, shape in self._inputs],
            [helper.make_tensor_value_info(name, TYPES[dtype], shape) for name, dtype, shape in self._outputs],
            self._initializers,
        )
        opset = helper.make_opsetid("", self.profile.opset)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=self.profile.ir_version, producer_name="visavis"
        )
        onnx.checker.check_model(model, full_check=True)
        self.profile.check_operators(self.name, {node.op_type for node in self._nodes})
        return bytes(model.SerializeToString(deterministic=True))
