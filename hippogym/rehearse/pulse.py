"""A game's pace as its frames tell it: which tick, and when the server made it. Pure."""

from dataclasses import dataclass

LATE = 1.5  # ticks that took so many times what they should have


@dataclass
class Pulse:
    """What was heard of one game so far. us: of the server's clock, in which ``ticks`` were made. rate: asked for.

    Ticks are counted from one to the next within an episode, and within a connection: before Start, between episodes
    and while nobody is there the game waits, and is not late.
    """

    rate: float = 30.0
    ticks: int = 0
    us: int = 0
    late: int = 0
    frames: int = 0
    overtaken: int = 0
    _last: tuple[int, int, int, int] | None = None

    def hear(self, frame: int, episode: int, tick: int, server_us: int) -> None:
        """A frame has arrived."""
        self.frames += 1
        if self._last is not None:
            before, its_episode, its_tick, its_us = self._last
            self.overtaken += max(0, frame - before - 1)
            if episode == its_episode and tick > its_tick >= 1:
                ticks, us = tick - its_tick, server_us - its_us
                self.ticks += ticks
                self.us += us
                self.late += us * self.rate > LATE * ticks * 1e6
        self._last = (frame, episode, tick, server_us)

    def interrupt(self) -> None:
        """The connection is another one, or the game was paused: what lies between does not count."""
        self._last = None


@dataclass(frozen=True)
class Reading:
    """A pulse at one moment."""

    ticks: int
    us: int

    @classmethod
    def of(cls, pulse: Pulse) -> "Reading":
        return cls(pulse.ticks, pulse.us)
