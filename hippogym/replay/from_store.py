"""Records in a bucket, brought to a temporary folder trial by trial, as a replay needs files beside each other."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from hippogym.data.manifest import RECORD
from hippogym.data.sources import RECORD_NAME, Found, find_records, is_address, is_record
from hippogym.errors import RecordError
from hippogym.replay.trials import TrialRecords, whole_trial


@contextmanager
def brought_here(where: str) -> Iterator[Path]:
    """The path itself; or a file with the record at an ``s3://`` address, beside it what its trial had before.

    Raises RecordError where the address is not that of one record, StorageError where the store does not do its part.
    """
    if not is_address(where):
        yield Path(where)
        return
    above, _, name = where.rpartition("/")
    if above == "s3:/" or not is_record(name):
        raise RecordError(f"{where} is not the address of one record")
    with tempfile.TemporaryDirectory(prefix="records-") as folder:
        wanted = None
        for found in find_records(above):
            if found.name.removesuffix(".parts") == name:
                wanted = _bring(found, Path(folder))
            elif "/" not in found.name and found.closed and _trial_of(found) == _trial_of(name):
                _bring(found, Path(folder))
        if wanted is None:
            raise RecordError(f"there is no record {where}")
        yield wanted


def trials_in_store(url: str) -> Iterator[TrialRecords]:
    """The closed records below an ``s3://`` address; the files of a trial are there until the next is asked for."""
    found_any = False
    closed = (found for found in find_records(url) if found.closed)
    for _, records in groupby(closed, key=_trial_of):
        found_any = True
        with tempfile.TemporaryDirectory(prefix="records-") as folder:
            yield whole_trial({found.name: _bring(found, Path(folder)) for found in records})
    if not found_any:
        raise RecordError(f"there are no closed records in {url}")


def _trial_of(record: Found | str) -> str:
    """The part of a key that all records of a trial share: all before ``episode_0000.pkl``, or the whole of it."""
    name = record if isinstance(record, str) else record.name
    above, slash, own = name.rpartition("/")
    known = RECORD_NAME.fullmatch(own)
    return above + slash + (known["trial"] or "" if known else own)


def _bring(found: Found, folder: Path) -> Path:
    """A copy, named as the record was on the disk where it was made."""
    known = RECORD_NAME.fullmatch(found.file)
    path = folder / (known["stem"] + RECORD if known else found.file)
    with found.open() as source, path.open("xb") as copy:
        shutil.copyfileobj(source, copy, 2**20)
    return path
