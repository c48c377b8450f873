"""When two plain values are the same, and a few words about where they are not.

The same means: equal types, equal bits; any NaN is like any other, and the order in a dict or a set says nothing.
"""

import struct
from hashlib import blake2b
from typing import Any

import numpy as np

DIGEST_BYTES = 8
_LONGEST = 60
_MOST_DEPTH = 40


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING: Any = _Missing()
"""In the place of a value that is not there."""


def digest(value: Any) -> bytes:
    """A few bytes that are the same for the same values, also in other processes."""
    return blake2b(_canonical(value, 0), digest_size=DIGEST_BYTES).digest()


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same."""
    return digest(one) == digest(other)


def difference(recorded: Any, replayed: Any) -> str:
    """Where two values that are not the same differ first, and how: ``[2]: recorded 1, replayed 2``."""
    where, recorded, replayed = _innermost(recorded, replayed)
    before = f"{where}: " if where else ""
    if type(recorded) is np.ndarray and type(replayed) is np.ndarray and recorded.shape != replayed.shape:
        return f"{before}recorded an array of shape {recorded.shape}, replayed one of {replayed.shape}"
    shown, other = _short(recorded), _short(replayed)
    if shown == other:
        shown, other = f"{shown} ({_kind(recorded)})", f"{other} ({_kind(replayed)})"
    return f"{before}recorded {shown}, replayed {other}"


def _canonical(value: Any, depth: int) -> bytes:
    """Bytes that are equal for the same values, and for no others."""
    kind = type(value)
    if kind is float:
        return b"f" + (b"nan" if value != value else struct.pack("<d", value))
    if kind is int or kind is bool or value is None:
        return f"{kind.__name__}{value!r}".encode()
    if kind is str:
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return _sized(b"b", value)
    if kind is np.ndarray:
        return _sized(f"a{value.dtype.descr}{value.shape}".encode(), _array_bytes(value))
    if kind is complex:
        return b"c" + _canonical(value.real, depth) + _canonical(value.imag, depth)
    if depth > _MOST_DEPTH:
        return b"deep"  # deeper than anything that we would have recorded
    if kind is dict:
        items = sorted(_canonical(key, depth + 1) + _canonical(item, depth + 1) for key, item in value.items())
        return _sized(b"d", b"".join(_sized(b"", item) for item in items))
    if kind is list or kind is tuple:
        return _sized(kind.__name__.encode(), b"".join(_canonical(item, depth + 1) for item in value))
    if kind is set or kind is frozenset:
        members = sorted(_canonical(item, depth + 1) for item in value)
        return _sized(kind.__name__.encode(), b"".join(_sized(b"", member) for member in members))
    return _sized(b"?", repr(value).encode("utf-8", "surrogatepass"))  # MISSING, and nothing else that is plain


def _sized(mark: bytes, data: bytes) -> bytes:
    return mark + struct.pack("<Q", len(data)) + data


def _array_bytes(array: np.ndarray[Any, Any]) -> bytes:
    if array.dtype.kind in "fc" and np.isnan(array).any():
        array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
    return array.tobytes()


def _innermost(recorded: Any, replayed: Any) -> tuple[str, Any, Any]:
    """Follow what differs first to the smallest part that can be named."""
    where = ""
    while type(recorded) is type(replayed):
        if type(recorded) is dict:
            keys = [*recorded, *(key for key in replayed if key not in recorded)]
            pairs = [(f"[{_short(key)}]", recorded.get(key, MISSING), replayed.get(key, MISSING)) for key in keys]
        elif type(recorded) in (list, tuple):
            longer = max(len(recorded), len(replayed))
            pairs = [(f"[{place}]", _at(recorded, place), _at(replayed, place)) for place in range(longer)]
        elif type(recorded) is np.ndarray and _comparable(recorded, replayed):
            place = _first_place(recorded, replayed)
            return f"{where}{list(place)}", recorded[place].item(), replayed[place].item()
        else:
            break
        found = next((pair for pair in pairs if not same(pair[1], pair[2])), None)
        if found is None:
            break
        where, recorded, replayed = where + found[0], found[1], found[2]
    return where, recorded, replayed


def _at(items: Any, place: int) -> Any:
    return items[place] if place < len(items) else MISSING


def _comparable(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    plain = one.dtype.kind in "biufcSU" and one.dtype == other.dtype
    return plain and one.shape == other.shape and one.ndim > 0 and one.size > 0


def _first_place(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> tuple[int, ...]:
    different = one != other
    if one.dtype.kind in "fc":
        different = (different & ~(np.isnan(one) & np.isnan(other))) | (np.signbit(one.real) != np.signbit(other.real))
    return tuple(int(side) for side in np.unravel_index(int(np.argmax(different)), one.shape))


def _kind(value: Any) -> str:
    return f"an array of {value.dtype}" if type(value) is np.ndarray else f"of type {type(value).__name__}"


def _short(value: Any) -> str:
    if type(value) is np.ndarray and value.size > 8:
        return f"an array of {value.dtype}, shape {value.shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
