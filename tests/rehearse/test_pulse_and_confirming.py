"""A game's pace as its frames tell it, and whether a prediction that is tried is told to be what it is."""

from dataclasses import replace

import pytest

from hippogym.rehearse.capacity import Heard, Prediction, Window, predict
from hippogym.rehearse.confirming import confirm
from hippogym.rehearse.pulse import Pulse, Reading

US = 1_000_000


def played(rate: float, ticks: range, pulse: Pulse | None = None, episode: int = 0, every: int = 1) -> Pulse:
    """Frames of a game that makes ``rate`` ticks a second."""
    pulse = pulse or Pulse(rate=30.0)
    for number in ticks[::every]:
        pulse.hear(number + 1, episode, number, round(number * US / rate))
    return pulse


def test_the_pace_is_that_of_the_ticks_however_few_frames_arrive() -> None:
    for every in (1, 3, 10):
        pulse = played(20.0, range(1, 101), every=every)
        assert pulse.ticks * US / pulse.us == pytest.approx(20)
    assert played(20.0, range(1, 101), every=3).overtaken == 66


def test_waiting_for_start_and_between_episodes_is_not_slowness() -> None:
    pulse = Pulse(rate=30.0)
    pulse.hear(1, 0, 0, 0)
    pulse.hear(2, 0, 1, 10 * US)  # Start was pressed ten seconds later
    pulse.hear(3, 0, 2, 10 * US + 33_333)
    pulse.hear(4, 1, 0, 15 * US)  # the next episode
    pulse.hear(5, 1, 1, 15 * US + 33_333)
    pulse.hear(6, 1, 2, 15 * US + 66_666)
    assert (pulse.ticks, pulse.us, pulse.late) == (2, 66_666, 0)


def test_what_lies_between_two_connections_does_not_count() -> None:
    pulse = played(30.0, range(1, 31))
    before = Reading.of(pulse)
    pulse.interrupt()
    pulse.hear(99, 0, 31, 60 * US)
    assert Reading.of(pulse) == before


def test_ticks_that_took_too_long_are_counted() -> None:
    pulse = Pulse(rate=30.0)
    for number, at_us in enumerate((0, 33_000, 66_000, 166_000, 199_000), 1):
        pulse.hear(number, 0, number, at_us)
    assert (pulse.ticks, pulse.late) == (4, 1)


def everybody(size: int, pace: float, seconds: float) -> tuple[Heard, ...]:
    return tuple(Heard(player, seconds, pace) for player in range(size))


class Machine:
    """Has one core, and holds so many; each player takes its share of the core."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tried: list[int] = []

    async def play(self, size: int) -> Window:
        self.tried.append(size)
        kept = min(1.0, self.limit / size)
        return Window(
            20.0, size, everybody(size, kept, 20.0), 20.0 * size, 0, 0.0, 20.0 * size * kept / self.limit, 0.0
        )


def rehearsed(cores_of_a_player: float) -> Prediction:
    """What a rehearsal with five at once says."""
    return predict([Window(5.0, 5, everybody(5, 1.0, 5.0), 25.0, 0, 0.0, 25 * cores_of_a_player, 0.0)], 1)


async def test_a_true_prediction_holds_at_80_and_does_not_at_130_percent() -> None:
    machine = Machine(60)
    first = rehearsed(1 / 60)
    found = await confirm(first, 1, machine.play)
    assert found.is_true and found.prediction == first and first.holds == 54  # nine tenths of the core
    assert [(one.playing, one.wanted, one.holds) for one in found.tried] == [(43, True, True), (70, False, False)]
    assert all(one.is_as_predicted for one in found.tried)


async def test_a_prediction_that_was_too_low_is_made_anew_from_the_larger_crowd() -> None:
    machine = Machine(60)
    low = rehearsed(2 / 60)
    assert low.holds == 27
    found = await confirm(low, 1, machine.play)
    assert found.is_true and found.prediction.holds == 54 and machine.tried == [22, 43, 70]


async def test_where_more_hold_than_was_thought_larger_crowds_are_tried_until_one_does_not() -> None:
    class Yielding(Machine):
        """Others make room for whoever comes, so that it always looks full."""

        async def play(self, size: int) -> Window:
            return replace(await super().play(size), others_s=max(0.0, 20.0 - 20.0 * size / self.limit))

    machine = Yielding(30)
    low = rehearsed(1 / 30)
    found = await confirm(replace(low, holds=10), 1, machine.play)
    said = found.prediction.holds or 0
    assert found.is_true and 30 / 1.3 <= said <= 30 / 0.8
    assert not found.tried[-1].holds and found.tried[-1].playing <= round(1.3 * said)


@pytest.mark.parametrize("limit", [2, 7, 20, 40])
async def test_a_prediction_that_was_too_high_is_brought_down_until_it_is_true(limit: int) -> None:
    found = await confirm(rehearsed(1 / 60), 1, Machine(limit).play)
    assert not found.tried[0].is_as_predicted or limit == 40
    assert found.is_true and limit / 1.4 <= (found.prediction.holds or 0) <= limit / 0.7


async def test_a_crowd_that_did_not_all_come_into_play_does_not_hold() -> None:
    async def play(size: int) -> Window:
        return Window(20.0, size - 1, everybody(size - 1, 1.0, 20.0), 20.0 * size, 0, 0.0, 0.1, 0.0)

    found = await confirm(rehearsed(1 / 60), 1, play)
    assert not any(one.holds or one.slowest for one in found.tried)
    assert not found.is_true and found.prediction.holds is None


async def test_where_nothing_was_predicted_nothing_is_tried() -> None:
    found = await confirm(predict([], 1), 1, Machine(5).play)
    assert (found.tried, found.is_true) == ([], False)
