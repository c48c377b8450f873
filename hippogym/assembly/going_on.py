"""How far a game is by the records in the bucket, for a server that goes on where another one had to stop."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from hippogym.core.study.tickets import Ticket
from hippogym.data.delivery import user_part
from hippogym.data.sources import Found, Store, records_in
from hippogym.data.ticks import Head, Tail, read_parts
from hippogym.errors import RecordError, StorageError
from hippogym.live.admission import Admission
from hippogym.live.ticket_desk import LOOK_WITHIN_S
from hippogym.live.trial_spec import label_of

OVER = ("done", "reset")  # how an episode ends that counts: played to its end, or given up for the next one


def episodes_over(store: Store, project: str) -> Callable[[Ticket], int]:
    """What says how many episodes of a ticket's game are over, by the newest of its records that has one.

    It raises StorageError where the store does not answer, or so slowly that nobody waits any more.
    """

    def look(ticket: Ticket) -> int:
        began_s = time.monotonic()
        label = label_of(Admission(ticket.visit, ticket.user))
        prefix = f"{project}/Trials/{user_part({'userId': label})}/"
        for found in reversed(list(records_in(store, prefix))):  # a trial's id begins with its time
            if time.monotonic() - began_s > LOOK_WITHIN_S:
                raise StorageError("the bucket answers too slowly")
            over = [number + 1 for number, header in _episodes(found) if _is_of(header, ticket)]
            if over:
                return max(over)
        return 0

    return look


def _is_of(header: dict[str, Any], ticket: Ticket) -> bool:
    where = header.get("visit"), header.get("step"), header.get("round", 0)
    return where == (ticket.visit, ticket.step, ticket.round)


def _episodes(found: Found) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and header of each episode that is over."""
    try:
        told = found.manifest()
    except RecordError:
        told = None
    if told is None:
        yield from _episodes_read(found)
        return
    for one in told.get("episodes", ()):
        if one["reason"] in OVER and one["episode"] is not None:
            yield int(one["episode"]), one["header"]


def _episodes_read(found: Found) -> Iterator[tuple[int, dict[str, Any]]]:
    """From the record itself, whose server did not come to write what stands beside it."""
    head: Head | None = None
    for part in read_parts(found):
        if isinstance(part, Head):
            head = part
        elif isinstance(part, Tail) and head is not None:
            if part.ended and part.reason in OVER and head.number is not None:
                yield head.number, head.header
            head = None
