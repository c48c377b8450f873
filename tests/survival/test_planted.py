"""Planted bugs are caught: the promises of this folder have checks that would notice them broken."""

import pytest

from tests.survival.planted import fits, plant_all
from tests.survival.planted_bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.claim)
def test_every_bug_can_still_be_planted(bug: Bug) -> None:
    """Who changes the line that a bug changes: change the bug as well, and see that it is caught."""
    assert fits(bug)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_every_planted_bug_is_caught() -> None:
    outcomes = []
    for outcome in plant_all(BUGS):
        print(outcome, flush=True)
        outcomes.append(outcome)
    assert [outcome.bug.claim for outcome in outcomes if outcome.caught is None] == []
