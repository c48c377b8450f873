"""What an environment says of itself, read without knowing whether it is gym's, Gymnasium's or somebody's own.

Environments and spaces are recognised by what they have, so neither library is imported here. Every question may
run somebody's code and fail in any way; an answer that cannot be had is logged and missing.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from hippogym.core.actions import EnvFacts
from hippogym.core.env_facts import Value, as_value
from hippogym.core.keymaps import code_of, sort_codes

logger = logging.getLogger(__name__)

MOST_NUMBERS = 1024
_SPACES = ("Discrete", "Box", "MultiDiscrete", "MultiBinary", "Dict", "Tuple", "Text")


def read_facts(env: Any) -> EnvFacts:
    """The facts of an environment. Never raises; what an odd environment does not say is None."""
    bare = _ask("unwrapped", lambda: env.unwrapped, env)
    return EnvFacts(
        space=_ask("action_space", lambda: describe_space(env.action_space)),
        meanings=_ask("get_action_meanings", lambda: _meanings(bare)),
        keys_to_action=_ask("get_keys_to_action", lambda: _keys_to_action(bare)),
        name=_ask("spec", lambda: _name(env, bare), type(env).__name__),
    )


def _ask(what: str, question: Callable[[], Any], otherwise: Any = None) -> Any:
    try:
        return question()
    except AttributeError:
        return otherwise  # it just has none
    except Exception as problem:
        logger.warning("the environment's %s cannot be read: %s", what, type(problem).__name__)
        return otherwise


def _name(env: Any, bare: Any) -> str:
    spec = getattr(env, "spec", None) or getattr(bare, "spec", None)
    return str(getattr(spec, "id", None) or type(bare).__name__)


def space_type(space: Any) -> str:
    """``Discrete``, ``Box``, … also for subclasses of gym's and Gymnasium's spaces; else the name of the class."""
    names = [kind.__name__ for kind in type(space).__mro__]
    return next((name for name in names if name in _SPACES), names[0])


def describe_space(space: Any) -> dict[str, Any] | None:
    """A space as EnvFacts.space describes it."""
    if space is None:
        return None
    kind = space_type(space)
    if kind == "Discrete":
        return {"type": kind, "n": int(space.n), "start": int(getattr(space, "start", 0))}
    if kind == "Box":
        box: dict[str, Any] = {"type": kind, "shape": [int(side) for side in space.shape], "dtype": str(space.dtype)}
        if np.size(space.low) <= MOST_NUMBERS:
            box |= {"low": np.asarray(space.low).tolist(), "high": np.asarray(space.high).tolist()}
        return box
    if kind == "MultiDiscrete":
        choices = np.asarray(space.nvec)
        start = np.broadcast_to(np.asarray(getattr(space, "start", 0)), choices.shape)
        return {"type": kind, "nvec": choices.tolist(), "start": start.tolist()}
    if kind == "MultiBinary":
        return {"type": kind, "n": _size(space.n)}
    return {"type": kind, "repr": repr(space)[:1000]}


def _size(size: Any) -> int | list[int]:
    return [int(side) for side in size] if np.ndim(size) else int(size)


def _meanings(bare: Any) -> tuple[str, ...] | None:
    """What the actions are called; the buttons of a console's emulator are the names of its bits."""
    if hasattr(bare, "get_action_meanings"):
        return tuple(str(meaning) for meaning in bare.get_action_meanings())
    if space_type(getattr(bare, "action_space", None)) == "MultiBinary" and hasattr(bare, "buttons"):
        return tuple(str(button or "") for button in bare.buttons)
    return None


def _keys_to_action(bare: Any) -> tuple[tuple[tuple[str, ...], Value], ...] | None:
    """The environment's own keys. Characters, pygame's numbers and None are all found there in the wild; a
    combination with a key that no browser knows is left out.
    """
    found: list[tuple[tuple[str, ...], Value]] = []
    for keys, value in dict(bare.get_keys_to_action()).items():
        codes = [code_of(key) for key in _single_keys(keys)]
        if all(codes):
            found.append((sort_codes({code for code in codes if code}), as_value(value)))
    return tuple(found) or None


def _single_keys(keys: Any) -> list[Any]:
    """A combination is a tuple, a single key, or a text of characters pressed together (``"wd"``)."""
    if isinstance(keys, str):
        return [keys] if code_of(keys) or not keys else list(keys)
    return list(keys) if isinstance(keys, tuple | frozenset | list) else [keys]


def to_env_action(action: Value, space: Any) -> Any:
    """The action as the environment's space wants it: an int, or a fresh array of the space's dtype and shape.

    What does not fit the space is handed over as it is: then the agent's own ``step`` makes something of it.
    """
    if space is None:
        return action
    kind = space_type(space)
    if kind == "Discrete":
        return int(action) if isinstance(action, int | np.integer) else action
    if kind in ("Box", "MultiBinary", "MultiDiscrete"):
        return _to_array(action, tuple(space.shape), np.dtype(space.dtype))
    if kind == "Dict" and isinstance(action, dict) and action.keys() == space.spaces.keys():
        return {key: to_env_action(part, space.spaces[key]) for key, part in action.items()}
    if kind == "Tuple" and isinstance(action, tuple | list) and len(action) == len(space.spaces):
        return tuple(to_env_action(part, inner) for part, inner in zip(action, space.spaces, strict=True))
    return action


def _to_array(action: Value, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    try:
        array = np.array(action, dtype)
    except (TypeError, ValueError, OverflowError):
        return action
    return array if array.shape == shape else action
