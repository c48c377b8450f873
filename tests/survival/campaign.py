"""Kills servers and trials at random moments while people play, and counts what of it got lost.

python -m tests.survival.campaign --trial 500 --server 400 --both 100 --seed 1
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.clients import Client, join
from tests.patience import PATIENCE_S
from tests.servers import RunningServer, serving, write_study
from tests.survival.plain_recorder import USE_IT
from tests.survival.proof import Kept, Tally, compare, read_trial

SIZES_BYTES = (50, 50, 50, 400, 400, 3_000, 30_000, 30_000, 200_000, 1_000_000)
SEATS = 4
TRIAL_KILLS_A_LIFE = 25
MOST_FRAMES = 240  # between two kills, over all seats: some hit the first record, some the eighth
CONFIG = """
trial:
  game: count
  maxEpisodes: 1000000
  maxParticipants: 64
  actionSpace: [noop, up]
  startingFrameRate: 120
  maxFrameRate: 120
  episodePause: 0
  stepTimeout: 60
  reconnectGrace: 0
  ui: {up: true, start: true}
"""


@dataclass
class Person:
    """Somebody who plays once; frames stay when the connection is gone."""

    name: str
    v2: bool
    client: Client | None = None

    @property
    def frames(self) -> int:
        return len(self.client.frames) if self.client else 0


@dataclass
class Campaign:
    """One lane: servers one after the other, on one records folder.

    plain: with the recorder that stands for the plain design.
    """

    study: Path
    dice: random.Random
    plain: bool = False
    sizes_bytes: tuple[int, ...] = SIZES_BYTES  # of the observations; each participant gets one
    progress: Callable[[dict[str, int]], object] = lambda kills: None
    tally: Tally = field(default_factory=Tally)
    kills: Counter[str] = field(default_factory=Counter)
    people: list[Person] = field(default_factory=list)

    def __post_init__(self) -> None:
        agent = (Path(__file__).parent / "sized_agent.py").read_text()
        write_study(self.study, CONFIG, agent + (USE_IT if self.plain else ""))

    async def run(self, trial: int, server: int, both: int) -> None:
        """So many kills of each kind."""
        lives = ["server"] * server + ["both"] * both
        lives += [f"trial {min(TRIAL_KILLS_A_LIFE, trial - done)}" for done in range(0, trial, TRIAL_KILLS_A_LIFE)]
        self.dice.shuffle(lives)
        for life in lives:
            async with self.server() as running, self.seats(running):
                if life.startswith("trial"):
                    await self.kill_trials(running, int(life.split()[1]))
                else:
                    await self.some_frames()
                    kill_tree(running, everything=life == "both", dice=self.dice)
                    self.kills[life] += 1
            self.progress(dict(self.kills))
        async with self.server():
            pass

    @contextlib.asynccontextmanager
    async def server(self):
        """A fresh server, which has repaired at its start what the one before left behind; that is looked at first."""
        with contextlib.ExitStack() as stack:
            running = await asyncio.to_thread(stack.enter_context, serving(self.study))
            await asyncio.to_thread(self.look)
            yield running

    @contextlib.asynccontextmanager
    async def seats(self, running: RunningServer):
        """People who play, and are replaced when their trial has ended, until the server is gone."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SEATS):
                tasks.create_task(self.seat(running))
            yield

    async def seat(self, running: RunningServer) -> None:
        while running.process.poll() is None:
            name = f"seat-{len(self.people)}-{self.dice.choice(self.sizes_bytes)}"
            person = Person(name, self.dice.random() < 0.8)
            self.people.append(person)
            with contextlib.suppress(OSError, WebSocketException, InvalidHandshake, EOFError, TimeoutError):
                async with join(running.ws, v2=person.v2, open_timeout=PATIENCE_S) as client:
                    person.client = client
                    await client.hello(person.name)
                    await client.say(command="start")
                    await client.until_closed()

    async def some_frames(self) -> None:
        """Wait for a random number of frames, and then for a random moment between two."""
        until = sum(person.frames for person in self.people) + self.dice.randrange(MOST_FRAMES)
        deadline_s = time.monotonic() + PATIENCE_S
        while sum(person.frames for person in self.people) < until and time.monotonic() < deadline_s:
            await asyncio.sleep(0.002)
        await asyncio.sleep(self.dice.uniform(0, 0.01))

    async def kill_trials(self, running: RunningServer, number: int) -> None:
        """Kill trials one after the other; the server goes on, repairs, and at the end leaves nothing to repair."""
        for _ in range(number):
            await self.some_frames()
            trials = await asyncio.to_thread(trial_processes, running)
            if trials:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.dice.choice(trials).kill()
                    self.kills["trial"] += 1
        running.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(running.process.wait, PATIENCE_S)
        assert code == 0, running.log
        if not self.plain:
            parts = [str(path) for path in running.records.rglob("*.part")]
            assert not parts, f"{parts} were left by a server that has stopped in order\n{running.log}"

    def look(self) -> None:
        """Compare what the people of the last life saw with what is on the disk, then make room."""
        kept: dict[str, Kept] = {}
        records = self.study / "Trials"
        for folder in [path for path in records.iterdir() if path.is_dir()]:
            found = read_trial(folder, self.tally, repaired=not self.plain)
            assert found.participant not in kept, f"{found.participant} has two trials"
            if found.participant is not None:
                kept[found.participant] = found
            shutil.rmtree(folder)
        for person in self.people:
            if person.client is not None:
                compare(person.name, person.client.frames, kept.get(person.name, Kept()), self.tally)
                person.client = None
        self.people = [Person(f"{len(self.people)} before", True)] * len(self.people)  # names go on


