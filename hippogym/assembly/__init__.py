"""Puts the parts together for the top-level scripts: what ``communicator.py`` names, and would be too long there."""
