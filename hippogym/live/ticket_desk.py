"""The desk of a server that stands alone: it knows of a visit what its ticket says, and answers in signed receipts.

The study is elsewhere, and this server cannot ask it. A ticket lets a visit into the game of one step; what becomes of
the game goes back as receipts, by way of the participant's page and of a bucket. Where the game goes on that another
server had to leave, the records in the bucket say how far it was.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hippogym.core.study.rules import ADVANCING, MOST_FAILURES
from hippogym.core.study.tickets import Ticket, read_ticket, sign
from hippogym.errors import HippoError, RecordError
from hippogym.live.admission import Admission

logger = logging.getLogger(__name__)

LOOK_WITHIN_S = 20.0
LOOK_AGAIN_S = 1.0
NOT_LOOKED = "the bucket did not answer"

Game = tuple[str, str, int]
"""A visit, its step, and how often it had been there before."""


@dataclass
class _Known:
    """What this server knows of a game. trial: the one that runs. before: episodes that were over when it began."""

    ticket: Ticket
    episodes: int
    before: int = 0
    trial: str | None = None
    failures: int = 0
    over: bool = False


@dataclass
class TicketDesk:
    """The desk.

    key: of this server. resume: what the study says of a game whose environment is gone. trial_settings: what
    ``Study.trial_settings`` gives for these overrides. look: how many episodes of a ticket's game the records in the
    bucket say to be over; it may block, and raises HippoError. keep: brings a visit's receipts, those of its newest
    trial, to the bucket, sooner or later. clock: seconds since 1970.
    """

    key: bytes
    resume: str
    trial_settings: Callable[..., dict[str, Any]]
    look: Callable[[Ticket], int] = lambda ticket: 0
    keep: Callable[[str, Sequence[str]], None] = lambda visit_id, receipts: None
    clock: Callable[[], float] = time.time
    _games: dict[Game, _Known] = field(default_factory=dict)
    _admitted: dict[tuple[str, str], _Known] = field(default_factory=dict)
    _playing: dict[str, _Known] = field(default_factory=dict)
    _receipts: dict[str, dict[str, str]] = field(default_factory=dict)
    _said: int = 0

    # -- who may play --------------------------------------------------------------------------------------------

    async def admit(self, token: str) -> Admission | None:
        """Whether this ticket lets into a trial now. Raises RecordError where it says what this study does not know."""
        ticket = read_ticket(self.key, token, self.clock())
        if ticket is None:
            return None
        header: dict[str, Any] = {"turn": ticket.turn} | ({"round": ticket.round} if ticket.round else {})
        playing = self._playing.get(ticket.visit)
        if playing is not None and playing.trial is not None:  # they go on with that, whatever game the ticket is for
            return Admission(ticket.visit, ticket.user, self._overrides(playing.ticket, playing.episodes, header))
        found = await self._episodes_found(ticket) if self.resume == "resume" else 0
        if found is None:
            header["going_on"] = NOT_LOOKED
        known = self._games.setdefault((ticket.visit, ticket.step, ticket.round), _Known(ticket, 0))
        if known.over:
            return None
        if known.trial is None:  # else they have come in by another tab meanwhile
            known.ticket = ticket
            resumed = max(known.episodes, ticket.episodes_done, found or 0)
            known.episodes = resumed if self.resume == "resume" else ticket.episodes_done
            self._admitted[ticket.visit, ticket.step] = known
        return Admission(ticket.visit, ticket.user, self._overrides(ticket, known.episodes, header))

    async def admit_user(self, user: str) -> Admission | None:
        """Nobody is let in for a name."""
        return None

    async def _episodes_found(self, ticket: Ticket) -> int | None:
        """By the records in the bucket; None where it does not answer in time."""
        problem: object = "no answer"
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                while True:
                    try:
                        return await asyncio.to_thread(self.look, ticket)
                    except HippoError as trouble:
                        problem = trouble
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            logger.error("how far a game is could not be looked up, what its ticket says is taken: %s", problem)
            return None

    def _overrides(self, ticket: Ticket, episodes: int, header: Mapping[str, Any]) -> dict[str, Any]:
        try:
            settings = self.trial_settings(*ticket.overrides)
        except ValueError:
            raise RecordError("a ticket has settings that this image does not know: deploy the study again") from None
        return {
            "settings": settings,
            "condition": ticket.condition,
            "agent": dict(ticket.agent),
            "step": ticket.step,
            "episodes_done": episodes,
            "preview": ticket.preview,
            "header": dict(header),
        }

    # -- what becomes of it --------------------------------------------------------------------------------------

    async def began(self, visit_id: str, trial: str, step: str | None = None) -> str:
        """A trial of a visit has begun, in the game of this step."""
        known = self._playing[visit_id] = self._admitted[visit_id, str(step)]
        known.trial, known.before = trial, known.episodes
        self._receipts[visit_id] = {}
        return self._receipt("began", known, {"trial": trial})

    async def progress(self, visit_id: str, progress: Mapping[str, Any]) -> str:
        """How far a trial is."""
        known = self._playing[visit_id]
        known.episodes = known.before + int(progress["episodes"])
        return self._receipt("progress", known, progress)

    async def over(self, visit_id: str, result: Mapping[str, Any]) -> str:
        """A trial of a visit has ended. May be told again."""
        known, reason = self._playing[visit_id], str(result["reason"])
        known.episodes = known.before + int(result["episodes"])
        known.failures += reason == "failed" and known.trial is not None
        known.trial = None
        known.over = reason in (*ADVANCING, "withdrew") or self.resume == "refuse" or known.failures > MOST_FAILURES
        return self._receipt("over", known, result)

    def _receipt(self, kind: str, known: _Known, about: Mapping[str, Any]) -> str:
        """Signed, and on its way to the bucket. number: receipts of one turn are in this order."""
        ticket = known.ticket
        self._said += 1
        said = {
            "kind": kind, "visit": ticket.visit, "step": ticket.step, "round": ticket.round, "turn": ticket.turn,
            "number": self._said, "at_s": round(self.clock(), 3), **about,
        }  # fmt: skip
        text = sign(self.key, "receipt", said)
        receipts = self._receipts[ticket.visit]
        receipts[kind] = text
        self.keep(ticket.visit, list(receipts.values()))
        return text
