"""What a study has kept, for commands that look at it, with a server running or without. They make nothing new."""

from pathlib import Path

from hippogym.core.study.visit import Visit
from hippogym.data.answers import ledger_in
from hippogym.data.bucket_answers import BucketAnswers
from hippogym.data.code_key import FILE, code_key
from hippogym.data.sources import is_address, open_store
from hippogym.errors import RecordError

FOLDER = "Trials"
STACK = "hippogym"  # what `hippogym aws setup` calls it unless told otherwise


def study_place(text: str) -> str | Path:
    """A study's folder, or the address of one on AWS (s3://bucket/projectId), as somebody typed it."""
    return text if is_address(text) else Path(text)


def data_folder(study: Path, data: Path | None) -> Path:
    """Where the study keeps what it keeps. Raises RecordError where that is nowhere."""
    folder = data or study / FOLDER
    if not folder.is_dir():
        raise RecordError(f"there is no folder {folder}; say where the study's data is with --data")
    return folder


def existing_key(folder: Path) -> bytes:
    """The key of the study's codes. Raises RecordError where there is none, StartError where it cannot be used."""
    if not (folder / FILE).exists():
        raise RecordError(f"there is no {FILE} in {folder}: no study with steps has given out codes there")
    return code_key(folder)


def key_at(address: str, stack: str) -> bytes:
    """The key of the codes of a study on AWS. Raises RecordError."""
    from hippogym.data.stack_key import stack_code_key  # only now: it brings boto3 with it

    return stack_code_key(address, stack)


def all_visits(folder: Path) -> list[Visit]:
    """Every visit, in the order of their beginning. Raises RecordError, StartError."""
    with ledger_in(folder) as ledger, ledger.reading():
        return [held.visit for held in ledger.all()]


def visits_at(address: str) -> list[Visit]:
    """Every visit of a study on AWS. Raises RecordError, StorageError."""
    return [held.visit for held in BucketAnswers(open_store(address), address).all()]
