"""Finds records: one file, all below a folder, or all below an ``s3://`` address. Nothing is opened until asked for.

Folders are walked as they are read, so that a study of any size takes the same memory. Links are not followed. In a
store a record that was still growing when its machine was lost stands in parts, which one after the other are the file.
"""

import importlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Protocol

from hippogym.data import manifest
from hippogym.errors import RecordError

RECORD_NAME = re.compile(
    rf"(?:(?P<trial>[a-z0-9-]{{1,64}})-)?(?P<stem>{manifest.STEM.pattern})\.pkl(?:\.parts?)?", re.ASCII
)
_ORIGINAL = re.compile(r"(?:episode_[0-9]{1,9}_user|trial)_[^/]+", re.ASCII)  # of the first HIPPO Gym
_OTHER_ENDINGS = (".json", ".torn", ".part", ".parts")
_PARTS = manifest.RECORD + ".parts"
_MOST_MANIFEST_BYTES = 64 * 2**20


class Store(Protocol):
    """What is needed of a place that holds records."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with prefix, sorted."""

    def fetch(self, key: str) -> IO[bytes]:
        """The bytes behind a key, as an open file; OSError or HippoError where they cannot be had."""


@dataclass(frozen=True)
class Found:
    """One record. name: its path within what was searched; open: its bytes, from the beginning.

    closed: False for a record that is still being written, or that no server has repaired yet.
    has_manifest: None where nobody has looked.
    alone: it was asked for by its own name, so nothing is known of its neighbours.
    """

    name: str
    open: Callable[[], IO[bytes]] = field(repr=False)
    open_beside: Callable[[str], IO[bytes]] = field(repr=False)  # by the file's own name, in the same place
    closed: bool = True
    has_manifest: bool | None = None
    alone: bool = False

    @property
    def file(self) -> str:
        """The record's own name."""
        return self.name.rpartition("/")[2]

    def manifest(self) -> dict[str, Any] | None:
        """What stands beside a closed record; None where nothing does. RecordError for what is no manifest."""
        if not self.file.endswith(manifest.RECORD) or self.has_manifest is False:
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
    if is_address(text):
        yield from _at_address(text, lost)
        return
    path = Path(text)
    if path.is_file():
        yield replace(_file(path.parent, "", path.name), alone=True)
    elif path.is_dir():
        yield from _records(_walk(path, ""), lost)
    else:
        raise RecordError(f"there is no file or folder {text}")


def is_address(where: str | Path) -> bool:
    """Whether it names a bucket, and not a path."""
    return os.fspath(where).startswith("s3://")


def _at_address(url: str, lost: bool) -> Iterator[Found]:
    """All below it; or one record, where the address is that of a record."""
    above, _, name = url.rpartition("/")
    if above == "s3:/" or not is_record(name):
        yield from records_in(open_store(url), lost=lost)
        return
    for found in records_in(open_store(above), name.partition(".")[0], lost=lost):
        if found.name in (name, name + ".parts"):
            yield replace(found, alone=True)


def records_in(store: Store, prefix: str = "", *, lost: bool = False) -> Iterator[Found]:
    """The records in a store, as find_records gives them."""
    yield from _records(_objects(store, prefix), lost)


def _records(files: Iterable[Found], lost: bool) -> Iterator[Found]:
    """The records among files. As names are in order, a manifest comes before its record, and that before its parts."""
    told: Found | None = None  # a manifest whose record has not come yet
    whole = ""
    for found in files:
        if told is not None and not found.name.startswith(told.name.removesuffix(manifest.MANIFEST) + "."):
            if lost:
                yield _record_of(told)
            told = None
        if is_record(found.file):
            if found.name != whole + ".parts":
                beside = told is not None and found.closed
                yield replace(found, has_manifest=beside)
            told, whole = None, found.name
        elif found.file.endswith(manifest.MANIFEST) and RECORD_NAME.fullmatch(_record_name(found.file)):
            told = found
    if told is not None and lost:
        yield _record_of(told)


def _record_name(manifest_name: str) -> str:
    return manifest_name.removesuffix(manifest.MANIFEST) + manifest.RECORD


def _record_of(told: Found) -> Found:
    """The record that a manifest is of, and that is not there."""

    def missing() -> IO[bytes]:
        raise FileNotFoundError(f"{_record_name(told.name)} is gone; its manifest is there")

    return Found(_record_name(told.name), open=missing, open_beside=told.open_beside)


def is_record(name: str) -> bool:
    """Whether a file of this name is a record: ours, or one of the first HIPPO Gym."""
    if RECORD_NAME.fullmatch(name):
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


def _objects(store: Store, prefix: str) -> Iterator[Found]:
    """What a store holds; the parts of one record count as one object."""
    for name, keys in groupby(store.keys(prefix), key=_whole):
        yield _parts(store, name, list(keys)) if name.endswith(_PARTS) else _object(store, name)


def _whole(key: str) -> str:
    folder, _, _ = key.rpartition("/")
    return folder if folder.endswith(_PARTS) else key


def _object(store: Store, key: str) -> Found:
    before, slash, name = key.rpartition("/")
    return Found(
        key,
        open=lambda: store.fetch(key),
        open_beside=lambda other: store.fetch(before + slash + other),
        closed=not name.endswith(manifest.PART),
    )


def _parts(store: Store, name: str, keys: list[str]) -> Found:
    return Found(name, open=lambda: io.BufferedReader(_Joined(store, keys)), open_beside=store.fetch, closed=False)


class _Joined(io.RawIOBase):
    """Objects read one after the other, as one file that cannot seek."""

    def __init__(self, store: Store, keys: list[str]) -> None:
        super().__init__()
        self._store = store
        self._keys = list(reversed(keys))
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer) as view:
            while self._file is not None or self._keys:
                if self._file is None:
                    self._file = self._store.fetch(self._keys.pop())
                if data := self._file.read(len(view)):
                    view[: len(data)] = data
                    return len(data)
                self._close_part()
        return 0

    def close(self) -> None:
        self._close_part()
        super().close()

    def _close_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
