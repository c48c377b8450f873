"""Which spaces a dataset has: those that were recorded, those of the environment, or those that the data shows.

An environment is only made when its name is registered in this installation. What a record says is never imported.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hippogym.data.episodes import Episode
from hippogym.data.export.optional import need
from hippogym.data.export.spaces import build_space, infer_action_space, infer_space, pack
from hippogym.errors import RecordError

_ID = re.compile(r"(?:[A-Za-z0-9_-]{2,100}/){0,4}[A-Za-z0-9_-]{1,100}", re.ASCII)
Note = Callable[[str], None]


@dataclass
class Coding:
    """How observations and actions stand in a dataset.

    env_spec: the registered environment that has these spaces, None where there is none. by_index: actions are
    numbers in the study's list of actions, because their values fit no space.
    """

    observation_space: Any
    action_space: Any
    env_spec: Any = None
    by_index: bool = False

    def observations(self, episode: Episode, ticks: int) -> Any:
        """T + 1 observations. ValueError where they do not fit."""
        return pack(self.observation_space, first(episode.observations, ticks + 1), ticks + 1)

    def actions(self, episode: Episode, ticks: int) -> Any:
        """T actions. ValueError where they do not fit."""
        actions = first(episode.actions, ticks)
        if self.by_index:
            actions = _indices(actions, episode.action_values)
        return pack(self.action_space, actions, ticks, cast=True)


def choose_coding(episode: Episode, note: Note) -> Coding:
    """A coding that fits the first episode of a dataset. RecordError where there is none."""
    told, env = episode.spaces, _Environment(episode.game)
    observations = [
        ("", lambda: build_space(told.get("observation"))),
        ("of the registered environment", lambda: env.space("observation_space")),
        ("guessed from the data, with the widest bounds", lambda: infer_space(episode.observations)),
    ]
    actions = [
        ("", lambda: build_space(told.get("action"))),
        ("of the registered environment", lambda: env.space("action_space")),
        ("guessed from the study's list of actions", lambda: infer_action_space(episode.action_values)),
    ]
    coding = Coding(None, None)
    coding.observation_space = _choose("observation", observations, _fits_observations, episode, note)
    try:
        coding.action_space = _choose("action", actions, _fits_actions, episode, note)
    except RecordError:
        coding.by_index = True
        coding.action_space = need("gymnasium").spaces.Discrete(max(1, len(episode.action_values)))
        coding.actions(episode, len(episode))
        note("Actions are numbers in the study's list of actions: their values fit no space.")
    coding.env_spec = env.spec_if(coding, note)
    env.close()
    return coding


def dataset_id(game: str | None) -> str:
    """``CartPole-v1/human-v0``, made of letters, digits, underscores and dashes only."""
    parts = [re.sub(r"[^A-Za-z0-9_-]+", "-", part) for part in (game or "").split("/")[:4]]
    namespace = "/".join(part for part in parts if part.strip("-"))
    return f"{namespace[:100]}/human-v0" if len(namespace) > 1 else "human-v0"


def checked_id(name: str) -> str:
    """A dataset's id that somebody chose, with a version. RecordError where it is none."""
    if _ID.fullmatch(name) is None:
        raise RecordError(f"{name[:80]!r} is no name for a dataset: letters, digits, _ and -, with / between its parts")
    return name if re.search(r"-v[0-9]+$", name) else f"{name}-v0"


def first(values: Any, count: int) -> Any:
    """The first of stacked values."""
    if isinstance(values, dict):
        return {name: first(part, count) for name, part in values.items()}
    if isinstance(values, tuple):
        return tuple(first(part, count) for part in values)
    return values[:count]


def _fits_observations(space: Any, episode: Episode) -> None:
    pack(space, episode.observations, len(episode) + 1)


def _fits_actions(space: Any, episode: Episode) -> None:
    pack(space, episode.actions, len(episode), cast=True)


def _choose(
    what: str,
    candidates: list[tuple[str, Callable[[], Any]]],
    fits: Callable[[Any, Episode], None],
    episode: Episode,
    note: Note,
) -> Any:
    problems = []
    for origin, make in candidates:
        try:
            space = make()
            fits(space, episode)
        except ValueError as problem:
            problems.append(str(problem))
            continue
        if origin:
            note(f"The {what} space is {origin}: {problems[0]}.")
        return space
    raise RecordError(f"the {what}s of the first episode fit no space: {'; '.join(problems)}")


def _indices(actions: Any, action_values: list[Any]) -> Any:
    """The place of each action in the study's list. ValueError for one that is not in it."""
    numbers = []
    for action in actions if isinstance(actions, list) else np.asarray(actions).tolist():
        place = next((index for index, value in enumerate(action_values) if _same(value, action)), None)
        if place is None:
            raise ValueError("an action is not in the study's list of actions")
        numbers.append(place)
    return np.array(numbers, np.int64)


def _same(value: Any, action: Any) -> bool:
    return type(value) is type(action) and bool(np.array_equal(value, action))


class _Environment:
    """The environment that a record names, if it is registered here; made once, and only when asked for."""

    def __init__(self, game: str | None) -> None:
        self._game = game
        self._asked = False
        self._env: Any = None
        self._problem = "it is not registered here"

    def space(self, name: str) -> Any:
        """Its space of this name; ValueError where it cannot be had."""
        env = self._made()
        if env is None:
            raise ValueError(f"the environment {str(self._game)[:80]} cannot be made: {self._problem}")
        return getattr(env, name)

    def spec_if(self, coding: Coding, note: Note) -> Any:
        """Its specification, if the dataset's spaces are its own."""
        env = self._made()
        if env is None:
            note(f"The dataset names no environment: {str(self._game)[:80]} cannot be made ({self._problem}).")
            return None
        if coding.by_index or (env.observation_space, env.action_space) != (
            coding.observation_space,
            coding.action_space,
        ):
            note(f"The dataset names no environment: its spaces are not those of a plain {self._game}.")
            return None
        return env.spec

    def close(self) -> None:
        if self._env is not None:
            self._env.close()

    def _made(self) -> Any:
        if not self._asked:
            self._asked = True
            self._env = self._make()
        return self._env

    def _make(self) -> Any:
        gymnasium = need("gymnasium")
        if self._game is not None and self._game.startswith("ALE/"):
            try:
                gymnasium.register_envs(need("ale_py"))
            except RecordError:
                return None
        if self._game not in gymnasium.registry:  # a name such as module:Name would be imported; it is not in there
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return gymnasium.make(self._game)
        except Exception as problem:  # an installed environment's own code: whatever is wrong, there is none
            self._problem = type(problem).__name__
            return None
