"""Engines written in Python; the native ones live in csrc/engines."""
