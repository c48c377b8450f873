"""``hippogym payouts``: the table for the recruiting site, or its own list filled in."""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from hippogym.core.study.payouts import PAID, Payout, fill_batch, payouts
from hippogym.core.study.recruiting import SITES
from hippogym.core.study.way import OUTCOMES
from hippogym.data.export import ledger as exports
from hippogym.data.export.csv import safe_text
from hippogym.data.study_folder import STACK, all_visits, data_folder, existing_key, key_at, study_place, visits_at
from hippogym.data.terminal import harmless
from hippogym.errors import RecordError

_MOST_LINES = 50

COLUMNS = {
    "participant": "participant", "site": "site", "submission": "submission", "study": "study",
    "condition": "condition", "outcome": "outcome", "pay": "pay", "bonus": "bonus", "code": "code",
    "began": "began_s", "ended": "ended_s", "minutes": "minutes", "score": "score", "note": "note",
}  # fmt: skip
"""The table's columns, and where they come from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=study_place, default=Path(),
                        help="folder of config.yml (this one), or s3://bucket/projectId of a study on AWS")  # fmt: skip
    parser.add_argument("--data", type=Path, help="folder of the study's data (Trials in the study)")
    parser.add_argument("--stack", default=STACK, help=f"of a study on AWS, where its codes are read ({STACK})")
    parser.add_argument("--site", choices=SITES, help="only who came from there")
    parser.add_argument("--pay", type=_outcomes, default=PAID, help=f"outcomes that are paid ({','.join(PAID)})")
    parser.add_argument("--bonus", type=_money, default=0.0, metavar="PER_POINT", help="for each point of score")
    parser.add_argument("--most-bonus", type=_money, metavar="AMOUNT", help="no bonus is higher")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--ids", action="store_true", help="only the names of who is to be paid, a line each")
    shape.add_argument("--bonuses", action="store_true", help="only name,amount of who gets a bonus, a line each")
    shape.add_argument("--batch", type=Path, metavar="FILE", help="Mechanical Turk's results, to be filled in")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the new file (else it is printed)")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 where rows of a batch are left for a person to decide. Raises RecordError, StartError."""
    folder = _folder(arguments)
    visits = visits_at(str(arguments.study)) if folder is None else all_visits(folder)
    site = "mturk" if arguments.batch is not None and arguments.site is None else arguments.site
    lines = payouts(visits, site, arguments.pay, arguments.bonus, arguments.most_bonus)
    if arguments.batch is not None:
        key = key_at(str(arguments.study), arguments.stack) if folder is None else existing_key(folder)
        return _batch(arguments.batch, arguments.out, lines, key)
    table = not (arguments.ids or arguments.bonuses)
    if table and arguments.out is not None and folder is not None:
        exports.remember(folder, "csv", arguments.out)  # before it is there: who is forgotten has to be found
    with _output(arguments.out, encoding="utf-8-sig" if table else "utf-8") as file:
        if arguments.ids:
            file.writelines(f"{_one_line(line.participant)}\n" for line in lines if line.pay == "yes")
        elif arguments.bonuses:
            file.writelines(f"{_one_line(line.participant)},{line.bonus:.2f}\n" for line in lines if line.bonus > 0)
        else:
            write_table(lines, file)
    counts = Counter(line.pay for line in lines)
    sys.stderr.write(f"{counts['yes']} to be paid, {counts['look']} to be looked at, {counts['no']} not\n")
    return 0


def _folder(arguments: argparse.Namespace) -> Path | None:
    """Where the study's data is; None for a study on AWS. Raises RecordError."""
    if isinstance(arguments.study, Path):
        return data_folder(arguments.study, arguments.data)
    if arguments.data is not None:
        raise RecordError("--data is for a study in a folder; --study names one in a bucket")
    return None


def write_table(lines: Iterable[Payout], file: TextIO) -> None:
    """As CSV, a line for each participant; times in UTC. Nothing in it is a formula to a spreadsheet."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    for line in lines:
        table.writerow([_cell(name, getattr(line, attribute)) for name, attribute in COLUMNS.items()])


def _batch(path: Path, output: Path | None, lines: Sequence[Payout], key: bytes) -> int:
    headings, rows = _read_batch(path)
    batch = fill_batch(rows, lines, key)
    with _output(output, encoding="utf-8") as file:
        table = csv.DictWriter(file, headings, quoting=csv.QUOTE_ALL, lineterminator="\n")
        table.writeheader()
        table.writerows(batch.rows)
    sys.stderr.write(f"{batch.approved} approved, {len(batch.look)} left for you to decide\n")
    sys.stderr.writelines(f"  {harmless(sentence, 200)}\n" for sentence in batch.look[:_MOST_LINES])
    if len(batch.look) > _MOST_LINES:
        sys.stderr.write(f"  and {len(batch.look) - _MOST_LINES} more\n")
    return 1 if batch.look else 0


def _read_batch(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            headings, rows = list(reader.fieldnames or ()), list(reader)
    except (csv.Error, UnicodeDecodeError) as problem:
        raise RecordError(f"{path} cannot be read as CSV: {problem}") from problem
    missing = [name for name in ("AssignmentId", "WorkerId") if name not in headings]
    if missing:
        raise RecordError(f"{path} has no column {missing[0]}; download the batch's results as CSV once more")
    if any(None in row for row in rows):
        raise RecordError(f"{path} has rows that are longer than its first line")
    return [*headings, *(name for name in ("Approve", "Reject") if name not in headings)], rows


@contextmanager
def _output(path: Path | None, *, encoding: str) -> Iterator[TextIO]:
    """A new file, or the terminal. Excel knows UTF-8 by its mark; other programs take that for a part of a name."""
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("x", encoding=encoding, newline="") as file:
            yield file
    except FileExistsError as problem:
        raise RecordError(f"{path} exists already; name another file") from problem


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if name in ("began", "ended"):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return safe_text(value) if isinstance(value, str) else value


def _one_line(text: str) -> str:
    return " ".join(harmless(text, 200).split())


def _outcomes(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in OUTCOMES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"expected outcomes, separated by commas: {', '.join(OUTCOMES)}")
    return names


def _money(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("expected an amount from 0")
    return value
