"""/next on AWS, for front ends that exist: GET shows and never advances, and one Submit is one answer.

Such a front end knows its participant by a name that it has made: who says a name is that visit which came by this door
with it, and no other. Nothing of our page's visits can be read or changed by a name.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from functions.ledger import BucketLedger
from functions.visits import Visits
from hippogym.bookkeeping.arriving import Arrived, Newcomer
from hippogym.bookkeeping.books import SEED
from hippogym.core.study.forms import Problem
from hippogym.core.study.next_page import STAMP, UNKNOWN_PROJECT, page_of
from hippogym.core.study.refusal import Refusal
from hippogym.core.study.visit import Visit

Answer = tuple[int, dict[str, Any] | str, dict[str, str]]
SeenTo = Callable[[Visit], tuple[Visit, dict[str, Any] | None]]

LONGEST_LABEL = 200


class NamedVisits(Visits):
    """Visits that came by this door. All of these raise Refusal and RecordError."""

    def by_name(self, user: str) -> Visit:
        """The visit of that name."""
        return self._mended(self.books.find_v1(self._ledger(), user))

    def arrive_by_name(self, user: str) -> Visit:
        """It begins; where somebody was quicker, theirs."""
        new_id, now_s, self._seen = secrets.token_hex(10), self._clock(), None
        who = Newcomer({"userId": user}, None, "next", new_id, None, secrets.token_urlsafe(24), user)

        def work(ledger: BucketLedger) -> Arrived:
            if self._has_factors and ledger.meta(SEED) is None:
                ledger.set_meta(SEED, str(secrets.randbits(32)))
            return self.books.arrive(ledger, who, now_s)

        return self._mended(self._do(work, mine=new_id).visit)

    def answer_by_name(
        self, user: str, stamp: str | None, flat: Mapping[str, Any], size: int
    ) -> tuple[Visit, tuple[Problem, ...]]:
        """Submit was pressed: the visit, and what is missing."""
        visit_id, now_s, next_stamp = self.by_name(user)["id"], self._clock(), secrets.token_urlsafe(24)
        visit, _, problems = self._do(
            lambda ledger: self.books.answer(ledger, visit_id, stamp, flat, {}, size, next_stamp, now_s, v1=True)
        )
        return visit, problems


class NextDoor:
    """The door of one project. see_to: has the visit's server seen to. files: where the files beside the pages are."""

    def __init__(self, visits: NamedVisits, see_to: SeenTo, files: str) -> None:
        self._visits, self._see_to, self._files = visits, see_to, files

    def get(self, user: str) -> Answer:
        """What the participant sees; the first time, their visit begins. Raises RecordError."""
        if not self._may_come(user):
            return 400, UNKNOWN_PROJECT, {}
        try:
            return self._page(self._visits.by_name(user))
        except Refusal as refusal:
            if refusal.code != "unknown":
                raise
        return self._page(self._visits.arrive_by_name(user))

    def post(self, user: str, flat: dict[str, Any], size: int) -> Answer:
        """They have pressed Submit; for somebody who has never asked for a page it is a GET. Raises RecordError."""
        if not self._may_come(user):
            return 400, UNKNOWN_PROJECT, {}
        stamp = flat.pop(STAMP, None)
        try:
            visit, problems = self._visits.answer_by_name(user, stamp if isinstance(stamp, str) else None, flat, size)
        except Refusal as refusal:
            if refusal.code != "unknown":
                raise
            return self.get(user)
        return self._page(visit, [{"name": problem.name, "text": problem.text} for problem in problems])

    def _may_come(self, user: str) -> bool:
        return bool(self._visits.document["live"]) and 0 < len(user) <= LONGEST_LABEL

    def _page(self, visit: Visit, problems: list[dict[str, str]] | None = None) -> Answer:
        visit, place = self._see_to(visit)
        view = self._visits.view(self._visits.shown(visit))
        view["problems"] = problems or view["problems"]
        has_place = place is not None and place["state"] == "ready"
        return 200, {"page": page_of(view, self._files, has_place=has_place), "css": None}, {}
