"""The box between a session and a mirror: newest wins, not too often, nothing is left lying, the end is told."""

import asyncio
from collections.abc import Callable

import pytest

from hippogym.live.observing import MIRROR_EVERY_S, Newest


class Clock:
    """A loop whose time is what the test says."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, do)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def box_of(clock: Clock, packet: bytes = b"") -> Newest:
    box = Newest(packet)
    box._loop = clock
    return box


async def soon(box: Newest) -> bytes | None:
    """What can be taken without waiting."""
    try:
        async with asyncio.timeout(0):
            return await box.take()
    except TimeoutError:
        return None


async def test_what_is_on_the_screen_already_can_be_taken_at_once(clock):
    box = box_of(clock, b"first")
    assert await soon(box) == b"first"
    assert await soon(box) is None


async def test_of_those_that_nobody_took_the_newest_wins(clock):
    box = box_of(clock)
    for packet in (b"1", b"2", b"3"):
        box.put(packet)
    assert await soon(box) == b"3"
    assert await soon(box) is None


async def test_every_third_frame_of_thirty_a_second_is_given_out(clock):
    box, given = box_of(clock), []
    for number in range(1, 31):
        box.put(b"%d" % number)
        if (packet := await soon(box)) is not None:
            given.append(int(packet))
        clock.now_s += 1 / 30
    box.close()
    assert given == list(range(1, 31, 3))


async def test_a_frame_that_nothing_follows_comes_by_itself():
    box = Newest(b"first")
    assert await box.take() == b"first"
    box.put(b"last")
    async with asyncio.timeout(90):
        assert await box.take() == b"last"


async def test_the_end_is_told_after_the_last_frame_and_for_ever(clock):
    box = box_of(clock)
    box.put(b"last")
    box.put(b"")
    assert [await soon(box) for _ in range(3)] == [b"last", b"", b""]


async def test_who_stops_looking_leaves_no_timer_behind(clock):
    box = box_of(clock, b"first")
    await box.take()
    box.put(b"second")
    assert box._later is not None
    box.close()
    assert box._later is None
    assert MIRROR_EVERY_S < 3 / 30, "else every fourth frame of thirty a second would be shown"
