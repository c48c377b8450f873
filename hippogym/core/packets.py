"""What goes over the socketpair between the server and a trial: length-prefixed packets.

| length of the payload, u32 | kind, u8 | payload |      big-endian
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

PREFIX = struct.Struct("!IB")
LARGEST = 64 * 1024 * 1024

FRAME = 1  # trial → server: a frame header (core.frame_header) and the image
NOTE = 2  # both ways: a JSON object
INPUT = 3  # server → trial: INPUT_HEAD and the text of a client's message, as it came

INPUT_HEAD = struct.Struct("!IBQ")  # connection number, protocol version, time of arrival (monotonic ns)


def pack(kind: int, payload: bytes) -> bytes:
    """One packet."""
    return PREFIX.pack(len(payload), kind) + payload


def pack_note(note: dict[str, Any]) -> bytes:
    """One packet with a JSON object in it."""
    return pack(NOTE, json.dumps(note).encode())


class PacketSplitter:
    """Turns a stream of bytes into packets. Raises ValueError for a length that cannot be."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Add what was read; yields (kind, payload) of each packet that is complete."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= PREFIX.size:
            length, kind = PREFIX.unpack_from(self._buffer, start)
            if length > LARGEST:
                raise ValueError(f"a packet of {length} bytes")
            end = start + PREFIX.size + length
            if len(self._buffer) < end:
                break
            yield kind, bytes(self._buffer[start + PREFIX.size : end])
            start = end
        del self._buffer[:start]
