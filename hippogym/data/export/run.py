"""Exports records: reads them one after the other, writes, reads again what was written, compares, puts it in place.

Nothing stands under its final name before it has been compared, and nothing that stands there is ever replaced.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from hippogym.data.export import ledger
from hippogym.data.export.options import Options
from hippogym.data.export.rows import Counts
from hippogym.data.reader import ReadReport
from hippogym.data.sources import Found, find_records
from hippogym.data.ticks import Head, Part, read_parts
from hippogym.errors import RecordError

FORMATS: dict[str, Callable[[], ModuleType]] = {
    "minari": lambda: import_module("hippogym.data.export.minari"),
    "parquet": lambda: import_module("hippogym.data.export.parquet"),
    "jsonl": lambda: import_module("hippogym.data.export.jsonl"),
    "csv": lambda: import_module("hippogym.data.export.csv"),
}
"""Each module has ``write(parts, path, options)`` and ``recount(path, options)``, both of which return Counts; those
that make a folder also ``place(path, out)`` and ``default_out()``."""

Watch = Callable[[Iterable[Found]], Iterable[Found]]


@dataclass
class Exported:
    """What an export has come to. notes: sentences for whoever uses it."""

    path: Path
    counts: Counts
    notes: list[str] = field(default_factory=list)


def export(
    where: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    options: Options | None = None,
    watch: Watch = iter,
) -> Exported:
    """Export the records at a path or ``s3://`` address.

    to: a name in FORMATS. out: the new file; for Minari the folder of datasets (None: Minari's own).
    watch: is given the records and passes them on, to show how far it is.
    Raises RecordError, with a sentence: nothing to export, a package is missing, the file exists already, what was
    read again is not what was written. Then nothing is left of it. Raises OSError for what disks do.
    """
    if to not in FORMATS:
        raise RecordError(f"there is no format {to!r}; there are {', '.join(FORMATS)}")
    module: Any = FORMATS[to]()
    notes: dict[str, None] = {}
    options = replace(options or Options(), note=lambda sentence: notes.setdefault(sentence))
    source = _Source(where, options, watch)
    target = _target(module, to, out)
    exported = _to_folder if hasattr(module, "place") else _to_file
    path, counts = exported(module, source.parts(), target, options)
    source.tell()
    _remember(where, to, path, options)
    return Exported(path, counts, list(notes))


class _Source:
    """The parts of all records, without those that nobody asked for."""

    def __init__(self, where: str | Path, options: Options, watch: Watch) -> None:
        self._where = where
        self._options = options
        self._watch = watch
        self._odd: Counter[str] = Counter()

    def parts(self) -> Iterator[Part]:
        for found in self._watch(find_records(self._where)):
            if not found.closed and not self._options.unfinished:
                self._odd["are still being written, or wait for the repair at the server's start; left out"] += 1
                continue
            report = ReadReport()
            yield from self._wanted(read_parts(found, report))
            if not report.intact:
                self._odd["are damaged; what is intact was exported"] += 1
            if not report.verified:
                self._odd["have no checksums, so nobody can say whether they are as they were written"] += 1

    def tell(self) -> None:
        for what, count in self._odd.items():
            self._options.note(f"{count} records {what}.")

    def _wanted(self, parts: Iterable[Part]) -> Iterator[Part]:
        wanted = False
        for part in parts:
            if isinstance(part, Head):
                game, participant = self._options.game, self._options.participant
                wanted = game in (None, part.game) and participant in (None, part.participant)
            if wanted:
                yield part


def _target(module: Any, to: str, out: str | Path | None) -> Path:
    if out is None:
        if not hasattr(module, "default_out"):
            raise RecordError(f"say where to write: --out study{module.SUFFIX}")
        out = module.default_out()
    path = Path(out)
    if module.SUFFIX and path.exists():
        raise RecordError(f"{path} exists already, and is not replaced")
    if not module.SUFFIX and path.exists() and not path.is_dir():
        raise RecordError(f"{path} is not a folder")
    return path


def _to_file(module: Any, parts: Iterator[Part], out: Path, options: Options) -> tuple[Path, Counts]:
    out.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)  # readable by its owner only
    os.close(fd)
    made = Path(name)
    try:
        counts = module.write(parts, made, options)
        _compare(counts, module.recount(made, options))
        _sync(made)
        try:
            os.link(made, out)  # unlike a rename, never replaces what has appeared there meanwhile
        except FileExistsError:
            raise RecordError(f"{out} exists already, and is not replaced") from None
    finally:
        made.unlink()
    return out, counts


def _to_folder(module: Any, parts: Iterator[Part], out: Path, options: Options) -> tuple[Path, Counts]:
    out.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".export-", dir=out))
    try:
        counts = module.write(parts, made, options)
        _compare(counts, module.recount(made, options))
        return module.place(made, out), counts
    finally:
        shutil.rmtree(made)


def _compare(written: Counts, found: Counts) -> None:
    if written.ticks == 0:
        raise RecordError("there is nothing to export")
    if written != found:
        raise RecordError(
            f"what was written does not come back: {written.episodes} episodes of {written.ticks} ticks were written, "
            f"{found.episodes} of {found.ticks} can be read"
        )


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remember(where: str | Path, to: str, path: Path, options: Options) -> None:
    folder = None if str(where).startswith("s3://") else ledger.records_folder(Path(where))
    if folder is None:
        return
    try:
        ledger.remember(folder, to, path)
    except OSError as problem:
        options.note(f"{folder} does not know of this export ({problem.strerror}): `hippogym forget` will not find it.")
