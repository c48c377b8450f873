"""Keeps a study's visits: one SQLite file, written by one thread, every promise on the disk before it is made."""
