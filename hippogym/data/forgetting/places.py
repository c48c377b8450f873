"""The places where a study keeps something of a participant, each with what it has of one and how to remove it.

A new place is one more class and one more line in ``places``. Each can be asked and emptied again after a failure.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hippogym.core.record_format import HIPPO_KEY
from hippogym.data import manifest
from hippogym.data.delivery import user_part
from hippogym.data.export import ledger
from hippogym.data.forgetting.bucket_visits import BucketVisits
from hippogym.data.forgetting.person import Person, Place
from hippogym.data.forgetting.search import holds
from hippogym.data.forgetting.visits import UsersFiles, Visits
from hippogym.data.reader import read_entries
from hippogym.data.spool import FOLDER, Spool, write_whole
from hippogym.data.storage import Storage
from hippogym.errors import RecordError

_MOST_BYTES = 64 * 2**20


def places(records: Path, project: str, stores: list[Storage]) -> list[Place]:
    """All, in the order in which they are emptied: the records come last, as they say which trials there were."""
    spool = SpoolOfUploads(records)
    buckets: list[Place] = [Bucket(store, spool, project) for store in stores]
    buckets += [BucketVisits(store, project) for store in stores]
    visits: list[Place] = [Visits(records), UsersFiles(records)]
    return [*buckets, spool, Exports(records), *visits, Records(records)]


def trials_of(records: Path, name: str) -> tuple[Path, ...]:
    """The folders of a participant's trials. RecordError where one of them is being played."""
    found = []
    for folder in sorted(path for path in _folders(records) if manifest.TRIAL_ID.fullmatch(path.name)):
        if name in _names_in(folder):
            _refuse_while_playing(folder)
            found.append(folder)
    return tuple(found)


class Records:
    """Their records, with manifests and what was torn off."""

    title = "records"

    def __init__(self, records: Path) -> None:
        self._records = records

    def find(self, person: Person) -> list[str]:
        return [f"{folder}/{name}" for folder in person.trials for name in sorted(os.listdir(folder))]

    def remove(self, person: Person) -> int:
        count = len(self.find(person))
        for folder in person.trials:
            _refuse_while_playing(folder)
            shutil.rmtree(folder)
        if self._records.is_dir():
            _sync(self._records)
        return count


class SpoolOfUploads:
    """What is known of their records' way to the store."""

    title = "notes on uploads"

    def __init__(self, records: Path) -> None:
        self._folder = records / FOLDER
        self._spool = Spool(records)

    def find(self, person: Person) -> list[str]:
        return [str(path) for path in self._files(person)]

    def remove(self, person: Person) -> int:
        files = self._files(person)
        for path in files:
            path.unlink()
        for folder in {path.parent for path in files}:
            _sync(folder)
        return len(files)

    def keys(self, person: Person) -> list[str]:
        """Under which keys a store has, or may have, something of them."""
        found: set[str] = set()
        for path in self._files(person):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                told = json.loads(path.read_bytes())
                found.add(str(told["key"]))
                found.update(str(receipt["key"]) for receipt in told["stored"].values())
        return sorted(key for key in found if key.count("/") >= 3)

    def _files(self, person: Person) -> list[Path]:
        """Those of their trials, and those that hold a key of theirs though the trial is gone."""
        trials = {folder.name for folder in person.trials}
        marks = (f"/Trials/{user_part({'userId': person.name})}/",)
        found = []
        for path in sorted(self._folder.rglob("*")) if self._folder.is_dir() else ():
            if path.is_file() and not path.is_symlink():
                if path.name.partition(".")[0] in trials or any(mark in _text(path) for mark in marks):
                    found.append(path)
        return found


