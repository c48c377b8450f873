"""One row per tick: the columns that Parquet, JSON lines and CSV share, and how a tick fills them.

Each episode begins with a row of kind ``reset`` (tick 0) for what it began from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hippogym.data.columns import FLOAT, HUMAN_COLUMNS, INT, TEXT
from hippogym.data.ticks import Head, Part, Tick

BOOL, VALUE = "bool", "value"  # value: anything plain, as tagged JSON where there is nothing better

EPISODE_COLUMNS: dict[str, str] = {
    "source": TEXT,
    "verified": BOOL,
    "project": TEXT,
    "game": TEXT,
    "trial": TEXT,
    "participant": TEXT,
    "condition": TEXT,
    "episode": INT,
    "seed": INT,
}
TICK_COLUMNS: dict[str, str] = {
    "kind": TEXT,
    "tick": INT,
    "action": VALUE,
    "reported_action": VALUE,
    "reward": FLOAT,
    "terminated": BOOL,
    "truncated": BOOL,
    "done": BOOL,
}
LAST_COLUMNS: dict[str, str] = {"inputs": VALUE, "info": VALUE, "extra": VALUE, "observation": VALUE}
COLUMNS: dict[str, str] = {**EPISODE_COLUMNS, **TICK_COLUMNS, **HUMAN_COLUMNS, **LAST_COLUMNS}

Row = dict[str, Any]


@dataclass
class Counts:
    """What was written, or what was found when it was read again. episodes: those with at least one row."""

    episodes: int = 0
    ticks: int = 0


class EpisodeCounter:
    """Counts rows that are read again. An episode is a run of rows of one source and one number."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._last: object = None

    def row(self, source: object, episode: object, kind: object) -> None:
        if (source, episode) != self._last or kind == "reset":
            self.counts.episodes += 1
            self._last = (source, episode)
        self.counts.ticks += kind == "tick"


def rows(parts: Iterable[Part], counts: Counts, *, empty: bool = True) -> Iterator[Row]:
    """The rows of these episodes; counts is filled meanwhile. empty: whether an episode without ticks counts."""
    about: Row = {}
    counted = False
    for part in parts:
        if isinstance(part, Head):
            about, counted = _about(part), empty
            counts.episodes += counted
            yield {**about, **_reset(part)}
        elif isinstance(part, Tick):
            counts.episodes += not counted
            counted = True
            counts.ticks += 1
            yield {**about, **_tick(part)}


def _about(head: Head) -> Row:
    return {
        "source": head.source,
        "verified": head.verified,
        "project": head.project,
        "game": head.game,
        "trial": head.trial,
        "participant": head.participant,
        "condition": head.condition,
        "episode": head.number,
        "seed": head.seed,
    }


def _reset(head: Head) -> Row:
    empty: Row = dict.fromkeys((*TICK_COLUMNS, *HUMAN_COLUMNS, *LAST_COLUMNS))
    empty |= {"kind": "reset", "tick": 0, "inputs": [], "extra": {}}
    return {**empty, **head.human, "info": head.info, "observation": head.observation}


def _tick(tick: Tick) -> Row:
    return {
        "kind": "tick",
        "tick": tick.number,
        "action": tick.action,
        "reported_action": tick.reported_action,
        "reward": tick.reward,
        "terminated": tick.terminated,
        "truncated": tick.truncated,
        "done": tick.done,
        **tick.human,
        "inputs": tick.inputs,
        "info": tick.info,
        "extra": tick.extra,
        "observation": tick.observation,
    }
