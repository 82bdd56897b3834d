"""Packages of the engine plugins, made from a source checkout (docs/plugins.md)."""
