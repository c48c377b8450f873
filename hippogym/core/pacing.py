"""When the next tick is due. Deadlines, not sleeps: work done in a tick does not slow the next one down."""

from dataclasses import dataclass

NS = 1_000_000_000


@dataclass(frozen=True)
class Tick:
    """How punctual a tick was: late_ns behind its deadline, and how many ticks were given up before it."""

    late_ns: int
    missed: int


class FrameClock:
    """Deadlines at a frame rate. It is told the time (monotonic, nanoseconds) and never asks for it.

    A tick that is late by less than a period keeps the old rhythm; one that is later starts a new one, so that
    lost time is never made up for in a burst.
    """

    def __init__(self, rate: float, now_ns: int) -> None:
        self._last_ns = now_ns
        self.set_rate(rate, now_ns)

    def set_rate(self, rate: float, now_ns: int) -> None:
        """Begin a new rhythm: the next tick is due one new period after the last one, or now if that is over."""
        if not rate > 0:
            raise ValueError(f"a frame rate must be above 0, not {rate}")
        self.rate = rate
        self.period_ns = round(NS / rate)
        self.restart(now_ns)

    def restart(self, now_ns: int) -> None:
        """The game goes on after a pause: the first tick is due at once, but never sooner than its period."""
        self.due_ns = max(now_ns, self._last_ns + self.period_ns)

    def hold(self, now_ns: int, pause_ns: int) -> None:
        """The next tick is due after a pause."""
        self.due_ns = now_ns + pause_ns

    def wait_ns(self, now_ns: int) -> int:
        """Nanoseconds until the next tick, 0 when it is due."""
        return max(0, self.due_ns - now_ns)

    def tick(self, now_ns: int) -> Tick:
        """A due tick begins now. Returns how late it is, and sets the next deadline."""
        self._last_ns = now_ns
        late_ns = max(0, now_ns - self.due_ns)
        missed = late_ns // self.period_ns
        self.due_ns = now_ns + self.period_ns if missed else self.due_ns + self.period_ns
        return Tick(late_ns, missed)
