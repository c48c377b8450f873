"""All participants of one measurement, in one process of their own, so that they do not disturb the server.

The job comes as one JSON object on the first line of standard input; what happens is told as JSON objects, one a line,
on standard output: ``{"phase": "seated"}`` (everybody has a first frame), ``measuring``, ``measured`` with the figures.
After that they stay and go on playing until another line, or the end of the input, tells them to leave.

    job: url, protocol (v1 or v2), participants, warmup_s, seconds, deadline_s (to be seated),
         actions [[action, key], …]; measure: "play", or "delay" with the one action that flashes.
"""

import asyncio
import gc
import itertools
import json
import random
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.voices import VOICES

PRESS_EVERY_S = 0.2
FLASH_HELD_S = 0.1
FLASH_REST_S = (0.05, 0.2)  # random, so that presses meet the server's ticks at every phase
FLASH_LOST_S = 2.0


class Participant:
    """arrived_s, sizes: of every frame so far, in seconds of time.perf_counter and bytes."""

    def __init__(self, job: dict[str, Any], number: int) -> None:
        self.job = job
        self.number = number
        self.voice = VOICES[job["protocol"]]()
        self.random = random.Random(number)
        self.socket: ClientConnection
        self.seated = asyncio.Event()
        self.begun_s = 0.0
        self.joined_s = 0.0  # from then to the first frame
        self.arrived_s: list[float] = []
        self.sizes: list[int] = []
        self.delays_s: list[tuple[float, float]] = []  # when pressed, how long until seen
        self.lost = 0
        self.first_size = 0
        self.white = False
        self.change: asyncio.Future[float] | None = None  # the one that is waited for, and when it was seen

    async def take_part(self, leaving: asyncio.Event) -> None:
        """Join, and take every frame until it is time to leave. Raises where the server ends it before."""
        self.begun_s = time.perf_counter()
        voice = self.voice
        async with connect(
            self.job["url"],
            subprotocols=voice.subprotocols,
            compression=voice.compression,
            ping_interval=None,
            open_timeout=self.job["deadline_s"],
            close_timeout=2,
            max_size=2**24,
        ) as self.socket:
            await self.socket.send(voice.hello(f"benchmark-{self.number}"))
            try:
                while not leaving.is_set():
                    await self.hear(await self.socket.recv())
            except ConnectionClosed as closed:
                if not leaving.is_set():
                    raise ConnectionError(f"the server left: {closed}") from closed

    async def hear(self, message: str | bytes) -> None:
        """Take a message; count it if it is a frame; answer it."""
        now_s = time.perf_counter()
        size, answer = self.voice.hear(message)
        if size is not None:
            self.see(size, now_s)
            if not self.seated.is_set():
                self.joined_s = now_s - self.begun_s
                self.seated.set()
        if answer is not None:
            await self.socket.send(answer)

    def see(self, size: int, now_s: float) -> None:
        self.arrived_s.append(now_s)
        self.sizes.append(size)
        self.first_size = self.first_size or size
        white = size < self.first_size / 2
        if white != self.white:
            self.white = white
            if self.change is not None and not self.change.done():
                self.change.set_result(now_s)

    async def play(self) -> None:
        """Hold one key after the other."""
        await asyncio.sleep(self.random.uniform(0, PRESS_EVERY_S))
        for action, key in itertools.cycle(self.job["actions"]):
            await self.socket.send(self.voice.press(action, key))
            await asyncio.sleep(PRESS_EVERY_S)

    async def flash(self) -> None:
        """Press, and wait for the frame that shows it; again and again."""
        action, key = self.job["actions"][0]
        while True:
            await asyncio.sleep(self.random.uniform(*FLASH_REST_S))
            self.change = asyncio.get_running_loop().create_future()
            pressed_s = time.perf_counter()
            await self.socket.send(self.voice.press(action, key))
            try:
                async with asyncio.timeout(FLASH_LOST_S):
                    self.delays_s.append((pressed_s, await self.change - pressed_s))
            except TimeoutError:
                self.lost += 1
            await asyncio.sleep(FLASH_HELD_S)
            await self.socket.send(self.voice.release(key))

    def figures(self, begin_s: float, end_s: float) -> dict[str, Any]:
        """What the window from begin_s to end_s held; times relative to its begin."""
        frames = [(at - begin_s, size) for at, size in zip(self.arrived_s, self.sizes, strict=True)
                  if begin_s <= at < end_s]  # fmt: skip
        return {
            "joined_s": self.joined_s,
            "arrived_s": [at for at, _ in frames],
            "bytes": sum(size for _, size in frames),
            "delays_s": [delay for at, delay in self.delays_s if begin_s <= at],
            "lost": self.lost,
        }


async def measure(job: dict[str, Any]) -> None:
    """Seat everybody, let them play, count what arrives, and leave when told."""
    crowd = [Participant(job, number) for number in range(job["participants"])]
    leaving = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for one in crowd:
            tasks.create_task(one.take_part(leaving))
        async with asyncio.timeout(job["deadline_s"]):
            for one in crowd:
                await one.seated.wait()
        tell(phase="seated")
        for one in crowd:
            await one.socket.send(one.voice.start())
        busy = [tasks.create_task(one.flash() if job["measure"] == "delay" else one.play()) for one in crowd]
        await asyncio.sleep(job["warmup_s"])
        tell(phase="measuring")
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        await asyncio.sleep(job["seconds"])
        end_s, cpu_s = time.perf_counter(), time.process_time() - begin_cpu_s
        participants = [one.figures(begin_s, end_s) for one in crowd]
        tell(phase="measured", window_s=end_s - begin_s, cpu_s=cpu_s, participants=participants)
        await asyncio.to_thread(sys.stdin.readline)
        leaving.set()
        for task in busy:
            task.cancel()
        for one in crowd:
            await one.socket.close()


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    job = json.loads(sys.stdin.readline())
    gc.disable()  # a minute's garbage is small, a pause in the middle of it is not
    asyncio.run(measure(job))


if __name__ == "__main__":
    main()