class Bucket:
    """All versions of what was uploaded, and their answers there."""

    title = "uploaded objects"

    def __init__(self, store: Storage, spool: SpoolOfUploads, project: str) -> None:
        self._store, self._spool, self._project = store, spool, project

    def find(self, person: Person) -> list[str]:
        prefixes, exact = self._where(person)
        count = sum(1 for prefix in prefixes for _ in self._store.keys(prefix))
        count += sum(key in exact for one in exact for key in self._store.keys(one))
        return [f"{count} objects in {self._store.where}, and their older versions"] if count else []

    def remove(self, person: Person) -> int:
        """RecordError where something is still there afterwards."""
        prefixes, exact = self._where(person)
        removed = sum(self._store.erase(prefix) for prefix in prefixes)
        removed += sum(self._store.erase(key, exactly=True) for key in exact)
        if self.find(person):
            raise RecordError(f"{self._store.where} still has something of what it said to have removed")
        return removed

    def _where(self, person: Person) -> tuple[list[str], list[str]]:
        """Beginnings of keys, and whole keys."""
        user = user_part({"userId": person.name})
        answers = f"{self._project}/users/{user}"
        prefixes = [f"{self._project}/Trials/{user}/", f"{answers}/", *self._spool.keys(person)]
        return prefixes, [answers, f"{answers}.json"]


class Exports:
    """Exports that hold them, as far as the study knows of them. They are removed whole: others can be made anew."""

    title = "exports"

    def __init__(self, records: Path) -> None:
        self._records = records

    def find(self, person: Person) -> list[str]:
        return [str(path) for path in self._paths(person)]

    def remove(self, person: Person) -> int:
        paths = self._paths(person)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self._forget(paths)
        return len(paths)

    def _paths(self, person: Person) -> list[Path]:
        """Those that hold them. Where nobody can look inside, it is assumed. RecordError for what is no export."""
        found = []
        for kind, path in ledger.known_exports(self._records):
            if not os.path.lexists(path) or path in found:
                continue
            if not _is_export(kind, path):
                raise RecordError(f"{path} was an export and is something else now; see to it, and remove its line in "
                                  f"{self._records / ledger.LEDGER}")  # fmt: skip
            if kind in ("minari", "parquet") or holds(path, person.name):
                found.append(path)
        return found

    def _forget(self, paths: list[Path]) -> None:
        """The list of exports goes on without them."""
        file = self._records / ledger.LEDGER
        gone = {str(path) for path in paths}
        with contextlib.suppress(FileNotFoundError):
            lines = [line for line in file.read_text().splitlines() if _path_in(line) not in gone]
            write_whole(file, "".join(f"{line}\n" for line in lines), sync=True)


def _is_export(kind: str, path: Path) -> bool:
    """Whether there still stands what was written there; only that is ever removed."""
    if path.is_symlink():
        return False
    if kind == "minari":
        return (path / "data" / "metadata.json").is_file()
    begins = {"parquet": b"PAR1", "jsonl": b"{", "csv": b"\xef\xbb\xbf"}.get(kind)
    if begins is None or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(begins)) == begins


def _path_in(line: str) -> str | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told.get("path") if isinstance(told, dict) else None


def _folders(records: Path) -> Iterator[Path]:
    if records.is_dir():
        with os.scandir(records) as items:
            yield from (Path(item.path) for item in items if item.is_dir(follow_symlinks=False))


def _names_in(folder: Path) -> set[str]:
    """The participants whose records lie in a trial's folder: by the manifests, and where there is none the records."""
    names: set[str] = set()
    files = {path.name: path for path in folder.iterdir() if path.is_file() and not path.is_symlink()}
    for file, path in files.items():
        if file.endswith(manifest.MANIFEST):
            names |= _name_of(_json(path).get("participant"))
        elif file.endswith((manifest.RECORD, manifest.PART)):
            beside = files.get(file.partition(".")[0] + manifest.MANIFEST)
            if beside is None or not _name_of(_json(beside).get("participant")):
                names |= _names_in_record(path)
    return names


def _names_in_record(path: Path) -> set[str]:
    names: set[str] = set()
    for entry in read_entries(path):
        ours = entry.get(HIPPO_KEY)
        names |= _name_of(ours.get("participant")) if type(ours) is dict else set()
        if names:
            break
    return names


def _name_of(participant: object) -> set[str]:
    name = participant.get("userId") if isinstance(participant, dict) else None
    return {name} if isinstance(name, str) else set()


def _json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        try:
            told = json.loads(file.read(_MOST_BYTES))
        except (ValueError, RecursionError):
            return {}
    return told if isinstance(told, dict) else {}


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")


def _refuse_while_playing(folder: Path) -> None:
    """A live trial holds a lock on the record that it writes."""
    for path in folder.glob(f"*{manifest.PART}"):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecordError(
                    "this participant is playing now; wait for the end of their trial, then try again"
                ) from None


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
