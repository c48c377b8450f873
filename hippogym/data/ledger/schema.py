"""The tables of a study's ledger, and how an older file becomes one of today.

The file says which version it is (``PRAGMA user_version``); each step of ``MIGRATIONS`` brings it one further, in a
transaction, so that a kill leaves the old version or the new one. A released step is never changed: add another.
"""

import sqlite3

from hippogym.errors import StartError

APPLICATION_ID = 0x48475331  # "HGS1": what ``file`` and we know a ledger by
OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE visits (
    id TEXT PRIMARY KEY,
    token_sha256 TEXT UNIQUE,         -- the right to go on; the token itself is nowhere
    user TEXT,                        -- a label, never a key
    version INTEGER NOT NULL,         -- counts the saves
    document TEXT NOT NULL,           -- the visit, as JSON
    unwritten INTEGER NOT NULL        -- 1 until the participant's file is as new as this
) STRICT;
CREATE INDEX visits_by_user ON visits (user);
CREATE INDEX visits_unwritten ON visits (user) WHERE unwritten;

CREATE TABLE answers (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    visit TEXT NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    stamp TEXT NOT NULL,              -- of the showing that was answered: no showing has two answers
    document TEXT NOT NULL,
    UNIQUE (visit, stamp)
) STRICT;

CREATE TABLE assignments (            -- a log: how everybody got where they are. It outlives a visit that is forgotten
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    visit TEXT NOT NULL,
    factor TEXT NOT NULL,
    entry TEXT NOT NULL
) STRICT;
CREATE INDEX assignments_by_visit ON assignments (visit);

CREATE TABLE events (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    visit TEXT NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    t_s REAL NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_visit ON events (visit);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables in a new file, or what is missing in an older one.

    Raises StartError for a file that is no ledger, or of a newer version; sqlite3.Error where the disk does not do
    its part.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StartError(f"SQLite {sqlite3.sqlite_version} is too old to keep a study; 3.37 is needed")
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables and _pragma(connection, "application_id") != APPLICATION_ID:
        raise StartError("it is a database, but not of a study")
    if version > len(MIGRATIONS):
        raise StartError("a newer version of HIPPO Gym has made it; update, or use another folder with --data")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number}; COMMIT;"
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
