"""The JSON file beside a closed record: what is in it, whether it is whole, and how it came to an end.

It is written last. So where a manifest stands, its record is closed and will not change; where one is
missing, the repair at the next start makes it from the record itself.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hippogym.core.record_format import FORMAT, FORMAT_VERSION

RECORD = ".pkl"
PART = ".pkl.part"
MANIFEST = ".json"
MANIFEST_PART = ".json.part"
TORN = ".pkl.torn"

STEM = re.compile(r"(?:episode_[0-9]{4,9}|trial)", re.ASCII)
TRIAL_ID = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)

_HOISTED = ("participant", "project", "game", "versions", "config_sha256", "agent_sha256")


def make(
    stem: str,
    trial: str,
    episodes: list[dict[str, Any]],
    file: Mapping[str, Any],
    ending: Mapping[str, Any],
) -> dict[str, Any]:
    """One manifest.

    episodes: as made by ``episode``. file: entries, ticks, bytes, sha256, first_seq, last_seq.
    ending: reason, complete, started, ended, recovered, oddities, unsynced.
    """
    header = episodes[0]["header"] if episodes else {}
    told = {name: header[name] for name in _HOISTED if name in header}
    name = stem + RECORD
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "file": name,
        "trial": trial,
        **told,
        **file,
        **ending,
        "episodes": episodes,
    }


def episode(number: int | None, header: Mapping[str, Any], first_seq: int) -> dict[str, Any]:
    """The part of a manifest that is about one episode; last_seq, ticks, reason and summary come with its end."""
    return {
        "episode": number,
        "header": json_safe(dict(header)),
        "first_seq": first_seq,
        "last_seq": None,
        "ticks": 0,
        "reason": None,
        "summary": {},
    }


def write_part(folder_fd: int, stem: str, manifest: Mapping[str, Any]) -> None:
    """Write the manifest under its temporary name, and see that it is on the disk. Raises OSError."""
    text = json.dumps(manifest, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(stem + MANIFEST_PART, flags, 0o600, dir_fd=folder_fd)
    try:
        rest = memoryview(text.encode())
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def publish(folder_fd: int, stem: str) -> None:
    """Give the manifest its name. From here on the record is closed. Raises OSError."""
    os.rename(stem + MANIFEST_PART, stem + MANIFEST, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)


def iso(wall_s: float) -> str:
    """A wall-clock time, seconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")


def json_safe(value: Any) -> Any:
    """Plain values as JSON holds them: bytes as hex, arrays and sets as lists, every key as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else repr(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "tolist"):
        return json_safe(value.tolist())
    return repr(value)
