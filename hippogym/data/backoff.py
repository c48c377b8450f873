"""When to try again: soon at first, then ever more rarely, and never all at the same moment."""

import random
from collections.abc import Callable

FIRST_S = 0.5
MOST_S = 30.0


class Backoff:
    """Told the time, says when the next try is due. Each failure doubles the wait, with half of it left to chance."""

    def __init__(self, most_s: float = MOST_S, chance: Callable[[], float] = random.random) -> None:
        self.most_s = most_s
        self.failures = 0
        self.due_s = 0.0
        self._chance = chance

    def failed(self, now_s: float) -> float:
        """Note a failure; returns when to try again."""
        wait_s = min(self.most_s, FIRST_S * 2 ** min(self.failures, 30))
        self.failures += 1
        self.due_s = now_s + wait_s * (0.5 + 0.5 * self._chance())
        return self.due_s

    def worked(self) -> None:
        """Forget the failures."""
        self.failures, self.due_s = 0, 0.0
