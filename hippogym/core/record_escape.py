"""Encodes an entry without ever using byte 0x10, for the rare entry that holds the first six bytes of a
trailer.

A participant could type such bytes, and an array may hold them by chance. Then the entry is written in
pickle's text opcodes, which let every character be escaped. As 0x10 is the second byte of a trailer's prefix,
the prefix cannot stand anywhere in the result, neither inside a value nor across two of them. Slower and
larger; ``pickle.load`` notices nothing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hippogym.core.arrays import describe


def encode_escaped(entry: dict[str, Any]) -> bytes:
    """The opcodes that build ``entry``, which must be plain (see plain.py): no protocol mark, no STOP."""
    parts: list[bytes] = []
    _put(entry, parts.append)
    return b"".join(parts)


def _put(value: Any, write: Callable[[bytes], None]) -> None:
    if value is None:
        write(b"N")
    elif value is True or value is False:
        write(b"\x88" if value else b"\x89")
    elif type(value) is int:
        write(b"L%dL\n" % value)
    elif type(value) is float:
        write(b"F" + repr(value).encode() + b"\n")
    elif type(value) is str:
        write(b"V" + _escape(value) + b"\n")
    elif type(value) is dict:
        write(b"}(")
        for key, item in value.items():
            _put(key, write)
            _put(item, write)
        write(b"u")
    elif type(value) is list:
        _put_all(b"](", value, b"e", write)
    elif type(value) is tuple:
        _put_all(b"(", value, b"t", write)
    else:
        _put_call(value, write)


def _put_all(before: bytes, items: Any, after: bytes, write: Callable[[bytes], None]) -> None:
    write(before)
    for item in items:
        _put(item, write)
    write(after)


def _put_call(value: Any, write: Callable[[bytes], None]) -> None:
    """Values that pickle builds by calling something; the same callables as in an entry that needs no escape."""
    kind = type(value)
    if kind is bytes:
        _put_all(b"c_codecs\nencode\n(", (value.decode("latin-1"), "latin1"), b"tR", write)
    elif kind is bytearray:
        _put_all(b"cbuiltins\nbytearray\n(", (bytes(value),), b"tR", write)
    elif kind is complex:
        _put_all(b"cbuiltins\ncomplex\n(", (value.real, value.imag), b"tR", write)
    elif kind is set:
        _put_all(b"cbuiltins\nset\n(](", value, b"etR", write)
    elif kind is frozenset:
        _put_all(b"cbuiltins\nfrozenset\n(](", value, b"etR", write)
    elif kind is np.ndarray:
        arguments = (value.shape, describe(value.dtype), bytearray(value.tobytes()))
        _put_all(b"cnumpy\nndarray\n(", arguments, b"tR", write)
    else:
        raise TypeError(f"{kind.__qualname__} is not a plain value")


def _escape(text: str) -> bytes:
    for character in "\\\n\r\x10":  # the backslash first
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("raw-unicode-escape")
