"""Decides what is to be uploaded next. Told the time and what happened; asks nobody and touches nothing.

Running records come first: their parts are all there is when a machine is lost. While the store is in trouble one try
at a time finds out whether it is well again, and a record that fails for itself waits by itself.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

from hippogym.data.backoff import Backoff
from hippogym.data.delivery import PART_BYTES
from hippogym.data.records_scan import Found, Record

PART_EVERY_S = 8.0  # with the time to notice and to send it, what is lost with a machine is no more than 10 s
DRAINING_MOST_S = 4.0

Job = Record | None
"""What is worked on: a record, or None for finding out whether the store lets us in."""


@dataclass(slots=True)
class Trouble:
    """Why something is not uploaded. since_s: wall clock."""

    reason: str
    since_s: float
    backoff: Backoff = field(default_factory=Backoff)
    said: set[str] = field(default_factory=set)

    def is_new(self, reason: str) -> bool:
        """Whether people have not been told this yet."""
        self.reason = reason
        new = reason not in self.said
        self.said.add(reason)
        return new


@dataclass(slots=True)
class _Growth:
    """A running record: up to which byte it was looked at, how far that has come into the store, and when."""

    in_store: int
    looked: int
    asked_s: float


class UploadQueue:
    """What waits, what is being worked on, and what is in trouble. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self.found: dict[Record, Found] = {}
        self.troubles: dict[Job, Trouble] = {}
        self.store_trouble: Trouble | None = None
        self.flying: set[Job] = set()
        self.draining = False
        self._ready: deque[Job] = deque([None])
        self._later: list[tuple[float, str, Job]] = []
        self._queued: set[Job] = {None}
        self._growing: dict[Record, _Growth] = {}

    def saw(self, waiting: list[Found], now_s: float) -> None:
        """What a look into the folder has found that is not verified."""
        self.found = {found.record: found for found in waiting}
        self._growing = {record: growth for record, growth in self._growing.items() if record in self.found}
        for record, found in self.found.items():
            if record in self._queued or record in self.flying:
                continue
            if found.closed:
                self._queue(record)
            elif self._part_is_due(found, now_s):
                self._queue(record, first=True)

    def take(self, now_s: float) -> list[Job]:
        """What to begin now; the caller has room for as many as ``room`` says."""
        while self._later and self._later[0][0] <= now_s:
            self._ready.append(heapq.heappop(self._later)[2])
        jobs: list[Job] = []
        room = self.room(now_s)
        while room > len(jobs) and self._ready:
            job = self._ready.popleft()
            self._queued.discard(job)
            if job is None or job in self.found:
                self._begin(job, now_s)
                jobs.append(job)
        return jobs

    def room(self, now_s: float, workers: int = 4) -> int:
        """How many more may be begun."""
        trouble = self.store_trouble
        if trouble is not None:
            return 0 if self.flying or now_s < trouble.backoff.due_s else 1
        return max(0, workers - len(self.flying))

    def worked(self, job: Job, *, finished: bool) -> Trouble | None:
        """A job has done its work; finished: the record is verified, and not only a part of it.

        Returns the trouble with the store that is over by this.
        """
        self.flying.discard(job)
        self.troubles.pop(job, None)
        if job is not None and finished:
            self.found.pop(job, None)
        elif job is not None and job in self._growing:
            self._growing[job].in_store = self._growing[job].looked
        over, self.store_trouble = self.store_trouble, None
        return over

    def failed(self, job: Job, reason: str, now_s: float, wall_s: float, *, store: bool) -> bool:
        """A job has failed; store: because of the store. Returns whether this trouble is new."""
        self.flying.discard(job)
        trouble = self.troubles.setdefault(job, self._trouble(reason, wall_s))
        heapq.heappush(self._later, (trouble.backoff.failed(now_s), "" if job is None else job.name, job))
        self._queued.add(job)
        new = trouble.is_new(reason)
        if not store:
            return new
        if self.store_trouble is None:
            self.store_trouble = self._trouble(reason, wall_s)
        if now_s >= self.store_trouble.backoff.due_s:  # those that failed together count once
            self.store_trouble.backoff.failed(now_s)
        return self.store_trouble.is_new(reason)

    def drain(self) -> None:
        """The time is short: try everything now, and again soon."""
        self.draining = True
        self._ready.extend(job for _, _, job in sorted(self._later))
        self._later.clear()
        for trouble in (self.store_trouble, *self.troubles.values()):
            if trouble is not None:
                trouble.backoff.worked()
                trouble.backoff.most_s = DRAINING_MOST_S

    def nothing_more_to_do(self) -> bool:
        """Everything found is verified; or all that is left are records nobody closed, of which the store has all."""
        if self.flying - {None}:
            return False
        return all(not found.closed and self._all_in_store(found) for found in self.found.values())

    def next_due_s(self) -> float | None:
        """When something that failed is to be tried again."""
        return self._later[0][0] if self._later else None

    def _trouble(self, reason: str, wall_s: float) -> Trouble:
        return Trouble(reason, wall_s, Backoff(DRAINING_MOST_S) if self.draining else Backoff())

    def _begin(self, job: Job, now_s: float) -> None:
        self.flying.add(job)
        if job is not None and job in self._growing:
            self._growing[job].looked, self._growing[job].asked_s = self.found[job].bytes, now_s

    def _queue(self, job: Job, *, first: bool = False) -> None:
        self._queued.add(job)
        if first:
            self._ready.appendleft(job)
        else:
            self._ready.append(job)

    def _part_is_due(self, found: Found, now_s: float) -> bool:
        growth = self._growing.setdefault(found.record, _Growth(0, 0, now_s))
        new = found.bytes - growth.in_store
        if new <= 0:
            return False
        return new >= PART_BYTES or now_s - growth.asked_s >= PART_EVERY_S or self.draining

    def _all_in_store(self, found: Found) -> bool:
        growth = self._growing.get(found.record)
        return growth is not None and growth.in_store >= found.bytes
