"""A study at its desk on AWS: the rules of core and the books of the local server over the bucket's ledger."""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from functions.ledger import BucketLedger, carried_out
from functions.objects import ChangedMeanwhile, Objects
from functions.patience import LONGEST_S, jitter, tries
from hippogym.bookkeeping.arriving import Arrived, Newcomer
from hippogym.bookkeeping.books import SEED, Books
from hippogym.bookkeeping.presence import Presence
from hippogym.bookkeeping.views import Views
from hippogym.core.study import rules
from hippogym.core.study.codes import make_code
from hippogym.core.study.factors import factors_of
from hippogym.core.study.forms import Control, Form, Option, Problem
from hippogym.core.study.refusal import unknown
from hippogym.core.study.tickets import participant_token, study_key, visit_of_token
from hippogym.core.study.visit import Visit, is_over
from hippogym.core.study.way import build_way
from hippogym.errors import RecordError

logger = logging.getLogger(__name__)

HEARD_EVERY_S = 60.0
FORMAT = "hippogym-user"

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """A page of the study, as study.json has it."""

    html: str
    title: str
    sha256: str
    form: Form


class BucketPresence(Presence):
    """Who was heard of, by what the bucket says. absent_ids: asked only where somebody is to be placed."""

    def __init__(self, absent_ids: Callable[[float, float], Collection[str]]) -> None:
        super().__init__()
        self._absent_ids = absent_ids

    def absent(self, give_back_s: float, now_s: float) -> Collection[str]:
        return self._absent_ids(give_back_s, now_s)


