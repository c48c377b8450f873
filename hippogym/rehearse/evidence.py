"""What a rehearsal has left in the data folder: visits, answers, assignments and records, read with our own tools."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hippogym.core.study.visit import Visit
from hippogym.data.ledger.sqlite import FILE, SqliteLedger
from hippogym.data.overview import Line, overview
from hippogym.data.sources import find_records
from hippogym.data.verify import Verdict, verify
from hippogym.errors import RecordError

CODE_KEY = "code.key"


@dataclass
class Evidence:
    """visits: in the order of their beginning. answers: of every try, each with its ``visit``. log: of assignments.

    has_ledger: False for a study that is only a game. key: that codes are signed with. episodes: by participant.
    sizes: bytes on the disk: ``records``, ``answers``, ``other``.
    """

    has_ledger: bool = False
    visits: list[Visit] = field(default_factory=list)
    answers: list[Mapping[str, Any]] = field(default_factory=list)
    log: Sequence[Mapping[str, Any]] = ()
    key: bytes | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    episodes: dict[str | None, list[Line]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def visits_of(self, user: str) -> list[Visit]:
        """The visits under a participant's label."""
        return [visit for visit in self.visits if visit["user"] == user]


def read_evidence(data: Path) -> Evidence:
    """Read the data folder of a server that has stopped. Raises StartError where its ledger is damaged."""
    found = Evidence(sizes=_sizes(data))
    if (data / FILE).exists():
        _read_ledger(data / FILE, found)
    if (data / CODE_KEY).exists():
        found.key = (data / CODE_KEY).read_bytes()
    if any(True for _ in _records(data)):
        found.verdicts = list(verify(data))
        episodes: dict[str | None, list[Line]] = defaultdict(list)
        for line in overview(data):
            episodes[line.participant].append(line)
        found.episodes = dict(episodes)
    return found


def _read_ledger(path: Path, found: Evidence) -> None:
    found.has_ledger = True
    ledger = SqliteLedger(path)
    try:
        with ledger.reading():
            found.visits = [held.visit for held in ledger.all()]
            found.answers = list(ledger.answers())
            found.log = ledger.assignments()
    finally:
        ledger.close()


def _records(data: Path) -> Iterator[object]:
    try:
        yield from find_records(data)
    except RecordError:
        return  # nobody has come as far as a game


def _sizes(data: Path) -> dict[str, int]:
    sizes = {"records": 0, "answers": 0, "other": 0}
    for path in data.rglob("*"):
        if path.is_file() and not path.is_symlink():
            in_trial = path.parent != data and path.name.startswith(("episode_", "trial"))
            kind = "records" if in_trial else "answers" if path.name.startswith(FILE) else "other"
            sizes[kind] += path.stat().st_size
    return sizes
