"""The ledger of a study as documents in its bucket (core/study/ledger.py says what it must be able to do).

A ``BucketLedger`` is one piece of work: it reads what it is asked for, remembers what is to be written, and ``commit``
writes it. A visit is one document with its answers and events, written only in the place of the version that was read,
so that a change of it is kept whole or not at all. Where several documents change, the order is such that a function
which ends in between leaves nothing that anybody could have relied on:

    the user's list of visits → the log of assignments → the new visit → the visit whose place it takes

A list that names a visit which is not there after ``PENDING_S`` means nothing; an assignment without a visit is that of
somebody who is absent, so that its place is given to another; and the token goes out when all is written.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from functions.objects import ChangedMeanwhile, Objects
from hippogym.core.study.ledger import Held
from hippogym.core.study.visit import Visit, is_over
from hippogym.errors import RecordError

FORMAT = "hippogym-visit"
VERSION = 1
PENDING_S = 30.0  # longer than a function runs
LARGE = 32 * 2**10  # an answer from here on is an object of its own

_VISIT_ID = re.compile(r"[0-9a-f]{20}\Z")

T = TypeVar("T")


@dataclass
class _Document:
    """A visit's document. tag: of the version that was read; None where it is new."""

    tag: str | None
    version: int
    visit: Visit
    answers: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    changed: bool = False
    forgets: bool = False
    read: Visit | None = None

    @property
    def is_told(self) -> bool:
        """Whether what has changed is for the participant's file: an answer, a step, or an end."""
        about = ("answers", "step", "outcome", "superseded_by")
        return self.read is None or any(self.visit.get(name) != self.read.get(name) for name in about)


