"""Participants that are programs: they speak the two versions of the protocol to a real server."""

import asyncio
import base64
import contextlib
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.patience import PATIENCE_S

HEADER = struct.Struct("!BBHIIIQHHHH")


@dataclass
class Seen:
    """A frame that has arrived. header fields are None for v1."""

    frame: int
    image: bytes
    at_s: float
    flags: int = 0
    episode: int | None = None
    tick: int | None = None


@dataclass
class Client:
    """One websocket. ``frames`` and ``messages`` keep everything that came, in order."""

    socket: ClientConnection
    v2: bool
    frames: list[Seen] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    acknowledge: bool = True

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hello(self, user: str | None = "alice", **more: Any) -> None:
        await self.say(userId=user, projectId="", frameCount=0, frameId=0, **more)

    async def receive(self) -> Any:
        """The next message or frame, answered as a page would."""
        async with asyncio.timeout(PATIENCE_S):
            data = await self.socket.recv()
        item = self._read(data)
        if isinstance(item, Seen):
            self.frames.append(item)
            if self.v2 and self.acknowledge:
                await self._answer(ack=item.frame, t=time.monotonic() * 1000)
        else:
            self.messages.append(item)
            if self.v2 and "ping" in item:
                await self._answer(pong=item["ping"], t=time.monotonic() * 1000)
        return item

    async def _answer(self, **message: Any) -> None:
        with contextlib.suppress(ConnectionClosed):  # what has arrived is still to be read
            await self.say(**message)

    def _read(self, data: str | bytes) -> Any:
        if isinstance(data, bytes):
            version, flags, size, frame, episode, tick, *_ = HEADER.unpack_from(data)
            assert (version, size) == (2, HEADER.size)
            return Seen(frame, data[size:], time.monotonic(), flags, episode, tick)
        if data == "done":
            return "done"
        message = json.loads(data)
        if "frame" in message:
            return Seen(message["frameId"], base64.b64decode(message["frame"], validate=True), time.monotonic())
        return message

    async def until(self, key: str) -> Any:
        """Read until a message with this key (or the bare word) comes; returns it."""
        while True:
            item = await self.receive()
            if item == key or (isinstance(item, dict) and key in item):
                return item

    async def newest(self, key: str) -> Any:
        """The newest value of a key, waiting for the first."""
        return self.all(key)[-1] if self.all(key) else (await self.until(key))[key]

    async def until_newest(self, key: str, so: Callable[[Any], bool]) -> Any:
        """Read until the newest value of a key is so; returns it. Frames and messages may overtake each other."""
        while not self.all(key) or not so(self.all(key)[-1]):
            await self.receive()
        return self.all(key)[-1]

    async def until_state(self, state: str) -> Any:
        """Read until the newest status says this state; returns the status."""
        return await self.until_newest("status", lambda status: status["state"] == state)

    async def until_frame(self, more: int = 1) -> Seen:
        """Read until so many more frames have come; returns the last."""
        target = len(self.frames) + more
        while len(self.frames) < target:
            await self.receive()
        return self.frames[-1]

    async def until_closed(self) -> int:
        """Read until the server closes; returns the close code."""
        while True:
            try:
                await self.receive()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    def all(self, key: str) -> list[Any]:
        """The values of every message that had this key."""
        return [message[key] for message in self.messages if isinstance(message, dict) and key in message]


class join:
    """``async with join(url) as client``: a connection that has said nothing yet."""

    def __init__(self, url: str, *, v2: bool = True, **options: Any) -> None:
        protocols = ["hippogym.v2"] if v2 else None
        self._v2 = v2
        self._connect = connect(url, subprotocols=protocols, max_size=None, **options)

    async def __aenter__(self) -> Client:
        return Client(await self._connect.__aenter__(), self._v2)

    async def __aexit__(self, *error: Any) -> None:
        await self._connect.__aexit__(*error)
