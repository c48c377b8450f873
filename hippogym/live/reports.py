"""Tells the study's desk how a visit's game goes. A desk in trouble is logged; the game goes on."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hippogym.live.admission import FrontDesk

logger = logging.getLogger(__name__)

DESK_WITHIN_S = 10.0
STILL_HERE_S = 30.0  # somebody in a long episode has not left
TRIES = 5
AGAIN_AFTER_S = 1.0


class Reports:
    """Of one trial. desk: None in a study without steps; then nobody is told anything.

    hand_on: gives the participant a receipt of the desk, if they are here. receipts: what they have been given, or
    should have been, the newest of each kind.
    """

    def __init__(
        self,
        desk: FrontDesk | None,
        visit_id: str | None,
        step: str | None,
        trial: str,
        hand_on: Callable[[str], None],
    ) -> None:
        self.receipts: dict[str, str] = {}
        self._hand_on = hand_on
        self._desk = desk if visit_id is not None else None
        self._visit_id, self._step = visit_id or "", step
        self._trial = trial
        self._told_episodes = 0
        self._told_s = time.monotonic()

    async def began(self) -> None:
        """The trial begins."""
        if self._desk is not None:
            await self._say("began", "that a game began", self._desk.began(self._visit_id, self._trial, self._step))

    async def progress(self, progress: Mapping[str, Any], *, here: bool) -> None:
        """Where the trial is; told when an episode is over, and every half minute while the participant is here."""
        if self._desk is None:
            return
        quiet = time.monotonic() - self._told_s < STILL_HERE_S
        if progress["episodes"] == self._told_episodes and (quiet or not here):
            return
        self._told_s = time.monotonic()
        told = {**progress, "trial": self._trial}
        if await self._say("progress", "how a game goes", self._desk.progress(self._visit_id, told)):
            self._told_episodes = progress["episodes"]

    async def over(self, result: Mapping[str, Any]) -> None:
        """The trial is over; the participant's page will ask the desk at once what comes next, so it is told first."""
        if self._desk is None:
            return
        told = {**result, "trial": self._trial}
        for _ in range(TRIES):
            if await self._say("over", "that a game is over", self._desk.over(self._visit_id, told)):
                return
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _say(self, kind: str, what: str, telling: Awaitable[str | None]) -> bool:
        try:
            async with asyncio.timeout(DESK_WITHIN_S):
                receipt = await telling
        except Exception:  # whatever is wrong with the ledger, the record of the game is kept, and names its visit
            logger.exception("the desk could not be told %s", what)
            return False
        if receipt is not None:
            self.receipts[kind] = receipt
            if kind != "over":  # the goodbye does that
                self._hand_on(receipt)
        return True
