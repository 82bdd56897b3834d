"""The live page and the take browser: what serves them (docs/view.md).  The page itself is in engine_plugins/web."""
