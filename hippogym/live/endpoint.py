"""The websocket: who is let in, what they send, and how each connection ends."""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from hippogym.core.messages import MAX_MESSAGE_BYTES, Ack, Command, Hello, Malformed, Message, Pong, decode
from hippogym.core.origins import may_connect
from hippogym.core.rate_limit import TokenBucket
from hippogym.live.connection import Connection, ConnectionLost
from hippogym.live.outbox import Overfull
from hippogym.live.session import Session
from hippogym.live.sessions import Full, Sessions, Stopping
from hippogym.logs import trial_label

logger = logging.getLogger(__name__)

SUBPROTOCOL = "hippogym.v2"
HELLO_WITHIN_S = 5.0
MESSAGES_A_SECOND = 200
BURST = 400
FLOOD = 10
BYTES_A_SECOND = 64 * 1024
BYTES_BURST = 256 * 1024
MESSAGES_BEFORE_HELLO = 8
BYTES_BEFORE_HELLO = MAX_MESSAGE_BYTES
FULL_TEXT = "All places are taken at the moment. Please try again in a few minutes."


@dataclass(frozen=True)
class Welcome:
    """What the study says to those who come: the unchanging part of the ``welcome`` message."""

    wire: dict[str, Any]
    ui: frozenset[str]
    origins: frozenset[str]
    dev: bool
    most_sockets: int


class Endpoint:
    """Serves websockets; ``serve`` is what a Starlette route calls."""

    def __init__(self, sessions: Sessions, welcome: Welcome) -> None:
        self._sessions = sessions
        self._welcome = welcome
        self._sockets = 0

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        v2 = SUBPROTOCOL in websocket.scope["subprotocols"]
        if not self._welcomes(websocket, v2):
            await websocket.close()  # before it is accepted: HTTP 403
            return
        await websocket.accept(SUBPROTOCOL if v2 else None)
        if self._sockets >= self._welcome.most_sockets:
            await websocket.close(4008, "full")
            return
        self._sockets += 1
        try:
            await self._serve(Connection(websocket, v2=v2))
        finally:
            self._sockets -= 1

    def _welcomes(self, websocket: WebSocket, v2: bool) -> bool:
        return may_connect(
            websocket.headers.get("origin"),
            host=websocket.headers.get("host", ""),
            secure=websocket.url.scheme == "wss",
            listed=self._welcome.origins,
            dev=self._welcome.dev,
            v2=v2,
        )

    async def _serve(self, connection: Connection) -> None:
        visit = Visit(connection, self._sessions, self._welcome)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(visit.listen(tasks))
                tasks.create_task(visit.speak())
        except* (ConnectionLost, VisitOver, Overfull):
            pass  # leaving is normal
        finally:
            if visit.session is not None:
                visit.session.detach(connection)


def without_token(message: Message, text: str) -> str:
    """A client's message as the trial and the record get it: the right to come back is nobody else's business."""
    if not isinstance(message, Hello) or "token" not in message.fields:
        return text
    return json.dumps({key: value for key, value in message.fields.items() if key != "token"})


class VisitOver(Exception):
    """The connection has been closed in order; ends its tasks."""


