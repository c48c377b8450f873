"""Gymnasium's spaces again: from their description in the record, or, where it has none, from the data itself."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hippogym.data.export.optional import need
from hippogym.data.stacking import flatten_numbers, stack

_MOST_NUMBERS = 2**24  # of one Box: what a stranger's record describes must not fill the memory
_MOST_DEPTH = 8
_NUMBERS = frozenset("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split())


def build_space(description: Any, depth: int = 0) -> Any:
    """The space that hippogym.core.spaces described. ValueError for what is no such description."""
    spaces = need("gymnasium").spaces
    if type(description) is not dict or depth > _MOST_DEPTH:
        raise ValueError("that is not the description of a space")
    try:
        return _build(spaces, description, depth)
    except (KeyError, TypeError, AssertionError, OverflowError) as problem:
        raise ValueError(f"the description of a {str(description.get('type'))[:40]} that does not hold") from problem


def _build(spaces: Any, told: dict[str, Any], depth: int) -> Any:
    match told["type"]:
        case "Discrete":
            return spaces.Discrete(int(told["n"]), start=int(told["start"]))
        case "Box":
            shape, dtype = _shape(told["shape"]), _dtype(told["dtype"])
            low, high = _bound(told["low"], shape, dtype, least=True), _bound(told["high"], shape, dtype, least=False)
            return spaces.Box(low, high, shape, dtype)
        case "MultiDiscrete":
            nvec = np.array(told["nvec"], np.int64)
            return spaces.MultiDiscrete(nvec, dtype=_dtype(told["dtype"]), start=np.array(told["start"], np.int64))
        case "MultiBinary":
            size = told["n"]
            return spaces.MultiBinary(size if type(size) is int and _shape([size]) else _shape(size))
        case "Text":
            lengths = {"min_length": int(told["min_length"]), "max_length": int(told["max_length"])}
            return spaces.Text(**lengths, charset=str(told["charset"]))
        case "Dict":
            return spaces.Dict({str(name): build_space(part, depth + 1) for name, part in told["spaces"].items()})
        case "Tuple":
            return spaces.Tuple([build_space(part, depth + 1) for part in told["spaces"]])
    raise ValueError(f"a space of the kind {str(told['type'])[:40]} cannot be made from its description")


def _shape(shape: Any) -> tuple[int, ...]:
    sides = tuple(int(side) for side in shape)
    if any(side < 0 for side in sides) or math.prod(sides) > _MOST_NUMBERS:
        raise ValueError("a space with an impossible shape")
    return sides


def _dtype(name: Any) -> np.dtype[Any]:
    if name not in _NUMBERS:
        raise ValueError(f"a space of {str(name)[:40]}")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _bound(told: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *, least: bool) -> Any:
    if told is None:
        return _unbounded(dtype, least=least)
    bound = np.array(told, dtype)
    if bound.shape not in ((), shape):
        raise ValueError("a space whose bounds do not fit its shape")
    return np.broadcast_to(bound, shape).copy()


def _unbounded(dtype: np.dtype[Any], *, least: bool) -> Any:
    if dtype.kind == "f":
        return -np.inf if least else np.inf
    if dtype.kind == "b":
        return not least
    return np.iinfo(dtype).min if least else np.iinfo(dtype).max


def infer_space(values: Any) -> Any:
    """A space that holds these stacked values (see stacking.stack): the widest bounds, and never fewer than seen.

    ValueError where no space can be guessed.
    """
    spaces = need("gymnasium").spaces
    if type(values) is dict and values and all(type(name) is str for name in values):
        return spaces.Dict({name: infer_space(part) for name, part in values.items()})
    if type(values) is tuple and values:
        return spaces.Tuple([infer_space(part) for part in values])
    if not isinstance(values, np.ndarray) or values.dtype.name not in _NUMBERS:
        raise ValueError("what is recorded is not made of numbers of one shape")
    dtype, shape = values.dtype, values.shape[1:]
    if not shape and dtype == np.int64:
        least = min(0, int(values.min()))
        return spaces.Discrete(int(values.max()) - least + 1, start=least)
    if dtype.kind == "b":
        return spaces.MultiBinary(shape) if shape else spaces.Discrete(2)
    return spaces.Box(_unbounded(dtype, least=True), _unbounded(dtype, least=False), shape, dtype)


def infer_action_space(action_values: Sequence[Any]) -> Any:
    """A space that holds the study's actions, from their list in the record. ValueError where there is none."""
    spaces = need("gymnasium").spaces
    if not action_values:
        raise ValueError("the record does not say which actions there were")
    values = flatten_numbers(stack(list(action_values)))
    if isinstance(values, np.ndarray) and values.dtype == np.int64 and values.ndim == 2 and values.min() >= 0:
        return spaces.MultiDiscrete(values.max(axis=0) + 1)
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        values = values.astype(np.float32)
    return infer_space(values)


def pack(space: Any, values: Any, count: int, *, cast: bool = False) -> Any:
    """Stacked values as Minari stores them for a space. ValueError where they do not belong to it.

    cast: as the space's own dtype, which is how an environment gets its actions. Otherwise arrays keep the dtype they
    have in the record, unless the space's own holds the very same numbers.
    """
    kind = type(space).__name__
    if kind == "Dict":
        if type(values) is not dict or values.keys() != space.spaces.keys():
            raise ValueError("they are not the dicts that the space describes")
        return {name: pack(part, values[name], count, cast=cast) for name, part in space.spaces.items()}
    if kind == "Tuple":
        parts = zip(space.spaces, _parts(space, values), strict=True)
        return tuple(pack(part, each, count, cast=cast) for part, each in parts)
    if kind == "Text":
        texts = list(values)
        if len(texts) != count or not all(type(text) is str for text in texts):
            raise ValueError("they are not texts")
        return texts
    return _pack_numbers(space, values, count, cast)


def _parts(space: Any, values: Any) -> list[Any]:
    """The parts of stacked tuples, which may have been put together to one array."""
    parts = list(values) if type(values) is tuple else None
    if isinstance(values, np.ndarray) and values.ndim > 1:
        parts = [values[:, index] for index in range(values.shape[1])]
    if parts is None or len(parts) != len(space.spaces):
        raise ValueError("they are not the tuples that the space describes")
    return parts


def _pack_numbers(space: Any, values: Any, count: int, cast: bool) -> Any:
    try:
        array = _as_array(values)
        with np.errstate(invalid="ignore", over="ignore"):
            made = array.astype(space.dtype, copy=False)
    except (ValueError, TypeError, OverflowError) as problem:
        raise ValueError("they are not numbers of one shape") from problem
    if array.dtype.kind not in "biuf" or array.shape != (count, *space.shape):
        raise ValueError(f"they have the shape {array.shape[1:]}, the space has {space.shape}")
    if type(space).__name__ == "Discrete" and count:
        least, most = made.min(), made.max()
        if not space.start <= least <= most < space.start + space.n:
            raise ValueError(f"they go from {least} to {most}, which is not in {space}")
    if cast or made is array or np.array_equal(made, array, equal_nan=array.dtype.kind == "f"):
        return made
    if array.dtype.kind != made.dtype.kind:
        raise ValueError(f"they are {array.dtype} that are no {made.dtype}")
    return array


def _as_array(values: Any) -> Any:
    """Stacked values as one array, also where the numbers of one action are of different kinds."""
    if type(values) is tuple:
        return np.stack([_as_array(part) for part in values], axis=1)
    return np.asarray(values)
