"""What is known of the human, put together from entries that each know a part."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hippogym.core.record_format import encode_entry
from hippogym.data.columns import HUMAN_COLUMNS
from hippogym.data.sources import find_records
from hippogym.data.ticks import Head, Tail, Tick, read_parts
from tests.export.making import PERIOD_NS, Play


def frame(number):
    return {"id": number, "sha256": f"{number:064x}", "bytes": 100, "width": 4, "height": 2}


def press(seq, name="go"):
    return {"name": name, "value": 1, "origin": "held", "age_ticks": 0, "seq": seq}


def parts_of(records):
    return [part for found in find_records(records) for part in read_parts(found)]


def ticks_of(records):
    return [part for part in parts_of(records) if isinstance(part, Tick)]


def test_an_input_tells_what_was_seen_and_how_long_it_took(tmp_path):
    play = Play(tmp_path).begin(frame=frame(1))
    play.entries.set_clock(500.0, 2.0)
    play.tick(frame=frame(2))
    drawn_ns, drawn_ms = play.now_ns + 8_000_000, 500.0 + (play.now_ns + 8_000_000) / 1e6
    play.entries.add_sent({"frame": 2, "conn": 1, "sent_ns": play.now_ns + 1_000_000})
    play.entries.add_drawn({"frame": 2, "conn": 1, "t_client_ms": drawn_ms, "received_ns": drawn_ns + 3_000_000})
    seq = play.entries.add_input(
        {"action": "go"}, conn=1, received_ns=drawn_ns + 9_000_000, frame=2, t_client_ms=drawn_ms + 5.0
    )
    play.tick(frame=frame(3), applied=press(seq))
    play.tick(frame=frame(4), applied={**press(seq), "age_ticks": 1})
    play.end()
    play.close()

    seen, caused, held = (tick.human for tick in ticks_of(tmp_path))
    assert seen["frame"] == 2 and seen["frame_sha256"] == f"{2:064x}"
    assert seen["frame_sent_ns"] == seen["t_mono_ns"] + 1_000_000
    assert seen["frame_drawn_client_ms"] == drawn_ms and seen["frame_drawn_received_ns"] == drawn_ns + 3_000_000
    assert seen["display_delay_ms"] == pytest.approx(8.0)
    assert (seen["clock_offset_ms"], seen["clock_error_ms"]) == (500.0, 2.0)
    assert seen["input_seq"] is None and seen["action_origin"] == "default"
    assert (caused["action_name"], caused["action_origin"], caused["input_seq"]) == ("go", "held", seq)
    assert (caused["frame_seen"], caused["tick_seen"]) == (2, 1)
    assert caused["reaction_ms"] == pytest.approx(5.0)
    assert caused["input_delay_ms"] == pytest.approx((PERIOD_NS - 17_000_000) / 1e6)
    assert caused["display_delay_ms"] is None, "nobody said that frame 3 was drawn"
    assert held["frame_seen"] == 2 and held["reaction_ms"] is None, "the same input is not two reactions"


def test_a_reaction_needs_one_clock(tmp_path):
    play = Play(tmp_path).begin(frame=frame(1))
    play.entries.add_drawn({"frame": 1, "conn": 1, "t_client_ms": 5.0, "received_ns": 10})
    play.conn = 2
    seq = play.entries.add_input({"action": "go"}, conn=2, received_ns=20, frame=1, t_client_ms=900.0)
    play.tick(applied=press(seq))
    play.end()
    play.close()
    (tick,) = ticks_of(tmp_path)
    assert tick.human["frame_seen"] == 1 and tick.human["reaction_ms"] is None


def test_what_happens_in_a_pause_belongs_to_the_next_tick(tmp_path):
    play = Play(tmp_path).begin().tick()
    play.entries.add_input({"command": "pause"}, conn=1, received_ns=1, frame=None, t_client_ms=None)
    play.entries.add_skipped(2)
    play.keep("event", {})
    play.entries.add_input({"command": "start"}, conn=1, received_ns=2, frame=None, t_client_ms=None)
    play.entries.add_skipped(1)
    play.tick()
    play.entries.add_input({"command": "stop"}, conn=1, received_ns=3, frame=None, t_client_ms=None)
    play.end("stopped")
    play.close()
    first, second = ticks_of(tmp_path)
    assert first.inputs == [] and first.human["skipped_frames"] == 0
    assert [given["message"]["command"] for given in second.inputs] == ["pause", "start"]
    assert second.human["skipped_frames"] == 3
    tail = parts_of(tmp_path)[-1]
    assert isinstance(tail, Tail) and tail.reason == "stopped" and tail.inputs[0]["message"] == {"command": "stop"}


def test_a_frame_that_is_sent_again_keeps_its_first_times(tmp_path):
    play = Play(tmp_path).begin().tick(frame=frame(1))
    play.entries.add_sent({"frame": 1, "conn": 1, "sent_ns": 11})
    play.entries.add_drawn({"frame": 1, "conn": 1, "t_client_ms": 5.0, "received_ns": 12})
    play.entries.add_sent({"frame": 1, "conn": 2, "sent_ns": 21})
    play.entries.add_drawn({"frame": 1, "conn": 2, "t_client_ms": 1.0, "received_ns": 22})
    play.end()
    play.close()
    (tick,) = ticks_of(tmp_path)
    assert (tick.human["frame_sent_ns"], tick.human["frame_drawn_client_ms"]) == (11, 5.0)


def test_ticks_whose_frames_nobody_acknowledges_do_not_pile_up(tmp_path):
    play = Play(tmp_path).begin()
    for number in range(600):
        play.tick(frame=frame(number + 1))
    play.end()
    play.close()
    (found,) = find_records(tmp_path)
    read = iter(read_parts(found))
    assert isinstance(next(read), Head)
    assert [next(read).number for _ in range(3)] == [1, 2, 3]
    assert sum(isinstance(part, Tick) for part in read) == 597


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "trial episode tick action frame inputs sent drawn clock conn rate t_mono_ns t_wall_ns seed seed_used participant "
    "actions spaces skipped_frames rejected reported_action reason late_ns"
)
ours = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES.split(), plain))
KINDS = st.sampled_from(["reset", "tick", "tick", "event", "end", "other", None, 3])


@settings(max_examples=60)
@given(st.lists(st.tuples(KINDS, ours, plain), max_size=8))
def test_entries_of_strangers_make_no_trouble(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("strange")
    record = {"observation": 1, "reward": 1.0}
    data = [
        encode_entry({**record, "info": odd, "done": odd, "hippogym": {**block, "kind": kind}}, seq)
        for seq, (kind, block, odd) in enumerate(entries)
    ]
    (folder / "episode_0000.pkl").write_bytes(b"".join(data))
    parts = parts_of(folder)
    heads = sum(isinstance(part, Head) for part in parts)
    assert heads == sum(isinstance(part, Tail) for part in parts)
    assert sum(isinstance(part, Tick) for part in parts) == sum(kind == "tick" for kind, _, _ in entries)
    for part in parts:
        if isinstance(part, Tick):
            assert part.human.keys() == HUMAN_COLUMNS.keys()
        elif isinstance(part, Head):
            assert part.seed is None or isinstance(part.seed, int)