class Visit:
    """One connection's stay."""

    def __init__(self, connection: Connection, sessions: Sessions, welcome: Welcome) -> None:
        self.connection = connection
        self.session: Session | None = None
        self._sessions = sessions
        self._welcome = welcome
        self._bucket = TokenBucket(MESSAGES_A_SECOND, BURST)
        self._flood = TokenBucket(MESSAGES_A_SECOND * FLOOD, BURST * FLOOD)
        self._bytes = TokenBucket(BYTES_A_SECOND, BYTES_BURST)
        self._complained_ns = 0

    async def listen(self, tasks: asyncio.TaskGroup) -> None:
        """Read what the client sends: first a hello, then everything else. Keeps in touch with a v2 client."""
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                came = await self._wait_for_hello()
        except TimeoutError:
            self.connection.outbox.close(4000, "no hello")
            return
        if came is None:
            return
        hello, text = came
        if not self._let_in(hello):
            return
        assert self.session is not None
        trial_label.set(self.session.trial)
        self._pass_on(without_token(hello, text))
        if self.connection.v2:
            tasks.create_task(self.connection.keep_in_touch())
        while True:
            self._handle(await self.connection.receive())

    async def speak(self) -> None:
        """Send what waits, until it says close."""
        await self.connection.send_from_outbox(self._note_sent)
        raise VisitOver

    def _note_sent(self, frame: int, sent_ns: int) -> None:
        if self.session is not None:
            self.session.note_sent(self.connection, frame, sent_ns)

    async def _wait_for_hello(self) -> tuple[Hello, str] | None:
        size = 0
        for _ in range(MESSAGES_BEFORE_HELLO):
            data = await self.connection.receive()
            size += len(data)
            if size > BYTES_BEFORE_HELLO:
                break
            message = self._decode(data)
            if isinstance(message, Hello) and isinstance(data, str):
                return message, data
            if not isinstance(message, Malformed):
                message = Malformed("no_hello", "userId", "hello first", "another message")
            self._complain(message)
        self.connection.outbox.close(4009, "too much before hello")
        return None

    def _let_in(self, hello: Hello) -> bool:
        """Bring the participant to their trial: the one they may come back to, or a new one."""
        goodbye = self._sessions.goodbye(hello.token)
        if goodbye is not None:
            goodbye.say(self.connection)
            return False
        known = self._sessions.find(hello.token)
        if hello.token is not None and known is None:
            self._complain(Malformed("unknown_token", "token", "a token of a trial that goes on", "another"))
        try:
            if known is not None:
                self._begin(known, hello.token or "", resumed=True)
            else:
                self._begin(*self._sessions.admit(hello), resumed=False)
        except Full:
            self._turn_away("full", 4008, FULL_TEXT)
            return False
        except Stopping:
            self._turn_away("full", 1012, "The server is stopping. Please try again later.")
            return False
        return True

    def _begin(self, session: Session, token: str, *, resumed: bool) -> None:
        self.session = session
        session.attach(self.connection)
        welcome = {
            **self._welcome.wire,
            "token": token,
            "userId": session.user_id,
            "resumed": resumed,
            "connection": self.connection.number,
        }
        self.connection.outbox.put_message({"welcome": welcome})

    def _turn_away(self, code: str, close_code: int, text: str) -> None:
        logger.info("a participant was turned away: %s", code)
        message = {**Malformed(code, None, "a free place", "none").as_wire(), "notice": {"text": text}}
        if not self.connection.v2:
            message["display"] = {"Sorry": text}
        self.connection.outbox.put_message(message)
        self.connection.outbox.close(close_code, code)

    def _handle(self, data: str | bytes) -> None:
        now_ns = time.monotonic_ns()
        if not self._flood.allow(now_ns):
            self.connection.outbox.close(4009, "too many messages")
            return
        if not self._bucket.allow(now_ns):
            self._slow_down(now_ns, f"at most {MESSAGES_A_SECOND} messages a second")
            return
        if not self._bytes.take(now_ns, min(len(data), MAX_MESSAGE_BYTES)):  # what is larger is refused unread
            self._slow_down(now_ns, f"at most {BYTES_A_SECOND} bytes a second")
            return
        message = self._decode(data)
        if isinstance(message, Malformed):
            self._complain(message)
        else:
            self._take(message, data)

    def _slow_down(self, now_ns: int, expected: str) -> None:
        if now_ns - self._complained_ns > 1e9:
            self._complained_ns = now_ns
            self._complain(Malformed("too_many", None, expected, "more"))

    def _take(self, message: Message, data: str | bytes) -> None:
        assert self.session is not None and isinstance(data, str)
        connection, session = self.connection, self.session
        newest = message.drawn if isinstance(message, Ack) else message.frame
        if connection.v2 and newest is not None and newest > max(connection.newest_sent, session.frames.newest_frame):
            field = "ack" if isinstance(message, Ack) else "frameId"
            self._complain(Malformed("bad_value", field, "a frame that was sent", "a later one"))
        elif isinstance(message, Ack):
            session.note_drawn(connection, message.drawn, message.t_client_ms)
        elif isinstance(message, Pong):
            estimate = connection.pong(message.number, message.t_client_ms)
            if estimate is not None:
                session.note_clock(round(estimate.offset_ms, 3), round(estimate.error_ms, 3))
        else:
            if isinstance(message, Command):
                session.standing.judged(message.name)
            self._pass_on(without_token(message, data))

    def _pass_on(self, text: str) -> None:
        assert self.session is not None
        if not self.session.pass_on(self.connection, text):
            self._complain(Malformed("too_many", None, "messages that the trial can take", "more"))

    def _decode(self, data: str | bytes) -> Message | Malformed:
        return decode(data, v2=self.connection.v2, ui=self._welcome.ui)

    def _complain(self, malformed: Malformed) -> None:
        """Answer a v2 client; for v1 the trial keeps that something could not be read."""
        if self.connection.v2:
            self.connection.outbox.put_message(malformed.as_wire())
        if self.session is not None:
            self.session.note_rejected(self.connection, malformed.code)
