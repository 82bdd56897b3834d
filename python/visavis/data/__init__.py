"""Conversations to learn from: the DualTalk folder layout and the corpus builder."""
