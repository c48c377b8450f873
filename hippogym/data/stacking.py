"""Many values of one kind as arrays: what a learning algorithm wants instead of a list."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def stack(values: Sequence[Any]) -> Any:
    """An array whose first axis counts the values; a dict or tuple of such arrays for values that are dicts or tuples.

    Numbers, booleans, texts, and arrays of one shape and dtype are stacked. Anything else, and values that differ in
    kind, stay a list.
    """
    if not values:
        return []
    first = values[0]
    kind = type(first)
    if any(type(value) is not kind for value in values):
        return list(values)
    if kind is dict and first and all(value.keys() == first.keys() for value in values):
        return {name: stack([value[name] for value in values]) for name in first}
    if kind is tuple and first and all(len(value) == len(first) for value in values):
        return tuple(stack(parts) for parts in zip(*values, strict=True))
    if kind is np.ndarray and all(value.shape == first.shape and value.dtype == first.dtype for value in values):
        return np.stack(values)
    if kind is bool:
        return np.array(values, bool)
    if kind is float:
        return np.array(values, np.float64)
    if kind is int and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    if kind is str:
        return np.array(values, object)
    return list(values)


def flatten_numbers(values: Any) -> Any:
    """A tuple of arrays of numbers of one kind, as ``stack`` makes of tuples, as one array; also within dicts.

    For actions, which records hold as tuples: a motor's two numbers are one array of shape (ticks, 2).
    """
    if type(values) is dict:
        return {name: flatten_numbers(part) for name, part in values.items()}
    if type(values) is not tuple:
        return values
    parts = tuple(flatten_numbers(part) for part in values)
    first = parts[0]
    if type(first) is not np.ndarray or first.dtype.kind not in "bif":
        return parts
    if any(type(part) is not np.ndarray or part.shape != first.shape or part.dtype != first.dtype for part in parts):
        return parts
    return np.stack(parts, axis=1)
