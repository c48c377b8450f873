"""The few things a pickle of plain data may name and call, each a builder of our own. Nothing of numpy is
ever called with what a file says: its own reconstruction functions trust their input, and crashed the
interpreter when it was bad.

A name in a pickle becomes a ``Builder``; calling it gives a plain value, or a ``HalfArray`` or ``Dtype``
which the next opcodes complete. Whatever is left of these in the result makes the reader refuse it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hippogym.core.arrays import build, dtype_from
from hippogym.core.plain import key_ok


class Builder:
    """Stands for a name that a pickle mentioned."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[[tuple[Any, ...]], Any]) -> None:
        self.name = name
        self.call = call


class Dtype:
    """A numpy dtype as numpy pickles it: a code such as ``f4``, then a state with its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "|"

    def set_state(self, state: object) -> None:
        if type(state) is not tuple or len(state) != 8 or type(state[0]) is not int:
            raise ValueError("a dtype with a state that is not plain")
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise ValueError("a dtype of fields or objects")
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        return dtype_from(self.order + self.code)


class HalfArray:
    """An array as numpy pickles it: made empty, perhaps remembered in the memo, then given its state."""

    __slots__ = ("remembered",)

    def __init__(self) -> None:
        self.remembered: list[int] = []

    @staticmethod
    def with_state(state: object) -> np.ndarray[Any, Any]:
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not Dtype:
            raise ValueError("an array with a state that is not plain")
        _, shape, dtype, fortran, data = state
        return build(shape, dtype.dtype(), data, "F" if fortran is True else "C")


def _ndarray(arguments: tuple[Any, ...]) -> Any:
    """numpy.ndarray(shape, dtype, bytearray), as our recorder writes arrays."""
    if len(arguments) != 3 or type(arguments[2]) is not bytearray:
        raise ValueError("an array with unexpected arguments")
    return build(arguments[0], dtype_from(arguments[1]), arguments[2])


def _reconstruct(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 3 or arguments[0] is not NDARRAY:
        raise ValueError("an array of an unknown class")
    return HalfArray()


def _frombuffer(arguments: tuple[Any, ...]) -> Any:
    """numpy's array of protocol 5: (data, dtype, shape, order), perhaps followed by a None."""
    if len(arguments) not in (4, 5) or type(arguments[1]) is not Dtype or arguments[4:] not in ((), (None,)):
        raise ValueError("an array with unexpected arguments")
    data, dtype, shape, order = arguments[:4]
    return build(shape, dtype.dtype(), data, order)


def _scalar(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 2 or type(arguments[0]) is not Dtype or type(arguments[1]) is not bytes:
        raise ValueError("a numpy scalar with unexpected arguments")
    return build((1,), arguments[0].dtype(), arguments[1])[0]


def _dtype(arguments: tuple[Any, ...]) -> Any:
    if not 1 <= len(arguments) <= 3 or type(arguments[0]) is not str:
        raise ValueError("a dtype with unexpected arguments")
    dtype_from(arguments[0])
    return Dtype(arguments[0])


def _bytearray(arguments: tuple[Any, ...]) -> bytearray:
    if not arguments:
        return bytearray()
    if len(arguments) != 1 or type(arguments[0]) is not bytes:
        raise ValueError("a bytearray with unexpected arguments")
    return bytearray(arguments[0])


def _complex(arguments: tuple[Any, ...]) -> complex:
    if len(arguments) != 2 or any(type(part) is not float for part in arguments):
        raise ValueError("a complex number with unexpected arguments")
    return complex(arguments[0], arguments[1])


def _encode(arguments: tuple[Any, ...]) -> bytes:
    """Bytes as protocol 2, and our own escaped entries, write them: characters, one per byte."""
    if len(arguments) != 2 or type(arguments[0]) is not str or arguments[1] not in ("latin1", "latin-1"):
        raise ValueError("an encoding that is not bytes")
    return arguments[0].encode("latin-1")


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise ValueError("an ordered dict with unexpected arguments")
    return {}


def members_of(arguments: tuple[Any, ...]) -> list[Any]:
    """The members of set(list) or frozenset(list), each safe to hash."""
    if not arguments:
        return []
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise ValueError("a set with unexpected arguments")
    if not all(key_ok(member) for member in arguments[0]):
        raise ValueError("a set with members that are not plain")
    return arguments[0]


NDARRAY = Builder("numpy.ndarray", _ndarray)
SET = Builder("builtins.set", members_of)
FROZENSET = Builder("builtins.frozenset", members_of)

BUILDERS: dict[tuple[str, str], Builder] = {
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): Builder("numpy.dtype", _dtype),
    ("builtins", "bytearray"): Builder("builtins.bytearray", _bytearray),
    ("builtins", "complex"): Builder("builtins.complex", _complex),
    ("builtins", "set"): SET,
    ("builtins", "frozenset"): FROZENSET,
    ("_codecs", "encode"): Builder("_codecs.encode", _encode),
    ("collections", "OrderedDict"): Builder("collections.OrderedDict", _ordered_dict),
}
for _core in ("numpy.core", "numpy._core"):
    BUILDERS[_core + ".multiarray", "_reconstruct"] = Builder("_reconstruct", _reconstruct)
    BUILDERS[_core + ".multiarray", "scalar"] = Builder("scalar", _scalar)
    BUILDERS[_core + ".numeric", "_frombuffer"] = Builder("_frombuffer", _frombuffer)
for _name in ("bytearray", "complex", "set", "frozenset"):
    BUILDERS["__builtin__", _name] = BUILDERS["builtins", _name]
