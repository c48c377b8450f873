"""What waits to be uploaded, what failed and why: for people, and for other programs as ``.spool/status.json``."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippogym.data import manifest
from hippogym.data.records_scan import Found, Record, RecordsScan
from hippogym.data.spool import FOLDER, verified, write_whole
from hippogym.data.upload_queue import Trouble, UploadQueue
from hippogym.data.users_delivery import users_waiting

STATUS = "status.json"
_MOST_LISTED = 100  # troubles in the file; what they have in common is said once


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that the store has not proved to have. reason, since, tries: of its failures, if any."""

    record: Record
    bytes: int
    closed: bool
    reason: str | None = None
    since: str | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """where: the store, or None if nothing was ever uploaded from here. verified, kept_apart: numbers of records.

    trouble, trouble_since: what the matter is with the store, at the time ``written``; None if nothing.
    """

    where: str | None
    written: str | None
    waiting: tuple[Waiting, ...]
    verified: int
    kept_apart: tuple[str, ...]
    trouble: str | None
    trouble_since: str | None

    @property
    def waiting_bytes(self) -> int:
        """Of all records that wait, running ones included."""
        return sum(each.bytes for each in self.waiting)

    def __str__(self) -> str:
        if not self.waiting:
            return f"all {self.verified} records are in {self.where}" if self.where else "nothing was uploaded"
        names = ", ".join(each.record.name for each in self.waiting[:5])
        more = f" and {len(self.waiting) - 5} more" if len(self.waiting) > 5 else ""
        why = f" ({self.trouble})" if self.trouble else ""
        return f"{len(self.waiting)} records ({self.waiting_bytes:,} bytes) are not uploaded{why}: {names}{more}"


def status(records: Path) -> UploadStatus:
    """How things stand with the uploads from a records folder, whether an uploader runs or not.

    What waits is found by looking; why it does is what the uploader last wrote. Raises OSError.
    """
    told = _told(records / FOLDER / STATUS)
    done = verified(records)
    failing = {each["record"]: each for each in told.get("failing", ())}
    store = told.get("store") or {}
    waiting = [
        _waiting(found, failing.get(found.record.name, {}))
        for found in RecordsScan(records).look()
        if found.record not in done
    ]
    waiting += [_waiting(found, failing.get(found.record.name, {})) for found in users_waiting(records)]
    return UploadStatus(
        where=told.get("where"),
        written=told.get("written"),
        waiting=tuple(waiting),
        verified=len(done),
        kept_apart=tuple(sorted(record.name for record, apart in done.items() if apart)),
        trouble=store.get("reason"),
        trouble_since=store.get("since"),
    )


def write_status(records: Path, where: str, queue: UploadQueue) -> None:
    """What the uploader knows, written so that readers always see a whole file. Raises OSError."""
    failing = [(record, trouble) for record, trouble in queue.troubles.items() if record is not None]
    told = {
        "written": manifest.iso(time.time()),
        "pid": os.getpid(),
        "where": where,
        "draining": queue.draining,
        "waiting": sum(found.closed for found in queue.found.values()),
        "running": sum(not found.closed for found in queue.found.values()),
        "waiting_bytes": sum(found.bytes for found in queue.found.values()),
        "store": None if queue.store_trouble is None else _trouble(queue.store_trouble),
        "failing": [{"record": record.name, **_trouble(trouble)} for record, trouble in failing[:_MOST_LISTED]],
    }
    write_whole(records / FOLDER / STATUS, json.dumps(told, indent=1) + "\n", sync=False)


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "reason": trouble.reason,
        "since": manifest.iso(trouble.since_s),
        "tries": trouble.backoff.failures,
    }


def _waiting(found: Found, failure: dict[str, Any]) -> Waiting:
    return Waiting(
        found.record, found.bytes, found.closed, failure.get("reason"), failure.get("since"), failure.get("tries", 0)
    )


def _told(path: Path) -> dict[str, Any]:
    """What ``write_status`` wrote; nothing where something else stands there."""
    try:
        told = json.loads(path.read_bytes())
        usable = told["failing"] == [each for each in told["failing"] if isinstance(each["record"], str)]
        return told if usable and isinstance(told["store"], dict | None) else {}
    except (FileNotFoundError, ValueError, RecursionError, TypeError, KeyError):
        return {}
