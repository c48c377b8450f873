"""Decides. Told the time, never asks for it: no I/O, no clock, no event loop, no threads."""
