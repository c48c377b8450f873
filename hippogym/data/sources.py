"""Finds records: one file, all below a folder, or all below an ``s3://`` address. Nothing is opened until asked for.

Folders are walked as they are read, so that a study of any size takes the same memory. Links are not followed.
"""

import importlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from hippogym.data import manifest
from hippogym.errors import RecordError

_OURS = re.compile(rf"{manifest.STEM.pattern}\.pkl(?:\.part)?", re.ASCII)
_ORIGINAL = re.compile(r"(?:episode_[0-9]{1,9}_user|trial)_[^/]+", re.ASCII)  # of the first HIPPO Gym
_MANIFEST = re.compile(rf"{manifest.STEM.pattern}\.json", re.ASCII)
_OTHER_ENDINGS = (".json", ".torn", ".part")
_MOST_MANIFEST_BYTES = 64 * 2**20


class Store(Protocol):
    """What is needed of a place that holds records."""

    def list(self, prefix: str = "") -> Iterable[str]:
        """The keys that begin with prefix, in order."""
        ...

    def open(self, key: str) -> IO[bytes]:
        """The bytes behind a key; FileNotFoundError (or another OSError) where there are none."""
        ...


@dataclass(frozen=True)
class Found:
    """One record. name: its path within what was searched; open: its bytes, from the beginning.

    closed: False for a record that is still being written, or that no server has repaired yet.
    """

    name: str
    open: Callable[[], IO[bytes]] = field(repr=False)
    open_beside: Callable[[str], IO[bytes]] = field(repr=False)  # by the file's own name, in the same place
    closed: bool = True

    @property
    def file(self) -> str:
        """The record's own name."""
        return self.name.rpartition("/")[2]

    def manifest(self) -> dict[str, Any] | None:
        """What stands beside a closed record; None where nothing does. RecordError for what is no manifest."""
        if not self.file.endswith(manifest.RECORD):
            return None
        try:
            with self.open_beside(self.file.removesuffix(manifest.RECORD) + manifest.MANIFEST) as file:
                text = file.read(_MOST_MANIFEST_BYTES + 1)
        except FileNotFoundError:
            return None
        try:
            if len(text) > _MOST_MANIFEST_BYTES:
                raise ValueError("it is too large")
            told = json.loads(text)
            if not isinstance(told, dict):
                raise ValueError("it is not a JSON object")
        except (ValueError, RecursionError) as problem:
            raise RecordError(f"the manifest of {self.name} cannot be read: {problem}") from problem
        return told


def find_records(where: str | Path, *, lost: bool = False) -> Iterator[Found]:
    """The records at a path or ``s3://`` address, in the order of their names.

    A file that is named counts as a record whatever it is called. lost: also those of which only the manifest is
    left; opening them raises FileNotFoundError. Raises RecordError where there is nothing.
    """
    text = os.fspath(where)
    if text.startswith("s3://"):
        yield from records_in(open_store(text), lost=lost)
        return
    path = Path(text)
    if path.is_file():
        yield _file(path.parent, "", path.name)
    elif path.is_dir():
        yield from _records(_walk(path, ""), lost)
    else:
        raise RecordError(f"there is no file or folder {text}")


def records_in(store: Store, prefix: str = "", *, lost: bool = False) -> Iterator[Found]:
    """The records in a store, as find_records gives them."""
    yield from _records((_object(store, key) for key in store.list(prefix)), lost)


def _records(files: Iterable[Found], lost: bool) -> Iterator[Found]:
    """The records among files; a manifest comes before its record, as their names are in order."""
    left: Found | None = None
    for found in files:
        if left is not None and found.name.partition(".pkl")[0] != left.name.removesuffix(manifest.MANIFEST):
            if not found.name.startswith(left.name):  # the manifest's own .part
                yield _record_of(left)
                left = None
        if is_record(found.file):
            yield found
            left = None
        elif lost and _MANIFEST.fullmatch(found.file):
            left = found
    if left is not None:
        yield _record_of(left)


def _record_of(told: Found) -> Found:
    """The record that a manifest is of, and that is not there."""
    name = told.file.removesuffix(manifest.MANIFEST) + manifest.RECORD
    folder = told.name.removesuffix(told.file)
    return Found(folder + name, open=lambda: told.open_beside(name), open_beside=told.open_beside)


def is_record(name: str) -> bool:
    """Whether a file of this name is a record: ours, or one of the first HIPPO Gym."""
    if _OURS.fullmatch(name):
        return True
    return _ORIGINAL.fullmatch(name) is not None and not name.endswith(_OTHER_ENDINGS)


def open_store(url: str) -> Store:
    """The store behind an address. RecordError where this installation cannot reach such places."""
    try:
        storage = importlib.import_module("hippogym.data.storage")  # only now: it brings boto3 with it
    except ImportError as problem:
        raise RecordError(f"{url} cannot be read: {problem}") from problem
    store: Store = storage.open_storage(url)
    return store


def _walk(folder: Path, below: str) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            kinds = [(item.name, item.is_dir(follow_symlinks=False), item.is_file(follow_symlinks=False))
                     for item in entries]  # fmt: skip
    except OSError as problem:
        raise RecordError(f"the folder {folder} cannot be read: {problem.strerror}") from problem
    for name, is_folder, is_file in sorted(kinds):
        if is_file:
            yield _file(folder, below, name)
        elif is_folder and not name.startswith("."):
            yield from _walk(folder / name, f"{below}{name}/")


def _file(folder: Path, below: str, name: str) -> Found:
    return Found(
        below + name,
        open=lambda: open(folder / name, "rb"),
        open_beside=lambda other: open(folder / other, "rb"),
        closed=not name.endswith(manifest.PART),
    )


def _object(store: Store, key: str) -> Found:
    before, slash, name = key.rpartition("/")
    return Found(
        key,
        open=lambda: store.open(key),
        open_beside=lambda other: store.open(before + slash + other),
        closed=not name.endswith(manifest.PART),
    )
