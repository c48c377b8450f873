"""All participants of a rehearsal, each coming at their time."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hippogym.rehearse.bot import Bot
from hippogym.rehearse.plan import Person
from hippogym.rehearse.player import Player
from hippogym.rehearse.sampling import Sampler
from hippogym.rehearse.server import RunningServer
from hippogym.rehearse.stage import Stage
from hippogym.rehearse.story import DONE, FAILED, HERE, LEFT


class Crowd:
    """bots: everybody, also who has not come yet. sampler: what was seen meanwhile."""

    def __init__(self, stage: Stage, people: Sequence[Person], server: RunningServer | None) -> None:
        self.bots = [Bot(stage, person) for person in people]
        self.sampler = Sampler(self.players, server)
        self.took_s = 0.0

    def players(self) -> Iterator[Player]:
        """Everybody who is in a game, or was last seen there."""
        return (bot.player for bot in self.bots if bot.player is not None)

    async def take_part(self, within_s: float | None = None) -> None:
        """Everybody's whole way. After within_s who is still there has failed."""
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        async with asyncio.TaskGroup() as watching:
            looking = watching.create_task(self.sampler.run())
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(within_s), asyncio.TaskGroup() as tasks:
                        for bot in self.bots:
                            tasks.create_task(_come(bot))
            finally:
                looking.cancel()
        self.took_s = now_s() - began_s
        for bot in self.bots:
            if bot.story.state not in (DONE, LEFT, FAILED):
                bot.story.state = FAILED
                bot.story.note(f"was still there when the rehearsal ended after {self.took_s:.0f} s")

    def count(self) -> "Count":
        """Where everybody is now."""
        stories = [bot.story for bot in self.bots]
        states = Counter(story.state for story in stories)
        return Count(
            states,
            Counter(story.step for story in stories if story.state == HERE and story.step),
            sum(story.in_line for story in stories if story.state == HERE),
            sum(player.playing for player in self.players()),
            [(story.person.name, *trouble) for story in stories for trouble in story.troubles],
        )


@dataclass(frozen=True)
class Count:
    """states, steps: how many are where. troubles: (who, at which step, what)."""

    states: Counter[str]
    steps: Counter[str]
    in_line: int
    playing: int
    troubles: list[tuple[str, str, str]] = field(default_factory=list)


async def _come(bot: Bot) -> None:
    await asyncio.sleep(bot.person.arrives_s)
    await bot.take_part()
