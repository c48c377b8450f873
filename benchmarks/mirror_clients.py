"""The people of benchmarks.mirror, in processes of their own: ``play`` (all participants) or ``watch`` (a researcher).

Jobs come as JSON objects, one a line, on standard input; what happens is told in the same way on standard output.

play    job: url, participants, actions. Tells once that everybody plays; after {"leave"} all frames of the first one:
        {"frames": [[arrival in seconds of time.perf_counter, milliseconds since its tick began], …]}.
watch   job: url, token. {"way": "alone"} closes the dashboard, "open" opens it, "mirror" watches the first participant;
        each is answered when it is so. {"way": "count"}: {"frames": how many the mirror has had, "trial": of whom}.
"""

import asyncio
import gc
import json
import sys
import time
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.clients import Participant, tell

FIRST = "benchmark-0"
DEADLINE_S = 60.0
ANSWER_EVERY_S = 0.5  # as the page does


class Watched(Participant):
    """Keeps how old each frame was when it came: the server's clock is ours, on one machine."""

    def __init__(self, job: dict[str, Any], number: int) -> None:
        super().__init__(job, number)
        self.frames: list[tuple[float, float]] = []

    async def hear(self, message: str | bytes) -> None:
        """Take a message, as every participant does."""
        if isinstance(message, bytes):
            now_ns = time.monotonic_ns()
            began_us = int.from_bytes(message[16:24])
            self.frames.append((now_ns / 1e9, now_ns / 1e6 - began_us / 1e3))
        await super().hear(message)


async def play(job: dict[str, Any]) -> None:
    """Everybody plays until told to leave."""
    job |= {"protocol": "v2", "measure": "play", "deadline_s": DEADLINE_S}
    crowd = [Watched(job, number) for number in range(job["participants"])]
    leaving = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for one in crowd:
            tasks.create_task(one.take_part(leaving))
        async with asyncio.timeout(DEADLINE_S):
            for one in crowd:
                await one.seated.wait()
        for one in crowd:
            await one.socket.send(one.voice.start())
        busy = [tasks.create_task(one.play()) for one in crowd]
        tell(phase="playing")
        await asyncio.to_thread(sys.stdin.readline)
        leaving.set()
        for task in busy:
            task.cancel()
        for one in crowd:
            await one.socket.close()
    tell(frames=crowd[0].frames)


class Dashboard:
    """A dashboard without a page: it takes what comes, and draws nothing."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        self.trial: str | None = None
        self.frames = 0
        self._answered_s = 0.0

    async def be(self, way: str, tasks: asyncio.TaskGroup) -> None:
        """Closed, open, or open with the mirror."""
        if way == "alone":
            await self._close()
            return
        if self._socket is None:
            await self._open(tasks)
        assert self._socket is not None
        async with asyncio.timeout(DEADLINE_S):
            await self._known.wait()
        self.frames = 0
        await self._socket.send(json.dumps({"n": 1, "watch": self.trial if way == "mirror" else None}))

    async def _open(self, tasks: asyncio.TaskGroup) -> None:
        origin: Any = self._url.replace("ws", "http", 1)
        self._socket = await connect(f"{self._url}/dashboard/live", origin=origin, max_size=None, compression=None)
        await self._socket.send(json.dumps({"token": self._token}))
        self._reading = tasks.create_task(self._read(self._socket))

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):  # by us: what came after that is of no use
            await self._take(socket)

    async def _take(self, socket: ClientConnection) -> None:
        async for data in socket:
            if isinstance(data, bytes):
                self.frames += 1
                if time.monotonic() - self._answered_s > ANSWER_EVERY_S:
                    self._answered_s = time.monotonic()
                    await socket.send(f'{{"drawn": {self.frames}}}')
                continue
            for person in json.loads(data).get("people", {}).get("changed", []):
                if person.get("user") == FIRST:
                    self.trial = person["trial"]
                    self._known.set()

    async def _close(self) -> None:
        if self._socket is None or self._reading is None:
            return
        await self._socket.close()
        await self._reading
        self._socket = self._reading = None


async def watch(job: dict[str, Any]) -> None:
    """Do as told until the end of the input."""
    dashboard = Dashboard(job["url"], job["token"])
    async with asyncio.TaskGroup() as tasks:
        while line := await asyncio.to_thread(sys.stdin.readline):
            way = json.loads(line)["way"]
            if way != "count":
                await dashboard.be(way, tasks)
            tell(way=way, frames=dashboard.frames, trial=dashboard.trial)
        await dashboard.be("alone", tasks)


def main() -> None:
    job = json.loads(sys.stdin.readline())
    gc.disable()  # a run's garbage is small, a pause in the middle of it is not
    asyncio.run({"play": play, "watch": watch}[sys.argv[1]](job))


if __name__ == "__main__":
    main()
