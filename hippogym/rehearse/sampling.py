"""Looks at a rehearsal every two seconds: who plays, how fast the games go, who uses the processor."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psutil

from hippogym.rehearse.capacity import Heard, Window
from hippogym.rehearse.player import Player
from hippogym.rehearse.pulse import Reading
from hippogym.rehearse.server import RunningServer, own_cpu_s

EVERY_S = 2.0
MEMORY_EVERY = 5  # looks: asking for the memory of many processes takes time


@dataclass
class Sampler:
    """windows: what was seen so far. memory: (playing, bytes of the server). server: None where it is elsewhere."""

    players: Callable[[], Iterable[Player]]
    server: RunningServer | None
    windows: list[Window] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)
    _known: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Look, until cancelled."""
        before = self._look()
        looks = 0
        while True:
            await asyncio.sleep(EVERY_S)
            after = self._look()
            if after.at_s > before.at_s:
                self.windows.append(self._window(before, after))
            before, looks = after, looks + 1
            if self.server is not None and looks % MEMORY_EVERY == 1:
                used = await asyncio.to_thread(self.server.memory_bytes)
                self.memory.append((len(after.readings), used))

    async def one(self, seconds: float) -> Window:
        """A single window, as long as asked for."""
        before = self._look()
        await asyncio.sleep(seconds)
        return self._window(before, self._look())

    def _look(self) -> "_Look":
        everybody = list(self.players())
        playing = [player for player in everybody if player.playing and not player.turns]
        return _Look(
            time.monotonic(),
            {player.number for player in everybody if player.has_place},
            {player.number: (player, Reading.of(player.pulse)) for player in playing},
            own_cpu_s(),
            None if self.server is None else self.server.cpu_s(),
            _busy_s(),
        )

    def _window(self, before: "_Look", after: "_Look") -> Window:
        seconds = after.at_s - before.at_s
        both = [key for key in after.readings if key in before.readings]
        heard = []
        for number in both:
            player, now = after.readings[number]
            then = before.readings[number][1]
            if now.us > then.us:
                made_s = (now.us - then.us) / 1e6
                heard.append(Heard(number, made_s, (now.ticks - then.ticks) / (made_s * player.pulse.rate)))
        played_s = seconds * (len(before.readings) + len(after.readings)) / 2
        starts = len(after.welcomed - self._known)
        self._known |= after.welcomed
        bots_s = after.own_s - before.own_s
        if after.server_s is None or before.server_s is None:
            return Window(seconds, len(both), tuple(heard), played_s, starts, bots_s)
        server_s = max(0.0, after.server_s - before.server_s)
        others_s = max(0.0, after.busy_s - before.busy_s - bots_s - server_s)
        return Window(seconds, len(both), tuple(heard), played_s, starts, bots_s, server_s, others_s)


@dataclass(frozen=True)
class _Look:
    at_s: float
    welcomed: set[int]
    readings: dict[int, tuple[Player, Reading]]
    own_s: float
    server_s: float | None
    busy_s: float


def _busy_s() -> float:
    """CPU seconds that the whole machine has worked."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    twice_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle_s - twice_s)
