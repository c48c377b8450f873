"""The key with which a study's completion codes are signed: 32 random bytes in its data folder, made once."""

import contextlib
import os
import secrets
from pathlib import Path

from hippogym.errors import StartError

FILE = "code.key"
BYTES = 32


def code_key(records: Path) -> bytes:
    """The key; made, and on the disk, where there is none. Raises StartError."""
    path = records / FILE
    try:
        with contextlib.suppress(FileExistsError):
            _make(path)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            key = file.read(BYTES + 1)
    except OSError as problem:
        raise StartError(f"{path}: the key of the study's codes cannot be used ({problem.strerror})") from problem
    if len(key) != BYTES:
        raise StartError(f"{path} is not the key of a study's codes; restore it from a backup, or remove it for a new "
                         "one, with which the codes given so far cannot be checked")  # fmt: skip
    return key


def _make(path: Path) -> None:
    """All of it or nothing: a key that is cut short would be another key."""
    if path.exists():
        return
    unfinished = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(fd, secrets.token_bytes(BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.link(unfinished, path)  # fails where there is one already
    finally:
        os.unlink(unfinished)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
