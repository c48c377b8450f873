"""One researcher's open dashboard: what it is told as it happens, what it may ask for, and the mirror.

The page says first ``{"token"}``. Then it is pushed what changes, as JSON objects with any of ``hello people pulse
happened study machine``, and asks ``{"n", "watch"|"pause"|"resume"|"end"|"say"}``, which is answered with
``{"answer": n, "problem": a sentence or null}``. After the answer to ``watch`` come that session's frames, binary, as
its participant gets them; the page says twice a second how many it has drawn: ``{"drawn"}``.

There is no queue. What changes is told as the difference to what was told last, when that has been taken; of frames
the newest is sent when there is room on the way. So a slow researcher sees less, and costs nobody anything.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect

from hippogym.core.rate_limit import TokenBucket
from hippogym.pages.dashboard.news import News, changes
from hippogym.pages.dashboard.seams import Observatory

logger = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
MOST_CHARACTERS = 4096  # of a message of the page
LONGEST_SENTENCE = 400
FRAMES_ON_THE_WAY = 8  # the page says twice a second how many it has drawn
ASKED_A_SECOND = 50
ASKED_AT_ONCE = 100


class Left(Exception):
    """The researcher is not there any more."""


class Visitor:
    """Serves one websocket whose token was right."""

    def __init__(self, websocket: WebSocket, news: News, observatory: Observatory, hello: dict[str, Any]) -> None:
        self._websocket = websocket
        self._news = news
        self._observatory = observatory
        self._hello = hello
        self._bucket = TokenBucket(ASKED_A_SECOND, ASKED_AT_ONCE)
        self._mirror: asyncio.Task[None] | None = None
        self._on_the_way = 0
        self._room = asyncio.Event()
        self._sent = 0
        self._asks: dict[str, Callable[[str], str | None]] = {
            "pause": observatory.pause,
            "resume": observatory.resume,
            "end": observatory.end,
        }

    async def stay(self) -> None:
        """Until the researcher leaves."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell())
                tasks.create_task(self._listen(tasks))
        except* Left:
            pass  # leaving is normal

    # -- what it is told -----------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        people: dict[str, dict[str, Any]] = {}
        told: dict[str, Any] = {}
        newest = {"pulse": -1, "happened": -1}
        await self._send({"hello": self._hello})
        while True:
            news: dict[str, Any] = {"now_s": time.time()}
            found = await self._news.people()
            if isinstance(found, dict):
                news["people"] = found
            else:
                if difference := changes(people, found):
                    news["people"] = difference
                people = {person["trial"]: dict(person) for person in found}
            for name, since in (("pulse", self._observatory.pulse), ("happened", self._observatory.happened)):
                if points := since(newest[name]):
                    news[name] = points
                    newest[name] = points[-1]["n"]
            for name, facts in (("study", await self._news.study()), ("machine", await self._news.machine())):
                if name not in told or told[name] != facts:
                    news[name] = told[name] = facts
            await self._send(news)
            await asyncio.sleep(TELL_EVERY_S)

    async def _send(self, item: dict[str, Any] | bytes) -> None:
        """Send it. Waits while there is no room; the server's pings end that wait when the researcher is gone."""
        try:
            if isinstance(item, bytes):
                await self._websocket.send_bytes(item)
            else:
                await self._websocket.send_text(json.dumps(item, allow_nan=False))
        except (WebSocketDisconnect, RuntimeError, OSError) as problem:
            raise Left from problem

    # -- what it asks for ----------------------------------------------------------------------------------------

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                text = await self._websocket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError) as problem:  # KeyError: bytes, which no page sends
                raise Left from problem
            if not self._bucket.allow(time.monotonic_ns()):
                await self._websocket.close(4009, "too many messages")
                raise Left
            asked = read_object(text)
            drawn = asked.get("drawn")
            if type(drawn) is int:
                self._note_drawn(drawn)
            elif type(asked.get("n")) is int:
                await self._answer(asked["n"], asked, tasks)

    async def _answer(self, number: int, asked: dict[str, Any], tasks: asyncio.TaskGroup) -> None:
        if "watch" in asked:
            await self._watch(asked["watch"], number, tasks)
            return
        await self._send({"answer": number, "problem": self._do(asked)})

    def _do(self, asked: dict[str, Any]) -> str | None:
        """Do what is asked of a session; returns the sentence that says why not."""
        for name, ask in self._asks.items():
            if isinstance(asked.get(name), str):
                logger.info("the researcher asks a session to %s", name)
                return ask(asked[name])
        trial, text = asked.get("say"), asked.get("text")
        if not isinstance(trial, str) or not isinstance(text, str):
            return "This is not something that the server can do."
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        if not text:
            return "There is nothing to say."
        if len(text) > LONGEST_SENTENCE:
            return f"A sentence may have {LONGEST_SENTENCE} characters; this one has {len(text)}."
        return self._observatory.say(trial, text)

    # -- the mirror ----------------------------------------------------------------------------------------------

    async def _watch(self, trial: Any, number: int, tasks: asyncio.TaskGroup) -> None:
        """Watch this session and no other; None: none. No frame of the one before comes after the answer."""
        if self._mirror is not None:
            self._mirror.cancel()
            self._mirror = None
        await self._send({"answer": number, "problem": None})
        if isinstance(trial, str):
            self._mirror = tasks.create_task(self._show(trial))

    async def _show(self, trial: str) -> None:
        self._sent = self._on_the_way = 0
        self._room.set()
        async with aclosing(cast(Any, self._observatory.watch(trial))) as frames:
            while True:
                await self._room.wait()
                packet = await anext(frames, None)
                if packet is None:
                    await self._send({"over": trial})
                    return
                self._sent += 1
                self._on_the_way += 1
                if self._on_the_way >= FRAMES_ON_THE_WAY:
                    self._room.clear()
                await self._send(packet)

    def _note_drawn(self, drawn: int) -> None:
        """The page has drawn so many frames since it asked to watch."""
        if 0 <= drawn <= self._sent:
            self._on_the_way = min(self._on_the_way, self._sent - drawn)
        if self._on_the_way < FRAMES_ON_THE_WAY:
            self._room.set()


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a message; an empty one where there is none."""
    if len(text) > MOST_CHARACTERS:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
