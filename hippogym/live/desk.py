"""The desk of a study: everybody's way through it, for the pages and for the games. Asks, and never waits for a disk.

What it answers is on the disk: a visit that has moved has moved for good, whatever becomes of the server.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hippogym.bookkeeping.arriving import Arrived, Newcomer
from hippogym.bookkeeping.books import Books
from hippogym.bookkeeping.seams import LedgerBook, LedgerThread
from hippogym.bookkeeping.views import Views
from hippogym.core.study import rules
from hippogym.core.study.forms import Problem
from hippogym.core.study.refusal import Refusal, unknown
from hippogym.core.study.visit import Visit, is_over
from hippogym.errors import RecordError
from hippogym.live.admission import Admission
from hippogym.live.overview import Overview

logger = logging.getLogger(__name__)

PROGRESS_EVERY_S = 15.0
LEAVES_WITHIN_S = 20.0
LONGEST_LABEL = 200


@dataclass(frozen=True)
class Arrival:
    """token: the right to go on. resumed: the visit was there before. view: what is to be shown."""

    token: str
    resumed: bool
    view: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What became of an answer. problems: what is missing; then nothing was kept, and the view is what it was."""

    view: dict[str, Any]
    repeated: bool
    problems: tuple[Problem, ...]


async def _nobody(visit_id: str) -> None:
    """No games, so nobody is in one."""


async def _nothing(user: str | None, trials: list[str]) -> None:
    """No records."""


