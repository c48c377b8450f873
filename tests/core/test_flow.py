"""How many frames may be on their way: rules, and what they make of simulated links."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hippogym.core.flow import INITIAL, LARGEST, NS, FrameWindow

MS = 1_000_000
RATE = 30
SECONDS = 60
WARM_S = 10


def test_without_a_round_trip_to_go_by_a_few_frames_may_be_on_their_way() -> None:
    window = FrameWindow()
    for frame in range(1, INITIAL + 1):
        assert window.open(rate=30, now_ns=0)
        window.left(frame, now_ns=0)
    assert not window.open(rate=30, now_ns=10 * MS)


def test_an_acknowledgement_stands_for_every_older_frame() -> None:
    window = FrameWindow()
    for frame in range(1, INITIAL + 1):
        window.left(frame, now_ns=frame)
    assert not window.open(rate=30, now_ns=10)
    window.arrived(INITIAL, now_ns=20)
    for frame in range(INITIAL + 1, INITIAL + 3):
        assert window.open(rate=30, now_ns=30)
        window.left(frame, now_ns=30)


def test_an_acknowledgement_of_a_frame_that_never_left_changes_no_window() -> None:
    window = FrameWindow()
    window.arrived(7, now_ns=5 * NS)
    assert window.size(rate=30) == INITIAL


def test_a_client_that_acknowledges_nothing_still_gets_a_frame_a_second() -> None:
    window = FrameWindow()
    for frame in range(1, 10):
        window.left(frame, now_ns=0)
    assert not window.open(rate=30, now_ns=NS - 1)
    assert window.open(rate=30, now_ns=NS)


def test_the_window_has_a_limit() -> None:
    run = simulate(capacity=1000, round_trip_s=5)
    assert max(run.on_their_way) == LARGEST


def test_a_new_connection_begins_with_nothing_on_its_way_and_nothing_known() -> None:
    window = FrameWindow()
    for frame in range(1, 10):
        window.left(frame, now_ns=0)
    window.arrived(3, now_ns=9 * NS)
    window.forget()
    assert window.open(rate=30, now_ns=1)
    assert window.size(rate=30) == INITIAL


def test_a_client_whose_socket_takes_every_frame_at_once_gets_them_all() -> None:
    window = FrameWindow()
    for frame in range(1, 1000):
        now_ns = frame * NS // RATE
        assert window.open(rate=RATE, now_ns=now_ns)
        window.left(frame, now_ns)
        window.arrived(frame, now_ns)


@dataclass
class Run:
    """When each frame left and was acknowledged, in seconds."""

    trips: list[tuple[float, float]]
    on_their_way: list[int]

    def longest(self, begin_s: float = WARM_S, end_s: float = SECONDS) -> float:
        return max(there - gone for gone, there in self.trips if begin_s <= gone < end_s)

    def rate(self, begin_s: float = WARM_S, end_s: float = SECONDS) -> float:
        return sum(begin_s <= there < end_s for _, there in self.trips) / (end_s - begin_s)

    def longest_pause(self, begin_s: float, end_s: float) -> float:
        gone = [gone for gone, _ in self.trips if begin_s <= gone < end_s]
        return max(later - earlier for earlier, later in zip(gone, gone[1:], strict=False))


def simulate(
    capacity: float | Callable[[float], float],
    round_trip_s: float | Callable[[float], float],
    jitter_s: float = 0,
    acks_at_ticks: bool = False,
    seed: int = 1,
) -> Run:
    """A sender that asks at every tick, and a link that carries one frame at a time, in order."""
    capacity_at = capacity if callable(capacity) else lambda _: capacity
    round_trip_at = round_trip_s if callable(round_trip_s) else lambda _: round_trip_s
    chance = random.Random(seed)
    window, run = FrameWindow(), Run([], [])
    acks: deque[tuple[float, int]] = deque()
    free_s = last_s = 0.0
    for tick in range(SECONDS * RATE):
        now_s = tick / RATE
        while acks and acks[0][0] <= now_s:
            at_s, frame = acks.popleft()
            window.arrived(frame, int((now_s if acks_at_ticks else at_s) * NS))
        now_ns = int(now_s * NS)
        if window.open(RATE, now_ns):
            frame = len(run.trips) + 1
            window.left(frame, now_ns)
            free_s = max(free_s, now_s) + 1 / capacity_at(now_s)
            last_s = max(last_s, free_s + round_trip_at(now_s) + chance.uniform(-jitter_s, jitter_s))
            acks.append((last_s, frame))
            run.trips.append((now_s, last_s))
            run.on_their_way.append(len(acks))
    return run


def bound_s(capacity: float, round_trip_s: float) -> float:
    """What the module promises: an unhindered trip, and three frames of the link or 150 ms."""
    return round_trip_s + 1 / capacity + max(3 / capacity, 0.150) + 1e-6


@pytest.mark.parametrize("acks_at_ticks", [False, True])
@pytest.mark.parametrize("round_trip_s", [0.005, 0.030, 0.100, 0.500])
@pytest.mark.parametrize("capacity", [2, 5, 10, 20, 28, 60])
def test_a_link_is_used_without_filling_its_queue(capacity: int, round_trip_s: float, acks_at_ticks: bool) -> None:
    run = simulate(capacity, round_trip_s, acks_at_ticks=acks_at_ticks)
    assert run.longest() <= bound_s(capacity, round_trip_s)
    assert run.rate() >= 0.85 * min(RATE, capacity)


@pytest.mark.parametrize("capacity", [2, 5, 10, 20, 60])
@pytest.mark.parametrize("round_trip_s", [0.030, 0.100, 0.500])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_jitter_does_not_collapse_the_rate(seed: int, round_trip_s: float, capacity: int) -> None:
    run = simulate(capacity, round_trip_s, jitter_s=0.020, seed=seed)
    assert run.rate() >= 0.85 * min(RATE, capacity)
    assert run.longest() <= bound_s(capacity, round_trip_s) + 1 / capacity + 0.040


@pytest.mark.parametrize("round_trip_s", [0.005, 0.030, 0.100, 0.500])
def test_a_free_path_gets_every_frame_within_a_few_round_trips_and_is_never_paused(round_trip_s: float) -> None:
    run = simulate(1000, round_trip_s)
    soon_s = 5 * round_trip_s + 0.1
    assert run.longest_pause(soon_s, SECONDS) < 1.5 / RATE


@pytest.mark.parametrize("fast", [30, 60])
@pytest.mark.parametrize("round_trip_s", [0.005, 0.100, 0.500])
def test_a_link_that_becomes_slow_and_fast_again_is_followed(round_trip_s: float, fast: int) -> None:
    run = simulate(lambda now_s: 5 if 20 <= now_s < 40 else fast, round_trip_s)
    assert run.longest(20, 40) <= bound_s(5, round_trip_s) + 3
    assert run.longest(35, 40) <= bound_s(5, round_trip_s) + 0.2
    assert run.rate(25, 40) >= 0.85 * 5
    assert run.rate(45, 60) >= 0.95 * RATE
    assert run.longest(45, 60) <= bound_s(fast, round_trip_s)


@pytest.mark.parametrize("jitter_s", [0, 0.015])
def test_a_longer_route_is_not_taken_for_a_queue_for_long(jitter_s: float) -> None:
    run = simulate(60, lambda now_s: 0.200 if 20 <= now_s < 45 else 0.020, jitter_s)
    assert run.rate(35, 45) >= 0.95 * RATE
    assert run.rate(46, 60) >= 0.95 * RATE
