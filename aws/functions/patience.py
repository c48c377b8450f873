"""Trying again where somebody else was quicker: for as long as a function has time, and not all at the same moment.

Of many who change one document at a time, one comes through with each try, whoever they are; so it is enough that
everybody goes on trying, and what takes long is only how many they are.
"""

import random
import time
from collections.abc import Callable, Iterator

LONGEST_S = 12.0  # well within what a function may run, and what API Gateway waits for
SHORTEST_S, MOST_S = 0.03, 0.6  # of the pauses in between


def jitter(attempt: int) -> None:
    """Wait a little, the longer the more often, and everybody for another while."""
    time.sleep(random.uniform(0, min(MOST_S, SHORTEST_S * 2**attempt)))


def tries(pause: Callable[[int], None] = jitter, longest_s: float = LONGEST_S) -> Iterator[int]:
    """0, 1, 2, … with a pause before each but the first, until so long has passed."""
    end_s = time.monotonic() + longest_s
    attempt = 0
    while True:
        yield attempt
        if time.monotonic() >= end_s:
            return
        pause(attempt)
        attempt += 1
