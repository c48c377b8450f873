"""Reads a pickle of plain data from a file that nobody vouches for. There is no way from here to code.

Not a restricted ``pickle.Unpickler`` but a machine of our own (safe_machine.py), with the opcodes that plain
data needs (safe_opcodes.py) and no others: what is not in its table cannot happen. Names become our sealed
builders (safe_builders.py); keys are checked before they are hashed; opcodes, values, depth and digits are
limited, so that a small file can take neither much time nor much memory.
"""

import io
import itertools
import pickletools
import struct
from typing import Any

import numpy as np

from hippogym.core.plain import MAX_BYTES, MAX_NODES
from hippogym.data.safe_machine import MAX_OPCODES, CutShortError, Machine, RefusedError, TooLongError
from hippogym.data.safe_opcodes import TABLE

__all__ = ["CutShortError", "RefusedError", "TooLongError", "load", "skip"]

MAX_READ_DEPTH = 100

_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})
_SIZED = frozenset({str, bytes, bytearray, np.ndarray})
_LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray, np.ndarray})


def load(data: bytes, start: int = 0, *, trailer: bool = False) -> tuple[Any, int]:
    """The value that the pickle at ``start`` describes, and the offset after it.

    trailer: the pickle ends with HGR1's constant, which may be dropped; elsewhere nothing may be.
    Raises RefusedError or CutShortError, and nothing else, whatever the bytes are.
    """
    machine = Machine(data, start, TABLE, trailer=trailer)
    try:
        value = machine.run()
    except (IndexError, struct.error):
        if machine.past_the_end():
            raise CutShortError("the pickle is cut short") from None
        raise RefusedError("a pickle that is malformed") from None
    except (RefusedError, CutShortError):
        raise
    except (ValueError, KeyError, TypeError, OverflowError, MemoryError) as problem:
        raise RefusedError(str(problem) if type(problem) is ValueError else "a pickle that is malformed") from None
    _check_plain(value)
    return value, machine.at


def skip(data: bytes, start: int) -> int:
    """The offset after the pickle at ``start``, found without doing what it says.

    CutShortError where it is malformed or there is more to come; TooLongError where nobody should look further.
    """
    file = io.BytesIO(data)
    file.seek(start)
    try:
        for opcode, _, at in itertools.islice(pickletools.genops(file), MAX_OPCODES):
            if opcode.name == "STOP" and at is not None:
                return at + 1
    except ValueError:
        raise CutShortError("the pickle is cut short") from None
    raise TooLongError("too many opcodes")


def _check_plain(value: object) -> None:
    """RefusedError unless ``value`` is made of plain values only, not too many and not too deep.

    Counts a value as often as it is reached: ten lists that each hold the next twice are a thousand values.
    """
    level: list[Any] = [value]
    nodes = size = 0
    for _ in range(MAX_READ_DEPTH):
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind in _SIZED:
                size += item.nbytes if kind is np.ndarray else len(item)
                if size > 2 * MAX_BYTES:
                    raise RefusedError("too many bytes")
            if kind in _LEAVES or issubclass(kind, np.generic):
                continue
            if kind not in _CONTAINERS:
                raise RefusedError("a value that is not plain")
            nodes += len(item)
            if nodes > 2 * MAX_NODES:
                raise RefusedError("too many values")
            deeper.extend(item.values() if kind is dict else item)
        if not deeper:
            return
        level = deeper
    raise RefusedError("values nested too deep")