class BucketLedger:
    """One piece of work. The token of a participant names their visit and is signed: who asks has checked that."""

    def __init__(self, objects: Objects, project: str, now_s: float, mine: str = "") -> None:
        """mine: the id of a visit that this piece of work may make, so that an earlier try of it is no other's."""
        self._objects, self._project, self._now_s, self._mine = objects, project, now_s, mine
        self._open: dict[str, _Document] = {}
        self._users: dict[str, tuple[str | None, list[dict[str, Any]]]] = {}
        self._log: list[dict[str, Any]] | None = None
        self._log_tag: str | None = None
        self._decided: list[dict[str, Any]] = []
        self._facts: dict[str, Any] | None = None
        self._facts_tag: str | None = None

    # -- visits --------------------------------------------------------------------------------------------------

    def load(self, visit_id: str) -> Held | None:
        document = self._document(visit_id)
        return None if document is None else Held(document.visit, document.version)

    def by_token(self, token_sha256: str) -> Held | None:
        """Here it is the visit's id, which the signed token says."""
        return self.load(token_sha256)

    def by_user(self, user: str) -> Sequence[Held]:
        """Raises ChangedMeanwhile while a visit of theirs is just being made."""
        _, listed = self._visits_of(user)
        found = []
        for one in reversed(listed):
            held = self.load(one["visit"])
            if held is not None:
                found.append(held)
            elif one["visit"] != self._mine and self._now_s - one["t_s"] < PENDING_S:
                raise ChangedMeanwhile
        return found

    def create(self, visit: Visit, token_sha256: str | None, assignments: Sequence[Mapping[str, Any]] = ()) -> int:
        self._open[visit["id"]] = _Document(None, 1, visit, changed=True)
        self._decided += [dict(entry) for entry in assignments]
        return 1

    def save(
        self,
        visit: Visit,
        version: int,
        answer: Mapping[str, Any] | None = None,
        assignments: Sequence[Mapping[str, Any]] = (),
        events: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        document = self._known(visit["id"])
        if document.version != version:
            return False
        document.visit, document.version, document.changed = visit, version + 1, True
        if answer is not None and all(_key(row) != _key(answer) for row in document.answers):
            document.answers.append(dict(answer))
        document.events += [dict(event) for event in events]
        self._decided += [dict(entry) for entry in assignments]
        return True

    def all(self) -> Iterator[Held]:
        prefix = f"{self._project}/visits/"
        held = [self.load(one.key.removeprefix(prefix).removesuffix(".json")) for one in self._objects.listed(prefix)]
        yield from sorted((one for one in held if one is not None), key=lambda one: one.visit["created_s"])

    def forget(self, visit_id: str) -> None:
        """At once, with every older version; the log of assignments keeps its arm."""
        self._known(visit_id)
        self._open.pop(visit_id)
        self._objects.forget_folder(self._parts(visit_id))
        self._objects.delete(self._place(visit_id))
        self._objects.forget_versions(self._place(visit_id), but_the_latest=False)

    def close(self) -> None:
        """Nothing is open."""

    def state(self) -> object:
        """Another value after every change of this piece of work."""
        return tuple((visit_id, document.version) for visit_id, document in self._open.items())

    # -- answers and events --------------------------------------------------------------------------------------

    def answers(self, visit_id: str | None = None) -> Iterator[Mapping[str, Any]]:
        ids = [visit_id] if visit_id is not None else [held.visit["id"] for held in self.all()]
        for one in ids:
            document = self._document(one)
            for row in document.answers if document is not None else ():
                yield {"visit": one, **self._whole(row)}

    def answers_bytes(self, visit_id: str) -> int:
        """How much the answers of a visit take, files included."""
        document = self._document(visit_id)
        return sum(_bytes(row) for row in document.answers) if document is not None else 0

    def forget_answers(self, visit_id: str) -> int:
        """Remove all answers of a visit, but not the visit; gone for good when the work has been committed."""
        document = self._known(visit_id)
        count = len(document.answers)
        document.answers, document.changed, document.forgets = [], True, True
        return count

    def events(self, visit_id: str) -> Iterator[Mapping[str, Any]]:
        """What has happened in a visit, in order."""
        yield from self._known(visit_id).events

    def log_events(self, visit_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add to what has happened in a visit."""
        document = self._known(visit_id)
        document.events += [dict(event) for event in events]
        document.changed = True

    # -- assignments and facts -----------------------------------------------------------------------------------

    def assignments(self) -> Sequence[Mapping[str, Any]]:
        if self._log is None:
            found = self._objects.get(f"{self._project}/assignments.json")
            self._log, self._log_tag = (found.value, found.tag) if found is not None else ([], None)
        return [*self._log, *self._decided]

    def log_assignments(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._decided += [dict(entry) for entry in entries]

    def meta(self, key: str) -> str | None:
        value = self._all_facts().get(key)
        return None if value is None else str(value)

    def set_meta(self, key: str, value: str) -> None:
        """At once. Raises ChangedMeanwhile where somebody else has written one since we have read them."""
        facts = {**self._all_facts(), key: value}
        self._facts_tag = self._objects.put(f"{self._project}/facts.json", facts, self._facts_tag)
        self._facts = facts

    def _all_facts(self) -> dict[str, Any]:
        if self._facts is None:
            found = self._objects.get(f"{self._project}/facts.json")
            self._facts, self._facts_tag = (dict(found.value), found.tag) if found is not None else ({}, None)
        return self._facts

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(self) -> list[Visit]:
        """Write all of it; returns visits with another answer, step or end. Raises ChangedMeanwhile, RecordError."""
        changed = [document for document in self._open.values() if document.changed]
        new = [document for document in changed if document.tag is None]
        for document in new:
            self._list(document.visit)
        if self._decided:
            self.assignments()
            self._objects.put(f"{self._project}/assignments.json", [*(self._log or []), *self._decided], self._log_tag)
        written: list[_Document] = []
        try:
            for document in [*new, *(one for one in changed if one.tag is not None)]:
                self._write(document)
                written.append(document)
        except ChangedMeanwhile:
            for document in written:
                if document in new:  # nobody has its token yet
                    self._objects.delete(self._place(document.visit["id"]))
            raise
        for document in changed:
            visit = document.visit
            if is_over(visit) and visit["outcome"] != "complete" and not visit["preview"]:
                self._objects.put_anyway(f"{self._project}/visits/left/{visit['id']}", {"ended_s": visit["ended_s"]})
            if document.forgets:  # by their folder: after a failure in between the document names none of them
                self._objects.forget_folder(self._parts(visit["id"]))
                self._objects.forget_versions(self._place(visit["id"]), but_the_latest=True)
        return [document.visit for document in changed if document.is_told]

    def _write(self, document: _Document) -> None:
        visit_id = document.visit["id"]
        rows = []
        for row in document.answers:
            if "stored" not in row and _bytes(row) > LARGE:
                body = json.dumps(row, sort_keys=True)
                name = hashlib.sha256(body.encode()).hexdigest()
                self._objects.put_anyway(self._part(visit_id, name), row)
                row = {"step": row["step"], "stamp": row["stamp"], "stored": name, "bytes": len(body)}
            rows.append(row)
        value = {
            "format": FORMAT, "v": VERSION, "version": document.version, "visit": document.visit, "answers": rows,
            "events": document.events,
        }  # fmt: skip
        self._objects.put(self._place(visit_id), value, document.tag)

    def _list(self, visit: Visit) -> None:
        user = visit["user"]
        if user is None or user == f"user_{visit['id']}":
            return
        tag, listed = self._visits_of(user)
        if all(one["visit"] != visit["id"] for one in listed):
            self._objects.put(self._user(user), [*listed, {"visit": visit["id"], "t_s": self._now_s}], tag)

    # -- reading -------------------------------------------------------------------------------------------------

    def _document(self, visit_id: str) -> _Document | None:
        if visit_id not in self._open:
            found = self._objects.get(self._place(visit_id)) if _VISIT_ID.match(visit_id) else None
            if found is None:
                return None
            value = found.value
            self._open[visit_id] = _Document(
                found.tag,
                value["version"],
                value["visit"],
                copy.copy(value["answers"]),
                copy.copy(value["events"]),
                read=value["visit"],
            )
        return self._open[visit_id]

    def _known(self, visit_id: str) -> _Document:
        document = self._document(visit_id)
        if document is None:
            raise RecordError("a visit that was there is no more")
        return document

    def _visits_of(self, user: str) -> tuple[str | None, list[dict[str, Any]]]:
        if user not in self._users:
            found = self._objects.get(self._user(user))
            self._users[user] = (found.tag, found.value) if found is not None else (None, [])
        return self._users[user]

    def _whole(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        if "stored" not in row:
            return row
        for visit_id, document in self._open.items():
            if any(one is row for one in document.answers):
                found = self._objects.get(self._part(visit_id, row["stored"]))
                return found.value if found is not None else row
        return row

    def _parts(self, visit_id: str) -> str:
        return f"{self._project}/visits/answers/{visit_id}/"

    def _place(self, visit_id: str) -> str:
        return f"{self._project}/visits/{visit_id}.json"

    def _part(self, visit_id: str, name: str) -> str:
        return f"{self._parts(visit_id)}{name}.json"

    def _user(self, user: str) -> str:
        return f"{self._project}/visits/by-user/{hashlib.sha256(user.encode('utf-8', 'surrogatepass')).hexdigest()}"


def carried_out(
    begin: Callable[[], BucketLedger], work: Callable[[BucketLedger], T], tries: Iterable[int]
) -> tuple[T, BucketLedger, list[Visit]]:
    """Do work and write it; from the beginning where somebody was quicker. Returns also what has changed.

    tries: as often as it may be tried, each when it is time. Raises RecordError when all of them come to nothing.
    """
    for _ in tries:
        ledger = begin()
        try:
            result = work(ledger)
            return result, ledger, ledger.commit()
        except ChangedMeanwhile:
            continue
    raise RecordError("too many change the same at a time; nothing was kept")


def _key(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["step"], row["stamp"]


def _bytes(row: Mapping[str, Any]) -> int:
    return int(row["bytes"]) if "stored" in row else len(json.dumps(row))
