"""Whether arms that are uneven are seen to be, on logs that the study's own allocation has written."""

import random

import pytest

from hippogym.core.study.allocation import Allocation
from hippogym.core.study.factors import Arm, Factor
from hippogym.rehearse.arms import uneven


def log_of(factor: Factor, people: int, *, leaving: float = 0.3, seed: int = 1) -> list[dict]:
    """What the log says after so many have come, of whom some have left."""
    chance, allocation, log = random.Random(seed), Allocation([factor]), []
    absent: set[str] = set()
    for number in range(people):
        placed = allocation.place(f"visit-{number}", float(number), absent=absent)
        allocation.add(placed.entries)
        log += placed.entries
        if chance.random() < leaving:
            absent.add(f"visit-{number}")
    return log


ARMS = {"alone": Arm(), "helped": Arm()}


@pytest.mark.parametrize("method", ["balanced", "blocks"])
@pytest.mark.parametrize("seed", range(5))
def test_what_the_study_assigns_is_even(method: str, seed: int) -> None:
    told, wrong = uneven(log_of(Factor("condition", ARMS, method, seed=seed), 101, seed=seed))
    assert wrong == []
    assert len(told) == 1 and told[0].startswith("condition: alone ")


def test_shares_of_unequal_weight_are_kept() -> None:
    told, wrong = uneven(log_of(Factor("condition", {"a": Arm(2), "b": Arm(1), "c": Arm(1)}), 80))
    assert wrong == [] and told


def test_an_arm_that_got_too_many_is_seen() -> None:
    log = log_of(Factor("condition", ARMS), 20, leaving=0)
    changed = [{**entry, "arm": "alone"} if entry["event"] == "assign" and entry["n"] > 10 else entry for entry in log]
    _, wrong = uneven(changed)
    assert any("differ by" in sentence for sentence in wrong)
    assert any("same arms again" in sentence for sentence in wrong)


def test_chance_promises_nothing_and_a_full_arm_cannot_keep_up() -> None:
    _, wrong = uneven(log_of(Factor("condition", ARMS, "random"), 30))
    assert wrong == []
    _, wrong = uneven(log_of(Factor("condition", {"a": Arm(1, 3), "b": Arm()}), 30, leaving=0))
    assert wrong == []


def test_a_study_without_arms_has_nothing_to_tell() -> None:
    assert uneven([]) == ([], [])
