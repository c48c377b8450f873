"""One participant's session: it watches over the trial in its process, and says goodbye at the end.

The session outlives its connections; what passes between them and the trial is in bridge.py.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hippogym.live.admission import FrontDesk
from hippogym.live.bridge import Bridge
from hippogym.live.delivered import Tap
from hippogym.live.goodbye import Goodbye
from hippogym.live.process import Target, resident_bytes
from hippogym.live.reports import Reports
from hippogym.logs import trial_label

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
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


class Session(Bridge):
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
        super().__init__(target, spec)
        self.trial: str = spec["trial"]
        self.user_id: str = spec["participant"]["userId"]
        self.about: dict[str, Any] = spec["about"]
        self.settings: dict[str, Any] = spec["settings"]
        self.on_hold = False
        self.goodbye: Goodbye | None = None
        self.over = asyncio.Event()
        where = self.about["visit"], self.about["step"], self.trial
        self._reports = Reports(desk, *where, lambda text: self._tell({"receipt": text}))
        self._limits = limits
        self._on_end = on_end
        self._on_left = on_left
        self._watch = 0
        self._killed: str | None = None
        self._end_asked_s: float | None = None
        self._end_reason: str | None = None

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
            self._has_started()
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

    def remind(self) -> None:
        """Give somebody who has come back what they are to hand on to the study: they may have missed it."""
        for receipt in self._reports.receipts.values():
            self._tell({"receipt": receipt})

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
        self.goodbye = Goodbye.because(reason, ended.get("text"), self._reports.receipts.get("over"))
        if self._connection is not None:
            self.goodbye.say(self._connection)
        self._on_left()

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
