"""HIPPO Gym: people and learning agents together, in the browser, with everything kept."""

__version__ = "1.0.0"
