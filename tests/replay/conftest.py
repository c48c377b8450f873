"""A small game of our own, in several variants, each played once for all tests."""

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hippogym.core.record_format import encode_entry
from tests.played import play_trial, study_of

GAME = """
import os, time
import numpy as np

class Discrete:
    n, start = 3, 0

class Env:
    action_space = Discrete()
    def reset(self, seed=None):
        self.random = np.random.default_rng(seed)
        self.place, self.ticks = np.zeros(4), 0
        return self.place.copy(), {}
    def step(self, action):
        self.ticks += 1
        self.place = 0.9 * self.place + action + self.random.normal(size=4)
        if CHANCE and self.ticks >= 7:
            self.place[0] += int.from_bytes(os.urandom(4)) / 2**32
        info = {"now": time.time_ns()} if CLOCK else {"ticks": self.ticks}
        return self.place.copy(), float(self.place[1] > 1), self.ticks >= 20, False, info

CHANCE = CLOCK = False
def start(game): return Env()
def reset(env, seed=None): return env.reset(seed)
def step(env, action): return env.step(action)
def render(env): return np.full((40, 60, 3), int(abs(env.place[0]) * 20) % 256, np.uint8)
def close(env): pass
"""
LISTENS = """
def message(env, message):
    if message.get("command") == "good":
        env.place = env.place + 10
"""
LEARNS = """
class Agent:
    def start(self, game):
        self.episodes = 0
        return Env()
    def __init__(self): self.env = None
    def step(self, action): return self.inner.step(action + self.episodes)
    def render(self): return render(self.inner)
    def reset(self, seed=None):
        self.inner = getattr(self, "inner", None) or Env()
        self.episodes += 1
        return self.inner.reset(seed)
    def close(self): pass
"""
SPARKS = """
def render(env):  # as LunarLander does: what is drawn depends on how often something was drawn
    env.drawn = getattr(env, "drawn", 0) + 1
    return np.full((40, 60, 3), 7 * env.drawn % 256, np.uint8)
"""
WATCHES = """
with open(os.path.join(os.path.dirname(__file__), "pids"), "a") as file:
    print(os.getpid(), os.environ.get("AWS_SECRET_ACCESS_KEY"), file=file)
print("an agent may print")
"""
VARIANTS = {
    "plain": GAME,
    "chance": GAME.replace("CHANCE = CLOCK = False", "CHANCE, CLOCK = True, False"),
    "clock": GAME.replace("CHANCE = CLOCK = False", "CHANCE, CLOCK = False, True"),
    "listens": GAME + LISTENS,
    "learns": GAME.partition("def start(game)")[0]
    + "def render(env): return np.full((40, 60, 3), int(abs(env.place[0]) * 20) % 256, np.uint8)\n"
    + LEARNS,
    "watches": GAME + WATCHES,
    "sparks": GAME + SPARKS,
}
TICKS = 50  # two episodes and a half
RATE = 200.0


@dataclass
class Played:
    """A study, and the folder of what was played in it."""

    study: Path
    folder: Path

    @property
    def record(self) -> Path:
        """The first episode."""
        return self.folder / "episode_0000.pkl"

    def changed(self, to: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
        """A copy of the first episode in which something was changed, with checksums that are right."""
        entries = plain_loop(self.record)
        change(entries)
        to.mkdir()
        copy = to / self.record.name
        copy.write_bytes(b"".join(encode_entry(entry, seq) for seq, entry in enumerate(entries)))
        return copy


def plain_loop(path: Path) -> list[dict[str, Any]]:
    entries = []
    with path.open("rb") as file:
        while True:
            try:
                entries.append(pickle.load(file))
            except EOFError:
                return entries


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """All variants, played at the same time."""
    folder = tmp_path_factory.mktemp("played")

    async def play_all() -> dict[str, Played]:
        studies = {name: study_of(folder / name, "Game", agent) for name, agent in VARIANTS.items()}
        slow = {"sparks": {"ticks": 14, "frames": 8}}
        folders = await asyncio.gather(
            *(
                play_trial(study, name, **{"ticks": TICKS, **slow.get(name, {})}, startingFrameRate=RATE)
                for name, study in studies.items()
            )
        )
        return {name: Played(studies[name], at) for name, at in zip(studies, folders, strict=True)}

    return asyncio.run(play_all())
