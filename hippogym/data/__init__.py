"""Keeps what happened: recorder, recovery, reader."""
