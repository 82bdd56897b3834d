"""Visavis Heads: faces that talk and listen, in Blender.  See README.md of engine_plugins/blender."""

from . import live, operators, panel, settings

PARTS = (settings, live, operators, panel)


def register():
    """Add everything."""
    for part in PARTS:
        part.register()


def unregister():
    """Take everything away, in turn."""
    for part in reversed(PARTS):
        part.unregister()
