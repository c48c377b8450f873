"""Many people at once at a study's desk with its real ledger, as a process that can be killed, or whose disk gets full.

    python -m tests.study.arrivals_program FOLDER ROUND PEOPLE [full]

Prints the name of everybody who was let in, once they were told so. Time is the desk's own: a second for each thing
that anybody does. full: for the people in the middle, no file may grow.
"""

import asyncio
import itertools
import random
import resource
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from hippogym.assembly.study_desk import StudyDesk, study_desk
from hippogym.config import load_study
from hippogym.core.study.refusal import Refusal
from hippogym.errors import RecordError

BEGAN_S = 1_790_000_000.0
ROUND_S = 100_000.0
AT_ONCE = 40


class People:
    """Those of one round: each comes, and answers, leaves, loses interest, or comes again on another device."""

    def __init__(self, desk: StudyDesk, number: int) -> None:
        self._desk, self._round = desk.desk, number
        self._seconds = itertools.count()
        self._desk.clock = lambda: BEGAN_S + ROUND_S * number + next(self._seconds)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def take_part(self, number: int) -> None:
        chance = random.Random(f"{self._round}/{number}")
        name = f"{self._round}-{number}"
        async with self._places:
            token = await self._come(name)
            if token is None:
                return
            for _ in range(chance.randrange(4)):
                await self._desk.now(token)
            await self._go_on(chance.random(), name, token)

    async def _go_on(self, what: float, name: str, token: str) -> None:
        try:
            if what < 0.6:
                for _ in range(2):
                    view = await self._desk.now(token)
                    await self._desk.answer(token, view["stamp"], {"agree": True}, {})
            elif what < 0.7:
                await self._desk.withdraw(token, delete=what < 0.65)
            elif what < 0.8:
                for _ in range(130):  # two minutes
                    self._desk.clock()
                await self._come(name)
        except RecordError:
            pass

    async def _come(self, name: str) -> str | None:
        try:
            arrival = await self._desk.arrive({"PROLIFIC_PID": name}, None)
        except (RecordError, Refusal):
            return None
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        return arrival.token


async def main(desk: StudyDesk, number: int, people: int, full: bool) -> None:
    """One round."""
    await desk.desk.open()
    taking_part = People(desk, number)
    lot = people // 3 if full else people
    for begin in range(0, people, lot):
        if full:
            room = 150_000 if begin == lot else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        async with asyncio.TaskGroup() as group:
            for one in range(begin, min(people, begin + lot)):
                group.create_task(taking_part.take_part(one))


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    with ExitStack() as stack:
        opened = stack.enter_context(study_desk(load_study(folder), folder, folder / "Trials"))
        assert opened is not None
        asyncio.run(main(opened, int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["full"]))