@dataclass
class Desk:
    """The desk.

    trial_settings: what ``Study.trial_settings`` gives for these overrides. clock: seconds since 1970. on_leaving:
    awaited with the id of a visit that is over while its game may go on. on_deletion: awaited with the label and the
    trials of a participant who has withdrawn and wants all deleted.
    """

    keeper: LedgerThread
    books: Books
    views: Views
    overview_of: Overview
    trial_settings: Callable[..., dict[str, Any]]
    clock: Callable[[], float] = time.time
    on_leaving: Callable[[str], Awaitable[None]] = _nobody
    on_deletion: Callable[[str | None, list[str]], Awaitable[None]] = _nothing
    _noted: dict[str, tuple[int, float]] = field(default_factory=dict)
    _owed: dict[str, list[Callable[[LedgerBook], Visit]]] = field(default_factory=dict)

    async def open(self) -> None:
        """Before anybody comes. Raises RecordError."""
        seed, now_s = secrets.randbits(32), self.clock()
        lost = await self.keeper.write(lambda ledger: self.books.open(ledger, seed, now_s))
        if lost:
            logger.warning("%d games were interrupted when the server ended; they go on as the study says", lost)

    # -- the pages' side -----------------------------------------------------------------------------------------

    async def arrive(
        self,
        link: Mapping[str, str],
        token: str | None,
        door: Literal["page", "next"] = "page",
        client: Mapping[str, Any] | None = None,
    ) -> Arrival:
        """Somebody has opened the study's link. Raises Refusal, RecordError."""
        new_token = _token()
        who = Newcomer(
            link=link,
            digest=_digest(token) if token else None,
            door=door,
            new_id=_new_id(),
            new_digest=_digest(new_token),
            stamp=_token(),
            client=client or {},
        )
        arrived = await self._arrive(who)
        known = token if arrived.resumed and token else new_token
        return Arrival(known, arrived.resumed, await self._show(arrived.visit))

    async def now(self, token: str) -> dict[str, Any]:
        """What the visit shows. Raises Refusal, RecordError."""
        return await self._show(await self.find(token))

    async def answer(
        self, token: str, stamp: str | None, answers: Mapping[str, Any], facts: Mapping[str, Any], size: int = 0
    ) -> Answer:
        """Submit was pressed; when this returns, the answer is on the disk. Raises Refusal, RecordError."""
        return await self._answer(await self.find(token), stamp, answers, facts, size)

    async def withdraw(self, token: str, delete: bool) -> dict[str, Any]:
        """The participant leaves the study. Raises Refusal, RecordError."""
        visit_id, now_s = (await self.find(token))["id"], self.clock()
        visit = await self._write(lambda ledger: self.books.withdraw(ledger, visit_id, now_s, delete=delete))
        await self._leave(visit_id)
        if delete:
            trials = await self.keeper.read(lambda ledger: self.books.trials_of(ledger, visit_id))
            await self.on_deletion(visit["user"], trials)
        return self.views.of(visit)

    async def check(self, token: str) -> None:
        """Whether there is such a visit. Raises Refusal, RecordError."""
        await self.find(token)

    async def find(self, token: str) -> Visit:
        """The visit of a token, who was heard of by this. Raises Refusal, RecordError."""
        digest = _digest(token)
        return await self._found(lambda ledger: self.books.find(ledger, digest))

    # -- existing front ends (PROTOCOL-V1 §9) ----------------------------------------------------------------------

    async def next_view(self, user: str) -> dict[str, Any]:
        """What such a participant sees; the first time, their visit begins. Raises Refusal, RecordError."""
        try:
            visit = await self.find_v1(user)
        except Refusal:
            if len(user) > LONGEST_LABEL:
                raise
            link = {"userId": user}
            visit = (await self._arrive(Newcomer(link, None, "next", _new_id(), None, _token(), user))).visit
        return await self._show(visit)

    async def next_answer(
        self, user: str, stamp: str | None, flat: Mapping[str, Any], facts: Mapping[str, Any], size: int
    ) -> Answer:
        """They have pressed Submit. Raises Refusal, RecordError."""
        return await self._answer(await self.find_v1(user), stamp, flat, facts, size, v1=True)

    async def find_v1(self, user: str) -> Visit:
        """Their visit. Raises Refusal, RecordError."""
        if len(user) > LONGEST_LABEL:
            raise unknown()
        return await self._found(lambda ledger: self.books.find_v1(ledger, user))

    async def _found(self, ask: Callable[[LedgerBook], Visit]) -> Visit:
        visit = await self.keeper.read(ask)
        self.books.presence.heard(visit["id"], self.clock())
        if visit["id"] not in self._owed:
            return visit
        await self._pay(visit["id"])
        return await self.keeper.read(ask)

    # -- the games' side -----------------------------------------------------------------------------------------

    async def admit(self, token: str) -> Admission | None:
        """Whether this token lets into a trial now. None: it is none of ours, or the visit is not at a game."""
        try:
            return self._admission(await self.find(token))
        except Refusal:
            return None

    async def admit_user(self, user: str) -> Admission | None:
        """The same for existing front ends, which say who they are and no more."""
        try:
            return self._admission(await self.find_v1(user))
        except Refusal:
            return None

    async def began(self, visit_id: str, trial: str, step: str | None = None) -> None:
        """A trial of a visit has begun; at which step the visit is, is known."""
        now_s = self.clock()
        await self._owe(visit_id, lambda ledger: self.books.began(ledger, visit_id, trial, now_s))

    async def progress(self, visit_id: str, progress: Mapping[str, Any]) -> None:
        """How far a trial is; most of what is told here is only remembered."""
        now_s, episodes = self.clock(), int(progress.get("episodes") or 0)
        self.books.presence.heard(visit_id, now_s)
        noted, noted_s = self._noted.get(visit_id, (0, 0.0))
        if visit_id in self._owed or (episodes == noted and now_s - noted_s < PROGRESS_EVERY_S):
            return
        self._noted[visit_id] = episodes, now_s
        try:
            await self._write(lambda ledger: self.books.progress(ledger, visit_id, progress, now_s))
        except (Refusal, RecordError):  # there will be more
            self._noted.pop(visit_id, None)

    async def over(self, visit_id: str, result: Mapping[str, Any]) -> None:
        """A trial of a visit has ended; when this returns, the visit stands where it goes on."""
        now_s, stamp = self.clock(), _token()
        self._noted.pop(visit_id, None)
        await self._owe(visit_id, lambda ledger: self.books.over(ledger, visit_id, result, stamp, now_s))

    async def _owe(self, visit_id: str, work: Callable[[LedgerBook], Visit]) -> None:
        """What has happened in a game is kept; where the disk does not take it now, before anything that follows."""
        self._owed.setdefault(visit_id, []).append(work)
        try:
            await self._pay(visit_id)
        except RecordError as problem:
            logger.error("the beginning or end of a game could not be kept yet: %s", problem)

    async def _pay(self, visit_id: str) -> None:
        while owed := self._owed.get(visit_id):
            work = owed[0]
            try:
                await self._write(work)
            except Refusal:  # the visit was forgotten meanwhile
                logger.info("a game has ended whose visit is no more")
            if owed and owed[0] is work:
                owed.pop(0)
            if not owed:
                self._owed.pop(visit_id, None)

    # -- the dashboard's side ------------------------------------------------------------------------------------

    async def overview(self) -> dict[str, Any]:
        """How the study goes; the shape is in pages/dashboard_routes.py. Raises RecordError."""
        now_s = self.clock()
        return await self.keeper.read(lambda ledger: self.overview_of.now(ledger, now_s))

    # -- how it is done ------------------------------------------------------------------------------------------

    async def _arrive(self, who: Newcomer) -> Arrived:
        now_s = self.clock()
        arrived = await self.keeper.write(
            lambda ledger: self.books.arrive(ledger, who, now_s),
            lambda arrived: self.books.presence.note(arrived.visit),
        )
        self.books.presence.heard(arrived.visit["id"], now_s)
        if arrived.instead_of is not None:
            await self._leave(arrived.instead_of)
        return arrived

    async def _leave(self, visit_id: str) -> None:
        """The game of a visit ends; whoever asked for it does not wait for ever."""
        try:
            async with asyncio.timeout(LEAVES_WITHIN_S):
                await self.on_leaving(visit_id)
        except TimeoutError:
            logger.warning("a game does not end although its participant has left the study")

    async def _answer(
        self,
        visit: Visit,
        stamp: str | None,
        answers: Mapping[str, Any],
        facts: Mapping[str, Any],
        size: int,
        *,
        v1: bool = False,
    ) -> Answer:
        visit_id, now_s, next_stamp = visit["id"], self.clock(), _token()
        after, repeated, problems = await self.keeper.write(
            lambda ledger: self.books.answer(ledger, visit_id, stamp, answers, facts, size, next_stamp, now_s, v1),
            lambda result: self.books.presence.note(result[0]),
        )
        return Answer(await self._show(after), repeated, problems)

    async def _write(self, work: Callable[[LedgerBook], Visit]) -> Visit:
        return await self.keeper.write(work, self.books.presence.note)

    async def _show(self, visit: Visit) -> dict[str, Any]:
        """The view. When it was first sent is kept; where the disk has no room for that, it is shown all the same."""
        if visit["shown_s"] is None and not is_over(visit):
            visit_id, stamp, now_s = visit["id"], visit["stamp"], self.clock()
            try:
                visit = await self._write(lambda ledger: self.books.shown(ledger, visit_id, stamp, now_s))
            except RecordError as problem:
                logger.warning("when a page was shown could not be kept: %s", problem)
        return self.views.of(visit)

    def _admission(self, visit: Visit) -> Admission | None:
        step = rules.current(self.books.way, visit)
        if is_over(visit) or not step.is_game:
            return None
        game = visit["games"].get(step.name)
        condition = self.books.way.conditions.get(visit["condition"] or "")
        return Admission(
            visit_id=visit["id"],
            user=visit["user"],
            spec_overrides={
                "settings": self.trial_settings(*self.books.way.overrides(visit["condition"], step)),
                "condition": visit["condition"],
                "agent": dict(condition.agent) if condition is not None else {},
                "step": step.name,
                "episodes_done": game["episodes"] if game is not None else 0,
                "preview": visit["preview"],
            },
        )


def _token() -> str:
    return secrets.token_urlsafe(24)


def _new_id() -> str:
    """Of a visit: made by us, so that it may be part of a path."""
    return secrets.token_hex(10)


def _digest(token: str) -> str:
    """Tokens are looked up by their hash, so that the time a look-up takes tells nothing about them."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
