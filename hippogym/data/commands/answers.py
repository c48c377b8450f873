"""``hippogym answers``: what participants answered, as a table."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hippogym.data.answers import Kept, Row, answers, as_text, columns, ledger_in, visits, write_files
from hippogym.data.bucket_answers import BucketAnswers
from hippogym.data.export import ledger as exports
from hippogym.data.export.csv import safe_text
from hippogym.data.export.optional import need
from hippogym.data.sources import open_store
from hippogym.data.study_folder import study_place
from hippogym.errors import RecordError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=study_place, default=Path(),
                        help="the study's folder (this one), or s3://bucket/projectId of one on AWS")  # fmt: skip
    parser.add_argument("--data", type=Path, help="folder of the records (Trials in the study)")
    parser.add_argument("--to", choices=tuple(_WRITERS), default="csv", help="the format (csv, for spreadsheets)")
    parser.add_argument("--out", type=Path, help="the new file (else the table is printed)")
    parser.add_argument(
        "--rows",
        choices=("visits", "answers"),
        default="visits",
        help="a row for each visit, or for each answer and try",
    )
    parser.add_argument("--previews", action="store_true", help="also the researchers' own visits")
    parser.add_argument("--files", type=Path, metavar="DIR", help="write uploaded files here, each under its sha256")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0. Raises HippoError, OSError."""
    records = _records(arguments)
    with _kept(arguments, records) as ledger:
        make = visits if arguments.rows == "visits" else answers
        rows = make(ledger, previews=arguments.previews)
        if arguments.files is not None:
            count = write_files(ledger, arguments.files, previews=arguments.previews)
            sys.stderr.write(f"{arguments.files}: {count} files\n")
    if arguments.to == "parquet" and arguments.out is None:
        raise RecordError("a Parquet file cannot be printed; say where it is to be with --out")
    if arguments.out is not None and rows and records is not None:
        exports.remember(records, arguments.to, arguments.out)  # before it is there: who is forgotten has to be found
    _WRITERS[arguments.to](rows, arguments.out)
    if arguments.out is not None:
        sys.stdout.write(f"{arguments.out}: {len(rows)} rows\n")
    return 0


def _records(arguments: argparse.Namespace) -> Path | None:
    """The data folder; None for a study on AWS. Raises RecordError."""
    if isinstance(arguments.study, Path):
        return arguments.data or arguments.study / "Trials"
    if arguments.data is not None:
        raise RecordError("--data is for a study in a folder; --study names one in a bucket")
    return None


@contextmanager
def _kept(arguments: argparse.Namespace, records: Path | None) -> Iterator[Kept]:
    if records is None:
        yield BucketAnswers(open_store(arguments.study), arguments.study)
        return
    with ledger_in(records) as ledger, ledger.reading():
        yield ledger


def _csv(rows: Sequence[Row], out: Path | None) -> None:
    """Nothing in it is run by a spreadsheet (see export/csv.py)."""
    names = columns(rows)
    with _opened(out, encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow([safe_text(name) for name in names])
        for row in rows:
            table.writerow([_cell(row.get(name)) for name in names])


def _cell(value: Any) -> Any:
    return value if type(value) in (int, float) else safe_text(as_text(value))


def _jsonl(rows: Sequence[Row], out: Path | None) -> None:
    """An object for each row, with every value as it was given."""
    with _opened(out, encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _parquet(rows: Sequence[Row], out: Path | None) -> None:
    """All columns are text, in one type for all rows; lists and files are JSON."""
    pa, pq = need("pyarrow"), need("pyarrow.parquet")
    names = columns(rows)
    texts = {name: pa.array([_utf8(row.get(name)) for row in rows], pa.string()) for name in names}
    pq.write_table(pa.table(texts), str(out), compression="zstd")


def _utf8(value: Any) -> str | None:
    return None if value is None else as_text(value).encode("utf-8", "replace").decode()


@contextmanager
def _opened(out: Path | None, *, encoding: str) -> Iterator[TextIO]:
    if out is not None:
        with out.open("w", encoding=encoding, errors="replace", newline="") as file:
            yield file
        return
    text = io.StringIO(newline="")
    yield text
    sys.stdout.write(text.getvalue().encode("utf-8", "replace").decode())


_WRITERS: dict[str, Callable[[Sequence[Row], Path | None], None]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
