"""The ledger as one SQLite file in the data folder: what a store of visits must be able to do (core/study/ledger.py).

Used by one thread at a time, the one that has opened it, and only inside ``writing`` or ``reading``: what happens in
one ``writing`` is on the disk, all of it, when it ends without an error, or none of it is. Deleted content is
overwritten (secure_delete).
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hippogym.core.study.ledger import Held
from hippogym.core.study.visit import Visit
from hippogym.data.ledger.schema import bring_up_to_date
from hippogym.errors import RecordError, StartError

FILE = "study.sqlite"
LOCKED_S = 5.0  # how long another process, such as ``hippogym forget``, is waited for

_PRAGMAS = ("synchronous=FULL", "secure_delete=ON", "foreign_keys=ON", "trusted_schema=OFF", "temp_store=MEMORY",
            "journal_size_limit=4194304")  # fmt: skip
_FULL = (sqlite3.SQLITE_FULL,)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteLedger:
    """The ledger of a study. ``writing`` and ``reading`` raise RecordError; there is one sentence for each trouble."""

    def __init__(self, path: Path) -> None:
        """Open it, and make it where it is missing. Raises StartError."""
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._connection = self._connected()
            bring_up_to_date(self._connection)
            checked = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except (sqlite3.Error, OSError) as problem:
            raise StartError(f"the answers cannot be kept in {path}: {problem}") from problem
        except StartError as problem:
            raise StartError(f"the answers cannot be kept in {path}: {problem}") from None
        if checked != "ok":
            raise StartError(f"{path} is damaged ({checked}); restore it from a backup, or use another folder")

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=LOCKED_S, isolation_level=None)
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StartError(f"its disk cannot do what is needed (SQLite answers {mode}, not wal)")
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    # -- all or nothing ------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction. On the disk when this ends; undone where anything is raised."""
        with self._told(), self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One state of the ledger, whoever writes meanwhile. Works with a full disk, and while another writes."""
        with self._told(), self._transaction("BEGIN"):
            yield

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of a ``writing`` that is undone by itself; where ``is_writing`` is False then, everything was."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
            self._connection.execute("RELEASE part")
        except BaseException as problem:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            if isinstance(problem, sqlite3.Error):
                raise told_of(problem) from problem
            raise

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is open; False where SQLite has undone it by itself."""
        return self._connection.in_transaction

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            told = told_of(problem)
            if not _is(problem, (*_FULL, *_LOCKED)):  # after a failed sync nobody knows what the disk has: ask it anew
                self._reconnect()
            raise told from problem

    def _reconnect(self) -> None:
        """Where even that does not work, the old connection can still be asked."""
        with suppress(sqlite3.Error, StartError):
            old, self._connection = self._connection, self._connected()
            old.close()

    # -- visits --------------------------------------------------------------------------------------------------

    def load(self, visit_id: str) -> Held | None:
        return self._one("id = ?", visit_id)

    def by_token(self, token_sha256: str) -> Held | None:
        return self._one("token_sha256 = ?", token_sha256)

    def by_user(self, user: str) -> Sequence[Held]:
        return list(self._held("WHERE user = ? ORDER BY rowid DESC", user))

    def all(self) -> Iterator[Held]:
        yield from self._held("ORDER BY rowid")

    def create(self, visit: Visit, token_sha256: str | None, assignments: Sequence[Mapping[str, Any]] = ()) -> int:
        self._connection.execute(
            "INSERT INTO visits (id, token_sha256, user, version, document, unwritten) VALUES (?, ?, ?, 1, ?, 1)",
            (visit["id"], token_sha256, _storable(visit["user"]), _json(visit)),
        )
        self.log_assignments(assignments)
        return 1

    def save(
        self,
        visit: Visit,
        version: int,
        answer: Mapping[str, Any] | None = None,
        assignments: Sequence[Mapping[str, Any]] = (),
        events: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        saved = self._connection.execute(
            "UPDATE visits SET document = ?, version = version + 1, unwritten = 1 WHERE id = ? AND version = ?",
            (_json(visit), visit["id"], version),
        )
        if saved.rowcount != 1:
            return False
        if answer is not None:
            self._connection.execute(
                "INSERT INTO answers (visit, step, stamp, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (visit["id"], answer["step"], answer["stamp"], _json(answer)),
            )
        self.log_assignments(assignments)
        self.log_events(visit["id"], events)
        return True

    def forget(self, visit_id: str) -> None:
        """Call ``scrub`` afterwards: until then the file beside the ledger still has it."""
        self._connection.execute("DELETE FROM visits WHERE id = ?", (visit_id,))

    # -- answers ---------------------------------------------------------------------------------

    def answers(self, visit_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        where, values = ("", ()) if visit_id is None else ("WHERE visit = ?", (visit_id,))
        for visit, text in self._connection.execute(f"SELECT visit, document FROM answers {where} ORDER BY n", values):
            yield {"visit": visit, **json.loads(text)}

    def forget_answers(self, visit_id: str) -> int:
        """Remove all answers of a visit, but not the visit; returns how many there were."""
        return self._connection.execute("DELETE FROM answers WHERE visit = ?", (visit_id,)).rowcount

    def answers_bytes(self, visit_id: str) -> int:
        """How much the answers of a visit take, files included."""
        asked = "SELECT coalesce(sum(length(document)), 0) FROM answers WHERE visit = ?"
        return int(self._connection.execute(asked, (visit_id,)).fetchone()[0])

    # -- assignments, events, facts ------------------------------------------------------------------------------

    def assignments(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(text) for (text,) in self._connection.execute("SELECT entry FROM assignments ORDER BY n")]

    def log_assignments(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._connection.executemany(
            "INSERT INTO assignments (visit, factor, entry) VALUES (?, ?, ?)",
            [(entry["visit"], entry["factor"], _json(entry)) for entry in entries],
        )

    def events(self, visit_id: str) -> Iterator[Mapping[str, Any]]:
        """What has happened in a visit, in order."""
        asked = "SELECT t_s, kind, detail FROM events WHERE visit = ? ORDER BY n"
        for t_s, kind, detail in self._connection.execute(asked, (visit_id,)):
            yield {"t_s": t_s, "kind": kind, **json.loads(detail)}

    def log_events(self, visit_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add to what has happened in a visit: ``t_s``, ``kind``, and whatever belongs to it."""
        rows = []
        for event in events:
            detail = {key: value for key, value in event.items() if key not in ("t_s", "kind", "visit")}
            rows.append((visit_id, float(event.get("t_s", time.time())), str(event["kind"]), _json(detail)))
        self._connection.executemany("INSERT INTO events (visit, t_s, kind, detail) VALUES (?, ?, ?, ?)", rows)

    def meta(self, key: str) -> str | None:
        found = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def set_meta(self, key: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    # -- participants' files -------------------------------------------------------------------------------------

    def unwritten(self) -> Held | None:
        """A visit that is newer than its participant's file."""
        return next(self._held("WHERE unwritten LIMIT 1"), None)

    def written(self, held: Sequence[Held]) -> None:
        """Their file has these visits in these versions."""
        self._connection.executemany(
            "UPDATE visits SET unwritten = 0 WHERE id = ? AND version = ?",
            [(one.visit["id"], one.version) for one in held],
        )

    def state(self) -> tuple[int, int]:
        """Another value after every change, whoever has made it."""
        others = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return self._connection.total_changes, int(others)

    # -- the file itself -----------------------------------------------------------------------------------------

    def scrub(self) -> None:
        """See that nothing that was deleted is left in the file beside the ledger. Not inside a transaction.

        Raises RecordError while another process uses the ledger.
        """
        with self._told():
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise RecordError("the ledger of answers is in use by another process; try again")

    def close(self) -> None:
        """Also folds the file beside the ledger into it."""
        self._connection.close()

    # -- how it asks ---------------------------------------------------------------------------------------------

    def _one(self, condition: str, value: str) -> Held | None:
        return next(self._held(f"WHERE {condition}", value), None)

    def _held(self, rest: str, *values: str) -> Iterator[Held]:
        stored = tuple(_storable(value) for value in values)
        for text, version in self._connection.execute(f"SELECT document, version FROM visits {rest}", stored):
            yield Held(json.loads(text), version)


def told_of(problem: sqlite3.Error) -> RecordError:
    """What SQLite says, as a sentence; with nothing of what was to be kept."""
    if _is(problem, _FULL):
        return RecordError("the disk is full; nothing was kept", disk_full=True)
    if _is(problem, _LOCKED):
        return RecordError("the ledger of answers is in use by another process; nothing was kept")
    name = getattr(problem, "sqlite_errorname", None) or type(problem).__name__
    return RecordError(f"the ledger of answers does not do its part ({name}); nothing was kept")


def _is(problem: BaseException, codes: tuple[int, ...]) -> bool:
    code = getattr(problem, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in codes


def _json(value: object) -> str:
    """ASCII, so that half characters, which JavaScript can send and UTF-8 cannot hold, survive."""
    return json.dumps(value, separators=(",", ":"))


def _storable(user: str | None) -> str | None:
    """A label that SQLite can hold: half characters become what they are not confused with."""
    return None if user is None else user.encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")
