"""The trial's end of the socketpair: plain blocking calls, for the process that runs one trial."""

import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

from hippogym.core import packets

SHORT_S = 0.05


class ServerGone(Exception):
    """The server's end is closed: it has died or given this trial up."""


class Channel:
    """Packets to and from the server."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._splitter = packets.PacketSplitter()

    def send_note(self, **note: Any) -> None:
        """Send a JSON object. Raises ServerGone."""
        self._send(packets.pack_note(note))

    def send_frame(self, header: bytes, image: bytes) -> None:
        """Send a frame. Raises ServerGone."""
        self._send(packets.pack(packets.FRAME, header + image))

    def receive(self, wait_s: float | None) -> Iterator[tuple[int, bytes]]:
        """Packets that are there, after waiting for the first at most wait_s (None: for ever). Raises ServerGone.

        A short wait is slept through: its packets are all wanted at its end, and waking up for each costs time.
        """
        if wait_s is not None and 0 < wait_s <= SHORT_S:
            time.sleep(wait_s)
            wait_s = 0
        while select.select([self._sock], [], [], wait_s)[0]:
            data = self._receive_some()
            yield from self._splitter.feed(data)
            wait_s = 0

    def close(self) -> None:
        """Tell the server that nothing more comes."""
        self._sock.close()

    def _receive_some(self) -> bytes:
        try:
            data = self._sock.recv(1 << 18)
        except OSError as problem:
            raise ServerGone from problem
        if not data:
            raise ServerGone
        return data

    def _send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as problem:
            raise ServerGone from problem


def read_note(payload: bytes) -> dict[str, Any]:
    """The object in a NOTE packet."""
    note: dict[str, Any] = json.loads(payload)
    return note
