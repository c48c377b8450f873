"""Brings participants' files to the store, under ``<project>/users/<userId>``, and removes what they want removed.

Unlike records, these files change: the newest one takes the place of the one before. What the store has proved to have
is noted in ``.spool/users``; if a note is lost, the file goes up again. What is to be removed stands in
``.spool/erase`` until it is gone.
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hippogym.data.delivery import user_part
from hippogym.data.records_scan import Found, Record
from hippogym.data.spool import FOLDER as SPOOL
from hippogym.data.spool import write_whole
from hippogym.data.storage import FileRange, Match, Storage
from hippogym.data.users import FOLDER, SUFFIX
from hippogym.errors import StorageError

ERASE = "erase"
ERASE_AFTER_S = 30.0  # what was on its way when it was asked for has arrived by then, or has failed
_MOST_BYTES = 2**30

logger = logging.getLogger("hippogym.uploads")


class UsersDelivery:
    """What ``waiting`` has found is brought up by ``deliver``, which may be called from several threads.

    Both raise OSError where the disk does not do its part, ``deliver`` also StorageError.
    """

    def __init__(self, records: Path, storage: Storage, project: str) -> None:
        self._files = records / FOLDER
        self._notes = records / SPOOL / FOLDER
        self._orders = records / SPOOL / ERASE
        self._storage = storage
        self._project = project
        self._done: dict[str, str] = {}

    def open(self) -> None:
        """Make the folder of notes, and read them."""
        self._notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._notes.glob("*.sending"):  # left by a kill
            path.unlink()
        self._done = _noted(self._notes)

    def waiting(self, *, now: bool = False) -> list[Found]:
        """Files that are newer than what the store has, and orders. now: orders do not wait their time."""
        found = _newer(self._files, self._done)
        for path in sorted(self._orders.glob(f"*{SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):
                if now or time.time() - path.stat().st_mtime >= ERASE_AFTER_S:
                    found.append(Found(Record(ERASE, path.stem), True, 0, False))
        return found

    def deliver(self, record: Record) -> None:
        """Bring one of them to its end."""
        with contextlib.suppress(FileNotFoundError):  # forgotten meanwhile
            if record.trial == ERASE:
                self._erase(self._orders / f"{record.stem}{SUFFIX}")
            else:
                self._send(record.stem)

    def _send(self, name: str) -> None:
        """The file may be replaced meanwhile: what goes up is the one that is there now, under a second name."""
        sending = self._notes / f"{name}.{secrets.token_hex(4)}.sending"
        os.link(self._files / f"{name}{SUFFIX}", sending, follow_symlinks=False)
        try:
            state = _state(sending.stat())
            told = _json(sending)
            key = f"{self._project}/users/{user_part({'userId': told.get('user') or name})}"
            body = FileRange(sending)
            if self._storage.compare(key, body) is not Match.EQUAL:
                self._storage.replace(key, body)
                if self._storage.compare(key, body) is not Match.EQUAL:
                    raise StorageError(f"{self._storage.where} took a participant's file, but has something else")
            write_whole(self._notes / f"{name}{SUFFIX}", json.dumps({"state": state, "key": key}), sync=True)
            self._done[name] = state
        finally:
            sending.unlink()

    def _erase(self, order: Path) -> None:
        told = _json(order)
        for key in told.get("keys", ()):
            self._storage.erase(str(key), exactly=True)
            for note in self._notes.glob(f"*{SUFFIX}"):  # what is left of that file goes up again
                if _json(note).get("key") == key:
                    note.unlink()
                    self._done.pop(note.stem, None)
        for prefix in told.get("prefixes", ()):
            self._storage.erase(str(prefix))
        order.unlink()
        logger.info("what a participant asked to have removed is removed from %s", self._storage.where)


def users_waiting(records: Path) -> list[Found]:
    """The participants' files of which the store is not known to have the newest, whether an uploader runs or not."""
    return _newer(records / FOLDER, _noted(records / SPOOL / FOLDER))


def note_of(records: Path, name: str) -> Path:
    """Where it is noted that the store has a participant's file. name: of that file, without its ending."""
    return records / SPOOL / FOLDER / f"{name}{SUFFIX}"


def order_erasure(records: Path, keys: list[str], prefixes: list[str]) -> None:
    """Have every version of these, and of all that begins so, removed from the store: soon, or whenever uploads run.

    Raises OSError.
    """
    folder = records / SPOOL / ERASE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(json.dumps([keys, prefixes]).encode()).hexdigest()[:32]
    write_whole(folder / f"{name}{SUFFIX}", json.dumps({"keys": keys, "prefixes": prefixes}), sync=True)


def _noted(notes: Path) -> dict[str, str]:
    """Which state of each file the store has proved to have."""
    return {path.stem: str(_json(path).get("state")) for path in notes.glob(f"*{SUFFIX}")}


def _newer(files: Path, done: Mapping[str, str]) -> list[Found]:
    found = []
    for path in sorted(files.glob(f"*{SUFFIX}")):
        with contextlib.suppress(FileNotFoundError):
            about = path.stat(follow_symlinks=False)
            if done.get(path.stem) != _state(about):
                found.append(Found(Record(FOLDER, path.stem), True, about.st_size, False))
    return found


def _state(about: os.stat_result) -> str:
    return f"{about.st_mtime_ns}-{about.st_size}-{about.st_ino}"


def _json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        try:
            told = json.loads(file.read(_MOST_BYTES))
        except (ValueError, RecursionError):
            return {}
    return told if isinstance(told, dict) else {}
