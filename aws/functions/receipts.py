"""What a game's server has said of it: signed words that come by the participant's page, or by the bucket."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from functions.ledger import BucketLedger
from functions.objects import Objects
from functions.visits import Visits
from hippogym.core.study.refusal import Refusal
from hippogym.core.study.tickets import read, server_key
from hippogym.core.study.visit import Visit
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

ORDER = ("began", "progress", "over")
MOST = 16


class Receipts:
    """Those of one project. key: the stack's. server_of: the id of a visit's server."""

    def __init__(
        self, objects: Objects, visits: Visits, key: bytes, server_of: Callable[[str], str] = lambda visit_id: visit_id
    ) -> None:
        self._objects, self._visits, self._key, self._server_of = objects, visits, key, server_of

    def told(self, visit: Visit, receipts: Iterable[object]) -> Visit:
        """The visit with what its own server has said. Raises Refusal where it has said nothing of it, RecordError."""
        texts = list(receipts)
        said = self._said(visit, texts)
        if texts and not said:
            raise Refusal("bad_value", "This was not said by this visit's server.", 400)
        return self._heard(visit, said)

    def from_bucket(self, visit: Visit) -> Visit:
        """The same with what its server has left in the bucket; the visit itself where there is nothing new.

        Nobody waits for it in vain: where it cannot be read, it is read the next time.
        """
        try:
            found = self._objects.get(f"{self._visits.project}/receipts/{visit['id']}.json")
            texts = found.value.get("receipts") if found is not None and isinstance(found.value, dict) else None
            said = self._said(visit, texts[:MOST] if isinstance(texts, list) else ())
            known = self._heard(visit, sorted(said, key=lambda one: ORDER.index(one["kind"])))
            return visit if _without_time(known) == _without_time(visit) else known
        except (RecordError, Refusal) as problem:
            logger.warning("what a server has left in the bucket cannot be used: %s", problem)
            return visit

    def _heard(self, visit: Visit, said: Iterable[Mapping[str, Any]]) -> Visit:
        for one in said:
            if self._is_news(visit, one):
                visit = self._visits.told(visit["id"], one)
        return visit

    def _is_news(self, visit: Visit, said: Mapping[str, Any]) -> bool:
        """Whether it is of the game at which the visit is, and of no trial before the one that it plays now.

        A page may say what it has not been able to say for an hour.
        """
        step = visit["step"]
        if said.get("step", step) != step or said.get("round", 0) != max(visit["trail"].count(step) - 1, 0):
            return False
        game = visit["games"].get(step)
        if game is None or said.get("trial") == game["trial"]:
            return True
        events = BucketLedger(self._objects, self._visits.project, 0.0).events(visit["id"])
        return all(one.get("trial") != said.get("trial") for one in events if one["kind"] == "game_began")

    def _said(self, visit: Visit, texts: Iterable[object]) -> list[dict[str, Any]]:
        """Those that this visit's own server has signed."""
        key = server_key(self._key, self._visits.project, self._server_of(visit["id"]))
        read_ones = [read(key, "receipt", text) for text in texts if isinstance(text, str)]
        return [
            one for one in read_ones if one is not None and one.get("visit") == visit["id"] and one.get("kind") in ORDER
        ]


def _without_time(visit: Visit) -> dict[str, Any]:
    return {name: value for name, value in visit.items() if name != "seen_s"}
