"""A folder as a store: on another disk, or mounted from another machine."""

import contextlib
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hippogym.data.storage.store import FileRange, Match
from hippogym.errors import StorageError

_UNFINISHED = ".unfinished"
_LITTER_S = 86_400.0  # what is older was left by a kill


class LocalStorage:
    """Keys are paths below ``root``. An object appears whole or not at all, and is on the disk before we say so."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self.where = self._root.as_uri()

    def check(self) -> None:
        """Make the folder if it is missing, and sweep it."""
        with self._told():
            self._root.mkdir(parents=True, exist_ok=True)
            self._sweep(time.time() - _LITTER_S)

    def compare(self, key: str, body: FileRange) -> Match:
        """Reads the whole file, where the size is right."""
        path = self._path(key)
        with self._told():
            try:
                there = FileRange(path)
            except FileNotFoundError:
                return Match.MISSING
            same = there.size == body.size and there.digests().sha256 == body.digests().sha256
        return Match.EQUAL if same else Match.DIFFERENT

    def put_new(self, key: str, body: FileRange) -> bool:
        """Written under another name, synced, and then linked, which fails where the name is taken."""
        path = self._path(key)
        with self._told():
            with self._written(path, body) as unfinished:
                try:
                    os.link(unfinished, path)
                except FileExistsError:
                    return False
            _sync_folders(path.parent, self._root)
        return True

    def replace(self, key: str, body: FileRange) -> None:
        """Written under another name, synced, and then renamed."""
        path = self._path(key)
        with self._told():
            with self._written(path, body) as unfinished:
                os.rename(unfinished, path)
            _sync_folders(path.parent, self._root)

    @contextlib.contextmanager
    def _written(self, path: Path, body: FileRange) -> Iterator[Path]:
        """A file with these bytes under another name, which is gone afterwards."""
        unfinished = self._root / _UNFINISHED / secrets.token_hex(8)
        for folder in (path.parent, unfinished.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            with body.open() as source, open(unfinished, "xb") as file:
                shutil.copyfileobj(source, file, 2**20)
                file.flush()
                os.fsync(file.fileno())
            yield unfinished
        finally:
            with contextlib.suppress(FileNotFoundError):
                unfinished.unlink()

    def fetch(self, key: str) -> IO[bytes]:
        """The file itself."""
        with self._told():
            return open(self._path(key), "rb")

    def keys(self, prefix: str) -> Iterator[str]:
        """Of all files below the folder."""
        with self._told():
            below = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self._root
            found = [path.relative_to(self._root).as_posix() for path in below.rglob("*") if path.is_file()]
        yield from sorted(key for key in found if key.startswith(prefix) and not key.startswith(_UNFINISHED + "/"))

    def delete(self, key: str) -> None:
        """Also the folders that are empty then."""
        path = self._path(key)
        with self._told():
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()

    def erase(self, prefix: str, *, exactly: bool = False) -> int:
        """There is only one version of each; whatever a kill left half-written goes too."""
        with self._told():
            self._sweep(math.inf)
        found = [key for key in self.keys(prefix) if key == prefix or not exactly]
        for key in found:
            self.delete(key)
        return len(found)

    def close(self) -> None:
        """Nothing is open."""

    def _sweep(self, before_s: float) -> None:
        for path in (self._root / _UNFINISHED).glob("*"):
            if path.stat().st_mtime < before_s:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if parts[0] == _UNFINISHED or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise StorageError("a key that cannot be a path: it has an empty part, or one of dots, or is ours")
        return self._root.joinpath(*parts)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            denied = isinstance(problem, PermissionError)
            raise StorageError(f"{self.where}: {problem.strerror or problem}", denied=denied) from problem


def _sync_folders(folder: Path, root: Path) -> None:
    for each in (folder, *folder.parents):
        fd = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        if each == root:
            return
