"""Which actions there are: their names, and the value behind each name.

Names come from the study's ``actionSpace``, else from the environment, else from what is known of it, else they are
made up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from hippogym.core.action_mixing import Kind, Mixing
from hippogym.core.action_names import is_noop, same_name, squash
from hippogym.core.env_facts import EnvFacts, Value, as_value
from hippogym.core.keymaps import PAIR_KEYS
from hippogym.core.known_environments import known

MOST_ACTIONS = 1000
MOST_DIMENSIONS = 64


@dataclass
class ActionSet:
    """neutral: the value that does nothing, where one is known (None elsewhere).

    complete: the names stand for all there is, so none is to be added (an ordered list, a Discrete space).
    keys: the keys that come with the names; only for names that do not say it themselves.
    """

    names: list[str]
    values: list[Value]
    neutral: Value = None
    mixing: Mixing = field(default_factory=Mixing)
    complete: bool = True
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def name_actions(facts: EnvFacts, action_space: Sequence[str] | Mapping[str, Value] | None) -> ActionSet:
    """The actions of an environment. Raises ValueError with a sentence where they cannot be named."""
    if action_space is not None and not action_space:
        raise ValueError("trial.actionSpace is empty: name the actions in it, or leave it out")
    if isinstance(action_space, Mapping):
        found = _from_map(facts, action_space)
    elif action_space is not None:
        found = _from_list(facts, action_space)
    else:
        found = _from_environment(facts)
    _look_for_repeats(found)
    return found


def describe(facts: EnvFacts) -> str:
    """The environment and its space in a few words, for messages."""
    space = facts.space or {}
    size = {"Discrete": "n", "Box": "shape", "MultiDiscrete": "nvec", "MultiBinary": "n"}.get(space.get("type", ""))
    text = f"{space['type']}({space[size]})" if size else str(space.get("repr", space.get("type", "no space")))
    return f"{facts.name or 'the environment'} ({text[:200]})"


def _from_list(facts: EnvFacts, configured: Sequence[str]) -> ActionSet:
    """Position in the list = action of the environment, counted from the space's start."""
    names = [str(name).strip() for name in configured]
    space = facts.space or {}
    found = ActionSet(names, list(range(len(names))), _neutral(facts))
    if space.get("type") == "Discrete":
        found.values = [space.get("start", 0) + index for index in range(len(names))]
        _compare_with_environment(found, facts)
    elif space:
        found.neutral = None
        found.problems.append(
            f"trial.actionSpace is a list, so step() gets positions from 0 to {len(names) - 1}, but {describe(facts)} "
            "takes other actions: translate them in step(), or write a map from name to value"
        )
    return found


def _compare_with_environment(found: ActionSet, facts: EnvFacts) -> None:
    """A list in another order than the environment's is the commonest mistake of a study."""
    actions = facts.space["n"] if facts.space else 0
    if len(found.names) != actions:
        surplus = f"; the names after {found.names[actions - 1]!r} are left out" if len(found.names) > actions else ""
        found.problems.append(
            f"trial.actionSpace has {len(found.names)} names, but {describe(facts)} has {actions} actions{surplus}"
        )
        del found.names[actions:], found.values[actions:]
    meanings = _meanings(facts, actions)
    for index, name in enumerate(found.names):
        place = next((i for i, meaning in enumerate(meanings) if _means(name, meaning)), index)
        if place != index:
            found.problems.append(
                f"trial.actionSpace names action {index} {name!r}, but in {facts.name or 'the environment'} "
                f"action {index} is {meanings[index]!r} and {meanings[place]!r} is action {place}"
            )


def _meanings(facts: EnvFacts, actions: int) -> Sequence[str]:
    if facts.meanings and len(facts.meanings) == actions:
        return facts.meanings
    known_here = known(facts)
    return known_here.names if known_here else ()


def _means(name: str, meaning: str) -> bool:
    return same_name(name, meaning) or (is_noop(name) and is_noop(meaning))


