"""One JSON file for each participant: everything that the ledger has of them, for people and for other programs.

``<records>/users/<name>.json``, where the name is made from the participant's label, as no label is part of a path. The
ledger is what counts; these files follow it within seconds, and can be made again at any time.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hippogym.core.study.ledger import Held
from hippogym.data.ledger.sqlite import SqliteLedger
from hippogym.data.spool import write_whole

FOLDER = "users"
SUFFIX = ".json"
FORMAT = "hippogym-user"
VERSION = 1


def file_name(user: str | None, visit_id: str) -> str:
    """The name of a participant's file without its ending; who has no label has one for each visit."""
    if user is None:
        return f"visit-{visit_id}"
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class UserFiles:
    """Writes the files of those whose visits have changed: a chore for the ledger's thread."""

    def __init__(self, records: Path, project: str) -> None:
        self._folder = records / FOLDER
        self._project = project

    def __call__(self, ledger: SqliteLedger) -> bool:
        """Write one; returns whether there may be more. Raises RecordError, OSError."""
        with ledger.reading():
            changed = ledger.unwritten()
            if changed is None:
                return False
            user = changed.visit["user"]
            held = list(ledger.by_user(user)) if user is not None else [changed]
            told = self._told(ledger, user, held)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / (file_name(user, changed.visit["id"]) + SUFFIX)
        write_whole(path, json.dumps(told, indent=1) + "\n", sync=True)
        with ledger.writing():
            ledger.written(held)
        return True

    def _told(self, ledger: SqliteLedger, user: str | None, held: Sequence[Held]) -> dict[str, Any]:
        visits = []
        for one in reversed(held):
            visit_id = one.visit["id"]
            rows = [{key: value for key, value in row.items() if key != "visit"} for row in ledger.answers(visit_id)]
            visits.append({**one.visit, "every_answer": rows, "events": list(ledger.events(visit_id))})
        return {"format": FORMAT, "version": VERSION, "project": self._project, "user": user, "visits": visits}


def remove_file(records: Path, user: str | None, visit_id: str) -> bool:
    """Remove a participant's file; returns whether there was one. Raises OSError."""
    path = records / FOLDER / (file_name(user, visit_id) + SUFFIX)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return True
    return False
