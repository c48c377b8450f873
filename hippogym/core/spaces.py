"""An environment's observation or action space as plain values, complete enough to be made again from them.

Spaces are recognised by what they have, so that neither gym nor Gymnasium is imported; the records of an old agent and
of a new one describe their spaces alike.
"""

from typing import Any

import numpy as np

MOST_NUMBERS = 4096  # bounds that differ from number to number are written down for spaces up to this size
MOST_PARTS = 256  # of a Dict or Tuple, nested ones included
MOST_DEPTH = 8
KINDS = ("Discrete", "Box", "MultiDiscrete", "MultiBinary", "Text", "Dict", "Tuple")

Description = dict[str, Any]


def describe_space(space: Any) -> Description | None:
    """The description of a space, None for None.

    ``{"type": "Discrete", "n": 9, "start": 0}``
    ``{"type": "Box", "shape": [4], "dtype": "float32", "low": …, "high": …}``: a number where all bounds are equal,
        else nested like the shape; of large spaces with many bounds the least and the greatest, and ``"loose": True``
    ``{"type": "MultiDiscrete", "nvec": [3, 2], "start": [0, 0], "dtype": "int64"}``
    ``{"type": "MultiBinary", "n": 8}``, or ``"n": [2, 3]``
    ``{"type": "Text", "min_length": 1, "max_length": 8, "charset": "abc"}``
    ``{"type": "Dict", "spaces": {name: …}}``, ``{"type": "Tuple", "spaces": […]}``
    ``{"type": <any other class>, "repr": "Graph(…)"}``
    May raise whatever the space's own code raises.
    """
    return None if space is None else _describe(space, 0, [MOST_PARTS])


def space_kind(space: Any) -> str:
    """``Discrete``, ``Box``, … also for subclasses of gym's and Gymnasium's spaces; else the name of the class."""
    names = [kind.__name__ for kind in type(space).__mro__]
    return next((name for name in names if name in KINDS), names[0])


def _describe(space: Any, depth: int, room: list[int]) -> Description:
    kind = space_kind(space)
    room[0] -= 1
    if room[0] < 0 or depth > MOST_DEPTH:
        return {"type": kind, "repr": "<left out: too many parts>"}
    match kind:
        case "Discrete":
            return {"type": kind, "n": int(space.n), "start": int(getattr(space, "start", 0))}
        case "Box":
            return {"type": kind, "shape": _sides(space.shape), "dtype": str(space.dtype), **_bounds(space)}
        case "MultiDiscrete":
            start = np.broadcast_to(np.asarray(getattr(space, "start", 0)), np.shape(space.nvec))
            choices = np.asarray(space.nvec).tolist()
            return {"type": kind, "nvec": choices, "start": start.tolist(), "dtype": str(space.dtype)}
        case "MultiBinary":
            return {"type": kind, "n": _sides(space.n) if np.ndim(space.n) else int(space.n)}
        case "Text":
            lengths = {"min_length": int(space.min_length), "max_length": int(space.max_length)}
            return {"type": kind, **lengths, "charset": "".join(sorted(str(sign) for sign in space.character_set))}
        case "Dict":
            parts = {str(name): _describe(part, depth + 1, room) for name, part in space.spaces.items()}
            return {"type": kind, "spaces": parts}
        case "Tuple":
            return {"type": kind, "spaces": [_describe(part, depth + 1, room) for part in space.spaces]}
    return {"type": kind, "repr": repr(space)[:1000]}


def _sides(shape: Any) -> list[int]:
    return [int(side) for side in shape]


def _bounds(box: Any) -> Description:
    low, high = np.asarray(box.low), np.asarray(box.high)
    if low.size == 0:
        return {"low": None, "high": None}
    if (low == low.flat[0]).all() and (high == high.flat[0]).all():
        return {"low": low.flat[0].item(), "high": high.flat[0].item()}
    if low.size <= MOST_NUMBERS:
        return {"low": low.tolist(), "high": high.tolist()}
    return {"low": low.min().item(), "high": high.max().item(), "loose": True}
