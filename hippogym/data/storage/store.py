"""What every store can do, and the one careful way to put something into it."""

import enum
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from hippogym.errors import StorageError

ANSWER_S = 20.0  # how long a store may be silent before a request is given up
_CHUNK = 2**20


class Match(enum.Enum):
    """What a store has under a key, compared with what is to be there."""

    MISSING = "missing"
    EQUAL = "equal"
    DIFFERENT = "different"


class Storage(Protocol):
    """Objects under keys such as ``a/b/c``. All methods may be called from several threads, and raise StorageError."""

    where: str
    """The store's URL, for people."""

    def check(self) -> None:
        """Ask for something small, to find out whether the store answers and lets us in."""

    def compare(self, key: str, body: "FileRange") -> Match:
        """What is under the key, byte for byte compared with ``body`` as far as the store itself can prove it."""

    def put_new(self, key: str, body: "FileRange") -> bool:
        """Put where nothing is. False: the store says that something is there. See ``put_once`` for stores that
        do not look."""

    def replace(self, key: str, body: "FileRange") -> None:
        """Put whatever stands there: readers see the old object or the new one. Only for what is made to change."""

    def fetch(self, key: str) -> IO[bytes]:
        """The whole object as an open file that can seek; the caller closes it."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with ``prefix``, sorted."""

    def delete(self, key: str) -> None:
        """See that nothing is under the key."""

    def erase(self, prefix: str, *, exactly: bool = False) -> int:
        """Delete every version of all that begins with ``prefix``; returns how many were deleted.

        exactly: only of the object with just this key.
        """

    def close(self) -> None:
        """Let go of connections; idempotent."""


def put_once(storage: Storage, key: str, body: "FileRange") -> str:
    """Put ``body`` under ``key`` if it is not there yet; returns the key under which the store has proved to have it.

    Nothing is ever replaced: where something different stands, ``<key>.conflict-<start of its sha256>`` is used.
    Can be repeated after any failure. Asks before putting, because some stores ignore the condition that nothing
    may be there, and after, because some accept wrong checksums. Raises StorageError.
    """
    sha256 = body.digests().sha256
    for name in (key, f"{key}.conflict-{sha256[:12]}", f"{key}.conflict-{sha256}"):
        before = storage.compare(name, body)
        if before is Match.EQUAL:
            return name
        if before is Match.DIFFERENT:
            continue
        accepted = storage.put_new(name, body)
        after = storage.compare(name, body)
        if after is Match.EQUAL:
            return name
        if accepted:
            has = "nothing" if after is Match.MISSING else "something else"
            raise StorageError(f"{storage.where} took a file, but has {has} under its name")
    raise StorageError(f"{storage.where} has different files under all names that a file could have")


@dataclass(frozen=True, slots=True)
class Digests:
    """Hex digests. pieces_md5: of the concatenated md5 of each piece, as S3 makes the ETag of a multipart upload."""

    sha256: str
    md5: str
    pieces_md5: str
    pieces: int


class FileRange:
    """Bytes start..end of a file, for a store to take. OSError where the file cannot be read or has become shorter."""

    def __init__(self, path: Path, start: int = 0, end: int | None = None) -> None:
        self.path = path
        self.start = start
        self.end = os.stat(path, follow_symlinks=False).st_size if end is None else end
        self._digests: tuple[int, Digests] | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    def open(self) -> "RangeReader":
        """A file-like object of just these bytes; the caller closes it."""
        return RangeReader(self.path, self.start, self.end)

    def pieces(self, piece_bytes: int) -> Iterator["FileRange"]:
        """The range cut into pieces; the last may be shorter."""
        for start in range(self.start, self.end, piece_bytes):
            yield FileRange(self.path, start, min(start + piece_bytes, self.end))

    def digests(self, piece_bytes: int | None = None) -> Digests:
        """Read once and kept. piece_bytes: for pieces_md5; None where that does not matter."""
        whole = max(1, self.size)
        wanted = whole if piece_bytes is None else min(piece_bytes, whole)
        if self._digests is None or (piece_bytes is not None and self._digests[0] != wanted):
            self._digests = wanted, self._digest(wanted)
        return self._digests[1]

    def _digest(self, piece_bytes: int) -> Digests:
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        pieces: list[bytes] = []
        piece, room = hashlib.md5(usedforsecurity=False), piece_bytes
        with self.open() as file:
            while data := file.read(min(_CHUNK, room)):
                for digest in (sha256, md5, piece):
                    digest.update(data)
                room -= len(data)
                if room == 0:
                    pieces.append(piece.digest())
                    piece, room = hashlib.md5(usedforsecurity=False), piece_bytes
        if room < piece_bytes:
            pieces.append(piece.digest())
        whole = hashlib.md5(b"".join(pieces), usedforsecurity=False)
        return Digests(sha256.hexdigest(), md5.hexdigest(), whole.hexdigest(), len(pieces))


class RangeReader(io.RawIOBase):
    """A part of a file as a file.

    Stores are never given ``bytes``: a socket has one deadline for the whole of those, but one for each block of this.
    """

    def __init__(self, path: Path, start: int, end: int) -> None:
        super().__init__()
        self._start, self._size, self._at = start, end - start, 0
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def read(self, size: int | None = -1) -> bytes:
        """At most ``size`` bytes. OSError where the file ends before the range does."""
        left = self._size - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        data = os.pread(self._fd, wanted, self._start + self._at)
        if not data:
            raise OSError("the file is shorter than it was")
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where the next byte comes from, counted from the start of the range."""
        return self._at

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def __len__(self) -> int:
        return self._size

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
        super().close()
