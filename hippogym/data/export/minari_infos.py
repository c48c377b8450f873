"""An episode's infos as columns, which is how Minari keeps them: the environment's own, and those about the human."""

import json
from typing import Any

import numpy as np

from hippogym.data.columns import HUMAN_COLUMNS, TEXT, to_array
from hippogym.data.episodes import Episode
from hippogym.data.export.tagged import dumps
from hippogym.data.manifest import json_safe
from hippogym.data.stacking import stack

HUMAN = "human"
_MOST_NAMES = 256

Columns = dict[str, Any]


def infos_of(episode: Episode, ticks: int) -> Columns:
    """T + 1 values per column, the first from the reset; the columns about the human under ``human``."""
    assert episode.human is not None and episode.inputs is not None
    columns = _environment(episode.infos[: ticks + 1])
    human: Columns = {}
    for name, kind in HUMAN_COLUMNS.items():
        values = np.concatenate([to_array([episode.head.human.get(name)], kind), episode.human[name][:ticks]])
        human[name] = [clean(text) for text in values] if kind == TEXT else values
    human["inputs"] = _inputs(episode, ticks)
    return {**columns, HUMAN: human}


def clean(text: str) -> str:
    """As HDF5 can hold it: UTF-8 without the zero character."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _inputs(episode: Episode, ticks: int) -> list[str]:
    """What the participant did before each tick, as JSON."""
    assert episode.inputs is not None
    by_tick: dict[int, list[Any]] = {}
    for given in episode.inputs:
        by_tick.setdefault(given.tick, []).append(json_safe(given.fields))
    numbers = [0, *episode.ticks[:ticks].tolist()]
    return [json.dumps(by_tick.get(number, [])) for number in numbers]


def _environment(infos: list[dict[Any, Any]]) -> Columns:
    names: dict[Any, None] = {}
    for info in infos:
        for name in info:
            if len(names) < _MOST_NAMES:
                names[name] = None
    columns: Columns = {}
    for name in names:
        columns[_free_name(name, columns)] = _column([info.get(name) for info in infos])
    return columns


def _column(values: list[Any]) -> Any:
    """An array where they are numbers or arrays of one kind, nan for what is missing; else each as JSON."""
    present = [value for value in values if value is not None]
    stacked = stack(present)
    if isinstance(stacked, np.ndarray) and stacked.dtype.kind in "biuf":
        if len(present) == len(values):
            return stacked
        if stacked.dtype.kind == "f" or stacked.ndim == 1:
            whole = np.full((len(values), *stacked.shape[1:]), np.nan)
            whole[[value is not None for value in values]] = stacked
            return whole
    return ["" if value is None else clean(value) if type(value) is str else dumps(value) for value in values]


def _free_name(name: Any, taken: Columns) -> str:
    """A name that HDF5 takes as one, and that no other column has."""
    text = clean(name if type(name) is str else repr(name))[:80].replace("/", "_").strip(".") or "_"
    free, count = text, 2
    while free in taken or free == HUMAN:
        free, count = f"{text}_{count}", count + 1
    return free
