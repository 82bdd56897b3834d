"""Voices that no model is trained on: recorded people and a held-out neural voice, with phone times."""
