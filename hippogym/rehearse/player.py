"""Plays one game step for a participant: takes a place, starts, plays, loads the page again, and at last stops."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hippogym.rehearse.pulse import Pulse
from hippogym.rehearse.seat import Seat, seat
from hippogym.rehearse.stage import Stage
from hippogym.rehearse.story import Played, Story, Trouble

STARTED_WITHIN_S = 120.0  # Start pressed: the first tick
SHOWN_WITHIN_S = 120.0  # a place taken: the first picture
ENDED_WITHIN_S = 60.0  # Stop pressed: done
REPLACED_WITHIN_S = 20.0
MOST_CONNECTIONS = 8
AGAIN_AFTER_S = 1.0
LONGEST_EPISODES_S = 4 * 3600.0  # played to the end, it must end some day

REPLACED = 4001


Look = Callable[[str], Awaitable[bool]]
"""Asks, as a page that is loaded does, whether the study still is at the step of this name."""


class Player:
    """pulse: the game's pace, over all connections. seat: the present one. number: of this player, as no other's."""

    _numbers = itertools.count()

    def __init__(
        self,
        stage: Stage,
        line: Path | None,
        user: str,
        visit: str | None,
        story: Story,
        chance: random.Random,
        look: Look,
    ) -> None:
        self.number = next(Player._numbers)
        self.pulse = Pulse()
        self.seat: Seat | None = None
        self._stage = stage
        self._line = line
        self._user, self._visit = user, visit
        self._look = look
        self._story = story
        self._chance = chance
        self._played = Played("")
        self._token: str | None = None

    @property
    def playing(self) -> bool:
        return self.seat is not None and self.seat.playing

    @property
    def has_place(self) -> bool:
        """Whether a trial has been begun for them."""
        return self.seat is not None and bool(self.seat.welcome)

    @property
    def turns(self) -> bool:
        """Whether the game waits for each action, so that it has no pace of its own."""
        return self.seat is not None and self.seat.turns

    async def play(self, step: str, limit_s: float | None, *, reloads: bool, doubles: bool, leaves: bool) -> None:
        """A whole game, at most limit_s from Start on. Raises Trouble where it does not go as it must."""
        self._played = Played(step)
        self._story.games.append(self._played)
        parts = 1 + reloads + doubles
        part_s = None if limit_s is None else limit_s / parts
        try:
            first = part_s if parts == 1 else part_s or 2.0
            ended = await self._connection(first, stop=parts == 1 and not leaves)
            if reloads and not ended:
                self._story.reloads += 1
                ended = await self._come_back(part_s, stop=not doubles and not leaves)
            if doubles and not ended:
                ended = await self._in_two_tabs(part_s, stop=not leaves)
        finally:
            self.seat = None
            self._played.overtaken = self.pulse.overtaken
        if not ended and not leaves:
            raise Trouble("Stop was pressed, and the game did not end")

    async def _connection(self, limit_s: float | None, *, stop: bool) -> bool:
        """Connect, as often as it takes to get a game; play; returns whether it has ended."""
        for _ in range(MOST_CONNECTIONS):
            async with self._sit(self._played) as here:
                if await self._wait_for_game(here):
                    return await self._go_on(here, limit_s, stop=stop)
                if here.ended is not None:
                    self._played.reason = here.ended
                    return True
            await asyncio.sleep(AGAIN_AFTER_S)
        raise Trouble(f"the game was not shown in {MOST_CONNECTIONS} connections (close code {here.closed})")

    async def _come_back(self, limit_s: float | None, *, stop: bool) -> bool:
        """The page was loaded again: the same episode must go on at the same tick."""
        ticks = dict(self._played.ticks)
        if not await self._look(self._played.step):
            return self._is_over("finished")
        async with self._sit(Played(self._played.step)) as here:
            if not await self._goes_on(here, ticks, "after a reload"):
                return True
            return await self._go_on(here, limit_s, stop=stop)

    async def _in_two_tabs(self, limit_s: float | None, *, stop: bool) -> bool:
        """A second tab takes the game over; the first one is told so."""
        self._story.second_tabs += 1
        ticks = dict(self._played.ticks)
        if not await self._look(self._played.step):
            return self._is_over("finished")
        async with self._sit(Played(self._played.step)) as first:
            if not await self._goes_on(first, ticks, "before a second tab was opened"):
                return True
            ticks = dict(self._played.ticks)
            if not await self._look(self._played.step):
                return self._is_over("finished")
            async with self._sit(Played(self._played.step)) as here:
                if not await self._goes_on(here, ticks, "in a second tab"):
                    return True
                await first.until(lambda: first.closed is not None, REPLACED_WITHIN_S)
                if first.closed != REPLACED:
                    told = f"a second tab took the game over, and the first saw {first.closed}, not {REPLACED}"
                    self._story.note(told)
                return await self._go_on(here, limit_s, stop=stop)

    async def _goes_on(self, here: Seat, ticks: dict[int, int], when: str) -> bool:
        """Whether it is the same game, at the same place or later. False where that is over by now; else Trouble."""
        shown = await self._wait_for_game(here)
        if not shown:
            if here.ended is None:
                raise Trouble(f"{when} the game was not shown (close code {here.closed})")
            return not self._is_over(here.ended)
        anew = not here.welcome.get("resumed")
        frame = here.frame
        earlier = frame is not None and ticks and (frame.episode, frame.tick) < (max(ticks), ticks[max(ticks)])
        if (anew or earlier) and not await self._look(self._played.step):
            return not self._is_over("finished")  # it ended in this moment, and this is the game of the next step
        if anew or earlier:
            raise Trouble(f"{when} the game {'began anew' if anew else 'went on at an earlier tick'}")
        self._played.add(here.played)
        here.played = self._played
        return True

    def _is_over(self, reason: str) -> bool:
        self._played.reason = reason
        return True

    async def _wait_for_game(self, here: Seat) -> bool:
        """A place, and a picture. False where there is none; then perhaps the next connection has it."""
        self._story.in_line = True
        began_s = time.monotonic()
        await here.until(lambda: bool(here.welcome) or here.in_line, SHOWN_WITHIN_S)
        while here.in_line and not here.is_over:
            await here.until(lambda: not here.in_line, 1.0)
            if time.monotonic() - began_s > self._stage.patience_s:
                raise Trouble(f"no place became free within {self._stage.patience_s:.0f} s")
        self._story.in_line = False
        self._token = here.welcome.get("token", self._token)
        return await here.until(lambda: here.frame is not None and bool(here.state), SHOWN_WITHIN_S)

    async def _go_on(self, here: Seat, limit_s: float | None, *, stop: bool) -> bool:
        """Play on this connection; returns whether the game has ended. Raises Trouble where it does not begin."""
        if here.state == "waiting":
            await asyncio.sleep(self._stage.think_s * self._chance.uniform(0.3, 1.0))
        if here.state != "playing":
            await here.say(command="start")
        if not await here.until(lambda: here.state == "playing", STARTED_WITHIN_S) and here.ended is None:
            raise Trouble(f"Start was pressed, and the game did not begin (close code {here.closed})")
        async with asyncio.TaskGroup() as tasks:
            pressing = tasks.create_task(here.press_keys())
            await here.until(lambda: here.is_over, LONGEST_EPISODES_S if limit_s is None else limit_s)
            pressing.cancel()
        if stop and not here.is_over:
            await here.say(command="stop")
            await here.until(lambda: here.is_over, ENDED_WITHIN_S)
        if here.ended is not None:
            self._played.reason = here.ended
        elif here.closed is not None:
            raise Trouble(f"the game's connection was closed with {here.closed}")
        if refused := sorted(set(here.errors)):
            self._story.note(f"the game refused messages: {', '.join(refused)}")
        return here.ended is not None

    @asynccontextmanager
    async def _sit(self, played: Played) -> AsyncIterator[Seat]:
        """A connection that is listened to."""
        hello: dict[str, Any] = {"userId": self._user, "projectId": None, "client": {"browser": "rehearsal"}}
        if self._visit is not None:
            hello["visit"] = self._visit
        elif self._token is not None:  # without a visit, the trial's own token is the right to come back
            hello["token"] = self._token
        async with seat(self._stage.url, self._stage.tls, self._line, hello, played, self.pulse, self._chance) as here:
            self.seat = here
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(here.listen())
                yield here
                listening.cancel()
