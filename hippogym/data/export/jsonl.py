"""JSON lines: one object per tick, everything in it, nothing lost (see tagged.py), readable without any library."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hippogym.data.export.options import Options
from hippogym.data.export.rows import Counts, EpisodeCounter, rows
from hippogym.data.export.tagged import dumps, from_json
from hippogym.data.ticks import Part

SUFFIX = ".jsonl"


def write(parts: Iterable[Part], path: Path, options: Options) -> Counts:
    """Write the rows of these episodes to a new file."""
    counts = Counts()
    with path.open("w", encoding="ascii", newline="\n") as file:
        for row in rows(parts, counts):
            file.write(dumps(row) + "\n")
    return counts


def recount(path: Path, options: Options) -> Counts:
    """What the file holds, from reading it again."""
    counter = EpisodeCounter()
    with path.open(encoding="ascii") as file:
        for line in file:
            row = json.loads(line)
            counter.row(row["source"], row["episode"], row["kind"])
    return counter.counts


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows again, with arrays and tuples as they were in the record."""
    with path.open(encoding="ascii") as file:
        for line in file:
            yield from_json(json.loads(line))
