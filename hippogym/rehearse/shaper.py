"""A bad line between a participant and the server, made of nothing but asyncio.

The participant connects to a socket in the file system instead of the server's port; what goes either way arrives as
late as network.Lane says. Bytes are passed on as they are, so the line carries HTTP, websockets and TLS alike. A full
line is not read from, so that its sender feels it as on a real one.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

from hippogym.rehearse.network import PACKET_BYTES, Lane, Network

CONNECT_S = 10.0
READ_BYTES = 8 * PACKET_BYTES


class LineOver(Exception):
    """Ends what still goes over a line that is no longer wanted."""


@contextlib.asynccontextmanager
async def shaped(network: Network, host: str, port: int, path: Path, seed: int) -> AsyncIterator[Path]:
    """A line to host:port that is entered at the socket ``path``, until the block is left.

    All connections of one participant share the two lanes, as they share a line at home.
    """
    chance = random.Random(seed)
    up, down = Lane(network, chance), Lane(network, chance)
    over = asyncio.Event()

    async def wait_for_end() -> None:
        await over.wait()
        raise LineOver

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait_for_end())

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(_carry_both(reader, writer, host, port, up, down))

            server = await asyncio.start_unix_server(connected, path)
            try:
                yield path
            finally:
                server.close()
                over.set()
    except* LineOver:
        pass


async def _carry_both(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, up: Lane, down: Lane
) -> None:
    """One connection, until both ends have said all, or one of them is gone."""
    with contextlib.closing(writer):
        try:
            async with asyncio.timeout(CONNECT_S):
                there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            return  # the participant sees it as what it is: a closed connection
        with contextlib.closing(there_writer):
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_Way(up).carry(reader, there_writer))
                    both.create_task(_Way(down).carry(there_reader, writer))
            except* OSError:
                pass  # one of the two has gone


class _Way:
    """One direction of one connection: taken as it comes, given when it has arrived."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._changed = asyncio.Condition()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the sender has said all. Raises OSError where one of the two is gone."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take(reader))
            tasks.create_task(self._give(writer))

    def _has_room(self) -> bool:
        return self._size < self._lane.network.queue_bytes

    def _has_some(self) -> bool:
        return bool(self._waiting)

    async def _take(self, reader: asyncio.StreamReader) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(self._has_room)
            data = await reader.read(READ_BYTES)
            async with self._changed:
                self._waiting.append((self._lane.arrival_s(len(data), _now_s()), data))
                self._size += len(data)
                self._changed.notify_all()
            if not data:
                return

    async def _give(self, writer: asyncio.StreamWriter) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(self._has_some)
            at_s, data = self._waiting[0]
            await asyncio.sleep(at_s - _now_s())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            async with self._changed:
                self._waiting.popleft()
                self._size -= len(data)
                self._changed.notify_all()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
