"""Makes sure, before anything listens, that records can be kept in a folder, and that no other server does so."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

from hippogym.data.record_file import sync_folder
from hippogym.errors import StartError

_LOCK = ".lock"
_PROBE = ".probe"
_PROBE_BYTES = 64 * 2**10


class Lock:
    """The right to keep records in a folder; ends with ``release``, or with the process however it ends."""

    def __init__(self, folder: Path, fd: int) -> None:
        self.folder = folder
        self._fd = fd

    def release(self) -> None:
        """Let another server have the folder; idempotent."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def claim(folder: Path, *, min_free_bytes: int = 64 * 2**20) -> Lock:
    """Make the folder if it is missing, try it, and lock it.

    Raises StartError, with a sentence that names the folder: cannot be made or written to, too full, does not
    give back what was written, or another server uses it.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            sync_folder(folder.parent)
        fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise StartError(f"records cannot be kept in {folder}: {problem.strerror}") from problem
    try:
        _lock(folder, fd)
        _try(folder, min_free_bytes)
    except BaseException:
        os.close(fd)
        raise
    return Lock(folder, fd)


def _lock(folder: Path, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        who = f" (process {owner})" if owner.isdigit() else ""
        raise StartError(
            f"another server{who} keeps its records in {folder}; stop it, or choose another folder with --data"
        ) from None
    except OSError as problem:
        raise StartError(f"records cannot be kept in {folder}: it cannot be locked ({problem.strerror})") from problem


def _try(folder: Path, min_free_bytes: int) -> None:
    """Write, sync, read back, and look how much room there is."""
    probe, data = folder / _PROBE, os.urandom(_PROBE_BYTES)
    try:
        try:
            with open(probe, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            same = probe.read_bytes() == data
        finally:
            with contextlib.suppress(FileNotFoundError):
                probe.unlink()
        room = os.statvfs(folder)
    except OSError as problem:
        raise StartError(f"records cannot be kept in {folder}: {problem.strerror}") from problem
    if not same:
        raise StartError(f"records cannot be kept in {folder}: the disk does not give back what was written")
    free = room.f_bavail * room.f_frsize
    if free < min_free_bytes:
        needed = min_free_bytes // 2**20
        raise StartError(
            f"the disk of {folder} is nearly full: {free // 2**20} MB are free, at least {needed} are needed"
        )