def trial_processes(running: RunningServer) -> list[psutil.Process]:
    """The processes that run trials: what the fork server has made."""
    for child in psutil.Process(running.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("forkserver" in part for part in child.cmdline()):
                return child.children()
    return []


def kill_tree(running: RunningServer, *, everything: bool, dice: random.Random) -> None:
    """SIGKILL for the server; or for all it has started as well, in any order."""
    server = psutil.Process(running.process.pid)
    victims = [server, *server.children(recursive=True)] if everything else [server]
    dice.shuffle(victims)
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    running.process.wait(PATIENCE_S)


async def campaign(folder: Path, kills: dict[str, int], *, lanes: int, seed: int, **how: Any) -> Campaign:
    """All kills, over so many lanes at once. how: plain, sizes_bytes. Returns one that holds the sums."""
    print(f"seed {seed}")
    made = [Campaign(folder / f"lane-{lane}", random.Random(seed + lane), **how) for lane in range(lanes)]
    async with asyncio.TaskGroup() as tasks:
        for lane, one in enumerate(made):
            share = {kind: number // lanes + (lane < number % lanes) for kind, number in kills.items()}
            tasks.create_task(one.run(**share))
    for other in made[1:]:
        made[0].tally.add(other.tally)
        made[0].kills.update(other.kills)
    print(f"{'plain design' if made[0].plain else 'ours'}: {dict(made[0].kills)} kills; {made[0].tally}")
    return made[0]


def say(kills: dict[str, int]) -> None:
    print(f"{time.strftime('%X')} {kills}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.survival.campaign", description=__doc__)
    for kind, number in (("trial", 500), ("server", 400), ("both", 100)):
        parser.add_argument(f"--{kind}", type=int, default=number)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    kills = {"trial": given.trial, "server": given.server, "both": given.both}
    with tempfile.TemporaryDirectory(prefix="survival-") as folder:
        done = asyncio.run(
            campaign(Path(folder), kills, lanes=given.lanes, seed=given.seed, plain=given.plain, progress=say)
        )
    print("\n".join(done.tally.notes[:20]))
    if given.json:
        given.json.write_text(json.dumps({"kills": done.kills, **vars(done.tally), "seed": given.seed}, indent=1))


if __name__ == "__main__":
    main()
