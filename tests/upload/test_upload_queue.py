"""What is uploaded next, decided without a clock, a disk or a store."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.data.backoff import MOST_S, Backoff
from hippogym.data.records_scan import Found, Record
from hippogym.data.upload_queue import PART_BYTES, PART_EVERY_S, UploadQueue

WALL_S = 1.7e9


def closed(number: int) -> Found:
    return Found(Record(f"trial-{number:03d}", "episode_0000"), True, 1000, False)


def growing(size: int) -> Found:
    return Found(Record("trial-running", "episode_0000"), False, size, False)


def without_check() -> UploadQueue:
    """A queue that has found out that the store lets us in."""
    queue = UploadQueue()
    assert queue.take(0) == [None]
    queue.worked(None, finished=False)
    return queue


def test_it_asks_the_store_before_anything_waits():
    assert UploadQueue().take(0) == [None]


def test_four_at_a_time_the_oldest_first():
    queue = without_check()
    queue.saw([closed(number) for number in range(6)], 0)
    assert [job.trial for job in queue.take(0)] == [f"trial-{number:03d}" for number in range(4)]
    assert queue.take(0) == []
    queue.worked(closed(1).record, finished=True)
    assert [job.trial for job in queue.take(0)] == ["trial-004"]


def test_what_is_being_worked_on_is_not_begun_twice():
    queue = without_check()
    queue.saw([closed(1)], 0)
    assert len(queue.take(0)) == 1
    queue.saw([closed(1)], 1)
    assert queue.take(1) == []


def test_a_running_record_is_due_after_eight_seconds_or_four_mebibytes_and_goes_first():
    queue = without_check()
    queue.saw([growing(100), closed(1)], 0)
    assert [job.trial for job in queue.take(0)] == ["trial-001"]
    queue.saw([growing(200)], PART_EVERY_S - 0.1)
    assert queue.take(PART_EVERY_S - 0.1) == []
    queue.saw([growing(200), closed(2)], PART_EVERY_S)
    assert [job.trial for job in queue.take(PART_EVERY_S)] == ["trial-running", "trial-002"]
    queue.worked(growing(0).record, finished=False)
    queue.saw([growing(200)], 3 * PART_EVERY_S)
    assert queue.take(3 * PART_EVERY_S) == []  # nothing new
    queue.saw([growing(200 + PART_BYTES)], 3 * PART_EVERY_S)
    assert len(queue.take(3 * PART_EVERY_S)) == 1


def test_in_trouble_one_at_a_time_tries_and_success_lets_all_go_on():
    queue = without_check()
    queue.saw([closed(number) for number in range(8)], 0)
    now_s = 0.0
    for job in queue.take(now_s):
        queue.failed(job, "away", now_s, WALL_S, store=True)
    assert queue.take(now_s) == []
    tried = []
    for _ in range(20):
        now_s = max(queue.store_trouble.backoff.due_s, now_s)
        (job,) = queue.take(now_s)
        tried.append(job)
        assert queue.take(now_s + 1000) == []
        assert not queue.failed(job, "away", now_s, WALL_S, store=True)
    assert len(set(tried)) == 8  # nobody is forgotten
    now_s = queue.store_trouble.backoff.due_s
    (job,) = queue.take(now_s)
    assert queue.worked(job, finished=True).reason == "away"
    assert len(queue.take(now_s + MOST_S)) == 4


def test_a_record_that_fails_by_itself_does_not_hold_up_the_others():
    queue = without_check()
    queue.saw([closed(number) for number in range(3)], 0)
    bad, *good = queue.take(0)
    assert queue.failed(bad, "cannot be read", 0, WALL_S, store=False)
    for job in good:
        queue.worked(job, finished=True)
    queue.saw([closed(3), Found(bad, True, 1000, False)], 0)
    assert [job.trial for job in queue.take(0)] == ["trial-003"]
    assert queue.take(queue.next_due_s()) == [bad]
    assert not queue.failed(bad, "cannot be read", 1, WALL_S, store=False)
    assert queue.troubles[bad].since_s == WALL_S


def test_told_to_finish_it_tries_everything_at_once_and_again_soon():
    queue = without_check()
    queue.saw([closed(1), growing(10)], 0)
    (job,) = queue.take(0)
    for _ in range(10):
        queue.failed(job, "away", 0, WALL_S, store=True)
        queue.flying.add(job)
    queue.flying.clear()
    queue.drain()
    assert queue.take(0) == [job]
    queue.failed(job, "away", 0, WALL_S, store=True)
    assert queue.next_due_s() <= 4


def test_it_is_done_when_all_is_verified_or_only_what_nobody_closed_is_left():
    queue = without_check()
    assert queue.nothing_more_to_do()
    queue.drain()
    queue.saw([growing(10), closed(1)], 0)
    jobs = queue.take(0)
    assert len(jobs) == 2 and not queue.nothing_more_to_do()
    queue.worked(closed(1).record, finished=True)
    assert not queue.nothing_more_to_do()
    queue.worked(growing(10).record, finished=False)
    assert queue.nothing_more_to_do() and list(queue.found) == [growing(10).record]


@settings(max_examples=50)
@given(st.data())
def test_whatever_fails_for_however_long_everything_is_done_when_the_store_is_well(data):
    queue, now_s = UploadQueue(), 0.0
    left = {found.record: found for found in [closed(number) for number in range(data.draw(st.integers(0, 9)))]}
    left |= {growing(5).record: growing(PART_BYTES)} if data.draw(st.booleans()) else {}
    bad_turns = data.draw(st.integers(0, 30))
    flying = []
    for turn in range(500):
        queue.saw(list(left.values()), now_s)
        flying += queue.take(now_s)
        assert len(flying) == len(set(flying)) <= 4
        if not flying:
            now_s += data.draw(st.sampled_from([0.1, 1.0, 40.0])) if turn < bad_turns else 1.0
            if not left and queue.nothing_more_to_do():
                break
            continue
        job = flying.pop(data.draw(st.integers(0, len(flying) - 1)) if turn < bad_turns else 0)
        if turn < bad_turns and data.draw(st.booleans()):
            queue.failed(job, data.draw(st.sampled_from(["a", "b"])), now_s, WALL_S, store=data.draw(st.booleans()))
            continue
        finished = job is not None and left[job].closed
        queue.worked(job, finished=finished)
        if finished:
            del left[job]
        elif job is not None:  # now it is closed
            left[job] = Found(job, True, left[job].bytes, False)
    assert not left and queue.nothing_more_to_do()


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_double_up_to_thirty_seconds_and_half_of_each_is_chance(failures, chance):
    backoff = Backoff(chance=lambda: chance)
    for _ in range(min(failures, 12)):
        backoff.failed(100.0)
    full = min(MOST_S, 0.5 * 2 ** (min(failures, 12) - 1))
    assert abs(backoff.due_s - 100.0 - full * (0.5 + chance / 2)) < 1e-6
    backoff.worked()
    assert backoff.failed(0) <= 0.5
