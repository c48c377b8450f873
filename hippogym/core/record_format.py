"""The record format HGR1: an episode file is a plain sequence of pickles, each able to prove that it is
intact.

An entry is one ordinary pickle of one dict. Before the final STOP it pushes a constant of 16 bytes and drops
it again:

    PROTO 3 | opcodes of the dict | C 0x10 <"HGR1" seq:u32 length:u32 crc:u32> | 0 (POP) | . (STOP)

little endian; length: of the whole entry, PROTO to STOP; crc: CRC-32 of all before ``C``, then of seq and
length. Any unpickler ignores the constant. A scanner finds it, walks back by the length, and knows without
unpickling whether the entry is as it was written; so damage costs only the entries it touched, and no index
is needed.

Why protocol 3: later ones wrap opcodes in frames that announce their length; bytes added before the STOP
would make the last frame lie (the pure-Python unpickler notices). Protocol 3 has no frames, holds bytes
without copying, and every Python 3 reads it.

An entry never holds the first six bytes of a trailer except in its own trailer (see record_escape.py). So
what a participant types can never pass for an entry, and a scan looks at every byte once, however hostile the
file.
"""

import pickle
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hippogym.core.arrays import describe
from hippogym.core.plain import type_name
from hippogym.core.record_escape import encode_escaped

FORMAT = "HGR1"
FORMAT_VERSION = 1  # of what stands under the key HIPPO_KEY
HIPPO_KEY = "hippogym"  # the one key of an entry that is ours
MAX_ENTRY_BYTES = 256 * 2**20
TRAILER_BYTES = 20

_MAGIC = b"HGR1"
_START = b"\x80\x03"
PREFIX = b"C\x10" + _MAGIC
_STOP = b"0."
_SEQ_LENGTH = struct.Struct("<II")
_FIELDS = struct.Struct("<III")
_CHUNK = 2**20


def encode_entry(entry: dict[str, Any], seq: int) -> bytes:
    """One entry, ready to be appended to a file.

    entry: plain values only (see plain.plainify); TypeError for anything else.
    seq: the entry's running number in its file, from 0. ValueError if it or the entry's size is out of range.
    """
    if not 0 <= seq < 2**32:
        raise ValueError(f"sequence number {seq} is out of range")
    pieces = _Pieces()
    _EntryPickler(pieces, protocol=3).dump(entry)
    whole = _with_trailer(pieces, seq)
    if whole.rfind(PREFIX, 0, -TRAILER_BYTES) >= 0:  # twice as fast as find on long input
        whole = _with_trailer([_START, encode_escaped(entry), b"."], seq)
    return whole


def _with_trailer(pieces: list[bytes], seq: int) -> bytes:
    """The pickle, which ends with STOP, and its trailer before that; long input is copied once."""
    *before, last = pieces
    body: list[bytes | memoryview] = [*before, memoryview(last)[:-1]]
    length = sum(map(len, body)) + TRAILER_BYTES
    if length > MAX_ENTRY_BYTES:
        raise ValueError(f"an entry of {length} bytes; at most {MAX_ENTRY_BYTES} can be kept")
    crc = 0
    for piece in body:
        crc = zlib.crc32(piece, crc)
    crc = zlib.crc32(_SEQ_LENGTH.pack(seq, length), crc)
    return b"".join((*body, PREFIX, _FIELDS.pack(seq, length, crc), _STOP))


class _Pieces(list[bytes]):
    """A file for the pickler that keeps what is written as it is; long values come in a piece of their own."""

    write = list.append


@dataclass(frozen=True, slots=True)
class Entry:
    """An intact entry at bytes start..end of the file; data is the whole pickle."""

    start: int
    end: int
    seq: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes start..end of the file belong to no intact entry."""

    start: int
    end: int


def scan(buffer: bytes | bytearray | memoryview) -> Iterator[Entry | Damage]:
    """What a whole file holds, in order, without gaps. Nothing is unpickled."""
    scanner = Scanner()
    with memoryview(buffer) as view:
        for start in range(0, len(view), _CHUNK):
            yield from scanner.feed(view[start : start + _CHUNK])
    yield from scanner.finish()


class Scanner:
    """Tells intact entries from damaged bytes as a file comes in pieces.

    Keeps at most one entry (and at most max_entry_bytes) in memory; each byte is looked at once.
    """

    def __init__(self, max_entry_bytes: int = MAX_ENTRY_BYTES) -> None:
        self._max_entry_bytes = max_entry_bytes
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the file
        self._done = 0  # offset in the file up to which everything has been reported
        self._floor = 0  # in the buffer: no entry can begin before, because a trailer's prefix stands there
        self._look = 0  # in the buffer: where to look for the next prefix

    def feed(self, data: bytes | memoryview) -> Iterator[Entry | Damage]:
        """What became certain with these bytes."""
        self._buffer += data
        while True:
            at = self._buffer.find(PREFIX, self._look)
            if at < 0:
                self._look = max(self._look, len(self._buffer) - len(PREFIX) + 1)
                break
            self._look = at
            if at + TRAILER_BYTES > len(self._buffer):
                break
            entry = self._entry_ending_with(at)
            if entry is None:
                self._floor = self._look = at + len(PREFIX)
                continue
            if entry.start > self._done:
                yield Damage(self._done, entry.start)
            self._done = entry.end
            self._floor = self._look = entry.end - self._offset
            yield entry
        self._forget()

    def finish(self) -> Iterator[Damage]:
        """What is left when the file has ended: a torn tail, if anything."""
        end = self._offset + len(self._buffer)
        if end > self._done:
            yield Damage(self._done, end)
            self._done = end

    def _entry_ending_with(self, at: int) -> Entry | None:
        seq, length, crc = _FIELDS.unpack_from(self._buffer, at + len(PREFIX))
        end = at + TRAILER_BYTES
        start = end - length
        if start < self._floor or start > at - len(_START) or length > self._max_entry_bytes:
            return None
        with memoryview(self._buffer) as view:
            if view[start : start + 2] != _START or view[end - 2 : end] != _STOP:
                return None
            if zlib.crc32(_SEQ_LENGTH.pack(seq, length), zlib.crc32(view[start:at])) != crc:
                return None
            return Entry(self._offset + start, self._offset + end, seq, bytes(view[start:end]))

    def _forget(self) -> None:
        """Drop the bytes that no coming entry can contain."""
        cut = max(self._floor, len(self._buffer) - self._max_entry_bytes)
        del self._buffer[:cut]
        self._offset += cut
        self._floor = 0
        self._look = max(0, self._look - cut)


class _Buffer:
    """The bytes of an array, read back as a bytearray; saves the copies that pickling a bytearray would make."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


_CALLABLES = frozenset({np.ndarray, bytearray, complex, set, frozenset})


class _EntryPickler(pickle.Pickler):
    """Writes plain values and arrays, and refuses to write a reference to any other class or function."""

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is np.ndarray and (described := describe(value.dtype)) is not None:
            return np.ndarray, (value.shape, described, _Buffer(value.tobytes()))
        if kind is _Buffer:
            return bytearray, (value.data,)
        if kind is complex:
            return complex, (value.real, value.imag)
        if kind is type and value in _CALLABLES:
            return NotImplemented
        raise TypeError(f"{type_name(kind)} is not a plain value")
