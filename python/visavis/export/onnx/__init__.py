"""The ONNX export: speech encoder, backbone step and head as three graphs of fixed shapes, and their manifest."""

from visavis.export.onnx.exporter import export_onnx
from visavis.export.onnx.profiles import PROFILES

__all__ = ["PROFILES", "export_onnx"]
