"""Turns whatever an agent returned into plain values: a record never holds code, and needs nobody's classes.

Plain are None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict with plain keys, and
numpy arrays of plain numbers, texts, bytes, times or fields of these. What can become one of them without
losing its value does: numpy scalars, subclasses, bytearrays, deques, and objects that say they are arrays
(``__array__``: tensors, frame stacks). The rest is kept as ``{'__type__': …, '__repr__': …}`` and counted.
Nothing here raises.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np

from hippogym.core.arrays import describe

MAX_DEPTH = 32
MAX_NODES = 200_000  # values in one entry; what takes more to write down counts for more
MAX_BYTES = 128 * 2**20  # text, bytes and arrays in one entry
MAX_INT_BYTES = 1024
MAX_REPR_CHARS = 500
MAX_KEY_NODES = 1000
MAX_KEY_DEPTH = 4

_LEFT_OUT = "<left out: too many values>"
_TEXT_NODES, _ARRAY_NODES, _SET_NODES, _COMPLEX_NODES = 6, 10, 6, 4

_ATOMS = frozenset({type(None), bool, float})
_KEY_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
_INT_LIMIT = 1 << (8 * MAX_INT_BYTES - 1)


def plainify(value: object, odd: MutableMapping[str, int]) -> Any:
    """A plain copy of ``value``; arrays are not copied.

    odd: counts, per type name, what could only be kept as its type and repr.
    """
    return _Plainifier(odd).plain(value, 0)


def key_ok(key: object) -> bool:
    """True for a dict key or set member that is plain, small and shallow, so that hashing it is cheap and safe."""
    if type(key) in _KEY_ATOMS:
        return type(key) is not int or _int_ok(key)
    level: list[object] = [key]
    seen = 0
    for _ in range(MAX_KEY_DEPTH):
        deeper: list[object] = []
        for item in level:
            seen += 1
            if seen > MAX_KEY_NODES:
                return False
            if type(item) in (tuple, frozenset):
                if len(item) > MAX_KEY_NODES:  # type: ignore[arg-type]  # mypy does not narrow by type()
                    return False
                deeper.extend(item)  # type: ignore[arg-type]  # the same
            elif type(item) not in _KEY_ATOMS or (type(item) is int and not _int_ok(item)):
                return False
        if not deeper:
            return True
        level = deeper
    return False


def _int_ok(value: Any) -> bool:
    return bool(-_INT_LIMIT <= value < _INT_LIMIT)


class _Plainifier:
    """One walk over one value, with what is left of its budget."""

    __slots__ = ("bytes_left", "nodes_left", "odd")

    def __init__(self, odd: MutableMapping[str, int]) -> None:
        self.odd = odd
        self.nodes_left = MAX_NODES
        self.bytes_left = MAX_BYTES

    def plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind is str:
            return self._sized(value, kind, 4 * len(value))
        if kind is int:
            return value if _int_ok(value) else self._as_text(value, kind, "an integer of too many digits")
        if kind is dict:
            return self._dict(value, kind, depth)
        if kind is np.ndarray:
            return self._array(value, kind)
        if kind is list or kind is tuple:
            return self._sequence(value, kind, kind, depth)
        if kind is bytes:
            self.nodes_left -= 1
            return self._sized(value, kind, len(value))
        if kind is complex:
            self.nodes_left -= _COMPLEX_NODES
            return value if self.nodes_left >= 0 else self._as_text(value, kind)
        return self._uncommon(value, kind, depth)

    def _uncommon(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, np.generic):
            return self._scalar(value, kind)
        if kind is OrderedDict or issubclass(kind, dict):
            return self._dict(value, kind, depth)
        for base in _SEQUENCES:
            if issubclass(kind, base):
                return self._sequence(value, kind, base, depth)
        for base, exact in _EXACT:
            if issubclass(kind, base):
                return self.plain(exact(value), depth)
        if issubclass(kind, np.ma.MaskedArray):
            return self._as_text(value, kind)  # an array alone would show what was masked
        if issubclass(kind, np.ndarray):
            return self._array(np.asarray(value), kind)
        return self._foreign(value, kind)

    def _dict(self, value: Any, kind: type, depth: int) -> Any:
        items = list(OrderedDict.items(value) if kind is OrderedDict else dict.items(value))
        if self._too_much(2 * len(items) + 1, depth):
            return self._as_text(value, kind, f"a dict of {len(items)} items, too large or too deep to keep")
        plain = self.plain
        depth += 1
        result: dict[Any, Any] = {}
        for key, item in items:
            if type(key) is str:
                self.bytes_left -= len(key)
            else:
                key = self._key(key, result)
            result[key] = item if type(item) in _ATOMS else plain(item, depth)
        return result

    def _sequence(self, value: Any, kind: type, base: Any, depth: int) -> Any:
        items: list[Any] = list(base.__iter__(value))  # whatever a subclass says about iteration
        many = 2 * len(items) + _SET_NODES if base is set or base is frozenset else len(items) + 1
        if self._too_much(many, depth):
            return self._as_text(value, kind, f"{len(items)} items, too many or too deep to keep")
        if base is set or base is frozenset:
            members: dict[Any, None] = {}
            for item in items:
                members[self._key(item, members)] = None
            return base(members)
        plain = self.plain
        depth += 1
        result = [item if type(item) in _ATOMS else plain(item, depth) for item in items]
        return tuple(result) if base is tuple else result

    def _too_much(self, nodes: int, depth: int = 0) -> bool:
        if depth >= MAX_DEPTH or nodes > self.nodes_left:
            return True
        self.nodes_left -= nodes
        return False

    def _sized(self, value: Any, kind: type, size: int) -> Any:
        if size <= self.bytes_left:
            self.bytes_left -= size
            return value
        return self._as_text(value, kind, f"{size} bytes, too many to keep")

    def _array(self, value: np.ndarray[Any, Any], kind: type) -> Any:
        if describe(value.dtype) is None:
            return self._as_text(value, kind, f"an array of {value.dtype.name}, shape {value.shape}")
        if self._too_much(_ARRAY_NODES + value.ndim + 6 * len(value.dtype.names or ())):
            return self._as_text(value, kind, f"an array of {value.dtype.name}, shape {value.shape}")
        return self._sized(value, kind, value.nbytes)

    def _scalar(self, value: Any, kind: type) -> Any:
        item = value.item()
        if type(item) in _KEY_ATOMS and kind not in (np.datetime64, np.timedelta64):
            return self.plain(item, 0)
        return self._array(np.asarray(value), kind)  # no plain counterpart: long doubles, times, fields

    def _foreign(self, value: Any, kind: type) -> Any:
        """An object of a class we do not know: an array if it says so and is right, else text."""
        try:
            if not hasattr(kind, "__array__"):
                return self._as_text(value, kind)
            array = np.asarray(value)
            usable = type(array) is np.ndarray and describe(array.dtype) is not None
        except Exception:  # the agent's own class runs here and may raise anything
            return self._as_text(value, kind)
        return self._array(array, kind) if usable else self._as_text(value, kind)

    def _key(self, key: Any, taken: dict[Any, Any]) -> Any:
        """A plain key for ``key`` that is not taken, unless by an equal one."""
        if type(key) is str:
            return key
        plain = self.plain(key, 0)
        if key_ok(plain):
            return plain
        text = str(plain)[: 2 * MAX_REPR_CHARS]
        unique, count = text, 2
        while unique in taken:
            unique, count = f"{text} #{count}", count + 1
        return unique

    def _as_text(self, value: Any, kind: type, instead: str | None = None) -> dict[str, str] | str:
        name = type_name(kind)
        self.odd[name] = self.odd.get(name, 0) + 1
        if self._too_much(_TEXT_NODES):
            return _LEFT_OUT
        return {"__type__": name, "__repr__": _repr(value) if instead is None else instead}


def type_name(kind: type) -> str:
    """``module.Class``, whatever the class's author did to its attributes."""
    try:
        return f"{kind.__module__}.{kind.__qualname__}"[:MAX_REPR_CHARS]
    except Exception:  # a metaclass may raise anything
        return "?"


def _repr(value: Any) -> str:
    """The beginning of repr(value), or what came of asking for it."""
    try:
        return str.__getitem__(repr(value), slice(MAX_REPR_CHARS))
    except Exception as problem:  # so may the agent's own __repr__; the record goes on
        return f"<repr raised {type_name(type(problem))}>"


_SEQUENCES: tuple[type, ...] = (list, tuple, set, frozenset, deque)
_EXACT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__pos__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, bytes),
    (memoryview, lambda value: value.tobytes()),
)
