"""The client's clock, the message rate, packets, frame headers, frame-rate changes and origins."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hippogym.core import packets
from hippogym.core.clock import ClientClock
from hippogym.core.entries import OURS, Entries, Moment
from hippogym.core.frame_header import LAST_OF_EPISODE, LAYOUT, FrameHeader
from hippogym.core.frame_rate import FrameRate
from hippogym.core.origins import may_connect
from hippogym.core.plain import plainify
from hippogym.core.rate_limit import TokenBucket

MS = 1_000_000


@given(
    offset_ms=st.floats(-1e9, 1e9),
    trips=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=40),
)
def test_the_clock_offset_is_within_its_error_bound(offset_ms: float, trips: list[tuple[int, int]]) -> None:
    clock = ClientClock()
    now_ms = 1000.0
    for there_ms, back_ms in trips:
        client_ms = now_ms + there_ms + offset_ms
        estimate = clock.sample(int(now_ms * MS), int((now_ms + there_ms + back_ms) * MS), client_ms)
        assert abs(estimate.offset_ms - offset_ms) <= estimate.error_ms + 1e-3
        now_ms += there_ms + back_ms


def test_a_burst_is_allowed_and_a_flood_is_not() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert [bucket.allow(0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.allow(100 * MS)
    assert not bucket.allow(100 * MS)


def test_a_bucket_gives_any_amount_that_is_left_and_a_refusal_costs_nothing() -> None:
    bucket = TokenBucket(rate=1000, burst=300)
    assert not bucket.take(0, 301)
    assert bucket.take(0, 200)
    assert not bucket.take(0, 101)
    assert bucket.take(0, 100)
    assert not bucket.take(49 * MS, 50)
    assert bucket.take(50 * MS, 50)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8), st.integers(1, 50))
def test_packets_survive_any_way_of_being_cut(sent: list[tuple[int, bytes]], size: int) -> None:
    stream = b"".join(packets.pack(kind, payload) for kind, payload in sent)
    splitter = packets.PacketSplitter()
    received = [packet for at in range(0, len(stream), size) for packet in splitter.feed(stream[at : at + size])]
    assert received == sent


def test_a_packet_of_an_impossible_length_is_refused() -> None:
    splitter = packets.PacketSplitter()
    with pytest.raises(ValueError, match="bytes"):
        list(splitter.feed(b"\xff\xff\xff\xff\x01"))


def test_a_note_is_a_packet_with_json() -> None:
    [(kind, payload)] = packets.PacketSplitter().feed(packets.pack_note({"watch": 1}))
    assert (kind, json.loads(payload)) == (packets.NOTE, {"watch": 1})


def test_a_frame_header_is_32_bytes_and_comes_back_as_it_was() -> None:
    header = FrameHeader(7, 2, 300, 123456789, (160, 210), LAST_OF_EPISODE)
    assert len(header.encode()) == LAYOUT.size == 32
    assert FrameHeader.decode(header.encode() + b"image") == header


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x01" * 40])
def test_what_is_not_a_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="version 2"):
        FrameHeader.decode(data)


def rate(now: float = 55, allowed: bool = True) -> FrameRate:
    return FrameRate(now, least=1, most=60, step=5, allowed=allowed)


@pytest.mark.parametrize(
    ("start", "wanted", "becomes"),
    [(55, "faster", 60), (58, "faster", 60), (6, "slower", 1), (55, 60.0, 60), (55, 1.0, 1), (55, 29.5, 29.5)],
)
def test_the_bounds_of_the_frame_rate_are_inclusive(start: float, wanted: str | float, becomes: float) -> None:
    changed = rate(start)
    assert changed.change(wanted) is None
    assert changed.rate == becomes


@pytest.mark.parametrize(("start", "wanted"), [(60, "faster"), (1, "slower"), (30, 60.5), (30, 0.0), (30, -5.0)])
def test_a_rate_outside_the_bounds_is_refused(start: float, wanted: str | float) -> None:
    changed = rate(start)
    assert changed.change(wanted)[0] == "out_of_range"
    assert changed.rate == start


def test_no_change_is_made_where_the_study_forbids_it() -> None:
    fixed = rate(30, allowed=False)
    assert fixed.change("faster")[0] == "not_allowed"
    assert fixed.rate == 30


LISTED = frozenset({"https://lab.example.org"})


@pytest.mark.parametrize(
    ("origin", "dev", "v2", "welcome"),
    [
        ("https://study.example.org", False, True, True),  # our own page
        ("https://study.example.org", False, False, False),  # a v1 client's origin must be listed
        ("https://lab.example.org", False, False, True),
        ("https://lab.example.org", False, True, True),
        (None, False, True, False),
        (None, True, True, True),
        ("null", False, True, False),
        ("null", True, True, False),
        ("http://localhost:3000", True, False, True),
        ("http://localhost:3000", False, True, False),
        ("http://127.0.0.1:1", True, True, True),
        ("http://[::1]:8080", True, True, True),
        ("http://localhost.evil.example", True, True, False),
        ("http://evil.example/localhost", True, True, False),
        ("http://localhost@evil.example", True, True, False),
        ("http://evil.example#localhost", True, True, False),
        ("http://localhost:99999", True, True, False),
        ("http://localhost:3000/", True, True, False),
        ("HTTP://LOCALHOST:3000", True, True, False),
        ("file://localhost", True, True, False),
        ("http://study.example.org", False, True, False),
        ("https://study.example.org:8443", False, True, False),
        ("https://study.example.org.evil.example", False, True, False),
        ("https://evil-study.example.org", False, True, False),
        ("https://Study.example.org", False, True, False),
        ("https://lab.example.org:443", False, True, False),
        ("https://lab.example.org.", False, True, False),
        ("https://lab.example.orG", False, True, False),
        ("http://lab.example.org", False, True, False),
        ("https://sub.lab.example.org", False, True, False),
        (" https://lab.example.org", False, True, False),
        ("", False, True, False),
        ("", True, True, False),
        ("http://0.0.0.0:3000", True, True, False),
        ("http://127.0.0.2:3000", True, True, False),
        ("http://[::1", True, True, False),
    ],
)
def test_only_pages_that_are_welcome_may_connect(origin: str | None, dev: bool, v2: bool, welcome: bool) -> None:
    decision = may_connect(origin, host="study.example.org", secure=True, listed=LISTED, dev=dev, v2=v2)
    assert decision is welcome


@pytest.mark.parametrize(
    ("host", "welcome"),
    [("localhost:5000", True), ("192.168.1.5:5000", True), ("[fd00::1]:5000", True), ("labpc:5000", True)]
    + [("labpc.local:5000", True), ("evil.example:5000", False), ("10.0.0.1.evil.example", False)],
)
def test_in_dev_a_host_header_with_a_strangers_domain_is_not_believed(host: str, welcome: bool) -> None:
    origin = f"http://{host}"
    assert may_connect(origin, host=host, secure=False, listed=LISTED, dev=True, v2=True) is welcome


def test_what_a_client_says_cannot_push_what_the_agent_says_out_of_an_entry() -> None:
    entries = Entries("t")
    fields = {f"f{n}": [[] for _ in range(50_000)] for n in range(5)}
    entries.add_input(fields, conn=1, received_ns=0, frame=None, t_client_ms=None)
    entry = entries.build("tick", Moment(1, 2, 0, 1, 1, 30.0), {"observation": [1, 2]}, action={"name": "up"})
    plain = plainify(entry, {})
    assert plain["observation"] == [1, 2]
    ours = plainify(entry[OURS], {})
    assert ours["action"] == {"name": "up"}


def test_an_entry_has_the_clients_fields_the_agents_over_them_and_ours_apart() -> None:
    entries = Entries("t")
    about = {"conn": 1, "received_ns": 5, "frame": 3, "t_client_ms": 1.0}
    entries.add_input({"action": "up", "reward": "forged", OURS: "forged"}, **about)
    entries.add_input({"action": "left"}, **about)
    moment = Moment(1, 2, episode=0, tick=4, conn=1, rate=30.0)
    entry = entries.build("tick", moment, {"reward": 1.0}, late_ns=0)
    assert entry["action"] == "left"
    assert entry["reward"] == 1.0
    assert [given["message"].get("action") for given in entry[OURS]["inputs"]] == ["up", "left"]
    assert [given["seq"] for given in entry[OURS]["inputs"]] == [1, 2]
    assert entry[OURS]["tick"] == 4


def test_an_entry_takes_what_was_collected_and_leaves_nothing_for_the_next() -> None:
    entries = Entries("t")
    entries.add_input({"x": 1}, conn=1, received_ns=0, frame=None, t_client_ms=None)
    entries.add_sent({"frame": 1, "conn": 1, "sent_ns": 5})
    entries.add_skipped(2)
    moment = Moment(1, 2, episode=0, tick=1, conn=1, rate=30.0)
    assert entries.holds_inputs
    assert entries.build("tick", moment, {})[OURS]["skipped_frames"] == 2
    assert not entries.holds_inputs
    empty = entries.build("tick", moment, {})
    assert empty[OURS]["inputs"] == empty[OURS]["sent"] == []
    assert "x" not in empty
