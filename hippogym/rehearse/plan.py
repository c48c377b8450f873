"""Who comes when, and what befalls them. Pure: the same seed is the same plan.

People arrive independently of each other, so the gaps between them are exponential (a Poisson process). What
befalls a person happens at a point of their way, a number from 0 to 1: at the first step at or behind it.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Shares:
    """Of all participants, how many do what at some point; each from 0 to 1."""

    leave: float = 0.1  # close the tab and never come back
    reload: float = 0.2  # load the page again
    two_tabs: float = 0.1  # have it open twice
    careless: float = 0.1  # leave a required answer out, or get the quiz wrong, at the first try


@dataclass(frozen=True)
class Person:
    """One participant of the rehearsal. name: their userId. The points are None where it does not happen to them."""

    number: int
    name: str
    arrives_s: float
    seed: int
    leaves_at: float | None
    reloads_at: float | None
    second_tab_at: float | None
    careless: bool


def make_plan(participants: int, a_second: float, shares: Shares, seed: int) -> tuple[Person, ...]:
    """The participants in the order in which they arrive; the first one at once."""
    chance = random.Random(f"hippogym-rehearse-{seed}")
    label = f"rehearsal-{seed % 10_000}"
    people = []
    at_s = 0.0
    for number in range(1, participants + 1):
        people.append(
            Person(
                number,
                f"{label}-{number:04d}",
                at_s,
                chance.randrange(2**32),
                _point(chance, shares.leave),
                _point(chance, shares.reload),
                _point(chance, shares.two_tabs),
                chance.random() < shares.careless,
            )
        )
        at_s += chance.expovariate(a_second)
    return tuple(people)


def reached(point: float | None, step: int, of: int) -> bool:
    """Whether a point of the way lies at or before this step (from 1) of ``of``."""
    return point is not None and step >= 1 + int(point * of)


def _point(chance: random.Random, of_all: float) -> float | None:
    happens, where = chance.random() < of_all, chance.random()
    return where if happens else None
