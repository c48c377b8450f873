"""One participant's session: a trial in its process, and whichever connection the participant has at the moment.

The session outlives its connections. It passes packets on and watches over the process; what they mean is the
trial's business (trial.py) and the researcher's.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hippogym.core import packets
from hippogym.live.admission import FrontDesk
from hippogym.live.connection import Connection
from hippogym.live.delivered import Delivered, Tap
from hippogym.live.goodbye import Goodbye
from hippogym.live.outbox import Overfull
from hippogym.live.process import Target, TrialProcess, resident_bytes
from hippogym.live.reports import Reports
from hippogym.live.standing import Standing
from hippogym.logs import trial_label

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
MOST_BACKLOG_BYTES = 1 << 20
ENDING_S = 10.0
UNPLAYED_GRACE_S = 15.0


@dataclass(frozen=True)
class SessionLimits:
    """Times in seconds, memory in bytes."""

    reconnect_grace_s: float
    step_timeout_s: float
    hook_timeout_s: float
    memory_bytes: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "SessionLimits":
        """From the settings of a trial."""
        return cls(
            settings["reconnectGrace"],
            settings["stepTimeout"],
            settings["hookTimeout"],
            settings["memoryLimit"] * 2**20,
        )


class Session:
    """A participant in a trial.

    on_end is awaited once, with the trial's id and whether it ended in order and its record is closed, after it has
    ended. desk: of a study with steps. on_left: called when the participant has been told goodbye.
    """

    def __init__(
        self,
        target: Target,
        spec: dict[str, Any],
        limits: SessionLimits,
        on_end: Callable[[str, bool], Awaitable[None]],
        desk: FrontDesk | None,
        on_left: Callable[[], None],
    ) -> None:
        self.trial: str = spec["trial"]
        self.user_id: str = spec["participant"]["userId"]
        self.about: dict[str, Any] = spec["about"]
        self.settings: dict[str, Any] = spec["settings"]
        self.standing = Standing()
        self.frames = Delivered(self._note)
        self.on_hold = False
        self._reports = Reports(desk, self.about["visit"], self.trial)
        self._spec = spec
        self._limits = limits
        self._on_end = on_end
        self._on_left = on_left
        self._process = TrialProcess(target, spec, self._on_packet)
        self._started = False
        self._unsent: list[bytes] = []
        self._connection: Connection | None = None
        self._connections = 0
        self._away_since_s: float | None = None
        self._heard_s = time.monotonic()
        self._busy: str | None = "start"  # until the trial says otherwise
        self._watch = 0
        self._ended: dict[str, Any] | None = None
        self._killed: str | None = None
        self._end_asked_s: float | None = None
        self._end_reason: str | None = None
        self._ready = False
        self._played = False
        self.goodbye: Goodbye | None = None
        self.over = asyncio.Event()

    # -- its life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the start of the process to its end. Never raises for what happens in the trial."""
        trial_label.set(self.trial)
        clean = False
        try:
            await self._reports.began()
            try:
                await self._process.start()
            except (OSError, EOFError):
                logger.exception("no process could be started for a trial")
                await self._say_goodbye()
                return
            self._heard_s = time.monotonic()
            self._started = True
            for packet in self._unsent:
                self._process.send(packet)
            self._unsent.clear()
            logger.info("a participant has joined")
            await self._look_after()
            await self._say_goodbye()
            code = await self._process.finish(self._limits.hook_timeout_s)
            if code is None or code < 0:
                logger.error("the trial's process did not end by itself (%s)", code)
            clean = self._ended is not None and self._ended.get("closed", False) and code == 0
        finally:
            await self._process.finish(0)
            try:
                await self._on_end(self.trial, clean)
            finally:
                self.over.set()

    async def _look_after(self) -> None:
        """Wait for the process to be gone; meanwhile see that it lives and that somebody is there."""
        while not self._process.gone.is_set() and self._ended is None:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._process.gone.wait()
            except TimeoutError:
                self._look(time.monotonic())
            await self._reports.progress(self.standing.progress(), here=self._connection is not None)

    def _look(self, now_s: float) -> None:
        limit_s = self._limits.hook_timeout_s if self._busy else self._limits.step_timeout_s
        if now_s - self._heard_s > limit_s:
            what = f"{self._busy}()" if self._busy else "step() or render()"
            logger.error("the agent's %s has not returned for %.0f s; the trial is ended", what, limit_s)
            self.kill("hung")
        elif resident_bytes(self._process.pid) > self._limits.memory_bytes:
            logger.error("the trial uses more memory than trial.memoryLimit; it is ended")
            self.kill("memory")
        elif self._end_asked_s is not None and now_s - self._end_asked_s > ENDING_S + limit_s:
            logger.error("the trial does not end when asked; it is ended")
            self.kill("hung")
        elif self._away_since_s is not None and now_s - self._away_since_s > self._grace_s():
            self.end("abandoned")
        self.standing.look(now_s)
        self.frames.report(self._connection)
        self._watch += 1
        self._note(watch=self._watch)

    def _grace_s(self) -> float:
        """Who has not even pressed Start is not waited for as long: places are few."""
        grace_s = self._limits.reconnect_grace_s
        return grace_s if self._played else min(grace_s, UNPLAYED_GRACE_S)

    def kill(self, why: str) -> None:
        """End the process at once."""
        self._killed = why
        self._process.kill()

    def end(self, reason: str) -> None:
        """Ask the trial to close its record and end: ``server``, and others of the protocol's."""
        if self._end_asked_s is None:
            self._end_asked_s = time.monotonic()
            self._end_reason = reason
            self._note(end=reason)
            if not self._ready:  # it is still making its environment: nothing has been shown, nothing is to be kept
                self.kill(reason)

    # -- what the researcher may do ------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """How it stands, in plain values (standing.py); here is who it is, and how their connection does."""
        connection = self._connection
        estimate = connection.estimate if connection is not None else None
        return {
            "trial": self.trial,
            "user": self.user_id,
            "visit": self.about["visit"],
            "condition": self.about["condition"],
            "step": self.about["step"],
            **self.standing.stats(),
            "onHold": self.on_hold,
            "rttMs": round(estimate.rtt_ms, 1) if estimate is not None else None,
            "skipped": self.frames.skipped,
            "connected": connection is not None,
        }

    @property
    def taps(self) -> set[Tap]:
        """Called with every frame that is made for the participant, and with an empty one at the end; see Delivered."""
        return self.frames.taps

    def pause(self) -> None:
        """Stop the game, whatever the participant presses, until ``resume``. They are told."""
        self._hold(True)

    def resume(self) -> None:
        """Let it go on."""
        self._hold(False)

    def _hold(self, on_hold: bool) -> None:
        if self.on_hold != on_hold:
            self.on_hold = on_hold
            self._note(hold=on_hold)

    def say(self, text: str) -> bool:
        """Show the participant a sentence; it is recorded, too. False while they are not here."""
        if self._connection is not None:
            self._note(say=text)
        return self._connection is not None

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

    async def _say_goodbye(self) -> None:
        """Log how it went, in a line; tell the desk, and then the participant, in a sentence."""
        ended = self._ended or {"reason": self._end_reason or "failed"}
        reason = ended["reason"]
        logger.info(
            "a participant has left: %s, %d ticks, %d frames, %d skipped, longest tick %.0f ms",
            self._killed or reason,
            ended.get("ticks", 0),
            ended.get("frames", 0),
            ended.get("skipped", 0) + self.frames.skipped,
            ended.get("longest_ms", math.nan),
        )
        self.frames.end()
        await self._reports.over(self.standing.result(reason, ended))
        self.goodbye = Goodbye.because(reason, ended.get("text"))
        if self._connection is not None:
            self.goodbye.say(self._connection)
        self._on_left()
