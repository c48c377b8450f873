"""CSV for spreadsheets: a line per tick, without resets, observations and infos, and nothing that would be run there.

A text that begins like a formula gets an apostrophe in front, as spreadsheets themselves mark a text; so does one that
begins with an apostrophe. Times are in seconds since the episode began, because spreadsheets round nanoseconds.
"""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hippogym.data.columns import HUMAN_COLUMNS, TEXT
from hippogym.data.export.options import Options
from hippogym.data.export.rows import EPISODE_COLUMNS, TICK_COLUMNS, VALUE, Counts, EpisodeCounter, Row, rows
from hippogym.data.manifest import json_safe
from hippogym.data.ticks import Part

SUFFIX = ".csv"

_IN_NS = {"t_mono_ns": "t_s", "input_received_ns": "input_received_s", "frame_sent_ns": "frame_sent_s",
          "frame_drawn_received_ns": "frame_drawn_received_s"}  # fmt: skip
_KINDS = {**EPISODE_COLUMNS, **TICK_COLUMNS, **HUMAN_COLUMNS, "inputs": VALUE}
_DIGITS = 6
# beginnings that Excel, LibreOffice or Google Sheets take for a formula (the wide ones in East Asian versions)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")


def write(parts: Iterable[Part], path: Path, options: Options) -> Counts:
    """Write the rows of these episodes to a new file, in UTF-8 with the mark by which Excel knows it."""
    counts = Counts()
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        table = csv.writer(file)
        table.writerow([_heading(name) for name in _KINDS])
        begun_ns: int | None = None
        for row in rows(parts, counts, empty=False):
            if row["kind"] == "reset":
                begun_ns = row["t_mono_ns"]
                continue
            if row["tick"] == 1 and begun_ns is None:
                begun_ns = row["t_mono_ns"]
            table.writerow([_cell(name, row, begun_ns) for name in _KINDS])
    return counts


def recount(path: Path, options: Options) -> Counts:
    """What the file holds, from reading it again."""
    counter = EpisodeCounter()
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, strict=True):
            counter.row(row["source"], row["episode"], row["kind"])
    return counter.counts


def safe_text(text: str) -> str:
    """The text as no spreadsheet takes it for a formula, and as every CSV reader reads it."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return "'" + text if text.lstrip(" \N{NO-BREAK SPACE}").startswith(_FORMULAS) else text


def _heading(name: str) -> str:
    if name == "t_wall_ns":
        return "time_utc"
    return _IN_NS.get(name, name)


def _cell(name: str, row: Row, begun_ns: int | None) -> Any:
    value = row[name]
    if value is None:
        return ""
    if name == "t_wall_ns":
        return _iso(value)
    if name in _IN_NS:
        return "" if begun_ns is None else round((value - begun_ns) / 1e9, _DIGITS)
    kind = _KINDS[name]
    if kind == VALUE:
        return value if type(value) in (int, float) else safe_text(value if type(value) is str else _json(value))
    if kind == TEXT:
        return safe_text(value)
    return value


def _json(value: Any) -> str:
    """For reading by people; JSON lines and Parquet hold what can be read back."""
    return json.dumps(json_safe(value), ensure_ascii=False)


def _iso(wall_ns: int) -> str:
    try:
        return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
