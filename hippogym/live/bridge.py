"""Between a trial's process and whichever connection its participant has at the moment: passes on, and takes notes.

What the messages mean is the trial's business (trial.py) and the researcher's.
"""

import json
import time
from typing import Any

from hippogym.core import packets
from hippogym.live.connection import Connection
from hippogym.live.delivered import Delivered
from hippogym.live.outbox import Overfull
from hippogym.live.process import Target, TrialProcess
from hippogym.live.standing import Standing

MOST_BACKLOG_BYTES = 1 << 20


class Bridge:
    """standing: how the trial stands, as far as passes here. frames: what has become of them."""

    def __init__(self, target: Target, spec: dict[str, Any]) -> None:
        self.standing = Standing()
        self.frames = Delivered(self._note)
        self._process = TrialProcess(target, spec, self._on_packet)
        self._started = False
        self._unsent: list[bytes] = []
        self._connection: Connection | None = None
        self._connections = 0
        self._away_since_s: float | None = None
        self._heard_s = time.monotonic()
        self._busy: str | None = "start"  # until the trial says otherwise
        self._ready = False
        self._played = False
        self._ended: dict[str, Any] | None = None  # what the trial said last

    def end(self, reason: str) -> None:
        """Ask the trial to close its record and end."""
        raise NotImplementedError

    # -- its connections -----------------------------------------------------------------------------------------

    def attach(self, connection: Connection) -> None:
        """The participant is here; an older connection is told that it has been replaced."""
        if self._connection is not None:
            self._connection.outbox.close(4001, "opened in another tab")
        self._connections += 1
        connection.number = self._connections
        self._connection = connection
        self._away_since_s = None
        self._note(connected=connection.number, v2=connection.v2)

    def detach(self, connection: Connection) -> None:
        """The connection is gone. A v1 client cannot come back, so its trial ends."""
        if self._connection is not connection:
            return
        self.frames.report(connection)
        self._connection = None
        self._away_since_s = time.monotonic()
        self._note(disconnected=connection.number)
        if not connection.v2:
            self.end("disconnected")

    def pass_on(self, connection: Connection, text: str) -> bool:
        """Give a client's message to the trial, as it came; False when the trial cannot take any more.

        What comes from a connection that has been replaced is dropped.
        """
        if connection is not self._connection:
            return True
        if self._process.backlog > MOST_BACKLOG_BYTES:
            return False
        self.frames.report(connection)
        version = 2 if connection.v2 else 1
        head = packets.INPUT_HEAD.pack(connection.number, version, time.monotonic_ns())
        self._send(packets.pack(packets.INPUT, head + text.encode("utf-8", "surrogatepass")))
        return True

    def note_rejected(self, connection: Connection, code: str) -> None:
        """A message was refused before it reached the trial."""
        self.standing.errors += 1
        self._note(rejected=code, v2=connection.v2, conn=connection.number)

    def note_sent(self, connection: Connection, frame: int, sent_ns: int) -> None:
        """A frame has been written to the socket."""
        self.standing.frame_sent()
        self.frames.sent(connection, frame, sent_ns)

    def note_drawn(self, connection: Connection, frame: int, t_client_ms: float | None) -> None:
        """A frame has been drawn. Said by a connection that was replaced, it means nothing."""
        if connection is self._connection:
            self.frames.drawn(connection, frame, t_client_ms)

    def note_clock(self, offset_ms: float, error_ms: float) -> None:
        """The client's clock has been compared with ours."""
        self._note(clock={"offset_ms": offset_ms, "error_ms": error_ms})

    # -- packets -------------------------------------------------------------------------------------------------

    def _has_started(self) -> None:
        """The process can be talked to."""
        self._heard_s = time.monotonic()
        self._started = True
        for packet in self._unsent:
            self._process.send(packet)
        self._unsent.clear()

    def _note(self, **note: Any) -> None:
        self._send(packets.pack_note(note))

    def _send(self, packet: bytes) -> None:
        if self._started:
            self._process.send(packet)
        else:
            self._unsent.append(packet)

    def _on_packet(self, kind: int, payload: bytes) -> None:
        self._heard_s = time.monotonic()
        if kind == packets.FRAME:
            self.frames.came(payload, self._connection)  # raises ValueError: the process is ended
            return
        note = json.loads(payload)
        if "tell" in note:
            self._tell(note["tell"])
        if "busy" in note:
            self._busy = note["busy"]
            self._ready = self._ready or "ready" in note
        if "progress" in note:
            self.standing.progressed(note["progress"])
        if "episode_over" in note:
            self.standing.episode_over(note["episode_over"])
        if "ended" in note:
            self._ended = note["ended"]
            self._process.gone.set()

    def _tell(self, message: dict[str, Any]) -> None:
        self.standing.told(message)
        self._played = self._played or self.standing.state == "playing"
        if self._connection is None:
            return
        try:
            self._connection.outbox.put_message(message)
        except Overfull:
            self._connection.outbox.close(1011, "messages are not taken")
            self.detach(self._connection)
