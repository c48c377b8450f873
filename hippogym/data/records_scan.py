"""Finds the records in a records folder: those that are closed, and those that are still being written.

Only names and kinds that are ours count: plain files ``<trial id>/<stem>.pkl`` and so on. Whatever else lies there
is left alone. Folders that have not changed since the last look are not read again, so that ten thousand of them
cost a few milliseconds.
"""

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from hippogym.data import manifest

_SETTLED_NS = 2_000_000_000  # a change in the same tick of the disk's clock as the last look would not show


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """Which record: ``<trial>/<stem>.pkl``. Both are ids that the server made."""

    trial: str
    stem: str

    @property
    def name(self) -> str:
        """``<trial>-<stem>``, unique in a study."""
        return f"{self.trial}-{self.stem}"


@dataclass(frozen=True, slots=True)
class Found:
    """A record as it stands in the folder. closed: it has its manifest, so it will not change any more."""

    record: Record
    closed: bool
    bytes: int
    torn: bool


class RecordsScan:
    """Looks into a records folder again and again."""

    def __init__(self, records: Path) -> None:
        self._records = records
        self._folders: dict[str, tuple[int, list[Found]]] = {}

    def look(self) -> list[Found]:
        """All records, those of the oldest trials first. Raises OSError where the folder itself cannot be read."""
        now_ns = time.time_ns()
        seen: dict[str, tuple[int, list[Found]]] = {}
        with os.scandir(self._records) as items:
            folders = sorted((item for item in items if manifest.TRIAL_ID.fullmatch(item.name)), key=lambda i: i.name)
        for item in folders:
            try:
                about = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(about.st_mode):
                continue
            known = self._folders.get(item.name)
            growing = known is not None and any(not found.closed for found in known[1])
            if known is None or growing or known[0] != about.st_mtime_ns:
                found = _in_folder(Path(item.path), item.name)
                settled = now_ns - about.st_mtime_ns > _SETTLED_NS
                known = (about.st_mtime_ns if settled else -1, found)
            seen[item.name] = known
        self._folders = seen
        return [found for _, folder in seen.values() for found in folder]


def _in_folder(folder: Path, trial: str) -> list[Found]:
    files: dict[str, int] = {}
    try:
        with os.scandir(folder) as items:
            for item in items:
                if item.name.endswith(_OURS) and item.is_file(follow_symlinks=False):
                    files[item.name] = item.stat(follow_symlinks=False).st_size
    except (FileNotFoundError, PermissionError):  # gone, or renamed between the two calls: the next look will tell
        return []
    stems = {name.split(".", 1)[0] for name in files}
    found = []
    for stem in sorted(stem for stem in stems if manifest.STEM.fullmatch(stem)):
        closed = stem + manifest.RECORD in files and stem + manifest.MANIFEST in files
        size = files.get(stem + (manifest.RECORD if closed else manifest.PART))
        if size is not None:
            found.append(Found(Record(trial, stem), closed, size, stem + manifest.TORN in files))
    return found


_OURS = (manifest.RECORD, manifest.PART, manifest.MANIFEST, manifest.TORN)
