"""What is written on the command line, and who comes when."""

import argparse
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.rehearse.amounts import arrivals_a_second, bits_a_second, duration_s, share, whole
from hippogym.rehearse.plan import Shares, make_plan, reached


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (duration_s, "150ms", 0.15),
        (duration_s, "20s", 20),
        (duration_s, "2min", 120),
        (duration_s, "7", 7),
        (arrivals_a_second, "5/min", 5 / 60),
        (arrivals_a_second, "0.5/s", 0.5),
        (arrivals_a_second, "180/h", 0.05),
        (share, "10%", 0.1),
        (share, "0.25", 0.25),
        (bits_a_second, "1Mbit", 1e6),
        (bits_a_second, "500kbit/s", 5e5),
        (whole, "40", 40),
    ],
)
def test_amounts_are_read_as_people_write_them(read, text: str, value: float) -> None:
    assert read(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (duration_s, "soon"),
        (duration_s, "-1s"),
        (arrivals_a_second, "5"),
        (arrivals_a_second, "0/min"),
        (share, "110%"),
        (share, "2"),
        (bits_a_second, "fast"),
        (whole, "0"),
        (whole, "4.5"),
    ],
)
def test_what_is_no_amount_is_refused_with_an_example(read, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"such as|from 1"):
        read(text)


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    first, again, other = (make_plan(20, 0.1, Shares(), seed) for seed in (1, 1, 2))
    assert first == again != other


def test_people_arrive_in_order_at_the_asked_rate_the_first_at_once() -> None:
    people = make_plan(2000, 0.5, Shares(), 3)
    arrivals = [person.arrives_s for person in people]
    assert arrivals[0] == 0 and arrivals == sorted(arrivals)
    assert statistics.mean(b - a for a, b in zip(arrivals, arrivals[1:], strict=False)) == pytest.approx(2, rel=0.1)
    assert len({person.name for person in people}) == len({person.seed for person in people}) == 2000


def test_as_many_leave_and_reload_as_was_asked() -> None:
    people = make_plan(4000, 1, Shares(leave=0.3, reload=0.0, two_tabs=1.0, careless=0.5), 4)
    assert sum(person.leaves_at is not None for person in people) == pytest.approx(1200, rel=0.1)
    assert all(person.reloads_at is None and person.second_tab_at is not None for person in people)
    assert sum(person.careless for person in people) == pytest.approx(2000, rel=0.1)


@given(point=st.floats(0, 1, exclude_max=True), of=st.integers(1, 30))
def test_a_point_of_the_way_is_reached_at_some_step_and_from_then_on(point: float, of: int) -> None:
    steps = [reached(point, step, of) for step in range(1, of + 1)]
    assert any(steps) and steps == sorted(steps)


def test_nothing_is_reached_where_nothing_is_planned() -> None:
    assert not reached(None, 3, 5)
