"""The synthetic corpus: two-person conversations with real audio and frame-accurate motion for both persons."""
