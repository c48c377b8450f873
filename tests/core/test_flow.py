"""How many frames may be on their way."""

from hippogym.core.flow import LARGEST, NS, SPARE, FrameWindow

MS = 1_000_000


def test_without_a_round_trip_to_go_by_two_frames_may_be_on_their_way() -> None:
    window = FrameWindow()
    for frame in range(1, SPARE + 1):
        assert window.open(rate=30, now_ns=0)
        window.left(frame, now_ns=0)
    assert not window.open(rate=30, now_ns=10 * MS)


def test_a_long_round_trip_gets_as_many_frames_as_fit_into_it() -> None:
    window = FrameWindow()
    window.left(1, now_ns=0)
    window.arrived(1, now_ns=300 * MS)
    assert window.size(rate=30, now_ns=300 * MS) == 9 + SPARE


def test_a_queue_in_the_network_does_not_open_the_window() -> None:
    window = FrameWindow()
    window.left(1, now_ns=0)
    window.arrived(1, now_ns=20 * MS)
    window.left(2, now_ns=20 * MS)
    window.arrived(2, now_ns=2_000 * MS)
    assert window.size(rate=30, now_ns=2_000 * MS) == 1 + SPARE


def test_an_acknowledgement_stands_for_every_older_frame() -> None:
    window = FrameWindow()
    window.left(1, now_ns=0)
    window.left(2, now_ns=1)
    window.arrived(2, now_ns=2)
    assert window.open(rate=30, now_ns=3)
    window.left(3, now_ns=3)
    window.left(4, now_ns=3)
    window.left(5, now_ns=3)
    assert not window.open(rate=30, now_ns=4)


def test_a_client_that_acknowledges_nothing_still_gets_a_frame_a_second() -> None:
    window = FrameWindow()
    for frame in range(1, 10):
        window.left(frame, now_ns=0)
    assert not window.open(rate=30, now_ns=NS - 1)
    assert window.open(rate=30, now_ns=NS)


def test_old_round_trips_are_forgotten() -> None:
    window = FrameWindow()
    window.left(1, now_ns=0)
    window.arrived(1, now_ns=10 * MS)
    window.left(2, now_ns=11 * NS)
    window.arrived(2, now_ns=11 * NS + 500 * MS)
    assert window.size(rate=30, now_ns=11 * NS + 500 * MS) == 15 + SPARE


def test_the_window_has_a_limit() -> None:
    window = FrameWindow()
    window.left(1, now_ns=0)
    window.arrived(1, now_ns=9 * NS)
    assert window.size(rate=60, now_ns=9 * NS) == LARGEST


def test_a_new_connection_begins_with_nothing_on_its_way() -> None:
    window = FrameWindow()
    for frame in range(1, 10):
        window.left(frame, now_ns=0)
    window.forget()
    assert window.open(rate=30, now_ns=1)
