"""The spool held against the records, and both against the store: is what was uploaded what is here, and still there?

The spool alone says what the store once proved to have; only the store can say what it has now.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hippogym.data import manifest
from hippogym.data.records_scan import Record
from hippogym.data.sources import Found
from hippogym.data.spool import FOLDER, Entry, receipt, verified
from hippogym.data.storage import FileRange, Match, Storage
from hippogym.data.upload_status import status
from hippogym.data.verify import Verdict, sha256_of
from hippogym.errors import HippoError, RecordError, StorageError

_NEEDED = (manifest.RECORD, manifest.MANIFEST)


def records_folder_of(where: Path) -> Path | None:
    """The records folder that a path lies in (itself, a trial's folder, a record), where one was uploaded from."""
    around = (where, *where.absolute().parents[:2])
    return next((folder for folder in around if (folder / FOLDER).is_dir()), None)


class SpoolAndStore:
    """What is known of the uploads from ``records``, to be told record by record (see verify.Uploads).

    where: what is being verified: ``records``, or something in it. storage: the store, to be asked about every record;
    None to believe the spool. Raises RecordError where nothing was ever uploaded, OSError.
    """

    def __init__(self, records: Path, where: Path, storage: Storage | None = None) -> None:
        self.status = status(records)
        if self.status.where is None:
            raise RecordError(f"nothing was uploaded from {records} yet")
        self._records = records
        self._top = where if where.is_dir() else where.parent
        self._whole = where.absolute() == records.absolute()
        self._storage = storage
        self._done = verified(records)
        self._seen: set[Record] = set()
        self._waiting = {each.record: each for each in self.status.waiting}

    def look_at(self, found: Found, verdict: Verdict) -> None:
        """Whether what is here is what was uploaded, and whether the store has it."""
        record = self._record(self._top / found.name)
        if record is None:
            return
        self._seen.add(record)
        if record in self._waiting:
            waits = self._waiting[record]
            verdict.remarks.append(f"it waits to be uploaded{f': {waits.reason}' if waits.reason else ''}")
        if record not in self._done:
            return
        entry = receipt(self._records, record)
        if entry is None:
            verdict.problems.append("what the spool says about its upload cannot be read")
            return
        for ending in _NEEDED:
            if ending not in entry.stored:
                verdict.problems.append(f"the spool says that it is uploaded, but not its {ending}")
        for ending, told in entry.stored.items():
            self._compare(record, ending, told, verdict)
        if entry.kept_apart:
            verdict.remarks.append("the store had another file of its name; it is kept there under a name beside that")
        self._look_for_parts(entry, verdict)

    def rest(self) -> Iterator[Verdict]:
        """Those that were uploaded and are gone from here, where all was to be verified: does the store have them?"""
        for record in sorted(self._done.keys() - self._seen) if self._whole else ():
            verdict = Verdict(f"{record.trial}/{record.stem}{manifest.RECORD}")
            verdict.remarks.append("it was uploaded, and is not here any more")
            if self._storage is not None:
                self._look_there(self._storage, record, verdict)
                verdict.verified = True
            yield verdict

    def _record(self, path: Path) -> Record | None:
        stem, trial = path.name.removesuffix(manifest.PART).removesuffix(manifest.RECORD), path.absolute().parent
        ours = trial.parent == self._records.absolute() and manifest.STEM.fullmatch(stem)
        return Record(trial.name, stem) if ours else None

    def _path(self, record: Record, ending: str) -> Path:
        return self._records / record.trial / (record.stem + ending)

    def _compare(self, record: Record, ending: str, told: dict[str, Any], verdict: Verdict) -> None:
        path = self._path(record, ending)
        try:
            body = FileRange(path)
            sha256 = (ending == manifest.RECORD and verdict.sha256) or body.digests().sha256
            if sha256 != told["sha256"]:
                verdict.problems.append(f"its {ending} is not what was uploaded")
            if self._storage is None:
                return
            match = self._storage.compare(str(told["key"]), body)
        except FileNotFoundError:
            verdict.problems.append(f"its {ending} was uploaded, and is not here")
        except (OSError, StorageError) as problem:
            verdict.problems.append(f"its {ending} cannot be compared with the store: {problem}")
        else:
            if match is Match.MISSING:
                verdict.problems.append(f"its {ending} was uploaded, and is not in the store any more")
            elif match is Match.DIFFERENT:
                verdict.problems.append(f"its {ending} in the store is another file")

    def _look_for_parts(self, entry: Entry, verdict: Verdict) -> None:
        if self._storage is None:
            return
        try:
            if next(iter(self._storage.keys(f"{entry.key}{manifest.RECORD}.parts/")), None) is not None:
                verdict.remarks.append("the store still has the parts that it went up in")
        except StorageError as problem:
            verdict.problems.append(str(problem))

    def _look_there(self, storage: Storage, record: Record, verdict: Verdict) -> None:
        entry = receipt(self._records, record)
        stored = {} if entry is None else entry.stored
        if manifest.RECORD not in stored:
            verdict.problems.append("what the spool says about its upload cannot be read")
        for ending, told in stored.items():
            try:
                with storage.fetch(str(told["key"])) as file:
                    if sha256_of(file) != told["sha256"]:
                        verdict.problems.append(f"its {ending} in the store is another file")
            except (OSError, HippoError) as problem:
                verdict.problems.append(f"its {ending} cannot be had from the store: {problem}")
