"""The websocket: which connections are accepted, and how each of them ends."""

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from hippogym.core.origins import may_connect
from hippogym.live.connection import Connection, ConnectionLost
from hippogym.live.conversation import Conversation, ConversationOver
from hippogym.live.door import Door
from hippogym.live.outbox import Overfull
from hippogym.live.sessions import Sessions

SUBPROTOCOL = "hippogym.v2"


@dataclass(frozen=True)
class Welcome:
    """What the study says to those who come: the unchanging part of the ``welcome`` message.

    most_sockets: connections at a time, not counting those that wait in line.
    """

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
        if self._sockets - len(self._sessions.line) >= self._welcome.most_sockets:
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
        door = Door(connection, self._sessions, self._welcome.wire)
        conversation = Conversation(connection, door, self._welcome.ui)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(conversation.listen(tasks))
                tasks.create_task(conversation.speak())
        except* (ConnectionLost, ConversationOver, Overfull):
            pass  # leaving is normal
        finally:
            if door.session is not None:
                door.session.detach(connection)
