"""Several actions at once, for spaces whose parts are independent: two bits, two motors, two choices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hippogym.core.env_facts import Value, as_value

Kind = Literal["none", "offsets", "bits", "choices"]


@dataclass(frozen=True)
class Mixing:
    """How values of one space are put together; ``none`` for spaces where an action excludes all others.

    ``offsets`` (Box): what differs from neutral is added up and clipped to the bounds; of two that pull one number in
    opposite directions the newer wins. ``bits`` (MultiBinary): every bit that somebody sets is set. ``choices``
    (MultiDiscrete): in each dimension the newest that differs from neutral.
    """

    kind: Kind = "none"
    neutral: Value = None
    low: Value = None
    high: Value = None

    def mix(self, newest_first: Sequence[Value]) -> tuple[Value, list[int]]:
        """The mixed value, and which of the given ones contributed to it."""
        neutral = np.asarray(self.neutral)
        difference = np.zeros_like(neutral)
        contributed = []
        for index, value in enumerate(newest_first):
            part = np.asarray(value) - neutral
            taken = part * (part * difference >= 0) if self.kind == "offsets" else part * (difference == 0)
            if taken.any():
                contributed.append(index)
            difference = difference + taken
        mixed = neutral + difference
        if self.kind == "offsets":
            mixed = np.clip(mixed, self.low, self.high)
        return as_value(mixed), contributed