def _from_map(facts: EnvFacts, configured: Mapping[str, Value]) -> ActionSet:
    names = [str(name).strip() for name in configured]
    fitted = [_fit(as_value(value), facts.space) for value in configured.values()]
    found = ActionSet(names, [value for value, _ in fitted], _neutral(facts), complete=False)
    for name, (_, complaint) in zip(names, fitted, strict=True):
        if complaint:
            found.problems.append(f"trial.actionSpace.{name}: {complaint} of {describe(facts)}")
    if not any(complaint for _, complaint in fitted):
        found.mixing = _mixing(facts.space)
    return found


def _fit(value: Value, space: dict[str, Any] | None) -> tuple[Value, str | None]:
    """The value in the shape of the space (a single number fills a Box), and what is wrong with it, if anything."""
    kind = space.get("type") if space else None
    if space is None or kind not in ("Discrete", "Box", "MultiBinary", "MultiDiscrete"):
        return value, None
    if kind == "Discrete":
        start = space.get("start", 0)
        inside = isinstance(value, int) and start <= value < start + space["n"]
        return value, None if inside else f"{value!r} is not a whole number from {start} to {start + space['n'] - 1}"
    shape = _shape(space)
    try:
        numbers = np.asarray(value, float)
        numbers = np.broadcast_to(numbers, shape) if numbers.size == 1 and prod(shape) == 1 else numbers
    except (TypeError, ValueError):
        return value, f"{value!r} is not made of numbers, as an action"
    if numbers.shape != shape:
        return value, f"{value!r} has not the shape {list(shape)}"
    low, high = _bounds(space)
    if low is not None and ((numbers < low) | (numbers > high)).any():
        return value, f"{value!r} is outside the bounds"
    whole = kind != "Box"
    return as_value(numbers.astype(int) if whole else numbers), None


def _from_environment(facts: EnvFacts) -> ActionSet:
    space = facts.space
    if space is None:
        raise ValueError(
            f"{facts.name or 'The environment'} has no action_space, so nobody knows its actions: "
            "list their names in trial.actionSpace, for example [noop, left, right]"
        )
    known_here = known(facts)
    if space["type"] == "Discrete" and len(facts.meanings or ()) == space["n"]:
        values = [space.get("start", 0) + index for index in range(space["n"])]
        return ActionSet([str(meaning).lower() for meaning in facts.meanings or ()], values, _neutral(facts))
    if known_here is not None:
        names, values, neutral = list(known_here.names), list(known_here.values), known_here.neutral
        complete = space["type"] == "Discrete"
        return ActionSet(names, values, neutral, _mixing(space), complete, dict(known_here.keys))
    if space["type"] == "Discrete":
        return _numbered(facts)
    return _one_dimension_each(facts)


def _write_a_map(facts: EnvFacts) -> str:
    return (
        f"{describe(facts)} takes actions for which there are no names and keys: write trial.actionSpace as a map "
        "from a name of yours to the value that step() shall get, for example {left: [-1.0], right: [1.0]}"
    )


def _numbered(facts: EnvFacts) -> ActionSet:
    space = facts.space or {}
    if space["n"] > MOST_ACTIONS:
        raise ValueError(_write_a_map(facts))
    values = [space.get("start", 0) + index for index in range(space["n"])]
    return ActionSet([str(value) for value in values], list(values), _neutral(facts))


def _one_dimension_each(facts: EnvFacts) -> ActionSet:
    """Every action moves one number of the value and leaves the others neutral; several held together combine."""
    space = facts.space or {}
    mixing = _mixing(space)
    neutral = np.asarray(mixing.neutral)
    if mixing.kind == "none" or neutral.size > MOST_DIMENSIONS:
        raise ValueError(_write_a_map(facts))
    found = ActionSet([], [], mixing.neutral, mixing, complete=False)
    for index in range(neutral.size):
        for name, number, codes in _moves(space, facts.meanings, index, neutral.size, mixing):
            value = neutral.copy()
            value.flat[index] = number
            found.names.append(name)
            found.values.append(as_value(value))
            if codes:
                found.keys[name] = codes
    if not found.names or len(found.names) > MOST_ACTIONS:
        raise ValueError(_write_a_map(facts))
    return found


