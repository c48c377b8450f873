"""What has become of a session's frames: who got them, which were sent, drawn, or overtaken by newer ones."""

import time
from collections.abc import Callable
from typing import Any

from hippogym.core.frame_header import FrameHeader
from hippogym.live.connection import Connection

MOST_SENT = 64

Tap = Callable[[bytes], None]


class Delivered:
    """note: how the trial is told, so that its record holds it.

    taps: called with every frame (header and image) as it comes from the trial, already made for the participant: for
    those who look on; they must return at once. newest: the frame that came last, b"" before the first.
    newest_frame: the number of the last one that was sent.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self.taps: set[Tap] = set()
        self.newest = b""
        self.newest_frame = 0
        self.skipped = 0
        self._note = note
        self._sent: list[dict[str, Any]] = []

    def came(self, packet: bytes, connection: Connection | None) -> None:
        """The trial has made a frame. Raises ValueError where it is none."""
        FrameHeader.decode(packet)
        self.newest = packet
        if connection is not None:
            connection.outbox.put_frame(packet)
        for tap in tuple(self.taps):
            tap(packet)

    def sent(self, connection: Connection, frame: int, sent_ns: int) -> None:
        """It has been written to the socket. A v2 client's trial hears of it when the frame has been drawn."""
        self.newest_frame = max(self.newest_frame, frame)
        self._sent.append({"frame": frame, "conn": connection.number, "sent_ns": sent_ns})
        if not connection.v2 or len(self._sent) >= MOST_SENT:
            self.report(connection)

    def drawn(self, connection: Connection, frame: int, t_client_ms: float | None) -> None:
        """It has been drawn. What is said twice means nothing."""
        if frame <= connection.newest_drawn:
            return
        connection.newest_drawn = frame
        drawn = {
            "frame": frame,
            "conn": connection.number,
            "t_client_ms": t_client_ms,
            "received_ns": time.monotonic_ns(),
        }
        self.report(connection, drawn=drawn)

    def report(self, connection: Connection | None, **drawn: Any) -> None:
        """One note for everything since the last one: a note costs the trial time."""
        skipped = connection.outbox.take_skipped() if connection is not None else 0
        if self._sent or skipped or drawn:
            self.skipped += skipped
            self._note(sent=self._sent, skipped=skipped, **drawn)
            self._sent = []

    def end(self) -> None:
        """No more frames come; the taps are told by an empty one."""
        for tap in tuple(self.taps):
            tap(b"")
