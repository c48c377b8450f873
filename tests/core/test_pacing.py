"""Deadlines at a frame rate, told the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.pacing import NS, FrameClock


def test_the_first_tick_is_due_one_period_after_the_rate_is_set() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    assert clock.wait_ns(0) == 20_000_000
    assert clock.wait_ns(20_000_000) == 0


def test_work_within_a_tick_does_not_slow_the_next_one_down() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    clock.tick(20_000_000)
    assert clock.wait_ns(20_000_000 + 12_000_000) == 8_000_000


def test_a_tick_that_is_a_little_late_keeps_the_rhythm() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    tick = clock.tick(25_000_000)
    assert (tick.late_ns, tick.missed) == (5_000_000, 0)
    assert clock.due_ns == 40_000_000


def test_lost_time_is_never_made_up_for_in_a_burst() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    tick = clock.tick(20_000_000 + 10 * NS)
    assert tick.missed == 500
    assert clock.wait_ns(20_000_000 + 10 * NS) == 20_000_000


def test_after_a_pause_the_first_tick_is_due_at_once() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    clock.restart(now_ns=5 * NS)
    assert clock.tick(5 * NS).late_ns == 0


def test_pausing_and_starting_again_does_not_make_the_game_faster() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    clock.tick(20_000_000)
    clock.restart(now_ns=21_000_000)
    assert clock.due_ns == 40_000_000


def test_setting_the_rate_again_and_again_does_not_hold_the_game_up() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    clock.tick(20_000_000)
    for now_ms in range(21, 40):
        clock.set_rate(50, now_ns=now_ms * 1_000_000)
    assert clock.due_ns == 40_000_000


def test_an_episodes_end_can_be_held() -> None:
    clock = FrameClock(rate=50, now_ns=0)
    clock.hold(now_ns=0, pause_ns=NS)
    assert clock.wait_ns(0) == NS


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        FrameClock(rate=rate, now_ns=0)


@given(
    rate=st.floats(1, 120),
    work_ms=st.lists(st.integers(0, 200), min_size=1, max_size=200),
)
def test_no_two_ticks_are_closer_than_lateness_allows_and_none_is_forgotten(rate: float, work_ms: list[int]) -> None:
    clock = FrameClock(rate, now_ns=0)
    now_ns, ticks, missed = 0, 0, 0
    for work in work_ms:
        now_ns += clock.wait_ns(now_ns)
        tick = clock.tick(now_ns)
        ticks += 1
        missed += tick.missed
        now_ns += work * 1_000_000
    elapsed_periods = now_ns / clock.period_ns
    assert ticks + missed <= elapsed_periods + 1
    assert ticks <= now_ns / clock.period_ns + 1
