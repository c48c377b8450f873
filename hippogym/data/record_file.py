"""One record while it is being written: append, take back what did not fit, sync and hash off the tick,
close.

The file carries an exclusive lock as long as it is open, so that a repair never touches what somebody still
writes.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import threading
from pathlib import Path

from hippogym.data.manifest import PART, RECORD
from hippogym.errors import RecordError

_READ_BYTES = 2**20
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class RecordFile:
    """An open ``<stem>.pkl.part`` in the folder with descriptor ``folder_fd``. Raises RecordError where it exists."""

    def __init__(self, folder_fd: int, stem: str) -> None:
        self.stem = stem
        self.size = 0  # bytes of whole entries; what may stand behind them is a write that failed
        self.unsynced = False  # the disk refused to say that everything is on it
        self._broken: str | None = None
        self._folder_fd = folder_fd
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._renamed = False
        self._hash_lock = threading.Lock()
        self._fd = _open_new(folder_fd, stem)

    def append(self, data: bytes) -> None:
        """Write one entry, or nothing of it.

        RecordError with disk_full=True: it was taken back, and may be tried again. With disk_full=False: this
        file can no longer be trusted with more, and has to be closed.
        """
        if self._broken is not None:
            raise RecordError(self._broken)
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # the disk took a part of it; mostly it then says why it takes no more
                written += os.write(self._fd, memoryview(data)[written:])
        except OSError as problem:
            self._take_back()
            full = problem.errno in NO_ROOM
            what = "the disk is full" if full else f"the disk does not write ({problem.strerror})"
            raise RecordError(f"{what}: an entry of {self.stem} was taken back", disk_full=True) from problem
        except BaseException:
            self._take_back()  # somebody ended the process in mid-write; the file stays whole
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Bring everything to the disk, and the hash up to date. Called from the syncing thread and at close.

        A disk that failed to sync has forgotten what it still had to write, and says yes when asked again. So
        the failure is final: the next append raises, and the manifest will say ``unsynced``.
        """
        try:
            os.fdatasync(self._fd)
            self._hash_to_the_end()
        except OSError as problem:
            self.unsynced = True
            self._broken = f"the disk could not keep {self.stem} ({problem.strerror}); no more is written to it"

    def digest(self) -> str | None:
        """sha256 of all whole entries so far, as hex; None where the disk does not give them back."""
        try:
            self._hash_to_the_end()
        except OSError:
            self.unsynced = True
            return None
        return self._hash.copy().hexdigest()

    def rename(self) -> None:
        """Take the final name; from here on nobody writes to the file. Raises OSError; may be called again."""
        if not self._renamed:
            name, fd = self.stem + PART, self._folder_fd
            os.rename(name, self.stem + RECORD, src_dir_fd=fd, dst_dir_fd=fd)
            self._renamed = True
        os.fchmod(self._fd, 0o400)
        os.fsync(self._folder_fd)

    def close(self) -> None:
        """Let go of the file and its lock; idempotent."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as problem:
            self._broken = f"half an entry stands at the end of {self.stem} ({problem.strerror})"
            raise RecordError(self._broken) from problem

    def _hash_to_the_end(self) -> None:
        with self._hash_lock:
            while self._hashed < (end := self.size):
                data = os.pread(self._fd, min(_READ_BYTES, end - self._hashed), self._hashed)
                if not data:
                    raise OSError(errno.EIO, "the file is shorter than what was written")
                self._hash.update(data)
                self._hashed += len(data)


class Syncing:
    """A thread that syncs one file at least every ``every_s`` seconds, so that no tick ever waits for the disk."""

    def __init__(self, file: RecordFile, every_s: float) -> None:
        self._file = file
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sync {file.stem}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended; idempotent."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        synced = 0
        while not self._stop.wait(self._every_s):
            size = self._file.size
            if size > synced and not self._file.unsynced:
                self._file.sync()
                synced = size


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_new(folder_fd: int, stem: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        os.stat(stem + RECORD, dir_fd=folder_fd, follow_symlinks=False)
        raise RecordError(f"{stem}{RECORD} exists already; a record is never written twice")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(stem + PART, flags, 0o600, dir_fd=folder_fd)
    except FileExistsError:
        raise RecordError(f"{stem}{PART} exists already; it has to be repaired first") from None
    except OSError as problem:
        full = problem.errno in NO_ROOM
        raise RecordError(f"{stem}{PART} cannot be made: {problem.strerror}", disk_full=full) from problem
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fsync(folder_fd)
        if not os.path.samestat(os.fstat(fd), os.stat(stem + PART, dir_fd=folder_fd, follow_symlinks=False)):
            raise FileNotFoundError(errno.ENOENT, "somebody replaced it")
    except OSError as problem:  # also when a repair got hold of the new name first
        full = problem.errno in NO_ROOM
        if full:  # and the name was not on the disk yet; the next try makes it anew
            os.unlink(stem + PART, dir_fd=folder_fd)
        os.close(fd)
        raise RecordError(f"{stem}{PART} cannot be locked: {problem.strerror}", disk_full=full) from problem
    return fd
