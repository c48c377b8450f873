"""An entry that could not be kept costs nothing: the next one holds what it held."""

from hypothesis import given
from hypothesis import strategies as st

from hippogym.core.entries import OURS, Entries, Moment

MOMENT = Moment(1, 2, episode=0, tick=1, conn=1, rate=30.0)
NAMES = st.sampled_from(["action", "info", "userId"])
STEPS = st.one_of(
    st.tuples(st.just("input"), st.dictionaries(NAMES, st.integers(0, 9), max_size=2), st.booleans()),
    st.tuples(st.just("sent"), st.integers(0, 9)),
    st.tuples(st.just("drawn"), st.integers(0, 9)),
    st.tuples(st.just("skipped"), st.integers(1, 3)),
    st.tuples(st.just("refused"), st.integers(1, 3)),
    st.tuples(st.just("clock"), st.integers(0, 9)),
    st.tuples(st.just("entry"), st.booleans()),
)


def do(entries: Entries, step: tuple) -> None:
    match step:
        case "input", fields, on_top:
            entries.add_input(fields, conn=1, received_ns=0, frame=None, t_client_ms=None, on_top=on_top)
        case "sent", frame:
            entries.add_sent({"frame": frame})
        case "drawn", frame:
            entries.add_drawn({"frame": frame})
        case "skipped", count:
            entries.add_skipped(count)
        case "refused", count:
            entries.add_refused(count)
        case "clock", offset:
            entries.set_clock(offset, 1.0)


def kept(steps: list[tuple], *, trying: bool) -> list[dict]:
    """The entries that are kept. trying: those that fail are built and put back, otherwise they are left out."""
    entries, found = Entries("t"), []
    for step in [*steps, ("entry", True)]:
        if step[0] != "entry":
            do(entries, step)
        elif step[1]:
            found.append(entries.build("tick", MOMENT, {"reward": 1.0}))
        elif trying:
            entries.put_back(entries.build("tick", MOMENT, {"reward": 1.0}))
    return found


@given(st.lists(STEPS, max_size=20))
def test_entries_that_fail_leave_no_trace_and_lose_nothing(steps):
    assert kept(steps, trying=True) == kept(steps, trying=False)


def test_what_does_not_belong_on_top_is_not_there_after_it_was_put_back_either():
    entries = Entries("t")
    about = {"conn": 2, "received_ns": 0, "frame": None, "t_client_ms": None}
    entries.add_input({"userId": "someone else"}, **about, on_top=False)
    entries.put_back(entries.build("tick", MOMENT, {}))
    entry = entries.build("tick", MOMENT, {})
    assert "userId" not in entry
    assert [one["message"] for one in entry[OURS]["inputs"]] == [{"userId": "someone else"}]