class Visits:
    """The visits of one project.

    document: study.json. key: the stack's. clock: seconds since 1970. pause: waits before the next try.
    longest_s: how long is tried where others change the same.
    """

    def __init__(
        self, objects: Objects, document: Mapping[str, Any], key: bytes, clock: Callable[[], float] = time.time,
        pause: Callable[[int], None] = jitter, longest_s: float = LONGEST_S,
    ) -> None:  # fmt: skip
        settings = document["study"]
        pages = {name: _page(about) for name, about in document["pages"].items()}
        variants = {stem: tuple(arms) for stem, arms in document["variants"].items()}
        codes = study_key(key, document["id"])
        self.document, self.project = document, str(document["id"])
        self.way = build_way(settings)
        self._key, self._objects, self._clock = key, objects, clock
        self._pause, self._longest_s = pause, longest_s
        self._has_factors = bool(factors_of(settings, variants, 0))
        self.books = Books(self.way, settings, pages, variants, sign=lambda out, visit: make_code(codes, out, visit))
        self.books.presence = BucketPresence(self._absent)
        self._now: BucketLedger | None = None
        self._seen: tuple[dict[str, float], set[str], set[str]] | None = None
        self._views = Views(self.way, pages, document["instructions"])

    # -- the pages' side -----------------------------------------------------------------------------------------

    def arrive(self, link: Mapping[str, str], token: str | None, client: Mapping[str, Any]) -> tuple[str, Arrived]:
        """Somebody has opened the study's link: their token, and their visit. Raises Refusal, RecordError."""
        new_id, now_s = secrets.token_hex(10), self._clock()
        brought = visit_of_token(self._key, self.project, token) if token else None
        who = Newcomer(link, brought, "page", new_id, None, secrets.token_urlsafe(24), client=client)
        self._seen = None

        def work(ledger: BucketLedger) -> Arrived:
            if self._has_factors and ledger.meta(SEED) is None:
                ledger.set_meta(SEED, str(secrets.randbits(32)))
            return self.books.arrive(ledger, who, now_s)

        arrived = self._do(work, mine=new_id)
        arrived = replace(arrived, visit=self._mended(arrived.visit))
        return participant_token(self._key, self.project, arrived.visit["id"]), arrived

    def find(self, token: str | None) -> Visit:
        """The visit of a token; that they were heard of is kept now and then. Raises Refusal, RecordError."""
        visit_id = visit_of_token(self._key, self.project, token) if token else None
        if visit_id is None:
            raise unknown()
        visit = self._mended(self.books.find(self._ledger(), visit_id))
        now_s = self._clock()
        if is_over(visit) or now_s - visit["seen_s"] < HEARD_EVERY_S:
            return visit
        return self._do(lambda ledger: self._heard(ledger, visit_id, now_s))

    def shown(self, visit: Visit) -> Visit:
        """The current step is being sent; when for the first time is kept, now or the next time that it is sent."""
        if visit["shown_s"] is not None or is_over(visit):
            return visit
        now_s = self._clock()
        try:
            return self._do(lambda ledger: self.books.shown(ledger, visit["id"], visit["stamp"], now_s))
        except RecordError as problem:
            logger.warning("when a step was shown could not be kept: %s", problem)
            return visit

    def answer(
        self, visit_id: str, stamp: str | None, answers: Mapping[str, Any], facts: Mapping[str, Any], size: int
    ) -> tuple[Visit, bool, tuple[Problem, ...]]:
        """Submit was pressed: (visit, whether it was a repetition, what is missing). Raises Refusal, RecordError."""
        now_s, next_stamp = self._clock(), secrets.token_urlsafe(24)
        return self._do(
            lambda ledger: self.books.answer(ledger, visit_id, stamp, answers, facts, size, next_stamp, now_s)
        )

    def withdraw(self, visit_id: str, *, delete: bool) -> Visit:
        """The participant leaves. Raises Refusal, RecordError: then it is to be asked again, what is done or not."""
        now_s = self._clock()
        visit = self._do(lambda ledger: self.books.withdraw(ledger, visit_id, now_s, delete=delete), tell=not delete)
        if delete:
            self._put_user_file(visit)
            self._objects.forget_versions(self._user_file(visit), but_the_latest=True)
        return visit

    def view(self, visit: Visit) -> dict[str, Any]:
        """What the participant is sent."""
        return self._views.of(visit)

    # -- the games' side -----------------------------------------------------------------------------------------

    def told(self, visit_id: str, receipt: Mapping[str, Any]) -> Visit:
        """What a server has said of the game: ``kind`` began, progress or over. Raises Refusal, RecordError."""
        now_s, stamp = self._clock(), secrets.token_urlsafe(24)
        trial = str(receipt.get("trial"))[:80]

        def work(ledger: BucketLedger) -> Visit:
            if receipt.get("kind") == "began":
                return self.books.began(ledger, visit_id, trial, now_s)
            if receipt.get("kind") == "progress":
                return self.books.progress(ledger, visit_id, receipt, now_s)
            held = ledger.load(visit_id)
            if held is not None and not _knows(held.visit, trial):  # the word that it began was lost on the way
                self.books.began(ledger, visit_id, trial, now_s)
            return self.books.over(ledger, visit_id, receipt, stamp, now_s)

        return self._do(work)

    def time_is_up(self, visit_id: str) -> Visit:
        """There will be no server any more: who is in the game moves on, who could not begin is told so."""
        now_s, stamp = self._clock(), secrets.token_urlsafe(24)

        def work(ledger: BucketLedger) -> Visit:
            held = ledger.load(visit_id)
            if held is None:
                raise unknown()
            step = rules.current(self.way, held.visit)
            if is_over(held.visit) or not step.is_game:
                return held.visit
            game = held.visit["games"].get(step.name)
            if game is not None and game["state"] == "playing":
                counts = {name: game[name] - game["before"][name] for name in ("episodes", "ticks", "score")}
                return self.books.over(ledger, visit_id, {"reason": "stopped", **counts}, stamp, now_s)
            return self.books._save(ledger, held, rules.end(self.way, held.visit, "fault", now_s), now_s)

        return self._do(work)

    # -- how it is done ------------------------------------------------------------------------------------------

    def _ledger(self, mine: str = "") -> BucketLedger:
        self.books.undone()
        self._now = BucketLedger(self._objects, self.project, self._clock(), mine)
        return self._now

    def _do(self, work: Callable[[BucketLedger], T], mine: str = "", *, tell: bool = True) -> T:
        result, _, changed = carried_out(lambda: self._ledger(mine), work, tries(self._pause, self._longest_s))
        for visit in changed if tell else ():
            if visit["answers"] or is_over(visit):
                self._write_user_file(visit)
        return result

    def _mended(self, visit: Visit) -> Visit:
        """The visit at a step that the study has; written only where the study was changed under it."""
        now_s, stamp = self._clock(), secrets.token_urlsafe(24)
        if rules.mend(self.way, visit, stamp, now_s) is visit:
            return visit
        return self._do(lambda ledger: self.books.mend(ledger, visit["id"], stamp, now_s))

    def _heard(self, ledger: BucketLedger, visit_id: str, now_s: float) -> Visit:
        held = ledger.load(visit_id)
        if held is None:
            raise unknown()
        visit = rules.seen(held.visit, now_s)
        if visit is not held.visit:
            ledger.save(visit, held.version)
        return visit

    def _absent(self, give_back_s: float, now_s: float) -> Collection[str]:
        """Over without being complete, or not written for so long and without a server; or never made at all."""
        if not self._has_factors:
            return ()
        if self._seen is None:  # once for all tries of an arrival: the log is then read a moment before it is written
            self._seen = self._listed(now_s)
        written, left, playing = self._seen
        quiet = {visit for visit, written_s in written.items() if now_s - written_s > give_back_s} - playing
        log = (self._now or self._ledger()).assignments()
        never = {entry["visit"] for entry in log if now_s - entry["t_s"] > give_back_s} - set(written)
        return left | quiet | never

    def _listed(self, now_s: float) -> tuple[dict[str, float], set[str], set[str]]:
        """Of all visits: when they were written, which have left, and which have a server."""
        base, places = f"{self.project}/visits/", f"{self.project}/servers/"
        written = {
            one.key.removeprefix(base).removesuffix(".json"): one.written_s for one in self._objects.listed(base)
        }
        left = {one.key.removeprefix(f"{base}left/") for one in self._objects.listed(f"{base}left/")}
        playing = {
            one.key.removeprefix(folder).removesuffix(".json")
            for folder in (places, f"{places}of/")
            for one in self._objects.listed(folder)
            if now_s - one.written_s < 60 * self.document["maxRuntime"]
        }
        return written, left, playing

    def _user_file(self, visit: Visit) -> str:
        user = visit["user"]
        name = f"visit-{visit['id']}" if user is None else hashlib.sha256(_bytes(user)).hexdigest()[:32]
        return f"{self.project}/users/{name}.json"

    def _write_user_file(self, visit: Visit) -> None:
        """The participant's file; the ledger is what counts, and the next change writes it again."""
        try:
            self._put_user_file(visit)
        except RecordError:
            logger.warning("a participant's file could not be written yet")

    def _put_user_file(self, visit: Visit) -> None:
        """Raises RecordError where it was not written."""
        ledger = self._ledger(mine=visit["id"])
        try:
            held = list(ledger.by_user(visit["user"])) if visit["user"] is not None else []
        except ChangedMeanwhile as problem:
            raise RecordError("another visit of this participant is just being made") from problem
        visits = [one.visit for one in reversed(held)] or [visit]
        told = [self._told(ledger, one) for one in visits]
        whole = {"format": FORMAT, "version": 1, "project": self.project, "user": visit["user"], "visits": told}
        self._objects.put_anyway(self._user_file(visit), json.loads(json.dumps(whole)))

    def _told(self, ledger: BucketLedger, visit: Visit) -> dict[str, Any]:
        rows = [{key: value for key, value in row.items() if key != "visit"} for row in ledger.answers(visit["id"])]
        return {**visit, "every_answer": rows, "events": list(ledger.events(visit["id"]))}


def _page(about: Mapping[str, Any]) -> Page:
    controls = []
    for one in about["form"]["controls"]:
        options = tuple(Option(**option) for option in one["options"])
        right = None if one["right"] is None else tuple(one["right"])
        controls.append(Control(**{**one, "options": options, "right": right}))
    return Page(about["html"], about["title"], about["sha256"], Form(tuple(controls)))


def _knows(visit: Visit, trial: str) -> bool:
    return any(game["trial"] == trial for game in visit["games"].values())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
