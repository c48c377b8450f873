"""What a check has to say about a study's pages: where, and what."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Remark:
    """kind: ``problem`` where answers would be lost or nobody could go on, ``warning`` where it is worth a look.

    where: a file and its line, in words.
    """

    kind: Literal["problem", "warning"]
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words}"


def problem(where: str, words: str) -> Remark:
    """Answers would be lost, or nobody could go on."""
    return Remark("problem", where, words)


def warning(where: str, words: str) -> Remark:
    """Nothing is lost, but it is worth a look."""
    return Remark("warning", where, words)
