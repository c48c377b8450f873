"""Yields the entries of a record, whoever made the file. Memory holds one entry at a time.

Checksum first: what accident damaged never reaches the decoder. Then safe_pickle.py, which cannot execute
anything. Files of earlier systems, plain pickles without checksums, are read in the same safe way, and
reported as unverified.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from hippogym.core.record_format import PREFIX, Damage, Entry, Scanner
from hippogym.data.safe_pickle import CutShortError, RefusedError, TooLongError, load, skip
from hippogym.errors import RecordError

_CHUNK = 2**20
_SPOOL_BYTES = 16 * 2**20
_MAX_PLAIN_BYTES = 128 * 2**20  # of one plain pickle

Source = Path | str | bytes | IO[bytes]


@dataclass(frozen=True, slots=True)
class DamagedRange:
    """Bytes start..end of the file gave no entry; reason is a few words."""

    start: int
    end: int
    reason: str


@dataclass(slots=True)
class ReadReport:
    """What reading a file has shown; complete when the iterator has ended.

    format: 'HGR1', or 'pickle' for plain pickles without checksums, or 'empty'.
    verified: every entry that was yielded had a checksum, and it was right.
    missing: first and last number of each gap in the numbers. Entries lost at the end show only in the
    manifest.
    ended: the last entry is one of kind 'end'.
    """

    format: str = "empty"
    verified: bool = False
    entries: int = 0
    bytes: int = 0
    damaged: list[DamagedRange] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    first_seq: int | None = None
    last_seq: int | None = None
    ended: bool = False

    @property
    def intact(self) -> bool:
        """True when nothing is damaged or missing before the last entry."""
        return not self.damaged and not self.missing


def read_entries(source: Source, *, strict: bool = False, report: ReadReport | None = None) -> Iterator[dict[str, Any]]:
    """The intact entries of a record, in order.

    source: a path, the bytes of a file, or an open binary file (one that cannot seek is copied to a temporary
    file).
    report: filled while reading. strict: RecordError at the first damage, refusal or gap.
    Raises OSError where the file cannot be read; nothing else, whatever is in it.
    """
    report = ReadReport() if report is None else report
    with _opened(source) as file:
        if _has_trailers(file):
            report.format, report.verified = "HGR1", True
            found = _hgr1(file, report)
        else:
            found = _plain_pickles(file, report)
        for item in found:
            if isinstance(item, DamagedRange):
                report.damaged.append(item)
                if strict:
                    raise RecordError(f"bytes {item.start} to {item.end} of the record: {item.reason}")
                continue
            if strict and report.missing:
                first, last = report.missing[0]
                raise RecordError(f"entries {first} to {last} of the record are missing")
            report.entries += 1
            report.ended = _kind(item) == "end"
            yield item


def _hgr1(file: IO[bytes], report: ReadReport) -> Iterator[dict[str, Any] | DamagedRange]:
    for found in _scanned(file, report):
        if isinstance(found, Damage):
            yield DamagedRange(found.start, found.end, "damaged")
            continue
        if report.last_seq is not None and found.seq <= report.last_seq:
            yield DamagedRange(found.start, found.end, f"entry {found.seq} stands here again")
            continue
        _note_seq(found.seq, report)
        try:
            value, _ = load(found.data, trailer=True)
            if type(value) is not dict:
                raise RefusedError("an entry that is not a dict")
            yield value
        except (RefusedError, CutShortError) as problem:
            yield DamagedRange(found.start, found.end, f"refused: {problem}")


def _scanned(file: IO[bytes], report: ReadReport) -> Iterator[Entry | Damage]:
    scanner = Scanner()
    while data := file.read(_CHUNK):
        report.bytes += len(data)
        yield from scanner.feed(data)
    yield from scanner.finish()


def _note_seq(seq: int, report: ReadReport) -> None:
    expected = 0 if report.last_seq is None else report.last_seq + 1
    if seq > expected:
        report.missing.append((expected, seq - 1))
    if report.first_seq is None:
        report.first_seq = seq
    report.last_seq = seq


def _plain_pickles(file: IO[bytes], report: ReadReport) -> Iterator[dict[str, Any] | DamagedRange]:
    """Entries without checksums: each is found only by reading the one before."""
    data, offset, at, wanted = b"", 0, 0, _CHUNK
    while True:
        more = file.read(max(0, wanted - (len(data) - at)))
        report.bytes += len(more)
        data, offset, at = data[at:] + more, offset + at, 0
        if not data:
            return
        report.format = "pickle"
        while at < len(data):
            start = at
            try:
                items, at = _one_pickle(data, start, offset)
            except CutShortError:
                break
            except TooLongError as problem:  # and where it ends, nobody knows
                report.bytes = file.seek(0, os.SEEK_END)
                yield DamagedRange(offset + start, report.bytes, f"refused: {problem}")
                return
            yield from items
        if at < len(data):
            wanted = 2 * (len(data) - at)
            if not more or wanted > _MAX_PLAIN_BYTES:
                report.bytes = file.seek(0, os.SEEK_END)
                yield DamagedRange(offset + at, report.bytes, "cut short or malformed")
                return


def _one_pickle(data: bytes, start: int, offset: int) -> tuple[list[Any], int]:
    """What the pickle at ``start`` holds: a dict; or the list of dicts that is a whole trial of the first HIPPO Gym."""
    try:
        value, end = load(data, start)
    except TooLongError:
        raise
    except RefusedError as problem:
        end = skip(data, start)
        return [DamagedRange(offset + start, offset + end, f"refused: {problem}")], end
    if type(value) is list and all(type(each) is dict for each in value):
        return value, end
    if type(value) is not dict:
        return [DamagedRange(offset + start, offset + end, "refused: an entry that is not a dict")], end
    return [value], end


def _has_trailers(file: IO[bytes]) -> bool:
    tail = b""
    while data := file.read(_CHUNK):
        if PREFIX in tail + data:
            file.seek(0)
            return True
        tail = data[-len(PREFIX) :]
    file.seek(0)
    return False


def _kind(entry: dict[str, Any]) -> object:
    ours = entry.get("hippogym")
    return ours.get("kind") if type(ours) is dict else None


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    """A binary file at its beginning that can be read twice."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            yield file
    elif source.seekable():
        source.seek(0)
        yield source
    else:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as copy:
            while data := source.read(_CHUNK):
                copy.write(data)
            copy.seek(0)
            yield cast(IO[bytes], copy)
