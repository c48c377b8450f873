"""The server's end of a trial: its process and the socketpair to it.

Processes come from a fork server that has the heavy imports loaded and holds none of our sockets. Packets are read
by the event loop as they arrive. Nothing here blocks it.
"""

import asyncio
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hippogym.core import packets

logger = logging.getLogger(__name__)

Target = Callable[[socket.socket, dict[str, Any]], None]
OnPacket = Callable[[int, bytes], None]

_context = multiprocessing.get_context("forkserver")
_starting = ThreadPoolExecutor(2, "start-of-a-trial")  # of its own: who waits for a slow disk holds nobody up here


def preload(*modules: str) -> None:
    """Name what the fork server imports before it makes the first process.

    multiprocessing has every process import the main script again, and with it all that only the server needs. It
    goes by the script's ``__file__``, so that is taken away.
    """
    vars(sys.modules["__main__"])["__file__"] = None
    _context.set_forkserver_preload(list(modules))


class TrialProcess(asyncio.Protocol):
    """One process that runs ``target(sock, spec)``.

    on_packet is called for each packet as it comes; ``gone`` is set when the process has closed its end.
    """

    def __init__(self, target: Target, spec: dict[str, Any], on_packet: OnPacket) -> None:
        self._target = target
        self._spec = spec
        self._on_packet = on_packet
        self._splitter = packets.PacketSplitter()
        self._transport: asyncio.Transport | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._sock: socket.socket | None = None
        self.gone = asyncio.Event()

    async def start(self) -> None:
        """Start the process. Raises OSError when the machine has no room for it."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            process = _context.Process(target=self._target, args=(theirs, self._spec))
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(_starting, process.start)  # talks to the fork server: 2 to 3 ms
            self._process, self._sock = process, ours
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self, ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def send(self, packet: bytes) -> None:
        """Pass a packet to the trial; dropped when it is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    @property
    def backlog(self) -> int:
        """Bytes that the trial has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    @property
    def pid(self) -> int | None:
        """The process, once it has been started."""
        return self._process.pid if self._process is not None else None

    def kill(self) -> None:
        """End it at once, with whatever it has started itself."""
        if self._process is None or self._process.pid is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group of its own, see worker.settle_in
        except (ProcessLookupError, PermissionError):
            self._process.kill()  # before it made its group

    async def finish(self, wait_s: float) -> int | None:
        """Wait for its end, kill it after wait_s; returns the exit code."""
        if self._process is None:
            return None
        await self._wait_for_end(wait_s)
        if self._process.exitcode is None:
            self.kill()
            await self._wait_for_end(5)
        code = self._process.exitcode
        if code is not None:
            self._process.close()
            self._process = None
        if self._transport is not None:
            self._transport.abort()
        return code

    async def _wait_for_end(self, wait_s: float) -> None:
        """Without a thread: many trials may take long to end at the same time."""
        if self._process is None or self._process.exitcode is not None:
            return
        loop, ended, sentinel = asyncio.get_running_loop(), asyncio.Event(), self._process.sentinel
        loop.add_reader(sentinel, ended.set)
        try:
            async with asyncio.timeout(wait_s):
                await ended.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(sentinel)

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._splitter.feed(data):
                self._on_packet(kind, payload)
        except ValueError:
            logger.exception("the trial sent what is not a packet; it is ended")
            self.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._read_rest()
        self.gone.set()

    def _read_rest(self) -> None:
        """What was sent to a process that had just ended has broken the pipe; its last words are still in there."""
        try:
            while self._sock is not None and (data := self._sock.recv(2**18)):
                self.data_received(data)
        except OSError:  # there is no more, or nobody to send it
            return


def resident_bytes(pid: int | None) -> int:
    """Memory that a process holds; 0 where that cannot be read."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()
