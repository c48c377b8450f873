"""How much time the ticks of a trial have taken."""

from dataclasses import dataclass


@dataclass
class Effort:
    """Ticks so far, and what they took: all together, and the longest of them."""

    ticks: int = 0
    busy_ns: int = 0
    longest_ns: int = 0

    def add_tick(self, took_ns: int) -> None:
        """One more tick. Waiting is not work."""
        self.ticks += 1
        self.busy_ns += took_ns
        self.longest_ns = max(self.longest_ns, took_ns)

    def summary(self) -> dict[str, float]:
        """In numbers."""
        mean_ms = self.busy_ns / 1e6 / max(1, self.ticks)
        return {"ticks": self.ticks, "longest_ms": self.longest_ns / 1e6, "mean_ms": mean_ms}
