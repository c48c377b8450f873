"""All participants who are here: who is let in, who may come back, and how they all leave when the server stops."""

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
from hippogym.live.goodbye import FINAL, Goodbye
from hippogym.live.process import Target
from hippogym.live.session import Session, SessionLimits

logger = logging.getLogger(__name__)

GOODBYES = 10_000
ID_LETTERS = shortuuid.ShortUUID(alphabet="23456789abcdefghijkmnpqrstuvwxyz")


class Full(Exception):
    """As many participants as the study allows are here."""


class Stopping(Exception):
    """The server is stopping."""


@dataclass
class Sessions:
    """The sessions of a server. Use as an async context manager: it owns their tasks and waits for them.

    target, spec: what a trial's process runs, and the part of its description that all trials share.
    on_end: awaited with the trial's id and whether it ended in order.
    """

    target: Target
    spec: dict[str, Any]
    limits: SessionLimits
    most: int
    on_end: Callable[[str, bool], Awaitable[None]]
    _by_token: dict[bytes, Session] = field(default_factory=dict)
    _goodbyes: OrderedDict[bytes, Goodbye] = field(default_factory=OrderedDict)
    _stopping: bool = False
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)

    async def __aenter__(self) -> "Sessions":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    def here(self) -> list[Session]:
        """The sessions that go on."""
        return [session for session in self._by_token.values() if session.goodbye is None]

    @property
    def count(self) -> int:
        """How many participants are here now; not those who have been told goodbye."""
        return len(self.here())

    def find(self, token: str | None) -> Session | None:
        """The session that this token gives the right to come back to."""
        if token is None:
            return None
        session = self._by_token.get(_digest(token))
        return session if session is not None and session.goodbye is None else None

    def goodbye(self, token: str | None) -> Goodbye | None:
        """What the participant was told who has played to the end with this token, in case it did not arrive."""
        if token is None:
            return None
        ending = self._by_token.get(_digest(token))
        if ending is not None:
            self._remember(ending, token)
        return self._goodbyes.get(_digest(token))

    def admit(self, hello: Hello) -> tuple[Session, str]:
        """Begin a session. Returns it and its token. Raises Full or Stopping."""
        if self._stopping:
            raise Stopping
        if self.count >= self.most:
            raise Full
        token = secrets.token_urlsafe(24)
        user_id = hello.user_id or f"user_{ID_LETTERS.random(8)}"
        trial = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{ID_LETTERS.random(8)}"
        participant = {"userId": user_id, "projectId": hello.project_id}
        about = {"visit": None, "condition": None, "step": None}
        spec = {**self.spec, "trial": trial, "participant": participant, "about": about}
        session = Session(self.target, spec, self.limits, self.on_end)
        self._by_token[_digest(token)] = session
        self._tasks.create_task(self._run(session, token))
        return session, token

    async def stop(self, wait_s: float) -> int:
        """Let nobody in, ask every trial to end, wait. Returns how many had to be killed."""
        self._stopping = True
        sessions = list(self._by_token.values())
        for session in sessions:
            session.end("server")
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

    async def _run(self, session: Session, token: str) -> None:
        try:
            await session.run()
        except Exception:
            logger.exception("a session has failed")  # it must not take the others with it
        finally:
            self._by_token.pop(_digest(token), None)
            self._remember(session, token)

    def _remember(self, session: Session, token: str) -> None:
        """Who has finished must not begin again because the last message was lost on its way."""
        if session.goodbye is not None and session.goodbye.reason in FINAL:
            self._goodbyes[_digest(token)] = session.goodbye
            if len(self._goodbyes) > GOODBYES:
                self._goodbyes.popitem(last=False)


def _digest(token: str) -> bytes:
    """Tokens are looked up by their hash, so that the time a look-up takes tells nothing about them."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
