"""The prediction, on crowds whose truth is known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.rehearse.capacity import Heard, Window, observed, predict, slowest

PLAYER, BOT, START_S = 0.03, 0.009, 0.2


def crowd(playing: int, *, starts: int = 0, holds: bool = True, noise: float = 0.0, others: float = 0.0) -> Window:
    """Two seconds with so many players on a machine where each takes PLAYER of a core, and its bot BOT."""
    heard = tuple(Heard(player, 2.0, 1.0 if holds else 0.7) for player in range(playing))
    spent_s = (2 * playing * PLAYER + starts * START_S) * (1 + noise)
    return Window(2.0, playing, heard, 2.0 * playing, starts, 2 * playing * BOT, spent_s, others * 2.0)


def test_the_capacity_is_what_fills_the_cores() -> None:
    windows = [crowd(n, starts=n % 3) for n in (1, 2, 3, 4, 5, 6)]
    prediction = predict(windows, cores=2)
    assert prediction.costs is not None
    assert prediction.costs.player == pytest.approx(PLAYER) and prediction.costs.start_s == pytest.approx(START_S)
    assert prediction.holds == 46  # 0.9 * 2 cores / 3.9 % of a core
    assert prediction.alone in (59, 60)  # 0.9 * 2 cores / 3 %, to a whole number
    assert (prediction.seen, prediction.broke) == (6, None)


@given(st.integers(0, 10_000), st.integers(3, 30))
def test_a_noisy_rehearsal_predicts_nearly_the_same(seed: int, most: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randint(1, most) for _ in range(60)]
    windows = [crowd(n, starts=chance.randint(0, 2), noise=chance.uniform(-0.1, 0.1)) for n in sizes]
    assert predict(windows, cores=2).holds == pytest.approx(1.8 / (PLAYER + BOT), rel=0.25)


def test_starts_are_not_taken_for_play_even_where_somebody_starts_all_the_time() -> None:
    windows = [crowd(n, starts=1 + n % 3) for n in (1, 2, 3, 4, 5, 6)]
    costs = predict(windows, cores=2).costs
    assert costs is not None
    assert (costs.player, costs.start_s) == (pytest.approx(PLAYER), pytest.approx(START_S))


def test_what_others_take_is_not_counted_on() -> None:
    quiet, busy = (predict([crowd(4, others=others)] * 5, cores=2).holds for others in (0.0, 1.0))
    assert quiet is not None and busy == pytest.approx(quiet / 2, abs=1)


def test_a_crowd_that_did_not_hold_is_believed_more_than_any_reckoning() -> None:
    windows = [crowd(n) for n in (2, 4, 6, 8)] + [crowd(10, holds=False)] * 4
    prediction = predict(windows, cores=64)
    assert (prediction.holds, prediction.seen, prediction.broke) == (8, 8, 10)
    assert "did not keep the pace" in prediction.method


def test_one_bad_moment_is_not_a_limit() -> None:
    windows = [crowd(5)] * 20 + [crowd(4, holds=False)] + [crowd(6)] * 5
    assert observed(windows) == (6, None)


def test_where_nothing_was_played_nothing_is_said() -> None:
    assert predict([], cores=2).holds is None
    assert predict([Window(2.0, 0, (), 0.0, 0, 0.1, 0.1, 0.0)], cores=2).holds is None


def test_of_a_server_elsewhere_only_what_was_seen_is_said() -> None:
    prediction = predict([Window(2.0, 7, tuple(Heard(n, 2.0, 1.0) for n in range(7)), 14.0, 0, 0.2)] * 3, cores=2)
    assert (prediction.holds, prediction.alone) == (7, None)
    assert "cannot be seen from here" in prediction.method


def test_the_slowest_count_and_not_the_mean_and_each_over_all_its_time() -> None:
    def window(*paces: float, seconds: float = 2.0) -> Window:
        return Window(2.0, len(paces), tuple(Heard(n, seconds, pace) for n, pace in enumerate(paces)), 0, 0, 0.0)

    assert (slowest([window(*[1.0] * 9, 0.5)] * 2) or 1) < 0.95 <= (slowest([window(*[1.0] * 100, 0.5)] * 2) or 0)
    assert slowest([window(0.8), window(*[1.0]), window(*[1.0]), window(*[1.0])]) == pytest.approx(0.95)
    assert slowest([window(0.1, seconds=1.0)]) is None  # one late tick is no pace
    assert slowest([]) is None
