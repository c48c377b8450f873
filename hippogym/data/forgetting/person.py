"""Who is to be forgotten, and what a place can do about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Person:
    """name: the participant's userId. trials: the folders of their trials."""

    name: str
    trials: tuple[Path, ...]


class Place(Protocol):
    """One place where a study keeps something of a participant."""

    title: str
    """What is kept there, in a word or two."""

    def find(self, person: Person) -> list[str]:
        """What it has of a person, as lines that do not name them. Raises HippoError, OSError."""

    def remove(self, person: Person) -> int:
        """Remove it; returns how many things were removed. Raises HippoError, OSError."""
