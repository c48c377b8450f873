"""A participant's visits: their answers in the ledger, and the file that is made of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippogym.core.study.ledger import Held
from hippogym.core.study.visit import is_over
from hippogym.data.forgetting.person import Person
from hippogym.data.ledger.sqlite import FILE, SqliteLedger
from hippogym.data.users import FOLDER, SUFFIX, file_name, remove_file
from hippogym.data.users_delivery import note_of
from hippogym.errors import RecordError

JUST_NOW_S = 120.0


class Visits:
    """In the ledger. What was deleted there is overwritten, also in the file beside it."""

    title = "visits with their answers"

    def __init__(self, records: Path) -> None:
        self._records = records
        self._path = records / FILE

    def find(self, person: Person) -> list[str]:
        """RecordError where they are taking part just now."""
        with self.ledger() as ledger:
            return [f"visit {held.visit['id']} in {self._path}" for held in _of(ledger, person.name)] if ledger else []

    def remove(self, person: Person) -> int:
        """The log of assignments stays: it names visits, and a visit that is no more names nobody."""
        with self.ledger() as ledger:
            if ledger is None:
                return 0
            with ledger.writing():
                found = _of(ledger, person.name)
                for held in found:
                    ledger.forget(held.visit["id"])
            if found:
                ledger.scrub()
        return len(found)

    @contextmanager
    def ledger(self) -> Iterator[SqliteLedger | None]:
        """The ledger, where there is one."""
        if not self._path.is_file():
            yield None
            return
        ledger = SqliteLedger(self._path)
        try:
            yield ledger
        finally:
            ledger.close()


class UsersFiles:
    """The JSON file that is made for them, and what is noted of its upload."""

    title = "files with their answers"

    def __init__(self, records: Path) -> None:
        self._records = records

    def find(self, person: Person) -> list[str]:
        return [str(path) for path in self._paths(person.name) if path.exists()]

    def remove(self, person: Person) -> int:
        removed = remove_file(self._records, person.name, "")
        note_of(self._records, file_name(person.name, "")).unlink(missing_ok=True)
        return int(removed)

    def _paths(self, name: str) -> list[Path]:
        stem = file_name(name, "")
        return [self._records / FOLDER / f"{stem}{SUFFIX}", note_of(self._records, stem)]


def labels_of(records: Path, name: str) -> list[str]:
    """The labels of those whose link has this name in it, such as a recruiting site's number of their session."""
    with Visits(records).ledger() as ledger:
        if ledger is None:
            return []
        visits = [held.visit for held in ledger.all()]
    return sorted({v["user"] for v in visits if name in v["link"].values() and v["user"] not in (None, name)})


def _of(ledger: SqliteLedger, name: str) -> list[Held]:
    """The visits under a name. RecordError where one is under way."""
    found = list(ledger.by_user(name))
    for held in found:
        if not is_over(held.visit) and time.time() - held.visit["seen_s"] < JUST_NOW_S:
            raise RecordError("this participant is taking part now; wait two minutes after they have left, then try "
                              "again")  # fmt: skip
    return found
