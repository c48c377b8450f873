"""From a hello to a trial: who may play, who comes back, who waits for a place, and who is told why not."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from hippogym.core.messages import Hello, Malformed
from hippogym.live.admission import Admission
from hippogym.live.connection import Connection
from hippogym.live.line import LineFull, Place
from hippogym.live.session import Session
from hippogym.live.sessions import Full, Sessions, Stopping

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 6 * 3600.0
FULL = "All places are taken at the moment, and many people wait. Please try again in a few minutes."
WAIT = "All places are taken at the moment. The game begins by itself when it is your turn. Your place in the line: {}."
STOPPING = "The server is stopping. Please try again later."
ASKED_WITHIN_S = 30.0  # a desk may look into a bucket
TROUBLE = "Your visit cannot be looked up at the moment. Please try again in a minute."
NO_GAME = "The study does not expect you in the game now. Please go on with the study's page."


class Door:
    """The door of one connection. session: the participant's, once they are in.

    wire: what the ``welcome`` message says to everybody.
    """

    def __init__(self, connection: Connection, sessions: Sessions, wire: Mapping[str, Any]) -> None:
        self.session: Session | None = None
        self._connection = connection
        self._sessions = sessions
        self._wire = wire

    async def come_in(self, hello: Hello) -> Place | None:
        """Bring the participant to their trial, the one they may come back to or a new one, or turn them away.

        Returns their place in the line where they have to wait for one; then ``wait`` does the rest.
        """
        if self._sessions.desk is None:
            if not self._comes_back(hello):
                return self._begin_or_stand_in_line(hello, None)
            return None
        try:
            admission = await self._ask_desk(hello)
        except Exception:  # whatever is wrong with the ledger, it must not end this connection without a word
            logger.exception("a visit could not be looked up")
            self._turn_away("not_now", 1013, TROUBLE)
            return None
        if admission is not None:
            return self._begin_or_stand_in_line(hello, admission)
        if not self._comes_back(hello):
            self._turn_away("unknown_visit", 1000, NO_GAME)
        return None

    async def wait(self, place: Place, hello: Hello) -> None:
        """Wait for one's turn, and come in. Who leaves meanwhile leaves the line."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._stand_in_line(place)
            if place.state == "called":
                await self._take_turn(hello)
            elif place.state == "replaced":
                self._connection.outbox.close(4001, "opened in another tab")
            else:
                self._turn_away("full", 1012, STOPPING)
        except TimeoutError:
            self._turn_away("full", 4008, FULL)
        finally:
            self._sessions.line.leave(place)
            self._sessions.call()

    def complain(self, malformed: Malformed) -> None:
        """Answer a v2 client; for v1 the trial keeps that something could not be read."""
        if self._connection.v2:
            self._connection.outbox.put_message(malformed.as_wire())
        if self.session is not None:
            self.session.note_rejected(self._connection, malformed.code)

    # -- who it is -----------------------------------------------------------------------------------------------

    async def _ask_desk(self, hello: Hello) -> Admission | None:
        desk = self._sessions.desk
        assert desk is not None
        async with asyncio.timeout(ASKED_WITHIN_S):
            if self._connection.v2:
                return await desk.admit(hello.visit) if hello.visit is not None else None
            return await desk.admit_user(hello.user_id) if hello.user_id is not None else None

    def _comes_back(self, hello: Hello) -> bool:
        """Whether their token says all that is to be said: the trial goes on, or they have been told goodbye."""
        goodbye = self._sessions.goodbye(hello.token)
        known = self._sessions.find(hello.token)
        if goodbye is not None:
            goodbye.say(self._connection)
        elif known is not None:
            self._attach(known, hello.token or "", resumed=True)
        elif hello.token is not None:
            self.complain(Malformed("unknown_token", "token", "a token of a trial that goes on", "another"))
        return goodbye is not None or known is not None

    # -- a place -------------------------------------------------------------------------------------------------

    def _begin_or_stand_in_line(self, hello: Hello, admission: Admission | None) -> Place | None:
        try:
            self._begin(hello, admission)
        except Stopping:
            self._turn_away("full", 1012, STOPPING)
        except Full:
            try:
                return self._join_line(admission)
            except LineFull:
                self._turn_away("full", 4008, FULL)
        return None

    def _join_line(self, admission: Admission | None) -> Place:
        place = self._sessions.line.join(admission.visit_id if admission else None, self._connection.address)
        logger.info("a participant waits for a place, number %d", place.number)
        self._sessions.call()
        return place

    async def _stand_in_line(self, place: Place) -> None:
        told = None
        while place.state == "waiting":
            place.changed.clear()
            if place.number != told:
                told = place.number
                message: dict[str, Any] = {"queue": {"place": told}}
                if not self._connection.v2:
                    message["display"] = {"Please wait": WAIT.format(told)}
                self._connection.outbox.put_message(message)
            await place.changed.wait()

    async def _take_turn(self, hello: Hello) -> None:
        """The place is theirs, if they may still play."""
        admission = None
        if self._sessions.desk is not None:
            try:
                admission = await self._ask_desk(hello)
            except Exception:  # as above
                logger.exception("a visit could not be looked up")
                self._turn_away("not_now", 1013, TROUBLE)
                return
            if admission is None:
                self._turn_away("unknown_visit", 1000, NO_GAME)
                return
        if not self._connection.v2:
            self._connection.outbox.put_message({"display": {}})
        try:
            self._begin(hello, admission, called=True)
        except (Stopping, Full):
            self._turn_away("full", 1012, STOPPING)

    def _begin(self, hello: Hello, admission: Admission | None, *, called: bool = False) -> None:
        """Begin a trial, or go on with the one that the visit plays already. Raises Full, Stopping."""
        running = self._sessions.of_visit(admission.visit_id) if admission is not None else None
        if running is not None:
            self._attach(running, self._sessions.new_token(running), resumed=True)
        else:
            self._attach(*self._sessions.begin(hello, admission, called=called), resumed=False)

    def _attach(self, session: Session, token: str, *, resumed: bool) -> None:
        self.session = session
        session.attach(self._connection)
        welcome = {
            **self._wire,
            "game": session.settings["game"],
            "instructions": list(session.settings["instructions"]),
            "graceS": session.settings["reconnectGrace"],
            "token": token,
            "userId": session.user_id,
            "resumed": resumed,
            "connection": self._connection.number,
        }
        self._connection.outbox.put_message({"welcome": welcome})
        session.remind()

    def _turn_away(self, code: str, close_code: int, text: str) -> None:
        logger.info("a participant was turned away: %s", code)
        expected, got = EXPECTED.get(code, ("a free place", "none"))
        message = {**Malformed(code, None, expected, got).as_wire(), "notice": {"text": text}}
        if not self._connection.v2:
            message["display"] = {"Sorry": text}
        self._connection.outbox.put_message(message)
        self._connection.outbox.close(close_code, code)


EXPECTED = {
    "unknown_visit": ("the token of a visit whose step is a game", "another, or none"),
    "not_now": ("a ledger that answers", "none"),
}
