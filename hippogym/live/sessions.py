"""All participants who are here: who may come back, who waits for a place, how they all leave when the server stops."""

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import shortuuid

from hippogym.core.messages import Hello
from hippogym.live.admission import Admission, FrontDesk
from hippogym.live.goodbye import FINAL, Goodbye
from hippogym.live.line import Line
from hippogym.live.process import Target
from hippogym.live.session import Session, SessionLimits
from hippogym.live.trial_spec import label_of, trial_spec

logger = logging.getLogger(__name__)

GOODBYES = 10_000
MOST_WAITING = 1_000
WAITING_FOR_EACH_PLACE = 10
ID_LETTERS = shortuuid.ShortUUID(alphabet="23456789abcdefghijkmnpqrstuvwxyz")


class Full(Exception):
    """As many participants as the study allows are here."""


class Stopping(Exception):
    """The server is stopping."""


@dataclass
class Sessions:
    """The sessions of a server. Use as an async context manager: it owns their tasks and waits for them.

    target, spec: what a trial's process runs, and the part of its description that all trials share. limits: of a
    trial whose settings are the study's own. on_end: awaited with the trial's id and whether it ended in order. desk:
    of a study with steps: who may play, and what they play. line: of those who wait, because ``most`` are here.
    """

    target: Target
    spec: dict[str, Any]
    limits: SessionLimits
    most: int
    on_end: Callable[[str, bool], Awaitable[None]]
    desk: FrontDesk | None = None
    line: Line = field(init=False)
    stopping: bool = field(default=False, init=False)
    _by_token: dict[bytes, Session] = field(default_factory=dict, init=False)
    _goodbyes: OrderedDict[bytes, Goodbye] = field(default_factory=OrderedDict, init=False)
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup, init=False)

    def __post_init__(self) -> None:
        self.line = Line(min(MOST_WAITING, WAITING_FOR_EACH_PLACE * self.most + 100))

    async def __aenter__(self) -> "Sessions":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    # -- who is here ---------------------------------------------------------------------------------------------

    def here(self) -> list[Session]:
        """The sessions that go on; not those of participants who have been told goodbye."""
        return [session for session in self._by_token.values() if session.goodbye is None]

    @property
    def count(self) -> int:
        """How many participants are here now."""
        return len(self.here())

    @property
    def has_place(self) -> bool:
        """Whether a newcomer could begin at once."""
        return not len(self.line) and self.count < self.most

    def find(self, token: str | None) -> Session | None:
        """The session that this token gives the right to come back to."""
        if token is None:
            return None
        session = self._by_token.get(_digest(token))
        return session if session is not None and session.goodbye is None else None

    def of_visit(self, visit_id: str) -> Session | None:
        """The session in which this visit plays."""
        return next((session for session in self.here() if session.about["visit"] == visit_id), None)

    def goodbye(self, token: str | None) -> Goodbye | None:
        """What the participant was told who has played to the end with this token, in case it did not arrive."""
        if token is None:
            return None
        ending = self._by_token.get(_digest(token))
        if ending is not None:
            self._remember(ending, _digest(token))
        return self._goodbyes.get(_digest(token))

    # -- coming in -----------------------------------------------------------------------------------------------

    def begin(self, hello: Hello, admission: Admission | None, *, called: bool = False) -> tuple[Session, str]:
        """Begin a session. Returns it and its token. called: they have waited for it. Raises Full, Stopping."""
        if self.stopping:
            raise Stopping
        if self.count >= self.most or not (called or self.has_place):
            raise Full
        trial = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{ID_LETTERS.random(8)}"
        user_id = label_of(admission) if admission else hello.user_id or f"user_{ID_LETTERS.random(8)}"
        spec = trial_spec(self.spec, trial, user_id, hello.project_id, admission)
        limits = self.limits if admission is None else SessionLimits.of(spec["settings"])
        session = Session(self.target, spec, limits, self.on_end, self.desk, self.call)
        token = secrets.token_urlsafe(24)
        self._by_token[_digest(token)] = session
        self._tasks.create_task(self._run(session))
        return session, token

    def new_token(self, session: Session) -> str:
        """The right to come back to a session, in place of the one given before."""
        token = secrets.token_urlsafe(24)
        for digest in self._digests(session):
            del self._by_token[digest]
        self._by_token[_digest(token)] = session
        return token

    def call(self) -> None:
        """Somebody has left, or joined the line: whoever has waited longest gets the place that is free."""
        if not self.stopping:
            self.line.call(self.most - self.count - self.line.called)

    # -- leaving -------------------------------------------------------------------------------------------------

    async def stop(self, wait_s: float, reason: str = "server") -> int:
        """Let nobody in, ask every trial to end, wait. Returns how many had to be killed."""
        self.stopping = True
        self.line.close()
        sessions = list(self._by_token.values())
        for session in sessions:
            session.end(reason)
        try:
            async with asyncio.timeout(wait_s):
                for session in sessions:
                    await session.over.wait()
        except TimeoutError:
            late = [session for session in sessions if not session.over.is_set()]
            for session in late:
                session.kill("late")
            return len(late)
        return 0

    async def end_visit(self, visit_id: str) -> None:
        """The participant has left the study: their trial, if one runs, is ended and its record closed."""
        for session in [each for each in self._by_token.values() if each.about["visit"] == visit_id]:
            session.end("withdrew")
            await session.over.wait()

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        except Exception:
            logger.exception("a session has failed")  # it must not take the others with it
        finally:
            for digest in self._digests(session):
                self._remember(session, digest)
                del self._by_token[digest]
            self.call()

    def _digests(self, session: Session) -> list[bytes]:
        return [digest for digest, known in self._by_token.items() if known is session]

    def _remember(self, session: Session, digest: bytes) -> None:
        """Who has finished must not begin again because the last message was lost on its way."""
        if session.goodbye is not None and session.goodbye.reason in FINAL:
            self._goodbyes[digest] = session.goodbye
            if len(self._goodbyes) > GOODBYES:
                self._goodbyes.popitem(last=False)


def _digest(token: str) -> bytes:
    """Tokens are looked up by their hash, so that the time a look-up takes tells nothing about them."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
