"""A bad network and a bad store in front of a good one: an HTTP proxy that goes wrong on request, at a certain request.

One request on each connection, so that what is done to one cannot touch the next.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ANSWERS = {500: "InternalError", 503: "SlowDown", 403: "AccessDenied", 501: "NotImplemented"}
FAULTS = ("500", "503", "403", "time-out", "reset in mid-body", "reset at once", "slow", "answer lost", "wrong etag",
          "half an answer", "not S3")  # fmt: skip
SILENCE_S = 60.0  # longer than any client of ours waits
SLOW_S = 0.02

Plan = Callable[[int], str | None]


@dataclass
class Request:
    """head: with its empty line, without ``Expect``."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()


@dataclass
class FaultProxy:
    """Passes requests to 127.0.0.1:upstream. ``plan``: request number, from 0 → one of FAULTS, or None."""

    upstream: int
    plan: Plan = lambda number: None
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    port: int = 0
    largest: int = 0  # bytes of the largest body

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._request(reader, writer)
            if request is not None:
                fault = self.plan(len(self.seen))
                self.seen.append((request.method, request.path, fault))
                await self._treat(request, fault, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return  # one of the two is gone: what this is for
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
        head = await reader.readuntil(b"\r\n\r\n")
        if re.search(rb"(?i)\r\nexpect: *100-continue", head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self.largest = max(self.largest, len(body))
        return Request(re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head), body)

    async def _treat(
        self, request: Request, fault: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if fault in ("500", "503", "403", "501"):
            await self._answer(writer, _problem(int(fault)))
        elif fault == "not S3":
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\n"
            await self._answer(writer, head + b"<html><oops>")
        elif fault == "time-out":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), SILENCE_S)  # until the client gives up
        elif fault == "reset at once":
            _reset(writer)
        elif fault == "reset in mid-body":
            await self._pass_half(request)
            _reset(writer)
        else:
            answer = await self._pass(request)
            if fault == "answer lost":
                _reset(writer)
            elif fault == "half an answer":
                await self._answer(writer, answer[: len(answer) // 2])
                _reset(writer)
            elif fault == "wrong etag":
                await self._answer(writer, re.sub(rb'(?i)(\r\netag: *"?)[0-9a-f]{4}', rb"\1beef", answer))
            else:
                await self._answer(writer, answer, slow=fault == "slow")

    async def _pass(self, request: Request) -> bytes:
        """The whole answer of the real store. Its being away is the client's to see: a broken connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        with contextlib.closing(writer):
            writer.write(request.head[:-2] + b"Connection: close\r\n\r\n" + request.body)
            answer = await reader.read(-1)
            if not answer:
                raise ConnectionResetError
            return answer

    async def _pass_half(self, request: Request) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            writer.write(request.head + request.body[: len(request.body) // 2])
            await writer.drain()
            _reset(writer)

    async def _answer(self, writer: asyncio.StreamWriter, answer: bytes, *, slow: bool = False) -> None:
        step = max(1, len(answer) // 5) if slow else len(answer)
        for start in range(0, len(answer), step):
            writer.write(answer[start : start + step])
            await writer.drain()
            await asyncio.sleep(SLOW_S if slow else 0)


def _problem(status: int) -> bytes:
    xml = f"<Error><Code>{ANSWERS[status]}</Code><Message>on request</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {ANSWERS[status]}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(xml)}\r\n\r\n".encode() + xml


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def fault_proxy(upstream: int) -> Iterator[FaultProxy]:
    """A proxy in a thread of its own."""
    proxy, ready, loop = FaultProxy(upstream), threading.Event(), asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # connections that we break ourselves

    def run() -> None:
        with contextlib.closing(loop):
            serving = loop.create_task(proxy.serve(ready))
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(serving)
            loop.run_until_complete(_the_rest())
            loop.run_until_complete(loop.shutdown_asyncgens())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(90)
        yield proxy
    finally:
        loop.call_soon_threadsafe(_cancel_all, loop)
        thread.join(10)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


async def _the_rest() -> None:
    """Connections that were being served come to an end, too, and their sockets are closed."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)  # a transport is closed a turn later


def only(number: int, fault: str) -> Plan:
    """The fault at one request."""
    return lambda at: fault if at == number else None


def seeded(seed: int, rate: float, most: int, faults: tuple[str, ...] = FAULTS) -> Plan:
    """Random faults at the first ``most`` requests; the same for the same seed."""
    chance = random.Random(seed)
    planned = [chance.choice(faults) if chance.random() < rate else None for _ in range(most)]
    return lambda at: planned[at] if at < most else None
