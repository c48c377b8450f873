"""One websocket of a participant, in either version of the protocol."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from hippogym.core.clock import ClientClock, ClockEstimate
from hippogym.core.frame_header import LAYOUT, FrameHeader
from hippogym.live.outbox import Outbox

SEND_DEADLINE_S = 15.0
SILENCE_DEADLINE_S = 15.0
GOODBYE_WITHIN_S = 2.0
PING_EVERY_S = 2.0
FIRST_PINGS_S = 0.25
FIRST_PINGS = 6
UNKNOWN_TO_V1 = frozenset(
    {"keys", "actions", "stepMode", "frameRate", "status", "notice", "ping", "error", "welcome", "queue", "receipt"}
)

OnSent = Callable[[int, int], None]


class ConnectionLost(Exception):
    """The participant is not there any more."""


class Connection:
    """Sends what is in its outbox; reads text. v2: whether the client offered the second version.

    address: where it comes from, as far as the server can see.
    """

    def __init__(self, websocket: WebSocket, *, v2: bool) -> None:
        self._websocket = websocket
        self.v2 = v2
        self.address = websocket.client.host if websocket.client is not None else ""
        self.outbox = Outbox()
        self.number = 0
        self.clock = ClientClock()
        self.estimate: ClockEstimate | None = None
        self.newest_sent = 0
        self.newest_drawn = 0
        self.heard_ns = time.monotonic_ns()
        self._pings: dict[int, int] = {}

    async def receive(self) -> str | bytes:
        """The next message. Raises ConnectionLost."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionLost
        self.heard_ns = time.monotonic_ns()
        text = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    async def send_from_outbox(self, on_sent: OnSent) -> None:
        """Send until the outbox says close. on_sent(frame, time_ns) is told of each frame. Raises ConnectionLost."""
        while True:
            item = await self.outbox.take()
            if isinstance(item, tuple):
                await self.close(*item)
                return
            try:
                async with asyncio.timeout(SEND_DEADLINE_S):
                    await self._send(item)
            except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError) as problem:
                raise ConnectionLost from problem
            if isinstance(item, bytes):
                self.newest_sent = FrameHeader.decode(item).frame
                on_sent(self.newest_sent, time.monotonic_ns())

    async def keep_in_touch(self) -> None:
        """Ping a v2 client, for its clock and to notice when it is gone. Raises ConnectionLost."""
        number = 0
        while True:
            number += 1
            now_ns = time.monotonic_ns()
            if now_ns - self.heard_ns > SILENCE_DEADLINE_S * 1e9:
                self.outbox.close(4002, "nothing heard")
                await asyncio.sleep(GOODBYE_WITHIN_S)  # once it has been sent, speak() ends this
                raise ConnectionLost
            self._pings[number] = now_ns
            self._pings.pop(number - 16, None)
            rtt_ms = round(self.estimate.rtt_ms, 1) if self.estimate else None
            self.outbox.put_message({"ping": number, "rttMs": rtt_ms})
            await asyncio.sleep(FIRST_PINGS_S if number < FIRST_PINGS else PING_EVERY_S)

    async def keep_company(self) -> None:
        """Let a v2 client hear something while it is found out whether it may come in."""
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self.outbox.put_message({"ping": 0, "rttMs": None})

    def pong(self, number: int, client_ms: float | None) -> ClockEstimate | None:
        """A pong has come: what is known of the client's clock now."""
        sent_ns = self._pings.pop(number, None)
        if sent_ns is None or client_ms is None:
            return None
        self.estimate = self.clock.sample(sent_ns, time.monotonic_ns(), client_ms)
        return self.estimate

    async def close(self, code: int, reason: str) -> None:
        """Close the websocket, if it is still open."""
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await self._websocket.close(code, reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError, OSError) as problem:
            raise ConnectionLost from problem

    async def _send(self, item: dict[str, Any] | bytes) -> None:
        if isinstance(item, bytes):
            if self.v2:
                await self._websocket.send_bytes(item)
            else:
                image = base64.b64encode(memoryview(item)[LAYOUT.size :]).decode()
                await self._send_json({"frame": image, "frameId": FrameHeader.decode(item).frame})
        elif self.v2:
            await self._send_json(item)
        elif "done" in item:
            await self._websocket.send_text("done")
        else:
            known = {key: value for key, value in item.items() if key not in UNKNOWN_TO_V1}
            if known:
                await self._send_json(known)

    async def _send_json(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(message, allow_nan=False))
