"""``hippogym read``: what is in records, a line for every episode."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from rich.table import Table

from hippogym.data.manifest import RECORD
from hippogym.data.overview import Line, overview_of
from hippogym.data.sources import find_records
from hippogym.data.terminal import console, harmless, messages, with_progress
from hippogym.errors import RecordError

_TABLE_ROWS = 500  # then another table begins, so that a large study is shown as it is read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="FILE|DIR|s3://…", help="a record, a folder of records, or a bucket")
    parser.add_argument("--json", action="store_true", help="one JSON object per episode, for other programs")


@dataclass
class _Totals:
    episodes: int = 0
    ticks: int = 0
    bad: int = 0

    def add(self, line: Line) -> Line:
        self.episodes += 1
        self.ticks += line.ticks
        self.bad += line.state == "damaged"
        return line


def run(arguments: argparse.Namespace) -> int:
    """Returns 1 where something is damaged, else 0."""
    totals = _Totals()
    found = with_progress("reading", arguments.where, find_records(arguments.where), messages())
    lines = (totals.add(line) for record in found for line in overview_of(record))
    if arguments.json:
        for line in lines:
            sys.stdout.write(json.dumps(asdict(line)) + "\n")
    else:
        _show(lines)
        _say(totals)
    if totals.episodes == 0:
        raise RecordError(f"there are no records in {arguments.where}")
    return 1 if totals.bad else 0


def _show(lines: Iterator[Line]) -> None:
    shown = console()
    while rows := list(islice(lines, _TABLE_ROWS)):
        shown.print(_table(rows))


def _say(totals: _Totals) -> None:
    damaged = f", {totals.bad} damaged" if totals.bad else ""
    sys.stdout.write(f"{totals.episodes} episodes, {totals.ticks} ticks{damaged}\n")


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("record", "participant", "game"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for heading in ("episode", "ticks", "return", "seconds", "ticks/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("ended", "state"):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> tuple[str, ...]:
    missing = f" ({line.missing} missing)" if line.missing else ""
    return (
        harmless(line.source.removesuffix(RECORD), 120),
        harmless(line.participant),
        harmless(line.game),
        _number(line.episode, "d"),
        f"{line.ticks}{missing}",
        _number(line.returned, ".6g"),
        _number(line.duration_s, ".1f"),
        _number(line.rate, ".1f"),
        harmless(line.reason),
        line.state,
    )


def _number(value: float | None, how: str) -> str:
    return "–" if value is None else format(value, how)
