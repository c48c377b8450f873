"""What waits to be sent to one participant. Messages keep their order; of frames the newest wins.

A late frame is worth less than the next one, so the box holds one. Only the last frame of an episode is never
overtaken: the participant must see how it ended.
"""

import asyncio
from collections import deque
from typing import Any

from hippogym.core.frame_header import LAST_OF_EPISODE

MOST_MESSAGES = 256
MOST_FRAMES = 4
REPLACING = ("display", "queue")


class Overfull(Exception):
    """The participant does not take the messages; the connection is of no use."""


class Outbox:
    """Messages and frames for one connection."""

    def __init__(self) -> None:
        self._messages: deque[dict[str, Any]] = deque()
        self._frames: deque[bytes] = deque()
        self._closing: tuple[int, str] | None = None
        self._something = asyncio.Event()
        self._skipped = 0
        self._was_message = False  # displays and frames take turns: neither keeps the other waiting

    def put_message(self, message: dict[str, Any]) -> None:
        """Add a JSON message; a ``display``, or a place in the line, replaces an older one. Raises Overfull."""
        if self._messages and any(key in message and key in self._messages[-1] for key in REPLACING):
            message = {**self._messages.pop(), **message}
        if len(self._messages) >= MOST_MESSAGES:
            raise Overfull
        self._messages.append(message)
        self._something.set()

    def put_frame(self, packet: bytes) -> None:
        """Add a frame (header and image) in the place of an older one."""
        if self._frames and not self._frames[-1][1] & LAST_OF_EPISODE:
            self._frames.pop()
            self._skipped += 1
        self._frames.append(packet)
        if len(self._frames) > MOST_FRAMES:
            self._frames.popleft()
            self._skipped += 1
        self._something.set()

    def take_skipped(self) -> int:
        """How many frames were overtaken by newer ones since the last time this was asked."""
        skipped, self._skipped = self._skipped, 0
        return skipped

    def close(self, code: int, reason: str) -> None:
        """Close the connection once everything before has been sent."""
        self._closing = self._closing or (code, reason)
        self._something.set()

    async def take(self) -> dict[str, Any] | bytes | tuple[int, str]:
        """The next thing to send: a message, a frame, or (code, reason) to close with. Waits for one."""
        while True:
            head = self._messages[0] if self._messages else {}
            frame_first = bool(self._frames) and ("done" in head or ("display" in head and self._was_message))
            if self._messages and not frame_first:
                self._was_message = True
                return self._messages.popleft()
            if self._frames:
                self._was_message = False
                return self._frames.popleft()
            if self._closing is not None:
                return self._closing
            self._something.clear()
            await self._something.wait()
