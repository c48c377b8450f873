"""A day of a study on AWS: everybody gets a server soon, none runs on for nobody, and the bill is what was said."""

import pytest

from tests.deploy.day import MAX_RUNTIME_S, Day

LONGEST_WAIT_S = 15 * 60.0
LATE_S = 5 * 60.0


def holds(day: Day) -> None:
    """What must be so after any day."""
    waits_s = [wait_s for one in day.people for wait_s in one.waits_s]
    assert max(waits_s) <= LONGEST_WAIT_S
    assert all(one.waits_s for one in day.people)
    assert {one.how for one in day.people if one.fate == "plays"} == {"complete"}
    assert max(lived_s for _, lived_s in day.world.lives()) <= MAX_RUNTIME_S + LATE_S
    assert set(day.world.most_at_once.values()) == {1}
    assert day.world.left() == {"tasks": [], "names": [], "schedules": [], "places": []}


def test_a_small_day():
    day = Day(20, day_s=3600.0)
    day.run()
    holds(day)
    assert day.bill() == pytest.approx(day.model(), rel=0.1)


@pytest.mark.long
def test_a_thousand_participants_in_a_day_cost_what_was_said():
    day = Day(1000)
    day.run()
    holds(day)
    assert any(task["stopCode"] == "SpotInterruption" for task, _ in day.world.lives())
    assert any(task["capacityProviderName"] == "FARGATE" for task, _ in day.world.lives())
    assert any(task["stopCode"] == "TaskFailedToStart" for task, _ in day.world.lives())
    assert day.bill() == pytest.approx(day.model(), rel=0.02)


@pytest.mark.long
def test_four_on_a_server_are_served_as_well_and_cost_less():
    alone, together = Day(300), Day(300, per_task=4)
    alone.run()
    together.run()
    holds(together)
    assert together.bill() < 0.8 * alone.bill()
