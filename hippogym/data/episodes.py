"""Episodes as arrays, for training and statistics.

    from hippogym.data.episodes import episodes

    for episode in episodes("Trials"):
        print(episode.participant, episode.observations.shape, episode.actions[:10], episode.rewards.sum())
        print(episode.human["reaction_ms"])

Reads records of anybody without executing anything (docs/reading.md). One episode is in memory at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hippogym.data.columns import HUMAN_COLUMNS, InputNote, to_array
from hippogym.data.sources import find_records
from hippogym.data.stacking import flatten_numbers, stack
from hippogym.data.ticks import Head, Part, Tail, Tick, read_parts


@dataclass
class Episode:
    """One episode of T ticks.

    observations: T + 1, the first from the reset, stacked (see stacking.stack): an array, a dict or tuple of arrays,
        or a list of what cannot be stacked. Only T where the record has no observation of the reset (see ``head``).
    actions: T, what went into the environment; None for records of the first HIPPO Gym, which did not keep them.
    rewards: float64, nan where there is none. terminated, truncated: bool; kept apart as the environment told them.
    infos: T + 1 dicts, the first from the reset. ticks: the number of each tick, from 1.
    human: the columns of columns.HUMAN_COLUMNS, T values each (-1, nan or '' where unknown); None if not asked for.
    inputs: everything the participant did, with the tick by which it had been handled; None if not asked for.
    reason: why it ended. ended: the record says so, and was not cut short. missing: how many ticks are missing;
        ``observations[i + 1]`` follows from ``actions[i]`` in any case, but from ``observations[i]`` only if
        ``ticks[i] == ticks[i - 1] + 1``.
    """

    head: Head
    observations: Any
    actions: Any
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    infos: list[dict[Any, Any]]
    ticks: NDArray[np.int64]
    human: dict[str, NDArray[Any]] | None
    inputs: list[InputNote] | None
    reason: str
    ended: bool
    missing: int

    def __len__(self) -> int:
        """How many ticks there are."""
        return len(self.rewards)

    @property
    def participant(self) -> str | None:
        """The name that the client gave: a label, not an identity."""
        return self.head.participant

    @property
    def trial(self) -> str | None:
        return self.head.trial

    @property
    def number(self) -> int | None:
        """The episode's number in its trial, from 0."""
        return self.head.number

    @property
    def game(self) -> str | None:
        return self.head.game

    @property
    def seed(self) -> int | None:
        """What the environment was seeded with; None where it took no seed."""
        return self.head.seed

    @property
    def spaces(self) -> dict[str, Any]:
        """``observation`` and ``action``, described as in hippogym.core.spaces; empty where not recorded."""
        told = self.head.header.get("spaces")
        return told if type(told) is dict else {}

    @property
    def action_names(self) -> list[str]:
        """The names of the actions; ``action_values`` are what they stand for, in the same order."""
        return [name for name in self._told_of_actions("names") if type(name) is str]

    @property
    def action_values(self) -> list[Any]:
        return self._told_of_actions("values")

    @property
    def verified(self) -> bool:
        """Whether every entry had a checksum, and it was right."""
        return self.head.verified

    def _told_of_actions(self, what: str) -> list[Any]:
        actions = self.head.header.get("actions")
        told = actions.get(what) if type(actions) is dict else None
        return told if type(told) is list else []


def episodes(where: str | Path, *, human: bool = True) -> Iterator[Episode]:
    """The episodes of a record, of a folder of records, or of an ``s3://`` address, in the order of their names.

    human: with the columns about the participant. Damaged entries are passed over (see Episode.missing); records
    that are still being written are left out. Raises RecordError where there is nothing, OSError where something
    cannot be read.
    """
    for found in find_records(where):
        if found.closed:
            yield from assemble(read_parts(found), human=human)


def assemble(parts: Iterable[Part], *, human: bool = True) -> Iterator[Episode]:
    """Episodes from their parts, as read_parts gives them."""
    draft: _Draft | None = None
    for part in parts:
        if isinstance(part, Head):
            draft = _Draft(part)
        elif draft is not None and isinstance(part, Tick):
            draft.add(part)
        elif draft is not None and isinstance(part, Tail):
            yield draft.episode(part, human)
            draft = None


@dataclass
class _Draft:
    head: Head
    observations: list[Any] = field(default_factory=list)
    actions: list[Any] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    flags: list[tuple[bool, bool]] = field(default_factory=list)
    infos: list[dict[Any, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    human: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[InputNote] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.infos.append(self.head.info or {})
        if self.head.observation is not None:
            self.observations.append(self.head.observation)

    def add(self, tick: Tick) -> None:
        self.observations.append(tick.observation)
        self.actions.append(tick.action)
        self.rewards.append(np.nan if tick.reward is None else tick.reward)
        self.flags.append((tick.terminated, tick.truncated))
        self.infos.append(tick.info or {})
        self.numbers.append(tick.number)
        self.human.append(tick.human)
        self.inputs += [InputNote(tick.number, given) for given in tick.inputs]

    def episode(self, tail: Tail, human: bool) -> Episode:
        flags = np.array(self.flags, bool).reshape(-1, 2)
        self.inputs += [InputNote(self.numbers[-1] if self.numbers else 0, given) for given in tail.inputs]
        columns = {name: to_array([each[name] for each in self.human], kind) for name, kind in HUMAN_COLUMNS.items()}
        return Episode(
            head=self.head,
            observations=stack(self.observations),
            actions=None if self.head.original else flatten_numbers(stack(self.actions)),
            rewards=np.array(self.rewards, np.float64),
            terminated=flags[:, 0].copy(),
            truncated=flags[:, 1].copy(),
            infos=self.infos,
            ticks=np.array(self.numbers, np.int64),
            human=columns if human else None,
            inputs=self.inputs if human else None,
            reason=tail.reason,
            ended=tail.ended,
            missing=tail.missing,
        )
