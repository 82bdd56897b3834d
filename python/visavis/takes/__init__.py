"""Takes: recordings of a conversation that replay (docs/takes.md)."""
