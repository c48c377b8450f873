"""What a disk may hold when the power has gone: only what was synced is certain.

A Witness stands between the code and ``os``. After every call that changes something it notes what the disk could be
found with from then on: everything; or the names as they are, but of each file only what was synced; or only the names
that were synced, too. Real disks do any of these, and mixtures.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Disk = dict[str, bytes | None]  # path below the folder → bytes, None for a folder
WAYS = ("nothing is lost", "data is lost", "names are lost")


@dataclass
class Node:
    """A file or a folder, whatever it is called."""

    data: bytearray | None
    synced: bytes = b""


@dataclass(frozen=True)
class Moment:
    """After which call, what had been promised by then, what else there was, and what may be found (see WAYS)."""

    call: str
    acks: tuple[str, ...]
    beside: Any
    disks: tuple[Disk, Disk, Disk]


@dataclass
class Witness:
    """beside: what to note at every moment, too. What lies in the folder at the beginning is on the disk."""

    folder: Path
    beside: Callable[[], Any] = lambda: None
    moments: list[Moment] = field(default_factory=list)
    acks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self._names: dict[str, Node] = {}
        self._fds: dict[int, str | Node] = {}
        for path in sorted(self.folder.rglob("*")):
            data = None if path.is_dir() else path.read_bytes()
            self._names[str(path)] = Node(None if data is None else bytearray(data), data or b"")
        self._synced_names = dict(self._names)

    @contextmanager
    def watching(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            for name in ("open", "close", "write", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "mkdir"):
                patched.setattr(os, name, self._watched(name, getattr(os, name)))
            self._note("the beginning")
            yield

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **more: Any) -> Any:
            result = call(*arguments, **more)
            if getattr(self, f"_{name}")(result, *arguments, **more):
                self._note(f"{name} {len(self.moments)}")
            return result

        return watched

    def _note(self, call: str) -> None:
        names, synced = self._names, self._synced_names
        whole = {path: None if node.data is None else bytes(node.data) for path, node in names.items()}
        without_data = {path: None if node.data is None else node.synced for path, node in names.items()}
        without_names = {path: None if node.data is None else node.synced for path, node in synced.items()}
        disks = tuple(self._below(disk) for disk in (whole, without_data, without_names))
        self.moments.append(Moment(call, tuple(self.acks), self.beside(), disks))

    def _below(self, disk: Disk) -> Disk:
        """A name is only there if all folders above it are."""

        def reached(path: Path) -> bool:
            return path == self.folder or (str(path) in disk and reached(path.parent))

        return {str(Path(path).relative_to(self.folder)): data for path, data in disk.items() if reached(Path(path))}

    def _path(self, name: Any, dir_fd: int | None) -> str:
        above = Path.cwd() if dir_fd is None else Path(os.readlink(f"/proc/self/fd/{dir_fd}"))
        return str(above / os.fspath(name))

    def _ours(self, path: str) -> bool:
        return Path(path).is_relative_to(self.folder)

    # -- what each call changes; returns whether it does ---------------------------------------------------------

    def _open(self, fd: int, name: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> bool:
        path = self._path(name, dir_fd)
        self._fds.pop(fd, None)
        if not self._ours(path):
            return False
        if os.path.isdir(path):
            self._fds[fd] = path
            return False
        new = path not in self._names
        node = self._names.setdefault(path, Node(bytearray()))
        if flags & os.O_TRUNC:
            node.data = bytearray()
        self._fds[fd] = node
        return new or bool(flags & os.O_TRUNC)

    def _close(self, _: None, fd: int) -> bool:
        self._fds.pop(fd, None)
        return False

    def _write(self, count: int, fd: int, data: Any) -> bool:
        node = self._fds.get(fd)
        if isinstance(node, Node) and node.data is not None:
            node.data += bytes(data)[:count]
        return isinstance(node, Node)

    def _ftruncate(self, _: None, fd: int, length: int) -> bool:
        node = self._fds.get(fd)
        if isinstance(node, Node) and node.data is not None:
            del node.data[length:]
        return isinstance(node, Node)

    def _fsync(self, _: None, fd: int) -> bool:
        node = self._fds.get(fd)
        if isinstance(node, Node) and node.data is not None:
            node.synced = bytes(node.data)
        elif isinstance(node, str):
            there = {path: one for path, one in self._names.items() if os.path.dirname(path) == node}
            kept = {path: one for path, one in self._synced_names.items() if os.path.dirname(path) != node}
            self._synced_names = {**kept, **there}
        return node is not None

    _fdatasync = _fsync

    def _rename(
        self, _: None, source: Any, to: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> bool:
        before, after = self._path(source, src_dir_fd), self._path(to, dst_dir_fd)
        if self._ours(before):
            self._names[after] = self._names.pop(before)
        return self._ours(before)

    def _unlink(self, _: None, name: Any, *, dir_fd: int | None = None) -> bool:
        return self._names.pop(self._path(name, dir_fd), None) is not None

    def _mkdir(self, _: None, name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> bool:
        path = self._path(name, dir_fd)
        if self._ours(path):
            self._names.setdefault(path, Node(None))
        return self._ours(path)


def lay_out(disk: Disk, folder: Path) -> Path:
    """The disk as a folder again."""
    folder.mkdir()
    for name, data in sorted(disk.items()):
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)
    return folder
