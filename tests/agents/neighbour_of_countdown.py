"""Imported by the agent beside it."""

STEPS = 5
