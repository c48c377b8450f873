"""A network cable between a browser and a server, which a test can pull and plug in again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.patience import PATIENCE_S


class Cable:
    """Passes on every connection to ``port`` of 127.0.0.1. While it is pulled, connections die and none is made."""

    def __init__(self, port: int) -> None:
        self.port = 0  # of this end; known once it is there
        self.pulled = False
        self._far_port = port
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pull(self) -> None:
        self.pulled = True
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(PATIENCE_S)

    def plug_in(self) -> None:
        self.pulled = False

    async def _cut(self) -> None:
        for end in list(self._ends):
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.pulled:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            self._ends -= ends

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            await self._cut()
            async with asyncio.timeout(PATIENCE_S):
                while self._ends:
                    await asyncio.sleep(0.01)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    @classmethod
    @contextmanager
    def between(cls, port: int) -> Iterator[Cable]:
        """A cable to a port, for the duration of the block."""
        cable = cls(port)
        thread = threading.Thread(target=cable._run)
        thread.start()
        assert cable._ready.wait(PATIENCE_S)
        try:
            yield cable
        finally:
            cable._loop.call_soon_threadsafe(cable._stop.set)
            thread.join(PATIENCE_S)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        writer.transport.abort()
    else:
        writer.close()
