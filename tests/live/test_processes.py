"""Trials begin and end without holding up one another, or anything else that needs a thread."""

import asyncio
import json
import select
import socket
import threading
import time
from typing import Any

from hippogym.core import packets
from hippogym.live.process import TrialProcess

MANY = 40  # more than there are threads


def sleeps(sock: socket.socket, spec: dict[str, Any]) -> None:
    sock.close()
    time.sleep(spec["for_s"])


async def started(for_s: float) -> TrialProcess:
    process = TrialProcess(sleeps, {"for_s": for_s}, lambda kind, payload: None)
    await process.start()
    return process


async def test_a_process_starts_while_every_thread_waits() -> None:
    hurry = threading.Event()
    loop = asyncio.get_running_loop()
    waiting = [loop.run_in_executor(None, hurry.wait) for _ in range(MANY)]
    try:
        async with asyncio.timeout(90):
            process = await started(0)
            assert await process.finish(20) == 0
    finally:
        hurry.set()
        await asyncio.gather(*waiting)


async def test_waiting_for_an_end_takes_no_thread() -> None:
    process = await started(1000)
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        before = threading.active_count()
        ends = tasks.create_task(process.finish(20))
        await asyncio.sleep(0)
        assert threading.active_count() == before
        process.kill()
        assert (await ends) == -9


async def test_who_does_not_end_in_time_is_killed() -> None:
    process = await started(1000)
    async with asyncio.timeout(90):
        assert await process.finish(0) == -9
        assert await process.finish(0) is None


def says_something_last(sock: socket.socket, spec: dict[str, Any]) -> None:
    sock.recv(1)  # not before somebody writes
    sock.sendall(packets.pack_note({"last": "words"}))
    sock.close()


async def test_last_words_arrive_although_the_pipe_breaks() -> None:
    """The server passes something on at the moment at which the trial says that it has ended."""
    heard: list[bytes] = []
    process = TrialProcess(says_something_last, {}, lambda kind, payload: heard.append(payload))
    async with asyncio.timeout(90):
        await process.start()
        process.send(b"x")
        assert process._sock is not None
        closed = select.poll()
        closed.register(process._sock, 0)  # hanging up is told of, whatever is asked for
        assert closed.poll(20_000), "the loop does not read before it writes again"
        process.send(b"into a pipe that is broken")
        await process.gone.wait()
        assert [json.loads(words) for words in heard] == [{"last": "words"}]
        assert await process.finish(20) == 0
