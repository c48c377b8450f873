"""Forgetting a participant, from the question what there is to the proof that nothing is left."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hippogym.data.forgetting.bucket_visits import BucketVisits
from hippogym.data.forgetting.person import Person, Place
from hippogym.data.forgetting.places import places, trials_of
from hippogym.data.forgetting.search import Findings, merged, search
from hippogym.data.forgetting.visits import labels_of
from hippogym.data.storage import Storage
from hippogym.errors import RecordError

TOMBSTONES = ".forgotten"
_LOCK = ".lock"


@dataclass
class Plan:
    """What is known of a participant: the lines of each place that has something. They name trials, not the person.

    persons: one, or several labels of those whose link has the name.
    """

    persons: list[Person]
    found: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.found)


class Forgetting:
    """One participant of one study. Use as a context manager: while it is open, no server starts to keep records here.

    Raises RecordError where the participant is playing, or where a server runs that uploads: what it has on its way
    would arrive after everything else was removed.
    """

    def __init__(self, study: Path, records: Path, project: str, stores: list[Storage], name: str) -> None:
        if not name:
            raise RecordError("nobody has an empty name")
        self._study, self._records, self._stores, self._name = study, records, stores, name
        self._places: list[Place] = places(records, project, stores)
        self._names = [name]
        self._held = contextlib.ExitStack()

    def __enter__(self) -> "Forgetting":
        self._held.enter_context(_no_server(self._records, uploads=bool(self._stores)))
        return self

    def __exit__(self, *problem: object) -> None:
        self._held.close()

    def plan(self) -> Plan:
        """What there is. Nothing is changed."""
        labels = set(labels_of(self._records, self._name))
        for place in self._places:
            labels.update(place.labels_of(self._name) if isinstance(place, BucketVisits) else ())
        names = self._names = [self._name, *sorted(labels)]
        plan = Plan([Person(name, trials_of(self._records, name)) for name in names])
        for place in self._places:
            lines = [line for person in plan.persons for line in place.find(person)]
            if lines:
                plan.found.setdefault(place.title, []).extend(dict.fromkeys(lines))
        return plan

    def remove(self, plan: Plan) -> dict[str, int]:
        """Remove it all, and leave a tombstone; returns how much of what. After HippoError or OSError: try again."""
        removed: dict[str, int] = {}
        for place in self._places:
            for person in plan.persons:
                removed[place.title] = removed.get(place.title, 0) + place.remove(person)
        if any(removed.values()):
            _leave_tombstone(self._records, removed)
        return removed

    def prove(self, watch: Callable[[int], None] = lambda size: None) -> Findings:
        """Search every byte of the study, and of records that are kept elsewhere, for every name of theirs."""
        inside = self._records.resolve().is_relative_to(self._study.resolve())
        folders = [self._study] if inside else [self._study, self._records]
        return merged([search(folders, name, watch) for name in self._names])


def _leave_tombstone(records: Path, removed: dict[str, int]) -> None:
    """That somebody was forgotten, and when; not who."""
    line = json.dumps({"date": time.strftime("%Y-%m-%d", time.gmtime()), "removed": removed}) + "\n"
    records.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(records / TOMBSTONES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line.encode())
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _no_server(records: Path, *, uploads: bool) -> Iterator[None]:
    """Hold the lock that servers hold. Where one does: go on only if it uploads nothing."""
    try:
        fd = os.open(records / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # no server has ever kept records here
        yield
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if uploads:
                raise RecordError("a server of this study is running, and what it has on its way to the bucket would "
                                  "arrive later; stop it, then try again") from None  # fmt: skip
        yield
    finally:
        os.close(fd)
