"""A crowd that plays the study's first game and nothing else, in a server of its own that lets all of them in."""

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hippogym.rehearse.capacity import Window
from hippogym.rehearse.plan import Person
from hippogym.rehearse.player import Player
from hippogym.rehearse.sampling import Sampler
from hippogym.rehearse.server import serving
from hippogym.rehearse.stage import Stage
from hippogym.rehearse.story import Story, Trouble

MEASURED_S = 20.0
SETTLED_S = 4.0
SEATED_WITHIN_S = 300.0
LOOK_EVERY_S = 0.1
AT_A_TIME = 4  # begin together: nobody asks a machine to start everybody in the same moment
NOT_COPIED = frozenset({"config.yml", ".trialConfig.yml", "StepFiles", "Trials"})


async def let_play(study: Path, settings: Mapping[str, Any], folder: Path, size: int) -> Window:
    """So many play at once; returns the time in which all of them did.

    settings: of the trial, as plain values. folder: where the study, its data and its log may be put.
    """
    place = folder / f"crowd-{size}-{secrets.token_hex(3)}"
    await asyncio.to_thread(game_only, study, settings, size, place / "study")
    async with serving(place / "study", place / "data", place) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        stage = Stage(server.url, host, int(port), think_s=0.0, play_s=None)
        players = [_player(stage, number) for number in range(size)]
        sampler = Sampler(lambda: players, server)
        async with asyncio.TaskGroup() as tasks:
            playing: list[asyncio.Task[None]] = []
            try:
                async with asyncio.timeout(SEATED_WITHIN_S):
                    for player in players:
                        playing.append(tasks.create_task(_play(player)))
                        await _few_wait(players, playing, AT_A_TIME)
                    await _few_wait(players, playing, 1)
                await asyncio.sleep(SETTLED_S)
                return await sampler.one(MEASURED_S)
            except TimeoutError:
                return Window(MEASURED_S, sum(player.playing for player in players), (), 0.0, 0, 0.0, 0.0, 0.0)
            finally:
                for task in playing:
                    task.cancel()


async def _few_wait(players: Sequence[Player], playing: Sequence[asyncio.Task[None]], few: int) -> None:
    """Until fewer than ``few`` of those who have come are still on their way into the game."""
    # ASYNC110: whoever is first; there is no one event for that
    while sum(not player.playing and not task.done() for player, task in zip(players, playing, strict=False)) >= few:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)


async def _play(player: Player) -> None:
    """Until cancelled. Who does not get into the game, or falls out of it, is missed when the crowd is counted."""
    try:
        await player.play("game", None, reloads=False, doubles=False, leaves=False)
    except* Trouble:
        pass


def game_only(study: Path, settings: Mapping[str, Any], size: int, folder: Path) -> None:
    """A copy of the study in which there is only the game, for ``size`` participants. Big files are not copied."""
    folder.mkdir(parents=True)
    for path in study.iterdir():
        if path.name not in NOT_COPIED:
            (folder / path.name).symlink_to(path.absolute())
    trial = {name: value for name, value in settings.items() if name != "projectId" and value is not None}
    trial |= {"maxParticipants": size + 1, "maxEpisodes": 1_000_000, "stepTimeout": 60, "hookTimeout": 300}
    config = {"project": {"id": "rehearsal", "useAWS": False}, "trial": trial}
    (folder / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _player(stage: Stage, number: int) -> Player:
    person = Person(number, f"crowd-{number:04d}", 0.0, number, None, None, None, False)
    return Player(stage, None, person.name, None, Story(person), random.Random(number), _still)


async def _still(step: str) -> bool:
    return True  # there is no other step
