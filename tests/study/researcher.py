"""A dashboard that is a program: it speaks to the dashboard's socket as the page does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.patience import PATIENCE_S


class Researcher:
    """``told`` keeps every message, ``packets`` every frame, ``people`` everybody's facts as a page would have them."""

    def __init__(self, url: str, token: str, origin: str | None = "") -> None:
        socket = f"{url.replace('http', 'ws', 1)}/dashboard/live"
        self._connect = connect(socket, origin=url if origin == "" else origin, max_size=None)  # type: ignore[arg-type]
        self._token = token
        self.told: list[dict[str, Any]] = []
        self.packets: list[bytes] = []
        self.people: dict[str, dict[str, Any]] = {}
        self.happened: list[dict[str, Any]] = []
        self._n = 0
        self._answered = 0

    async def __aenter__(self) -> Researcher:
        self.socket: ClientConnection = await self._connect.__aenter__()
        await self.socket.send(json.dumps({"token": self._token}))
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._connect.__aexit__(*error)

    @property
    def frames(self) -> list[int]:
        """The numbers of the frames that came."""
        return [int.from_bytes(packet[4:8]) for packet in self.packets]

    async def receive(self) -> dict[str, Any] | bytes:
        async with asyncio.timeout(PATIENCE_S):
            data = await self.socket.recv()
        if isinstance(data, bytes):
            self.packets.append(data)
            return data
        message = json.loads(data)
        self.told.append(message)
        people = message.get("people", {})
        for person in people.get("changed", []):
            self.people.setdefault(person["trial"], {}).update(person)
        for trial in people.get("gone", []):
            del self.people[trial]
        self.happened += message.get("happened", [])
        return message

    async def until(self, fits: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Read until such a message comes."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                item = await self.receive()
                if isinstance(item, dict) and fits(item):
                    return item

    async def until_person(self, **facts: Any) -> dict[str, Any]:
        """Read until somebody has these facts; returns all of theirs."""
        await self.until_so(lambda: any(facts.items() <= person.items() for person in self.people.values()), facts)
        return next(person for person in self.people.values() if facts.items() <= person.items())

    async def until_so(self, condition: Callable[[], bool], expected: object = "") -> None:
        """Read until something is so; the message of a failure says what was known instead."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, f"{expected} has not come: {self.people} {self.happened}"
            await self.receive()

    async def ask(self, **what: Any) -> str | None:
        """Returns the problem, None where it has been done."""
        self._n += 1
        await self.socket.send(json.dumps({"n": self._n, **what}))
        answer = await self.until(lambda message: message.get("answer") == self._n)
        return answer["problem"]

    async def until_frames(self, more: int, *, saying_so: bool = True) -> None:
        """Take so many more frames, and say so, as the page does."""
        target = len(self.packets) + more
        while len(self.packets) < target:
            came = await self.receive()
            if isinstance(came, bytes) and saying_so:
                await self.socket.send(json.dumps({"drawn": len(self.packets) - self._answered}))

    def begin_counting(self) -> None:
        """Another session is watched: what is drawn is counted anew."""
        self._answered = len(self.packets)

    async def until_closed(self) -> int:
        """Read until the server closes; returns the close code."""
        while True:
            try:
                await self.receive()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)
