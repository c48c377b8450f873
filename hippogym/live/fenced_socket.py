"""The server's own fences: what any stranger's connection may cost, before anything of ours has seen a message.

uvicorn stops reading while a message waits to be handled, but pings and pieces of a message are no message, and one
read may hold tens of thousands of frames. Here bytes and frames are counted per connection and parsed in small
slices; who goes far beyond what any client does is cut off without a word.
"""

import asyncio
import time
from collections import deque
from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from hippogym.core.rate_limit import TokenBucket

BYTES_A_SECOND = 256 * 1024
BYTES_BURST = 3 * 1024 * 1024  # a message that is far too large is still answered with 1009
FRAMES_A_SECOND = 2_500  # more than the endpoint's own limit, which ends with 4009
FRAMES_BURST = 5_000
PINGS_A_SECOND = 20
PINGS_BURST = 40
MOST_FRAGMENTS = 64
SLICE_BYTES = 4096
FLOOD_AFTER_CLOSE_S = 1.0
REQUEST_WITHIN_S = 10.0
REQUEST_BYTES = 64 * 1024
ANSWERS = ("/study/answer", "/next")  # what is asked there looks at who asks before it reads the body
ANSWER_BYTES = 13 * 1024 * 1024  # more is said to be too large by whoever reads it
ANSWER_WITHIN_S = 120.0


class FencedWebSocket(WebSocketsSansIOProtocol):
    """A websocket whose bytes wait, unparsed, until the messages before them have been taken."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unparsed: deque[bytes] = deque()
        self._bytes = TokenBucket(BYTES_A_SECOND, BYTES_BURST)
        self._frames = TokenBucket(FRAMES_A_SECOND, FRAMES_BURST)
        self._pings = TokenBucket(PINGS_A_SECOND, PINGS_BURST)
        self._fragments = 0
        self._cut_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Count, and parse as much as may be handled now."""
        if not self._bytes.take(time.monotonic_ns(), len(data)):
            self._cut_off()
            return
        self._unparsed.extend(data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES))
        self._parse_some()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not parsed."""
        self._unparsed.clear()
        if self._cut_timer is not None:
            self._cut_timer.cancel()
        super().connection_lost(exc)

    async def receive(self) -> ASGIReceiveEvent:
        """The next message. When it was the last that waited, more is parsed in the next round of the loop."""
        message = await super().receive()
        self._parse_soon()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send; after a close the peer's answer to it is looked for in what was not parsed."""
        await super().send(message)
        self._parse_soon()

    def _parse_soon(self) -> None:
        if self._unparsed and not self.read_paused:
            self.transport.pause_reading()
            self.loop.call_soon(self._parse_some)

    def _parse_some(self) -> None:
        while self._unparsed and not self.read_paused and not self._is_cut_off():
            super().data_received(self._unparsed.popleft())
        if not self.read_paused and not self._is_cut_off():
            self.transport.resume_reading()

    def handle_text(self, event: Frame) -> None:
        """A text message, or its first fragment."""
        self._fragments = 0
        if self._may_be_data(event):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """A binary message, or its first fragment."""
        self._fragments = 0
        if self._may_be_data(event):
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """A further fragment."""
        if self._may_be_data(event):
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """A ping; its pong has been made by the parser."""
        if self._may_be_control():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """A pong; nothing stops a client from sending those unasked."""
        if self._may_be_control():
            super().handle_pong(event)

    def _may_be_data(self, event: Frame) -> bool:
        self._fragments += 1
        pointless = not event.fin and not event.data
        return self._within(self._frames, refused=pointless or self._fragments > MOST_FRAGMENTS)

    def _may_be_control(self) -> bool:
        return self._within(self._pings, refused=False)

    def _within(self, bucket: TokenBucket, *, refused: bool) -> bool:
        if self._is_cut_off():
            return False
        if refused or not bucket.allow(time.monotonic_ns()):
            self._cut_off()
            return False
        return True

    def _is_cut_off(self) -> bool:
        return self.disconnected or self.transport.is_closing() or self._cut_timer is not None

    def _cut_off(self) -> None:
        """End the connection. One that is being closed gets a moment, unread, so that the reason can arrive."""
        self._unparsed.clear()
        if self._cut_timer is not None or not self.close_sent:
            self.transport.abort()
            return
        self.transport.pause_reading()
        self._cut_timer = self.loop.call_later(FLOOD_AFTER_CLOSE_S, self.transport.abort)


class FencedHttp(HttpToolsProtocol):
    """HTTP where a request must be small and complete in time, counted from the connection or from its first byte.

    Answers to a study's pages may hold files: once their head has come, they may be larger and take longer. How long
    a connection may idle between requests is uvicorn's ``timeout_keep_alive``.
    """

    _deadline: asyncio.TimerHandle | None = None
    _size = 0
    _most = REQUEST_BYTES

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._request_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        if self._deadline is None:
            self._expect_request()
        self._size += len(data)
        if self._size > ANSWER_BYTES:
            self.transport.abort()
            return
        super().data_received(data)
        if self._size > self._most:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """The head of a request has come, and says what it is."""
        super().on_headers_complete()
        if self.scope.get("method") == "POST" and self.scope.get("path") in ANSWERS and self._deadline is not None:
            self._most = ANSWER_BYTES
            self._deadline.cancel()
            self._deadline = self.loop.call_later(ANSWER_WITHIN_S, self._too_late)

    def on_message_complete(self) -> None:
        """A whole request has come."""
        self._request_came()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a websocket."""
        self._request_came()
        super().handle_websocket_upgrade()

    def _expect_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self._too_late)

    def _request_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._size = 0
        self._most = REQUEST_BYTES

    def _too_late(self) -> None:
        self._deadline = None
        answering = self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
        if not answering:
            self.transport.abort()
