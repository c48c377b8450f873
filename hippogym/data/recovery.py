"""Repairs at start what a killed server or trial left behind, so that every record is closed and readable.

For a record still named ``.part`` that nobody holds a lock on: what stands behind the last intact entry is
copied to ``<name>.pkl.torn`` and cut off, a manifest is made, and the record takes its final name. Damage in
the middle stays as it is; the reader passes over it. A record that has its final name but no manifest gets
one.

Each step is on the disk before the next begins, and each can be done again, so the repair may itself be
killed anywhere. What is not ours by name and kind (a plain file, not a link) is not touched.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippogym.core.record_format import Damage, Scanner
from hippogym.data import manifest
from hippogym.data.summary import Summary

logger = logging.getLogger(__name__)

_CHUNK = 2**20
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Repaired:
    """One record that was brought in order: its final path, how many entries it has, how many bytes were torn off."""

    path: Path
    entries: int
    torn_bytes: int
    complete: bool

    def __str__(self) -> str:
        torn = f", {self.torn_bytes} torn bytes kept beside it" if self.torn_bytes else ""
        return f"{self.path}: closed after an interruption, {self.entries} entries{torn}"


def repair(folder: Path, *, wait_s: float = 0) -> list[Repaired]:
    """Bring in order every record below a records folder (``<folder>/<trial id>/``) or in one trial's folder.

    Records that a live process still writes are left to it, after waiting for it at most wait_s: the trials of a
    server that was killed live a moment longer than it. Returns what was repaired, sorted by path; an empty list
    when all was in order. A record that the disk does not let repair is logged and stays as it is.
    Raises OSError where a folder cannot be read.
    """
    repaired: list[Repaired] = []
    give_up_s = time.monotonic() + wait_s
    while True:
        in_use = _repair_once(folder, repaired)
        if not in_use or time.monotonic() >= give_up_s:
            break
        time.sleep(_LOOK_AGAIN_S)
    if wait_s:
        for name in in_use:
            logger.warning("%s is still being written by another process; it is left alone", name)
    return sorted(repaired, key=lambda one: one.path)


def _repair_once(folder: Path, repaired: list[Repaired]) -> list[str]:
    """Add to repaired; returns the names of those that somebody still writes."""
    in_use: list[str] = []
    if not folder.exists():
        return in_use
    for trial_folder in [folder, *_trial_folders(folder)]:
        fd = os.open(trial_folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for stem, part in _unfinished(fd):
                try:
                    done = _finish(fd, trial_folder, stem, part=part)
                except BlockingIOError:
                    in_use.append(stem)
                    continue
                except OSError as problem:  # one bad file must not keep the others from being repaired
                    logger.error("%s could not be repaired: %s", stem, problem.strerror)
                    continue
                if done is not None:
                    repaired.append(done)
        finally:
            os.close(fd)
    return in_use


def _trial_folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as found:
        names = [
            item.name for item in found if item.is_dir(follow_symlinks=False) and manifest.TRIAL_ID.fullmatch(item.name)
        ]
    return [folder / name for name in sorted(names)]


def _unfinished(folder_fd: int) -> list[tuple[str, bool]]:
    """(stem, True) for a record named .part; (stem, False) for one with its final name but without a manifest."""
    names = set(os.listdir(folder_fd))
    unfinished = []
    for name in sorted(names):
        for suffix, part in ((manifest.PART, True), (manifest.RECORD, False)):
            stem = name.removesuffix(suffix)
            if name.endswith(suffix) and manifest.STEM.fullmatch(stem):
                if part or stem + manifest.MANIFEST not in names:
                    unfinished.append((stem, part))
    return unfinished


def _finish(folder_fd: int, folder: Path, stem: str, *, part: bool) -> Repaired | None:
    """Close one record; None where it is gone or not a plain file. BlockingIOError where somebody writes it."""
    name = stem + (manifest.PART if part else manifest.RECORD)
    with _locked(folder_fd, name, writable=part) as fd:
        if fd is None:
            return None
        if part and _exists(folder_fd, stem + manifest.RECORD):
            logger.warning("%s stands beside a closed record of the same name; it is left alone", name)
            return None
        good_end = _last_good(fd)
        if not part and good_end == 0 and os.fstat(fd).st_size > 0:
            return None  # not a record of ours
        if part:
            _cut_tail(folder_fd, fd, stem, good_end)
        torn_bytes = _size(folder_fd, stem + manifest.TORN)
        made = _manifest_left(folder_fd, fd, stem)
        if made is None:
            made = _make_manifest(fd, folder_fd, folder.name, stem, torn_bytes)
            manifest.write_part(folder_fd, stem, made)
        if part:
            os.rename(name, stem + manifest.RECORD, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        os.fchmod(fd, 0o400)
        os.fsync(folder_fd)
        manifest.publish(folder_fd, stem)
    return Repaired(folder / (stem + manifest.RECORD), made["entries"], torn_bytes, made["complete"])


@contextlib.contextmanager
def _locked(folder_fd: int, name: str, *, writable: bool) -> Iterator[int | None]:
    """A descriptor of a plain file, or None. BlockingIOError where somebody else holds it."""
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=folder_fd)
    except OSError as problem:
        logger.warning("%s is left alone: %s", name, problem.strerror)
        yield None
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder_fd, follow_symlinks=False))
        yield fd if same and stat.S_ISREG(os.fstat(fd).st_mode) else None
    except FileNotFoundError:
        yield None  # a live trial has just closed it
    finally:
        os.close(fd)


def _last_good(fd: int) -> int:
    """The offset after the last intact entry."""
    scanner, end, at = Scanner(), 0, 0
    while data := os.pread(fd, _CHUNK, at):
        at += len(data)
        for found in scanner.feed(data):
            if not isinstance(found, Damage):
                end = found.end
    return end


def _cut_tail(folder_fd: int, fd: int, stem: str, good_end: int) -> None:
    """Keep what stands behind the last intact entry in a file beside, then cut it off."""
    if os.fstat(fd).st_size == good_end:
        return
    unfinished = stem + manifest.TORN + ".part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    out = os.open(unfinished, flags, 0o600, dir_fd=folder_fd)
    try:
        at = good_end
        while data := os.pread(fd, _CHUNK, at):
            at += len(data)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(out, rest) :]
        os.fsync(out)
    finally:
        os.close(out)
    os.rename(unfinished, stem + manifest.TORN, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)
    os.ftruncate(fd, good_end)
    os.fsync(fd)


def _manifest_left(folder_fd: int, fd: int, stem: str) -> dict[str, Any] | None:
    """The manifest that was written for exactly these bytes before the kill, under its temporary name; else None."""
    try:
        left = os.open(stem + manifest.MANIFEST_PART, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError:
        return None
    with os.fdopen(left, "rb") as file:
        try:
            told = json.load(file)
        except ValueError:  # killed while it was written
            return None
    if not isinstance(told, dict) or told.get("bytes") != os.fstat(fd).st_size:
        return None
    usable = told.get("sha256") == _sha256(fd) and {"entries", "complete"} <= told.keys()
    return told if usable else None


def _make_manifest(fd: int, folder_fd: int, trial: str, stem: str, torn_bytes: int) -> dict[str, Any]:
    summary = Summary.of(fd)
    ended_s = os.fstat(fd).st_mtime if summary.last_wall_s is None else summary.last_wall_s
    started_s = ended_s if summary.first_wall_s is None else summary.first_wall_s
    reason = summary.reason if summary.ended else "interrupted"
    recovered = {
        "torn_bytes": torn_bytes,
        "torn_file": stem + manifest.TORN if torn_bytes else None,
        "damaged": [[damage.start, damage.end] for damage in summary.report.damaged],
        "missing": [list(gap) for gap in summary.report.missing],
    }
    content = {
        "entries": summary.report.entries,
        "ticks": summary.ticks,
        "bytes": os.fstat(fd).st_size,
        "sha256": _sha256(fd),
        "first_seq": summary.report.first_seq,
        "last_seq": summary.report.last_seq,
    }
    ending = {
        "reason": reason,
        "complete": summary.ended and summary.report.intact,
        "started": manifest.iso(started_s),
        "ended": manifest.iso(ended_s),
        "recovered": recovered,
        "oddities": None,
        "unsynced": None,  # nobody is left who could say
    }
    return manifest.make(stem, summary.trial or trial, summary.episodes, content, ending)


def _sha256(fd: int) -> str:
    digest, at = hashlib.sha256(), 0
    while data := os.pread(fd, _CHUNK, at):
        digest.update(data)
        at += len(data)
    return digest.hexdigest()


def _exists(folder_fd: int, name: str) -> bool:
    return name in os.listdir(folder_fd)


def _size(folder_fd: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
