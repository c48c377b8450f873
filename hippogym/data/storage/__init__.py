"""Where records go: stores, found by the scheme of a URL.

The library that a store needs is imported when one is opened, not before.
"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hippogym.data.storage.store import ANSWER_S, FileRange, Match, Storage, put_once
from hippogym.errors import StorageError

__all__ = ["ANSWER_S", "FileRange", "Match", "Storage", "open_storage", "put_once"]

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def open_storage(url: str, *, region: str | None = None, answer_s: float = ANSWER_S) -> Storage:
    """The store that ``url`` names. Nothing is asked of it yet.

    url: ``s3://bucket/prefix``, ``file:///folder``, or a folder's path. region: of an S3 store, where it
    matters. answer_s: how long a store of the network may be silent.
    Raises StorageError for what cannot be a store.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return _local(Path(url))
    opener = _OPENERS.get(scheme.lower())
    if opener is None:
        raise StorageError(f"{url[:80]!r} is not a store: expected s3://bucket/prefix, file:///folder or a folder")
    return opener(url, region, answer_s)


def _local(root: Path) -> Storage:
    from hippogym.data.storage.local import LocalStorage

    return LocalStorage(root)


def _file(url: str, region: str | None, answer_s: float) -> Storage:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise StorageError(f"{url[:80]!r} does not name a folder of this machine; expected file:///folder")
    return _local(Path(unquote(parts.path)))


def _s3(url: str, region: str | None, answer_s: float) -> Storage:
    from hippogym.data.storage.s3 import S3Storage

    bucket, _, prefix = url.partition("://")[2].partition("/")
    if BUCKET.fullmatch(bucket) is None:
        raise StorageError(f"{bucket[:80]!r} cannot be the name of a bucket (3 to 63 of a-z, 0-9, - and .)")
    return S3Storage(bucket, prefix, region=region, answer_s=answer_s)


_OPENERS: dict[str, Callable[[str, str | None, float], Storage]] = {"file": _file, "s3": _s3}
