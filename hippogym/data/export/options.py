"""What may be said about an export beyond its source and its format."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Options:
    """game, participant: only episodes of these. dataset: the id of a Minari dataset. unfinished: also records that
    are still being written, or that were when their machine was lost.

    note: is told what the reader of the export should know, each sentence once.
    """

    game: str | None = None
    participant: str | None = None
    dataset: str | None = None
    unfinished: bool = False
    note: Callable[[str], None] = field(default=lambda sentence: None)
