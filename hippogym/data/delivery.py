"""Brings one record to the store, step by step, so that each step can be done again after anything has failed.

While a record grows, what is new of it goes up in parts that end where entries end. As pickles follow each other, the
parts one after the other are the file. When it is closed: the whole file, what was torn off it, its manifest, each
proved to be there before the next; then the parts are removed, and the spool is told that it is done. Nothing of ours
on the disk is ever removed.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hippogym.core.messages import USER_ID
from hippogym.core.record_format import HIPPO_KEY, Entry, Scanner
from hippogym.data import manifest, safe_pickle
from hippogym.data.records_scan import Found, Record
from hippogym.data.spool import Entry as SpoolEntry
from hippogym.data.spool import Spool
from hippogym.data.storage import FileRange, Storage, put_once
from hippogym.errors import StorageError

logger = logging.getLogger(__name__)

PART_BYTES = 4 * 2**20
UNKNOWN = "unknown"  # where a record does not say whose it is
_CHUNK = 2**20
_MOST_MANIFEST_BYTES = 64 * 2**20


class Delivery:
    """Of the records in a folder to a store, under ``<project>/Trials/<participant>/<trial>-<stem>…``.

    The methods raise StorageError where the store does not do its part, and OSError where the disk does not.
    Several threads may deliver at a time, each another record.
    """

    def __init__(self, records: Path, spool: Spool, storage: Storage, project: str) -> None:
        self._records = records
        self._spool = spool
        self._storage = storage
        self._project = project
        self._sent: dict[Record, int] = {}  # how many parts this process knows to be in the store

    def send_part(self, record: Record) -> int:
        """Put what a running record has gained; returns up to which byte it is in the store.

        Which bytes a part has is on the disk before it is put: whoever is killed in between puts the same again.
        """
        path = self._path(record, manifest.PART)
        entry = self._spool.entry(record)
        if entry is None:
            user = _user_in_record(path)
            if user is None:
                return 0  # not one entry yet
            entry = SpoolEntry(record, self._key(record, user))
        self._send_planned(entry, path)
        for end in _ends(path, entry.parts[-1] if entry.parts else 0):
            entry.parts.append(end)
            self._spool.write(entry)
            self._send_planned(entry, path)
        return entry.parts[-1] if entry.parts else 0

    def finish(self, found: Found) -> SpoolEntry:
        """Bring a closed record to its end."""
        record = found.record
        entry = self._spool.entry(record)
        if entry is None:
            entry = SpoolEntry(record, self._key(record, self._user_in_manifest(record)))
        for ending in (manifest.RECORD, manifest.TORN, manifest.MANIFEST):
            if ending not in entry.stored and (ending != manifest.TORN or found.torn):
                self._store(entry, ending)
        self._remove_parts(entry)
        self._spool.finish(entry)
        self._sent.pop(record, None)
        return entry

    def _store(self, entry: SpoolEntry, ending: str) -> None:
        body = FileRange(self._path(entry.record, ending))
        key = put_once(self._storage, entry.key + ending, body)
        sha256 = body.digests().sha256
        entry.stored[ending] = {"key": key, "bytes": body.size, "sha256": sha256}
        self._spool.write(entry)
        if key != entry.key + ending:
            logger.error("%s%s: the store has another file of this name; kept apart", entry.record.name, ending)
        if ending == manifest.MANIFEST:
            self._compare_with_manifest(entry)

    def _compare_with_manifest(self, entry: SpoolEntry) -> None:
        told, is_ = self._manifest(entry.record).get("sha256"), entry.stored[manifest.RECORD]["sha256"]
        if told is not None and told != is_:
            logger.error("%s is no longer what its manifest says; it was uploaded as it is", entry.record.name)

    def _send_planned(self, entry: SpoolEntry, path: Path) -> None:
        """Those that were planned before the last but one are there: each is put before the next is planned."""
        for number in range(self._sent.get(entry.record, max(0, len(entry.parts) - 1)), len(entry.parts)):
            start = entry.parts[number - 1] if number else 0
            put_once(self._storage, f"{_parts_of(entry)}{number:06d}", FileRange(path, start, entry.parts[number]))
            self._sent[entry.record] = number + 1

    def _remove_parts(self, entry: SpoolEntry) -> None:
        if entry.parts and entry.parts[-1] > entry.stored[manifest.RECORD]["bytes"]:
            # a disk that lost, with its power, what it had said to be written: the store knows more than we do
            logger.error("%s is shorter than its parts in the store; they are kept there", entry.record.name)
            return
        keys = list(self._storage.keys(_parts_of(entry)))
        for key in keys:
            self._storage.delete(key)
        if keys and list(self._storage.keys(_parts_of(entry))):
            raise StorageError(f"{self._storage.where} has not removed what it said to have removed")

    def _key(self, record: Record, user: str) -> str:
        return f"{self._project}/Trials/{user}/{record.name}"

    def _path(self, record: Record, ending: str) -> Path:
        return self._records / record.trial / (record.stem + ending)

    def _user_in_manifest(self, record: Record) -> str:
        return user_part(self._manifest(record).get("participant"))

    def _manifest(self, record: Record) -> dict[str, Any]:
        with self._path(record, manifest.MANIFEST).open("rb") as file:
            try:
                told = json.loads(file.read(_MOST_MANIFEST_BYTES))
            except (ValueError, RecursionError):
                return {}
        return told if isinstance(told, dict) else {}


def _parts_of(entry: SpoolEntry) -> str:
    return f"{entry.key}{manifest.RECORD}.parts/"


def user_part(participant: object) -> str:
    """The participant's name where it can be a part of a key; else something made of it."""
    name = participant.get("userId") if isinstance(participant, dict) else None
    if not isinstance(name, str):
        return UNKNOWN
    if USER_ID.fullmatch(name) and ".." not in name and name != ".":
        return name
    return f"id-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _user_in_record(path: Path) -> str | None:
    """From the record's first entry; None while there is none."""
    for entry in _entries(path, 0):
        try:
            value, _ = safe_pickle.load(entry.data, trailer=True)
        except (safe_pickle.RefusedError, safe_pickle.CutShortError):
            return UNKNOWN
        ours = value.get(HIPPO_KEY) if isinstance(value, dict) else None
        return user_part(ours.get("participant") if isinstance(ours, dict) else None)
    return None


def _ends(path: Path, start: int) -> Iterator[int]:
    """Where the parts of what follows ``start`` end: at the first entry's end after 4 MiB, and at the last entry's.

    Brought to the disk first, so that the store never has what the disk could still lose.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
    end = start
    for entry in _entries(path, start):
        end = entry.end
        if end - start >= PART_BYTES:
            yield end
            start = end
    if end > start:
        yield end


def _entries(path: Path, start: int) -> Iterator[Entry]:
    """The intact entries from ``start``, where an entry begins; their places are those in the file."""
    scanner, at = Scanner(), start
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while data := os.pread(fd, _CHUNK, at):
            at += len(data)
            for found in scanner.feed(data):
                if isinstance(found, Entry):
                    yield Entry(found.start + start, found.end + start, found.seq, found.data)
    finally:
        os.close(fd)
