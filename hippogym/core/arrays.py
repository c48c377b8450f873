"""How a numpy array stands in a record: shape, dtype as text, bytes. Used by the writer and by the safe
reader.

An array is written as the call ``numpy.ndarray(shape, dtype, bytearray(data))``. That is numpy's oldest
public constructor, so any numpy, past or coming, reads it; what numpy itself pickles names private modules
that moved between numpy 1 and 2. The buffer is a bytearray, so that a plain ``pickle.load`` gives an array
that can be written to.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

MAX_DIMENSIONS = 32
MAX_FIELDS = 256  # of a structured dtype, nested ones included

_KINDS = frozenset("biufcSUmM")
_UNIT = r"\[[0-9]{0,9}[A-Za-zμ]{1,7}\]"
_DTYPE_TEXT = re.compile(rf"[<>=|]?(?:[biufc][0-9]{{1,2}}|[SUV][0-9]{{1,9}}|m8(?:{_UNIT})?|M8{_UNIT})", re.ASCII)

Description = str | list[Any]


@lru_cache(maxsize=256)
def _description(dtype: np.dtype[Any]) -> str | tuple[Any, ...] | None:
    if dtype.itemsize == 0 or dtype.hasobject:
        return None
    if dtype.kind in _KINDS:
        return dtype.str if _is_dtype_text(dtype.str) and np.dtype(dtype.str) == dtype else None
    if dtype.kind != "V":
        return None
    described: Any = dtype.str if dtype.names is None else dtype.descr
    try:
        same = np.dtype(described) == dtype
    except (TypeError, ValueError):
        return None
    if not same or (dtype.names is not None and count_fields(described) is None):
        return None
    return described if isinstance(described, str) else tuple(described)


def describe(dtype: np.dtype[Any]) -> Description | None:
    """The text (or list of fields) from which numpy makes this dtype again; None where the array cannot be
    kept.

    Not kept: objects, variable-length strings, dtypes of other packages, fields with gaps between them.
    """
    described = _description(dtype)
    return list(described) if isinstance(described, tuple) else described


def count_fields(described: object, depth: int = 0) -> int | None:
    """How many fields a structured description has; None if it is not one that we would have written."""
    if not isinstance(described, list) or not described or depth > 4:
        return None
    total = 0
    for field in described:
        if type(field) is not tuple or len(field) not in (2, 3) or type(field[0]) is not str:
            return None
        if len(field) == 3 and not _is_shape(field[2]):
            return None
        inner = 1 if _is_dtype_text(field[1]) else count_fields(field[1], depth + 1)
        if inner is None or total + inner > MAX_FIELDS:
            return None
        total += inner
    return total


def dtype_from(described: object) -> np.dtype[Any]:
    """The dtype of a description from a file that is not trusted. Raises ValueError for anything but plain data."""
    if not _is_dtype_text(described) and count_fields(described) is None:
        raise ValueError("an array with a dtype that is not plain")
    try:
        dtype: np.dtype[Any] = np.dtype(described)  # type: ignore[call-overload]  # looked at above
    except (TypeError, ValueError) as problem:
        raise ValueError("an array with a dtype that numpy does not know") from problem
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError("an array of objects")
    return dtype


def build(shape: object, dtype: np.dtype[Any], data: object, order: str = "C") -> np.ndarray[Any, Any]:
    """The array over ``data`` (bytes or bytearray), after everything about it was checked.

    shape: tuple of lengths; their product times the item size must be exactly the number of bytes.
    Raises ValueError where anything does not fit; allocates nothing beyond what the file itself holds.
    """
    if not isinstance(shape, tuple) or not _is_shape(shape):
        raise ValueError("an array with an impossible shape")
    if type(data) is bytes:
        data = bytearray(data)
    if type(data) is not bytearray:
        raise ValueError("an array without bytes")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("an array whose shape does not fit its bytes")
    if order not in ("C", "F"):
        raise ValueError("an array with an unknown order")
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, data, order="F" if order == "F" else "C")
    _check_values(array)
    return array


def _check_values(array: np.ndarray[Any, Any]) -> None:
    """Booleans other than 0 and 1, and characters beyond Unicode, are not values that numpy can be trusted with."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_values(array[name])
    elif array.size == 0:
        return
    elif array.dtype.kind == "b" and array.view(np.uint8).max() > 1:
        raise ValueError("an array of booleans that are neither true nor false")
    elif array.dtype.kind == "U":
        points = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        if np.ascontiguousarray(array).view(points).max() > 0x10FFFF:
            raise ValueError("an array of characters that do not exist")


def _is_dtype_text(described: object) -> bool:
    return type(described) is str and _DTYPE_TEXT.fullmatch(described) is not None


def _is_shape(shape: object) -> bool:
    lengths: Sequence[object] = shape if isinstance(shape, tuple) else (shape,)
    if len(lengths) > MAX_DIMENSIONS:
        return False
    return all(type(length) is int and 0 <= length < 2**40 for length in lengths)
