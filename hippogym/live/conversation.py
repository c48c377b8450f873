"""What a client says on one connection, and what is done about it."""

import asyncio
import json
import time
from typing import Literal

from hippogym.core.messages import MAX_MESSAGE_BYTES, Ack, Command, Hello, Malformed, Message, Pong, decode
from hippogym.core.rate_limit import TokenBucket
from hippogym.live.connection import Connection
from hippogym.live.door import Door
from hippogym.live.session import Session
from hippogym.logs import trial_label

HELLO_WITHIN_S = 5.0
MESSAGES_A_SECOND = 200
BURST = 400
FLOOD = 10
BYTES_A_SECOND = 64 * 1024
BYTES_BURST = 256 * 1024
MESSAGES_BEFORE_HELLO = 8
BYTES_BEFORE_HELLO = MAX_MESSAGE_BYTES
MOST_EARLY = 32  # messages that wait for an answer to hello
SECRETS = ("token", "visit")  # of a hello


class ConversationOver(Exception):
    """The connection has been closed in order; ends its tasks."""


class Conversation:
    """One connection, from its first message to its last.

    door: lets them in. ui: the names of the study's controls.
    """

    def __init__(self, connection: Connection, door: Door, ui: frozenset[str]) -> None:
        self.connection = connection
        self._door = door
        self._ui = ui
        self._bucket = TokenBucket(MESSAGES_A_SECOND, BURST)
        self._flood = TokenBucket(MESSAGES_A_SECOND * FLOOD, BURST * FLOOD)
        self._bytes = TokenBucket(BYTES_A_SECOND, BYTES_BURST)
        self._complained_ns = 0
        self._stands: Literal["asked", "waiting", "in", "away"] = "asked"
        self._early: list[str | bytes] = []

    async def listen(self, tasks: asyncio.TaskGroup) -> None:
        """Read what the client sends: first a hello, then everything else, also while it is asked to come in."""
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                came = await self._wait_for_hello()
        except TimeoutError:
            self.connection.outbox.close(4000, "no hello")
            return
        if came is None:
            return
        hello, text = came
        tasks.create_task(self._ask_to_come_in(hello, text, tasks))
        while True:
            self._handle(await self.connection.receive())

    async def speak(self) -> None:
        """Send what waits, until it says close."""
        await self.connection.send_from_outbox(self._note_sent)
        raise ConversationOver

    def _note_sent(self, frame: int, sent_ns: int) -> None:
        if self._door.session is not None:
            self._door.session.note_sent(self.connection, frame, sent_ns)

    async def _wait_for_hello(self) -> tuple[Hello, str] | None:
        size = 0
        for _ in range(MESSAGES_BEFORE_HELLO):
            data = await self.connection.receive()
            size += size_of(data)
            if size > BYTES_BEFORE_HELLO:
                break
            message = self._decode(data)
            if isinstance(message, Hello) and isinstance(data, str):
                return message, data
            if not isinstance(message, Malformed):
                message = Malformed("no_hello", "userId", "hello first", "another message")
            self._door.complain(message)
        self.connection.outbox.close(4009, "too much before hello")
        return None

    async def _ask_to_come_in(self, hello: Hello, text: str, tasks: asyncio.TaskGroup) -> None:
        """What the client says before there is an answer, waits for it. Then keeps in touch with a v2 client."""
        company = tasks.create_task(self.connection.keep_company()) if self.connection.v2 else None
        try:
            place = await self._door.come_in(hello)
        finally:
            if company is not None:
                company.cancel()
        if self.connection.v2 and (place is not None or self._door.session is not None):
            tasks.create_task(self.connection.keep_in_touch())
        if place is not None:
            self._stands = "waiting"
            self._take_all_early()
            await self._door.wait(place, hello)
        self._begin(hello, text)

    def _begin(self, hello: Hello, text: str) -> None:
        """The participant is in, if they were let in: the trial hears who it is, and what they have said since."""
        session = self._door.session
        self._stands = "away" if session is None else "in"
        if session is not None:
            self._ui = frozenset(name for name, shown in session.settings["ui"].items() if shown)
            trial_label.set(session.trial)
            self._pass_on(session, without_secrets(hello, text))
        self._take_all_early()

    def _handle(self, data: str | bytes) -> None:
        now_ns = time.monotonic_ns()
        if not self._flood.allow(now_ns):
            self.connection.outbox.close(4009, "too many messages")
            return
        if not self._bucket.allow(now_ns):
            self._slow_down(now_ns, f"at most {MESSAGES_A_SECOND} messages a second")
            return
        if not self._bytes.take(now_ns, min(size_of(data), MAX_MESSAGE_BYTES)):  # what is larger is refused unread
            self._slow_down(now_ns, f"at most {BYTES_A_SECOND} bytes a second")
            return
        message = self._decode(data)
        if isinstance(message, Pong) and self._stands != "in":
            self.connection.pong(message.number, message.t_client_ms)
        elif self._stands == "asked" and len(self._early) < MOST_EARLY:
            self._early.append(data)  # what it means depends on the game
        else:
            self._take_if_in(message, data)

    def _slow_down(self, now_ns: int, expected: str) -> None:
        if now_ns - self._complained_ns > 1e9:
            self._complained_ns = now_ns
            self._door.complain(Malformed("too_many", None, expected, "more"))

    def _take_if_in(self, message: Message | Malformed, data: str | bytes) -> None:
        if self._stands == "away":
            return
        if isinstance(message, Malformed):
            self._door.complain(message)
        elif self._stands == "in" and self._door.session is not None:
            assert isinstance(data, str)
            self._take(self._door.session, message, data)
        else:  # in the line there is no game yet that a message could mean
            self._door.complain(Malformed("not_yet", None, "nothing before welcome", "a message"))

    def _take_all_early(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self._take_if_in(self._decode(data), data)

    def _take(self, session: Session, message: Message, text: str) -> None:
        connection = self.connection
        newest = message.drawn if isinstance(message, Ack) else message.frame
        if connection.v2 and newest is not None and newest > max(connection.newest_sent, session.frames.newest_frame):
            field = "ack" if isinstance(message, Ack) else "frameId"
            self._door.complain(Malformed("bad_value", field, "a frame that was sent", "a later one"))
        elif isinstance(message, Ack):
            session.note_drawn(connection, message.drawn, message.t_client_ms)
        elif isinstance(message, Pong):
            estimate = connection.pong(message.number, message.t_client_ms)
            if estimate is not None:
                session.note_clock(round(estimate.offset_ms, 3), round(estimate.error_ms, 3))
        else:
            if isinstance(message, Command):
                session.standing.judged(message.name)
            self._pass_on(session, without_secrets(message, text))

    def _pass_on(self, session: Session, text: str) -> None:
        if not session.pass_on(self.connection, text):
            self._door.complain(Malformed("too_many", None, "messages that the trial can take", "more"))

    def _decode(self, data: str | bytes) -> Message | Malformed:
        return decode(data, v2=self.connection.v2, ui=self._ui)


def without_secrets(message: Message, text: str) -> str:
    """A client's message as the trial and the record get it: the right to come back is nobody else's business."""
    if not isinstance(message, Hello) or not any(name in message.fields for name in SECRETS):
        return text
    return json.dumps({key: value for key, value in message.fields.items() if key not in SECRETS})


def size_of(data: str | bytes) -> int:
    """Bytes on the way here."""
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode("utf-8", "surrogatepass"))