def _moves(
    space: dict[str, Any], meanings: tuple[str, ...] | None, index: int, size: int, mixing: Mixing
) -> list[tuple[str, float, tuple[str, ...]]]:
    """Name, number and keys of each way to move one dimension away from neutral."""
    if space["type"] == "MultiBinary":
        named = meanings[index] if meanings and len(meanings) == size else ""
        return [(named.lower() or str(index), 1, ())]
    neutral, low, high = (float(np.asarray(end).flat[index]) for end in (mixing.neutral, mixing.low, mixing.high))
    if space["type"] == "MultiDiscrete":
        choices = range(int(low) + 1, int(min(high, low + MOST_ACTIONS)) + 1)
        return [(f"{index}={choice}", choice, ()) for choice in choices]
    ends = (("-", low if np.isfinite(low) else neutral - 1.0), ("+", high if np.isfinite(high) else neutral + 1.0))
    raising, lowering = PAIR_KEYS[index] if index < len(PAIR_KEYS) else ("", "")
    arrows = (("ArrowLeft", "ArrowRight"), ("ArrowDown", "ArrowUp"))[index] if index < 2 else ("", "")
    keys = {"-": (arrows[0], lowering), "+": (arrows[1], raising)}
    return [(f"{index}{sign}", end, tuple(filter(None, keys[sign]))) for sign, end in ends if end != neutral]


def _mixing(space: dict[str, Any] | None) -> Mixing:
    """How values of this space combine, with its neutral value: zeros, moved into the bounds."""
    kinds: dict[str, Kind] = {"Box": "offsets", "MultiBinary": "bits", "MultiDiscrete": "choices"}
    kind = kinds.get(space["type"], "none") if space else "none"
    if space is None or kind == "none":
        return Mixing()
    low, high = _bounds(space)
    if low is None:
        return Mixing()
    numbers = np.zeros(_shape(space), float if kind == "offsets" else int)
    return Mixing(kind, as_value(np.clip(numbers, low, high)), as_value(low), as_value(high))


def _bounds(space: dict[str, Any]) -> tuple[Any, Any]:
    """The least and the greatest value, as arrays; None twice where the space is too big to have said."""
    if space["type"] == "MultiBinary":
        return np.zeros(_shape(space), int), np.ones(_shape(space), int)
    if space["type"] == "MultiDiscrete":
        choices = np.asarray(space["nvec"], int)
        start = np.broadcast_to(np.asarray(space.get("start", 0), int), choices.shape)
        return start, start + choices - 1
    return (np.asarray(space["low"], float), np.asarray(space["high"], float)) if "low" in space else (None, None)


def _shape(space: dict[str, Any]) -> tuple[int, ...]:
    if space["type"] == "MultiBinary":
        return tuple(space["n"]) if isinstance(space["n"], list | tuple) else (space["n"],)
    return tuple(space["shape"]) if space["type"] == "Box" else np.asarray(space["nvec"]).shape


def _neutral(facts: EnvFacts) -> Value:
    """The value that does nothing: what the environment's own key map gives for no key, its NOOP, or the known one."""
    space = facts.space or {}
    if space.get("type") == "Discrete":
        for codes, value in facts.keys_to_action or ():
            if not codes:
                return value
        for index, meaning in enumerate(facts.meanings or ()):
            if is_noop(meaning):
                return space.get("start", 0) + index
    known_here = known(facts)
    return known_here.neutral if known_here else _mixing(facts.space).neutral


def _look_for_repeats(found: ActionSet) -> None:
    for index, name in enumerate(found.names):
        if not squash(name):
            raise ValueError(f"trial.actionSpace: the name of action {index} is empty")
        earlier = next((other for other in found.names[:index] if same_name(name, other)), None)
        if earlier is not None:
            found.problems.append(f"trial.actionSpace: {name!r} and {earlier!r} are one name; the first one counts")
