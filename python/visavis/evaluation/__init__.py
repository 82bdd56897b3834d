"""Evaluation: DualTalk metrics, controls, the checks of a living face, reports."""
