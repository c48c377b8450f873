"""Plain values as JSON, and back, without losing anything.

What JSON knows stands as it is. The rest is an object with one key: ``{"__tuple__": […]}``, ``{"__float__": "nan"}``,
``{"__array__": {"dtype": "<f4", "shape": [2, 2], "base64": "…"}}``, ``{"__bytes__": "…"}``, ``{"__set__": […]}``,
``{"__frozenset__": […]}``, ``{"__complex__": [re, im]}``, and ``{"__dict__": [[key, value], …]}`` for dicts with other
keys than texts, or with keys that look like these.
"""

import base64
import json
import math
from typing import Any

import numpy as np

from hippogym.core.arrays import build, describe, dtype_from

_MOST_DEPTH = 100


def dumps(value: Any) -> str:
    """One line of JSON, ASCII only. value: plain, as in a record; TypeError otherwise."""
    return json.dumps(to_json(value), allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """The value again. Raises ValueError for what ``dumps`` did not write."""
    return from_json(json.loads(text))


def to_json(value: Any) -> Any:
    """The value as json.dumps takes it."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"__float__": repr(value)}
    if kind is dict:
        if all(type(name) is str and not name.startswith("__") for name in value):
            return {name: to_json(item) for name, item in value.items()}
        return {"__dict__": [[to_json(name), to_json(item)] for name, item in value.items()]}
    if kind is list:
        return [to_json(item) for item in value]
    if kind in _TAGS:
        return {f"__{kind.__name__}__": [to_json(item) for item in value]}
    if kind is bytes:
        return {"__bytes__": base64.b64encode(value).decode()}
    if kind is complex:
        return {"__complex__": [to_json(value.real), to_json(value.imag)]}
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and (described := describe(value.dtype)) is not None:
        data = base64.b64encode(value.tobytes()).decode()
        return {"__array__": {"dtype": described, "shape": list(value.shape), "base64": data}}
    raise TypeError(f"{kind.__name__} is not a plain value")


def from_json(value: Any, depth: int = 0) -> Any:
    """The inverse of to_json; ValueError for what it would not have given."""
    if depth > _MOST_DEPTH:
        raise ValueError("values nested too deep")
    if type(value) is list:
        return [from_json(item, depth + 1) for item in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        (name, content), *_ = value.items()
        if name.startswith("__"):
            try:
                return _untag(name, content, depth)
            except (TypeError, AttributeError, KeyError) as problem:
                raise ValueError(f"{name[:40]} with a content that is not its own") from problem
    return {name: from_json(item, depth + 1) for name, item in value.items()}


_TAGS = (tuple, set, frozenset)


def _untag(name: str, content: Any, depth: int) -> Any:
    for kind in _TAGS:
        if name == f"__{kind.__name__}__":
            return kind(from_json(item, depth + 1) for item in content)
    match name:
        case "__float__":
            return float(content)
        case "__bytes__":
            return base64.b64decode(content, validate=True)
        case "__complex__":
            real, imag = (from_json(part) for part in content)
            return complex(real, imag)
        case "__dict__":
            return {from_json(key, depth + 1): from_json(item, depth + 1) for key, item in content}
        case "__array__":
            shape, described = tuple(content["shape"]), _fields(content["dtype"])
            return build(shape, dtype_from(described), base64.b64decode(content["base64"], validate=True))
    raise ValueError(f"{name[:40]} is not a value that we write")


def _fields(described: Any) -> Any:
    """A dtype of fields: JSON has made lists of its tuples."""
    if type(described) is not list:
        return described
    return [(field[0], _fields(field[1]), *(tuple(shape) for shape in field[2:])) for field in described]
