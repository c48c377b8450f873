"""Who was heard of, and when: what is asked at every arrival, and is too little for a write each time."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from hippogym.core.study.visit import Visit, is_over


@dataclass
class Presence:
    """Who was heard of, and when: the part of the ledger that is asked at every arrival. Used by two threads."""

    _seen_s: dict[str, float] = field(default_factory=dict)
    _left: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, visit: Visit) -> None:
        """A visit is as it is in the ledger."""
        if visit["preview"]:
            return
        with self._lock:
            if not is_over(visit):
                self._seen_s[visit["id"]] = max(visit["seen_s"], self._seen_s.get(visit["id"], 0.0))
                return
            self._seen_s.pop(visit["id"], None)
            if visit["outcome"] != "complete":
                self._left.add(visit["id"])

    def heard(self, visit_id: str, now_s: float) -> None:
        """The participant of a running visit was heard of; that alone is not worth a write."""
        with self._lock:
            if visit_id in self._seen_s:
                self._seen_s[visit_id] = max(now_s, self._seen_s[visit_id])

    def seen_s(self, visit: Visit) -> float:
        """When a visit was last heard of."""
        with self._lock:
            return max(visit["seen_s"], self._seen_s.get(visit["id"], 0.0))

    def absent(self, give_back_s: float, now_s: float) -> Collection[str]:
        """The visits whose place may be taken: over without being complete, or without contact for so long."""
        with self._lock:
            return self._left | {visit for visit, seen_s in self._seen_s.items() if now_s - seen_s > give_back_s}
