"""Remembers, beside the records, which exports were made of them, so that a person can be removed from those too."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

LEDGER = ".exports"
_LOCK = ".lock"  # stands in every folder that a server keeps records in


def records_folder(where: Path) -> Path | None:
    """The records folder that a path is or lies in; None where it is none of a study's."""
    for folder in [where, *where.absolute().parents][:4]:
        if (folder / _LOCK).is_file() or (folder / LEDGER).is_file():
            return folder
    return None


def remember(folder: Path, export_format: str, out: Path) -> None:
    """Add an export. Raises OSError where the folder cannot be written."""
    line = json.dumps({"path": str(out.absolute()), "format": export_format, "made": round(time.time())}) + "\n"
    fd = os.open(folder / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line.encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def known_exports(folder: Path) -> Iterator[tuple[str, Path]]:
    """Format and path of every export that was made of these records; what cannot be read is passed over."""
    try:
        lines = (folder / LEDGER).read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            told = json.loads(line)
            yield str(told["format"]), Path(told["path"])
        except (ValueError, KeyError, TypeError):
            continue
