"""A participant in a game: what their page hears and says on the websocket (docs/protocol.md, version 2)."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from hippogym.core.frame_header import SENT_AGAIN, FrameHeader
from hippogym.rehearse.pulse import Pulse
from hippogym.rehearse.story import Played, Trouble

OPEN_WITHIN_S = 30.0
QUIET_S = 60.0  # a server that lives says something at least every few seconds
HOLD_S = (0.15, 1.2)
REST_S = (0.0, 0.3)
FEEDBACK = 0.05  # of the moments in which another key is pressed, also one for good or bad


@dataclass
class Seat:
    """One connection to a game. ended: the reason of ``done``. closed: the close code.

    in_line: whether it still waits for a place. playing: between Start and the end.
    """

    socket: ClientConnection
    played: Played
    pulse: Pulse
    chance: random.Random
    welcome: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    turns: bool = False
    ended: str | None = None
    closed: int | None = None
    in_line: bool = False
    frame: FrameHeader | None = None
    controls: list[str] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    began_s: float = field(default_factory=time.monotonic)
    _in_line_since_s: float | None = None

    @property
    def playing(self) -> bool:
        return self.state == "playing" and self.ended is None and self.closed is None

    @property
    def is_over(self) -> bool:
        return self.ended is not None or self.closed is not None

    async def say(self, **message: Any) -> None:
        """Send a message; one that finds nobody is lost, as on a real page."""
        frame = {} if self.frame is None else {"frameId": self.frame.frame}
        with suppress(ConnectionClosed):
            await self.socket.send(json.dumps({**message, **frame, "t": clock_ms()}))

    async def listen(self) -> None:
        """Take everything, until the connection ends. Raises Trouble where nothing comes any more."""
        try:
            while True:
                try:
                    async with asyncio.timeout(QUIET_S):
                        data = await self.socket.recv()
                except TimeoutError:
                    raise Trouble(f"nothing was heard from the game for {QUIET_S:.0f} s") from None
                await (self._hear_frame(data) if isinstance(data, bytes) else self._hear(json.loads(data)))
                self.changed.set()
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd else 1006
        finally:
            self.changed.set()

    async def until(self, what: Callable[[], bool], within_s: float) -> bool:
        """Wait until it is so, or the connection is over; False where it is not so in the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not what() and not self.is_over:
                    self.changed.clear()
                    await self.changed.wait()
        return what()

    async def _hear_frame(self, data: bytes) -> None:
        header = FrameHeader.decode(data)
        if self.frame is None and self.played.joined_s is None:
            self.played.joined_s = time.monotonic() - self.began_s
        self.frame = header
        if header.flags & SENT_AGAIN:
            self.pulse.interrupt()
        self.pulse.hear(header.frame, header.episode, header.tick, header.server_us)
        self.played.frames += 1
        ticks = self.played.ticks
        ticks[header.episode] = max(ticks.get(header.episode, 0), header.tick)
        await self._answer(ack=header.frame)

    async def _hear(self, message: dict[str, Any]) -> None:
        if "ping" in message:
            await self._answer(pong=message["ping"])
        if "queue" in message:
            self._wait_in_line()
        if "welcome" in message:
            self._leave_line()
            self.welcome = message["welcome"]
        if "UI" in message:
            self.controls = [str(name) for name in message["UI"]]
        if "keys" in message:
            self.keys = [list(keys) for entry in message["keys"] for keys in entry["keys"][:2]]
        if "frameRate" in message:
            self.pulse.rate = float(message["frameRate"]["rate"])
        if "stepMode" in message:
            self.turns = message["stepMode"] == "turn"
        if "status" in message:
            if message["status"]["state"] != self.state:
                self.pulse.interrupt()
            self.state = message["status"]["state"]
        if "error" in message:
            self.errors.append(str(message["error"].get("code")))
        if "done" in message:
            self.ended = str(message["done"]["reason"])

    def _wait_in_line(self) -> None:
        self.in_line = True
        if self._in_line_since_s is None:
            self._in_line_since_s = time.monotonic()

    def _leave_line(self) -> None:
        self.in_line = False
        if self._in_line_since_s is not None:
            self.played.waited_s += time.monotonic() - self._in_line_since_s
            self._in_line_since_s, self.began_s = None, time.monotonic()

    async def _answer(self, **message: Any) -> None:
        with suppress(ConnectionClosed):  # what has arrived is still to be read
            await self.socket.send(json.dumps({**message, "t": clock_ms()}))

    async def press_keys(self) -> None:
        """Play, until cancelled: hold a key or a combination, let go, now and then say good or bad."""
        own = [name for name in self.controls if name in ("good", "bad")]
        while True:
            if self.keys:
                await self.say(keys=self.chance.choice(self.keys), controls=[])
            await asyncio.sleep(self.chance.uniform(*HOLD_S))
            if self.keys:
                await self.say(keys=[], controls=[])
            if own and self.chance.random() < FEEDBACK:
                await self.say(command=self.chance.choice(own))
            await asyncio.sleep(self.chance.uniform(*REST_S))


@asynccontextmanager
async def seat(
    url: str,
    tls: ssl.SSLContext | None,
    line: Path | None,
    hello: dict[str, Any],
    played: Played,
    pulse: Pulse,
    chance: random.Random,
) -> AsyncIterator[Seat]:
    """Connect to the game at ``url`` (http…) and say who this is. Raises Trouble where nobody lets us in."""
    address = f"{url.replace('http', 'ws', 1)}/ws"
    options: dict[str, Any] = {
        "origin": url,
        "subprotocols": [Subprotocol("hippogym.v2")],
        "compression": None,
        "max_size": 2**24,
        "open_timeout": OPEN_WITHIN_S,
        "ping_interval": None,
        "close_timeout": 5,
    }
    if tls is not None:
        options["ssl"] = tls
    if line is not None:
        opened = unix_connect(str(line), uri=address, **options)
    else:
        opened = connect(address, proxy=None, **options)
    try:
        socket = await opened
    except (OSError, InvalidHandshake, TimeoutError) as problem:
        raise Trouble(f"the game's connection cannot be opened: {type(problem).__name__}") from problem
    try:
        here = Seat(socket, played, pulse, chance)
        pulse.interrupt()
        await here.say(**hello)
        yield here
    finally:
        await socket.close()


def clock_ms() -> float:
    """The page's clock."""
    return round(time.monotonic() * 1000, 3)
