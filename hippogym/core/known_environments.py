"""What the numbers of well-known environments mean; Gymnasium's environments do not say it themselves.

Numbers and signs are those of the environments' sources (Gymnasium 1.x): CarRacing's discrete action 1, for example,
steers right although its continuous -1 steers left.
"""

import re
from dataclasses import dataclass, field

from hippogym.core.action_names import squash
from hippogym.core.env_facts import EnvFacts, Value
from hippogym.core.keymaps import DIRECTION_KEYS, PAIR_KEYS


@dataclass(frozen=True)
class Known:
    """names and values go together; neutral: the value that does nothing, where there is one."""

    names: tuple[str, ...]
    values: tuple[Value, ...]
    neutral: Value = None
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)


def known(facts: EnvFacts) -> Known | None:
    """The names of this environment's actions, if it is one of those known here with the space known here."""
    space = facts.space or {}
    base = _base_name(facts.name)
    if space.get("type") == "Discrete":
        candidates, size = _discrete(), None if space.get("start", 0) else space["n"]
    elif space.get("type") == "Box":
        candidates, size = _boxes(), space["shape"]
    else:
        return None
    return next((found for prefix, fits, found in candidates if base.startswith(prefix) and fits == size), None)


def more_keys(facts: EnvFacts) -> dict[str, tuple[str, ...]]:
    """Keys besides those that an action's name suggests, where a person sees something else happen.

    The paddle of Atari's Pong goes up with the action ``right`` and down with ``left``, and there is no ``up``.
    """
    meanings = {squash(meaning) for meaning in facts.meanings or ()}
    if not _base_name(facts.name).startswith("pong") or not {"left", "right"} <= meanings or "up" in meanings:
        return {}
    return {name: tuple(keys[seen] for keys in DIRECTION_KEYS) for name, seen in (("right", "up"), ("left", "down"))}


def _base_name(name: str) -> str:
    """``phys2d/CartPole-v1`` and the class ``CartPoleEnv`` are both ``cartpole``."""
    text = re.sub(r"-v\d+$", "", name.rsplit("/", 1)[-1]).lower().replace("_", "")
    return text.removeprefix("continuous").removesuffix("env")


def _numbered(*names: str, neutral: int | None = None) -> Known:
    return Known(names, tuple(range(len(names))), neutral)


def _discrete() -> list[tuple[str, object, Known]]:
    return [
        ("cartpole", 2, _numbered("left", "right")),
        ("mountaincar", 3, _numbered("left", "noop", "right", neutral=1)),
        ("acrobot", 3, _numbered("left", "noop", "right", neutral=1)),
        ("lunarlander", 4, _numbered("noop", "left", "up", "right", neutral=0)),
        ("carracing", 5, _numbered("noop", "right", "left", "up", "down", neutral=0)),
        ("frozenlake", 4, _numbered("left", "down", "right", "up")),
        ("cliffwalking", 4, _numbered("up", "right", "down", "left")),
        ("taxi", 6, _numbered("down", "up", "right", "left", "pickup", "dropoff")),
        ("blackjack", 2, _numbered("stick", "hit")),
    ]


def _boxes() -> list[tuple[str, object, Known]]:
    one = (("left", -1.0), ("right", 1.0))
    return [
        ("mountaincar", [1], Known(tuple(n for n, _ in one), tuple((v,) for _, v in one), (0.0,))),
        # A positive torque turns counter-clockwise: to the left, for a pendulum that stands.
        ("pendulum", [1], Known(("left", "right"), ((2.0,), (-2.0,)), (0.0,))),
        ("lunarlander", [2], Known(("left", "up", "right"), ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0)), (0.0, 0.0))),
        ("carracing", [3], _car()),
        ("bipedalwalker", [4], _walker()),
    ]


def _car() -> Known:
    values = ((-1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.8))
    return Known(("left", "right", "up", "down"), values, (0.0, 0.0, 0.0))


def _walker() -> Known:
    """Four joints, each on one column of the keyboard."""
    names: list[str] = []
    values: list[Value] = []
    keys: dict[str, tuple[str, ...]] = {}
    for joint, name in enumerate(("hip1", "knee1", "hip2", "knee2")):
        for sign, code in zip("+-", PAIR_KEYS[joint], strict=True):
            names.append(name + sign)
            values.append(tuple(float(f"{sign}1") if index == joint else 0.0 for index in range(4)))
            keys[name + sign] = (code,)
    return Known(tuple(names), tuple(values), (0.0,) * 4, keys)
