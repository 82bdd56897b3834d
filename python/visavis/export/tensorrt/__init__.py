"""Engines of TensorRT and TensorRT for RTX, made from the ONNX export's profile `trt`."""

from visavis.export.tensorrt.exporter import export_tensorrt

__all__ = ["export_tensorrt"]
