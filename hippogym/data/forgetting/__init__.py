"""Removes a participant from everything that a study keeps, and proves it."""
