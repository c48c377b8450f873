"""What is known of each record's way to the store, on the disk, so that a restart goes on where a kill stopped it.

``<records>/.spool/waiting/<trial>.<stem>.json``    what of this record is on its way
``<records>/.spool/verified/<trial>.<stem>.json``   the store has proved to have it; kept, so that it is not asked again

The records themselves are not copied: a spool without files is right too, as records are found by looking, and what
the store has already is found out by asking it. Each file is written under another name, synced and renamed, and
moves to ``verified`` by one rename, so whatever is killed whenever leaves a state that is true.
"""

import json
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hippogym.data import manifest
from hippogym.data.record_file import sync_folder
from hippogym.data.records_scan import Record

logger = logging.getLogger(__name__)

FOLDER = ".spool"
KEPT_APART = ".conflict"
_VERSION = 1
_MOST_BYTES = 16 * 2**20


@dataclass(slots=True)
class Entry:
    """One record's way.

    key: of the record in the store, without its ending. parts: the end of each part of the running record that was
    put, or was about to be: part n is the bytes from parts[n - 1] to parts[n].
    stored: ending → {key, bytes, sha256} of what the store has proved to have.
    """

    record: Record
    key: str
    parts: list[int] = field(default_factory=list)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def kept_apart(self) -> bool:
        """Something of it stands under another name than it should, because something else stood there."""
        return any(receipt["key"] != self.key + ending for ending, receipt in self.stored.items())


class Spool:
    """The spool of a records folder. All methods raise OSError where the disk does not do its part."""

    def __init__(self, records: Path) -> None:
        self.folder = records / FOLDER
        self._waiting = self.folder / "waiting"
        self._verified = self.folder / "verified"
        self._entries: dict[Record, Entry] = {}
        self._done: set[Record] = set()

    def open(self) -> None:
        """Make the folders if they are missing, and read what there is."""
        for folder in (self.folder, self._waiting, self._verified):
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)
        self._done = set(verified(self.folder.parent))
        for path in sorted(self._waiting.glob("*.json")):
            record = _record_of(path.name)
            entry = None if record is None else _read(path, record)
            if entry is not None:
                self._entries[entry.record] = entry
            else:  # without it the store is asked what it has
                logger.warning("%s is not a file of the spool; it is left alone", path.name)

    def is_done(self, record: Record) -> bool:
        """The store has proved to have all of it."""
        return record in self._done

    def entry(self, record: Record) -> Entry | None:
        """What is known of a record that is on its way."""
        return self._entries.get(record)

    def write(self, entry: Entry) -> None:
        """Keep what is known; on the disk when this returns."""
        text = json.dumps(
            {
                "version": _VERSION,
                "trial": entry.record.trial,
                "stem": entry.record.stem,
                "key": entry.key,
                "parts": entry.parts,
                "stored": entry.stored,
            },
            indent=1,
        )
        write_whole(self._waiting / _file_name(entry.record), text, sync=True)
        self._entries[entry.record] = entry

    def finish(self, entry: Entry) -> None:
        """All of it is verified, and ``write`` has been told so: it waits no more."""
        name = _file_name(entry.record)
        done = _file_name(entry.record, KEPT_APART) if entry.kept_apart else name
        os.rename(self._waiting / name, self._verified / done)
        sync_folder(self._verified)
        sync_folder(self._waiting)
        self._entries.pop(entry.record, None)
        self._done.add(entry.record)

    def forget(self, trial: str) -> list[str]:
        """Remove every trace of a trial; returns the keys under which the store has, or may have, something of it."""
        keys: set[str] = set()
        for folder in (self._waiting, self._verified):
            for path in sorted(folder.glob(f"{trial}.*")) if folder.is_dir() else ():
                record = _record_of(path.name.removesuffix(_UNFINISHED))
                entry = _read(path, record) if record is not None else None
                if entry is not None:
                    keys.add(entry.key)
                    keys.update(receipt["key"] for receipt in entry.stored.values())
                path.unlink()
            if folder.is_dir():
                sync_folder(folder)
        self._entries = {record: entry for record, entry in self._entries.items() if record.trial != trial}
        self._done = {record for record in self._done if record.trial != trial}
        return sorted(keys)


def verified(records: Path) -> dict[Record, bool]:
    """The records that a store has proved to have → whether something of them is kept under another name."""
    try:
        names = os.listdir(records / FOLDER / "verified")
    except FileNotFoundError:
        return {}
    found = ((_record_of(name), name.endswith(KEPT_APART + ".json")) for name in names)
    return {record: apart for record, apart in found if record is not None}


def receipt(records: Path, record: Record) -> Entry | None:
    """What the store has proved to have of a record; None where that is not known, or cannot be read."""
    folder = records / FOLDER / "verified"
    found = (_read(folder / _file_name(record, mark), record) for mark in ("", KEPT_APART))
    return next((entry for entry in found if entry is not None), None)


def receipts(records: Path) -> list[Entry]:
    """What the store has proved to have, record by record; reads every file of ``verified``."""
    folder = records / FOLDER / "verified"
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    read = [_read(path, record) for path in paths if (record := _record_of(path.name)) is not None]
    return [entry for entry in read if entry is not None]


def write_whole(path: Path, text: str, *, sync: bool) -> None:
    """Replace a file: readers see the old one or the new one. sync: a power failure does not undo it."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(unfinished, flags, 0o600)
    try:
        rest = memoryview(text.encode())
        while rest:
            rest = rest[os.write(fd, rest) :]
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(unfinished, path)
    if sync:
        sync_folder(path.parent)


_UNFINISHED = ".unfinished"


def _file_name(record: Record, mark: str = "") -> str:
    return f"{record.trial}.{record.stem}{mark}.json"


def _record_of(name: str) -> Record | None:
    trial, _, rest = name.partition(".")
    stem = rest.removesuffix(".json").removesuffix(KEPT_APART)
    ours = rest.endswith(".json") and manifest.TRIAL_ID.fullmatch(trial) and manifest.STEM.fullmatch(stem)
    return Record(trial, stem) if ours else None


def _read(path: Path, record: Record) -> Entry | None:
    """None where it is not what ``write`` writes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        parts, stored = [int(end) for end in told["parts"]], dict(told["stored"])
        rising = all(0 < end for end in parts) and parts == sorted(set(parts))
        receipts_are = all({"key", "bytes", "sha256"} <= receipt.keys() for receipt in stored.values())
        same = (told["version"], told["trial"], told["stem"]) == (_VERSION, record.trial, record.stem)
        return Entry(record, str(told["key"]), parts, stored) if rising and receipts_are and same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
